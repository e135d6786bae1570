"""The four tabs of the analytics. Every chart has a sentence for when it is empty, and a way to its jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import Any

import streamlit as st

from admin_app.ui import access, charts, fixes, places, stories, words
from admin_app.ui.widgets import attempt
from forwarder_core.domain.analytics import Period, Tally
from forwarder_core.services import analytics_tables, happenings, tokens
from forwarder_core.services.analytics import AccountLine, ConnectionLine, View

_ENDED = "appears as soon as the first post of these days was forwarded or failed for good"
NO_FILES = "Files are offered once every one of these days is counted."


def counting(uncounted: Sequence[date], of: int) -> None:
    """Says how many days are still to be counted, where any are."""
    if uncounted:
        words = f"{len(uncounted):,} of {of:,} days are being counted, the newest first"
        st.info(f"{words}; what is shown of them is old or missing. Look again in a minute.", icon=":material/timer:")


def overview(view: View) -> None:
    fixes.section(view)
    story = attempt(lambda: happenings.story(access.core(), view.period))
    marks = story.happenings if story else ()
    left, right = st.columns(2, gap="medium")
    with left:
        trend = partial(charts.success_trend, view.days, marks, access.core().settings.zone)
        _days("Success by day", view.tally.total, trend, f"The line {_ENDED}.")
        _failures(view)
    with right:
        _days("Posts by day", view.tally.total, lambda: charts.volume(view.days), f"A bar a day {_ENDED}.")
        is_known = any(line.tally.is_expected for line in view.days)
        _days("Uptime", is_known, lambda: charts.calendar(view.days), f"The calendar {_ENDED}.")
    if story:
        stories.events(story)
        table(view, "events", "What happened")
    stories.diagnosis()
    _dead_letters(view)
    table(view, "days", "Day by day")
    table(view, "weeks", "The last weeks")
    table(view, "months", "The last months")


def connections(view: View) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        made = _chart("The busiest", view.tally.total, lambda: charts.connections(view.connections), f"A bar {_ENDED}.")
        _to_connection(made, view.period)
    with right:
        made = _chart(
            "Retries and success", view.tally.total, lambda: charts.retries(view.connections), f"A point {_ENDED}."
        )
        _to_connection(made, view.period)
    _failing(view.period, [(c.named.name, c.tally, "connection", c.named.id) for c in view.connections])
    if view.connections:
        _one_connection(view.connections)
    table(view, "connections", "All connections")


def accounts(view: View) -> None:
    _failing(view.period, [(a.alias, a.tally, "account", a.id) for a in view.accounts])
    if view.accounts:
        _one_account(view.accounts)
    else:
        st.caption("An account shows here once it is added.")
    table(view, "accounts", "All accounts")


def system(view: View) -> None:
    load = view.load
    with st.grid(5, min_column_width=150):
        st.metric("Workers busy", _percent(load.utilisation), border=True, help="Of the slot-seconds there were")
        st.metric("Wait for a worker", _span(load.wait_s), border=True, help="Queued to started, on average")
        st.metric("Source to destination", _span(load.latency_p50_s), border=True, help="Half of the posts within")
        st.metric("… 95 % within", _span(load.latency_p95_s), border=True)
        st.metric("Duration", _span(view.tally.avg_duration_s), border=True, help="First start to success, on average")
    left, right = st.columns(2, gap="medium")
    with left:
        is_known = any(day.latency_p50_s is not None for day in load.days)
        _days("Source to destination", is_known, lambda: charts.latency(view), "Shows with the first post forwarded.")
        is_sent = view.tally.bytes_fetched or view.tally.bytes_sent
        _days("Data processed", is_sent, lambda: charts.data(view.days), f"A bar a day {_ENDED}.")
    with right:
        _hours(view)
        _days("Throughput", view.tally.total, lambda: charts.throughput(view), f"The line {_ENDED}.")
    _proxies(view)
    _tokens()
    table(view, "hours", "Jobs by hour")


def table(view: View, name: str, title: str) -> None:
    """A table of the exports, and its file."""
    with st.expander(f"{title} as a table"):
        _listed(view, name, title)


def _listed(view: View, name: str, title: str) -> None:
    made = analytics_tables.safe_frame(view, name)
    if made.empty:
        st.caption("There is nothing to list yet.")
        return
    st.dataframe(made, hide_index=True, width="stretch")
    if view.uncounted:
        st.caption(NO_FILES)
        return
    st.download_button(
        f"{title} as CSV",
        analytics_tables.csv_of(view, name),
        f"analytics-{name}-{view.period.first}-{view.period.last}.csv",
        "text/csv",
        icon=":material/download:",
        key=f"analytics-csv-{name}",
    )


def _failures(view: View) -> None:
    failed = any(cause.jobs for cause in view.causes)
    empty = "Nothing failed for good in these days. A slice for each cause appears with the first that does."
    event = _chart("Why posts failed", failed, lambda: charts.failures(view), empty)
    if code := charts.picked(event, "code"):
        behind(f"failed of {code}", view.period.first, view.period.last, error=code, status="dead")


def behind(which: str, first: date, last: date, **query: str) -> None:
    """The ways from a mark of these days to the jobs that ended on them, and to what was logged about them."""
    days = {"from": first.isoformat(), "to": last.isoformat()}
    ended = {f"ended_{name}": day for name, day in days.items()}
    places.link("jobs", f"Jobs: {which}", icon=":material/list_alt:", **ended, **query)
    query.pop("status", None)  # lines have none
    places.link("logs", f"Logs: {which}", icon=":material/notes:", **days, **query)


def _days(title: str, is_known: Any, make: Callable[[], charts.Drawn], empty: str) -> None:
    _of_day(_chart(title, is_known, make, empty))


def _of_day(event: Any, **query: str) -> None:
    if picked := charts.picked(event, "day"):
        day = date.fromisoformat(picked)
        behind(picked, day, day, **query)


def _hours(view: View) -> None:
    """An hour is of every day of the period."""
    event = _chart("Busy hours", view.tally.total, lambda: charts.hours(view.by_hour), f"A bar an hour {_ENDED}.")
    if hour := charts.picked(event, "hour"):
        behind(f"from {hour}:00 on, an hour of each day", view.period.first, view.period.last, hour=str(int(hour)))


def _to_connection(event: Any, period: Period) -> None:
    if id_ := charts.picked(event, "id"):
        behind("of this connection", period.first, period.last, connection=id_)
        places.link("connections", "To the connection", icon=":material/link:", id=id_)


def _chart(title: str, is_known: Any, make: Callable[[], charts.Drawn], empty: str) -> Any:
    """Draws it, or says what will appear; what a click chose, where the chart can be clicked."""
    st.subheader(title)
    if not is_known:
        st.info(empty, icon=":material/hourglass_empty:")
        return None
    made = make()
    if made.to_dict().get("params"):
        return st.altair_chart(made, width="stretch", on_select="rerun", key=f"analytics-{title}")
    st.altair_chart(made, width="stretch")
    return None


def _dead_letters(view: View) -> None:
    st.subheader("Dead letters")
    if not view.dead_letters:
        st.caption("No job has failed for good and waits for you.")
        return
    now = access.core().clock.now()
    for one in view.dead_letters:
        with st.container(horizontal=True, vertical_alignment="center"):
            age = words.ago(one["oldest_at"], now) if one["oldest_at"] else "some time ago"
            st.markdown(f"**{one['jobs']}** of {words.plain(analytics_tables.title(one['code']))}, the oldest {age}")
            places.link("jobs", "Show them", error=one["code"])


def _failing(period: Period, lines: Sequence[tuple[str, Tally, str, int]], most: int = 5) -> None:
    st.subheader("Failing most")
    worst = sorted((line for line in lines if line[1].failed), key=lambda line: -line[1].failed)[:most]
    if not worst:
        st.caption("None failed for good in these days.")
    for name, tally, parameter, id_ in worst:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{words.plain(name)}: **{tally.failed}** of {tally.total} failed")
            ended = {"ended_from": period.first.isoformat(), "ended_to": period.last.isoformat()}
            places.link("jobs", "Show them", **{parameter: str(id_), "status": "dead"}, **ended)


def _one_connection(lines: Sequence[ConnectionLine]) -> None:
    by_id = {line.named.id: line for line in lines}
    connection_figures(by_id[st.selectbox("Connection", list(by_id), format_func=lambda id_: by_id[id_].named.name)])


def connection_figures(chosen: ConnectionLine) -> None:
    """What a connection did in these days, day by day."""
    t = chosen.tally
    with st.grid(5, min_column_width=130):
        st.metric("Posts", f"{t.total:,}", border=True)
        st.metric("Success", _percent(t.success_rate), border=True)
        st.metric("Uptime", _percent(chosen.uptime), border=True)
        st.metric("Retries a success", "–" if t.avg_retries is None else f"{t.avg_retries:g}", border=True)
        st.metric("Duration", _span(t.avg_duration_s), border=True)
    if chosen.peak:
        st.caption(f"Most posts between {chosen.peak[0]:02}:00 and {chosen.peak[1]:02}:00.")
    if not t.is_expected:
        st.caption("Its days show here once it forwards.")
        return
    id_ = str(chosen.named.id)
    _of_day(_drawn(charts.volume(chosen.days), f"connection-{id_}"), connection=id_)
    left, right = st.columns(2, gap="medium")
    with left:
        _of_day(_drawn(charts.calendar(chosen.days), f"uptime-{id_}"), connection=id_)
    with right:
        if any(cause.jobs for cause in chosen.causes):
            code = charts.picked(_drawn(charts.failures(chosen), f"failures-{id_}"), "code")
            if code:
                days = (chosen.days[0].day, chosen.days[-1].day)
                behind(f"failed of {code}", *days, connection=id_, error=code, status="dead")
        else:
            st.caption("None of its posts failed for good in these days.")


def _drawn(made: charts.Drawn, key: str) -> Any:
    """What a click on it chose."""
    return st.altair_chart(made, width="stretch", on_select="rerun", key=f"analytics-{key}")


def _one_account(lines: Sequence[AccountLine]) -> None:
    by_id = {line.id: line for line in lines}
    asked = st.query_params.get("account", "")
    at = next((n for n, id_ in enumerate(by_id) if str(id_) == asked), 0)
    account_figures(by_id[st.selectbox("Account", list(by_id), at, format_func=lambda id_: by_id[id_].alias)])


def account_figures(chosen: AccountLine) -> None:
    """What an account did in these days, and what its health is made of."""
    score = chosen.health.score
    with st.grid(5, min_column_width=130):
        st.metric("Health, of 100", "–" if score is None else score, border=True)
        st.metric("Success", _percent(chosen.tally.success_rate), border=True)
        st.metric("Uptime", _percent(chosen.uptime), border=True)
        st.metric("As source", f"{chosen.as_source:,}", border=True)
        st.metric("As destination", f"{chosen.as_destination:,}", border=True)
    known = {name: points for name, points in chosen.health.parts.items() if points is not None}
    told = ", ".join(f"{name.replace('_', ' ')} {points:g}" for name, points in known.items())
    st.caption(f"Points of its health: {told}." if score is not None else "Its health shows once it forwards.")
    if chosen.last_failed_at:
        core = access.core()
        st.caption(f"Last failure {words.ago(chosen.last_failed_at, core.clock.now())}.")
    if chosen.tally.is_expected:
        id_ = str(chosen.id)
        _of_day(_drawn(charts.calendar(chosen.days), f"account-{id_}"), account=id_)
        if chosen.errors:
            st.caption("What failed in its own step, by day and cause:")
            _of_day(_drawn(charts.errors(chosen.errors), f"errors-{id_}"), account=id_)


def _proxies(view: View) -> None:
    st.subheader("Proxies")
    if not view.by_proxy:
        st.caption("A proxy shows here, up or down, as soon as it is added; its checks half an hour after.")
    else:
        _listed(view, "proxy_totals", "Proxies")
        table(view, "proxies", "Proxies by day")


def _tokens() -> None:
    st.subheader("Sign-ins that end soon")
    core = access.core()
    ending = tokens.calendar(core)
    for within, views in ending.items():
        st.caption(f"Within {within} days: {len(views)}" if views else f"None ends within {within} days.")
    for one in ending[max(ending)]:
        at = words.clock_time(one.next_action_at, core.settings.zone) if one.next_action_at else "no date is known"
        places.link("accounts", f"{words.plain(one.account.alias)}: {at}", id=str(one.account.id))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:g} %"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.1f} min"
        if seconds < 7_200
        else f"{seconds / 3600:.1f} h"
    )
