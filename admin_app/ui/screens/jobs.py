"""Jobs: the list with its filters, and the dead-letter queue with all that can be done about it at once.

One job with everything that happened to it is `job`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import streamlit as st

from admin_app.ui import access, days, places, words
from admin_app.ui.live import EVERY, is_web
from admin_app.ui.screens import job
from admin_app.ui.widgets import attempt, badge_column, say_later
from forwarder_core.domain.analytics import bounds
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import accounts, bulk, connections, jobs
from forwarder_core.services.bulk import Cause
from forwarder_core.services.jobs import JobView, Wanted

_ACTIVE, _DEAD, _HISTORY = "Active", "Dead letter", "History"
_VIEWS = {
    _ACTIVE: tuple(s.value for s in JobStatus if not s.is_terminal),
    _DEAD: (JobStatus.DEAD.value,),
    _HISTORY: (),
}
_EMPTY = {
    _ACTIVE: "No job is under way or waiting.",
    _DEAD: "The dead-letter queue is empty: no job has failed for good.",
    _HISTORY: "There is no such job.",
}
_PAGE = 50


def show() -> None:
    chosen = places.number("id")
    if chosen is not None:
        job.show(chosen)
    else:
        _list()


def _list() -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("Jobs")
        places.link("logs", "View logs", icon=":material/article:")
    usual = _usual_view()
    view = st.segmented_control("Show", list(_VIEWS), default=usual, key="jobs-view") or usual
    wanted = _filters(view)
    if view == _DEAD:
        _causes()
    if view == _ACTIVE:
        _moving(wanted)
    else:
        _rows(view, wanted)


@st.fragment(run_every=EVERY)
def _moving(wanted: Wanted) -> None:
    """What is under way, drawn anew as it moves."""
    access.require_user(is_use=False)
    _rows(_ACTIVE, wanted)


def _rows(view: str, wanted: Wanted) -> None:
    core = access.core()
    where = f"jobs-before-{view}-{wanted}"
    before = st.session_state.get(where, jobs.FIRST_PAGE)
    found = jobs.page(core, wanted, before=before, limit=_PAGE + 1)
    if not found:
        st.info(_EMPTY[view])
        return
    shown = found[:_PAGE]
    _pick(shown, _TABLES[view], key=f"jobs-table-{view}-{before}")
    with st.container(horizontal=True):
        if before != jobs.FIRST_PAGE and st.button("Newest", icon=":material/first_page:"):
            st.session_state[where] = jobs.FIRST_PAGE
            st.rerun()
        if len(found) > _PAGE and st.button("Older", icon=":material/chevron_right:"):
            st.session_state[where] = shown[-1].job.id
            st.rerun()


def _usual_view() -> str:
    """Where the address says of which jobs, all of them are meant: charts and digests lead here."""
    asked = st.query_params
    if asked.get("status") == JobStatus.DEAD:
        return _DEAD
    return _HISTORY if any(asked.get(name) for name in ("error", "connection", "from", "ended_from")) else _ACTIVE


def _filters(view: str) -> Wanted:
    """`?account=`, `?connection=`, `?from=` and `?to=` in the address, as banners and charts have them, count too."""
    core = access.core()
    known = {c.id: c.name for c in connections.page(core, limit=500)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        connection = st.selectbox(
            "Connection",
            [0, *known],
            index=next((n for n, id_ in enumerate(known, 1) if str(id_) == st.query_params.get("connection")), 0),
            format_func=lambda i: known.get(i, "All"),
            key="jobs-connection",
        )
        states = [s for s in JobStatus if s.value in _VIEWS[view] or view == _HISTORY]
        status = st.selectbox("Status", ["All", *states], format_func=_word, key=f"jobs-status-{view}")
        since, until = days.field("Created", "jobs-days")
        q = st.text_input("Search", placeholder="Caption, or a number", key="jobs-q")
    account_id = places.number("account")
    if account_id is not None and (owner := attempt(lambda: accounts.get(core, account_id))) is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"Jobs of account **{words.plain(owner.alias)}**", width="content")
            if st.button("Show all", icon=":material/close:"):
                del st.query_params["account"]
                st.rerun()
    chosen = _VIEWS[view] if status == "All" else (str(status),)
    first, last, hour = _ended()
    if first and not chosen:
        chosen = (JobStatus.SUCCESS, JobStatus.DEAD)  # what a mark of the analytics counts
    return Wanted(
        status=chosen,
        connection_id=connection or None,
        account_id=account_id,
        error=_error_filter(),
        since=since,
        until=until,
        ended_since=first,
        ended_until=last,
        ended_hour=hour,
        q=(q or "").replace("\x00", "").strip() or None,
    )


def _ended() -> tuple[datetime | None, datetime | None, int | None]:
    """`?ended_from=`, `?ended_to=` and `?hour=` in the address, as marks of the analytics have them: days, and an hour
    of each."""
    asked = st.query_params
    try:
        first, last = (date.fromisoformat(asked[name]) for name in ("ended_from", "ended_to"))
        since, until = bounds(first, last, access.core().settings.zone)
    except (KeyError, ValueError, OverflowError):
        return None, None, None
    hour = places.hour()
    with st.container(horizontal=True, vertical_alignment="center"):
        which = f"on {first}" if first == last else f"from {first} to {last}"
        at = "" if hour is None else f", from {hour:02}:00 to {(hour + 1) % 24:02}:00"
        st.markdown(f"Jobs that ended **{which}{at}**", width="content")
        if st.button("Show all days", icon=":material/close:"):
            for name in ("ended_from", "ended_to", "hour"):
                asked.pop(name, None)
            st.rerun()
    return since, until, hour


def _error_filter() -> str | None:
    """`?error=` in the address, as incidents and digests have it."""
    error = st.query_params.get("error", "")
    if not error:
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Jobs that failed of **{words.plain(error)}**", width="content")
        if st.button("Show all errors", icon=":material/close:"):
            del st.query_params["error"]
            st.rerun()
    return error


def _word(status: str) -> str:
    return words.JOB[JobStatus(status)].word if status != "All" else "All"


def _pick(shown: list[JobView], table: Callable[[list[JobView]], dict[str, list[object]]], *, key: str) -> None:
    picked = st.dataframe(
        table(shown),
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        placeholder="",
        column_config={
            "Status": badge_column(words.JOB.values()),
            "Progress": st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="percent"),
            "Source": st.column_config.LinkColumn(display_text="open"),
            "Destination": st.column_config.LinkColumn(display_text="open"),
        },
    )
    st.caption("Select a row to see everything that happened to it.")
    rows = picked["selection"]["rows"]
    if rows:
        st.query_params["id"] = str(shown[rows[0]].job.id)
        st.rerun()


def _moving_table(views: list[JobView]) -> dict[str, list[object]]:
    zone = access.core().settings.zone
    return {
        "Job": [v.job.id for v in views],
        "Status": [[words.JOB[v.job.status].word] for v in views],
        "Connection": [v.connection_name for v in views],
        "Step": [words.STEP[v.job.step] if v.job.step else "" for v in views],
        "Progress": [v.job.progress if v.job.status is JobStatus.RUNNING else None for v in views],
        "Now": [v.note or (words.WAIT[v.job.wait_reason] if v.job.wait_reason else "") for v in views],
        "Caption": [words.short(v.caption, 60) for v in views],
        "Source": [v.source_url if is_web(v.source_url) else None for v in views],
        "Attempts": [v.job.attempts for v in views],
        "Error": [v.job.failure.message if v.job.failure else "" for v in views],
        "Next try": [words.clock_time(v.job.next_attempt_at, zone) if v.job.next_attempt_at else "" for v in views],
        "Created": [words.clock_time(v.job.created_at, zone) for v in views],
    }


def _table(views: list[JobView]) -> dict[str, list[object]]:
    zone = access.core().settings.zone
    return {
        "Job": [v.job.id for v in views],
        "Status": [[words.JOB[v.job.status].word] for v in views],
        "Connection": [v.connection_name for v in views],
        "Source": [v.source_url if is_web(v.source_url) else None for v in views],
        "Destination": [v.job.destination_url if is_web(v.job.destination_url or "") else None for v in views],
        "Created": [words.clock_time(v.job.created_at, zone) for v in views],
        "Duration": [_duration(v) for v in views],
        "Attempts": [v.job.attempts for v in views],
        "Error": [v.job.failure.message if v.job.failure else "" for v in views],
        "Caption": [words.short(v.caption, 60) for v in views],
    }


def _duration(view: JobView) -> str:
    began, ended = view.job.started_at, view.job.completed_at
    return words.span((ended - began).total_seconds()) if began and ended else ""


# ---- dead letter ------------------------------------------------------------------------------------------------


def _dead_table(views: list[JobView]) -> dict[str, list[object]]:
    zone = access.core().settings.zone
    return {
        "Job": [v.job.id for v in views],
        "Connection": [v.connection_name for v in views],
        "Source post": [v.source_post_id for v in views],
        "Final error": [v.job.failure.code if v.job.failure else "" for v in views],
        "Attempts": [v.job.attempts for v in views],
        "Failed at": [words.clock_time(v.job.completed_at, zone) for v in views],
        "Source": [v.source_url if is_web(v.source_url) else None for v in views],
        "Message": [v.job.failure.message if v.job.failure else "" for v in views],
    }


_TABLES = {_ACTIVE: _moving_table, _HISTORY: _table, _DEAD: _dead_table}


def _causes() -> None:
    """Many failures of one cause are one trouble: what helps, and one button."""
    for cause in bulk.causes(access.core()):
        with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
            noun = words.count(cause.count, "job")
            st.markdown(f"**{words.plain(cause.code)}**: {noun}", width="content")
            if cause.action:
                st.caption(words.plain(cause.action), width="stretch")
            with st.popover("Retry all", icon=":material/replay:"):
                st.write(f"Retry all {noun} that failed of this cause, each from its start?")
                if st.button("Retry them", key=f"bulk-{cause.code}", type="primary"):
                    _retry_all(cause)


def _retry_all(cause: Cause) -> None:
    who = access.require_user().username
    moved = attempt(lambda: bulk.retry_all(access.core(), cause.code, who=who))
    if moved is not None:
        say_later(f"{words.count(len(moved), 'job')} queued for retry")
        st.rerun()
