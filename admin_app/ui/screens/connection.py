"""One connection: what it does, what became of every post it saw and why, its jobs, and what can be done with it."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import streamlit as st

from admin_app.ui import (
    access,
    analytics_tabs,
    connection_actions,
    connection_facts,
    decisions,
    dry_run,
    live,
    places,
    rule_fields,
    words,
)
from admin_app.ui.widgets import attempt, badge, platform_badge, say_later, tabs
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.jobs import JobStatus, WaitReason
from forwarder_core.domain.posts import Decision, SourcePost, Verdict
from forwarder_core.services import analytics, backfilling, connections, dropping, enqueueing, jobs, overview, polling
from forwarder_core.services.jobs import Wanted
from forwarder_core.services.overview import ConnectionView

_RECENT = 50  # jobs and posts shown, functional specification 5.2.3


def show(connection_id: int) -> None:
    core = access.core()
    places.link("connections", "All connections", icon=":material/arrow_back:")
    connection_actions.carry_out(connection_id, "page")
    known = attempt(lambda: connections.get(core, connection_id))
    if known is None:
        return
    (view,) = overview.connection_views(core, [known])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(words.plain(known.name), width="content")
        badge(words.CONNECTION[known.status])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(platform_badge(view.source.platform), width="content")
        places.link("accounts", words.plain(view.source.alias), id=str(view.source.id))
        st.text("→", width="content")
        st.markdown(platform_badge(view.destination.platform), width="content")
        places.link("accounts", words.plain(view.destination.alias), id=str(view.destination.id))
    if known.status_reason:
        st.warning(words.plain(known.status_reason), icon=":material/warning:")
    connection_actions.buttons(known, "page", platform=view.destination.platform, is_page=True, can_delete=True)
    _numbers(view)
    connection_facts.details(view)
    _last_look(known)
    _next_posts(known)
    drawn = {
        "Jobs": partial(_jobs, known),
        "Posts and why": partial(_posts, known),
        "Last 30 days": partial(_last_days, known),
        "Dry runs": partial(dry_run.panel, known.id),
        "Old posts": partial(_old_posts, known),
    }
    tabs(drawn, key="connection-tab")


def _numbers(view: ConnectionView) -> None:
    core = access.core()
    now = core.clock.now()
    rate = view.success_7_days
    open_ = view.forwarded - view.succeeded - view.failed - view.jobs.get(JobStatus.CANCELLED, 0)
    next_look = view.next_look_at
    facts = (
        ("Published", f"{view.succeeded:,}"),
        ("Failed", f"{view.failed:,}"),
        ("Under way", f"{open_:,}"),
        ("Success, 7 days", "–" if rate is None else f"{rate:g} %"),
        ("Next look", _ahead(next_look, now) if view.connection.looks_by_itself else "when asked"),
        ("Last run", words.ago(view.last_run_at, now)),
    )
    with st.container(horizontal=True, gap="medium"):
        for label, value in facts:
            st.metric(label, value, width="content")


def _last_days(known: Connection) -> None:
    core = access.core()
    days = analytics.period(core)
    line = attempt(lambda: analytics.connection(core, known.id, days))
    if line is not None:
        analytics_tabs.counting(line.uncounted, len(days.days))
        analytics_tabs.connection_figures(line)


def _next_posts(known: Connection) -> None:
    """When each post that waits goes, and for what it waits until then."""
    core = access.core()
    waiting = dropping.next_posts(core, known.id)
    if not waiting:
        return
    with st.expander(f"Next posts ({len(waiting)})", icon=":material/schedule:"):
        for post in waiting:
            reason = words.WAIT[WaitReason(post.wait_reason)] if post.wait_reason else "as soon as there is room"
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                places.link("jobs", f"Job {post.job_id}", id=str(post.job_id))
                st.text(words.clock_time(post.at, core.settings.zone) if post.at else "next", width="content")
                st.caption(reason, width="content")


def _ahead(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "–"
    return f"in {words.span((at - now).total_seconds())}" if at > now else "now"


def _last_look(known: Connection) -> None:
    asked = st.session_state.get(connection_actions.LOOKED)
    if asked and asked[0] == known.id:
        _look(asked[1])


@st.fragment(run_every=live.EVERY)
def _look(request_id: int) -> None:
    """What the look this tab asked for brought, as it goes on."""
    access.require_user(is_use=False)
    core = access.core()
    look = attempt(lambda: polling.get(core, request_id))
    if look is None:
        return
    with st.container(border=True):
        if look.state.is_open:
            st.info("The source is being looked at …", icon=":material/hourglass_top:")
            return
        made = polling.jobs_of(core, look)
        done = sum(job.status is JobStatus.SUCCESS for job in made)
        dead = sum(job.status is JobStatus.DEAD for job in made)
        st.markdown(
            f"**Run now:** {len(made)} new posts · {done} succeeded · {dead} failed · "
            f"{len(made) - done - dead} under way"
        )
        for job in made:
            view = attempt(lambda job_id=job.id: jobs.get(core, job_id))  # type: ignore[misc]
            if view is not None:
                live.job_row(view, age=words.ago(view.job.created_at, core.clock.now()))


@st.fragment(run_every=live.EVERY)
def _jobs(known: Connection) -> None:
    access.require_user(is_use=False)
    core = access.core()
    found = jobs.page(core, Wanted(connection_id=known.id), limit=_RECENT)
    if not found:
        st.caption("No post has been taken on yet.")
        return
    now = core.clock.now()
    for view in found:
        with st.container(border=True):
            live.job_row(view, age=words.ago(view.job.created_at, now))
    places.link("jobs", "All jobs of this connection", icon=":material/list_alt:", connection=str(known.id))


def _posts(known: Connection) -> None:
    core, zone = access.core(), access.core().settings.zone
    before = st.session_state.get(f"posts-{known.id}")
    found = connections.seen_posts(core, known.id, before=before, limit=_RECENT + 1)
    if not found:
        st.caption("No post of the source has been decided about yet.")
    for post, decision in found[:_RECENT]:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                badge(decisions.LOOKS[decision.verdict])
                st.text(words.short(post.post.caption) or post.post.platform_post_id, width="stretch")
                st.caption(words.clock_time(post.post.posted_at, zone), width="content")
            st.caption(f"Why? {words.plain(decisions.why(decision))}")
            with st.container(horizontal=True, gap="small"):
                _enqueue(known, post, decision)
                _drop(known, post.id, decision)
            if live.is_web(post.post.url):
                st.caption(f"[Source :material/open_in_new:]({post.post.url})")
    with st.container(horizontal=True, gap="small"):
        if before and st.button("Newest posts", icon=":material/first_page:", key="posts-first"):
            del st.session_state[f"posts-{known.id}"]
            st.rerun()
        if len(found) > _RECENT and st.button("Older posts", icon=":material/chevron_right:", key="posts-next"):
            st.session_state[f"posts-{known.id}"] = found[_RECENT - 1][0].id
            st.rerun()


def _enqueue(known: Connection, post: SourcePost, decision: Decision) -> None:
    """For what the rules left out: one post, because a person says so."""
    if decision.verdict is Verdict.FORWARD or not st.button(
        "Forward it anyway", icon=":material/forward:", key=f"enqueue-{known.id}-{post.id}", type="tertiary"
    ):
        return
    who = access.require_user().username
    if attempt(lambda: enqueueing.enqueue(access.core(), known.id, post.post.platform_post_id, who=who)):
        say_later("The post is queued")
        st.rerun()


def _drop(known: Connection, post_id: int, decision: Decision) -> None:
    if decision.rule == dropping.DROPPED or not st.button(
        "Drop for ever", icon=":material/block:", key=f"drop-{known.id}-{post_id}", type="tertiary"
    ):
        return
    who = access.require_user().username
    if attempt(lambda: dropping.drop(access.core(), known.id, post_id, who=who)):
        say_later("The post is dropped for ever")
        st.rerun()


def _old_posts(known: Connection) -> None:
    if known.status is not ConnectionStatus.ACTIVE:
        st.caption("Start the connection first; then its old posts can be forwarded too.")
        return
    st.write("Forward posts from before the start. New posts always go first, and limits hold.")
    with st.form("old-posts", border=False):
        newest = st.number_input("Only the newest …", 1, 10_000, 10)
        days = st.date_input("Only of these days (optional)", value=[], format="YYYY-MM-DD")
        per_day = st.number_input("At most … a day (0 = as soon as may be)", 0, 1_000, 2)
        order = st.radio("Order", list(rule_fields.ORDERS), format_func=rule_fields.ORDERS.__getitem__, horizontal=True)
        if not st.form_submit_button("Forward them", type="primary", icon=":material/history:"):
            return
    asked: dict[str, object] = {"newest_n": int(newest), "order": str(order)}
    if per_day:
        asked["per_day"] = int(per_day)
    if isinstance(days, tuple) and len(days) == 2:
        asked |= {"from": days[0].isoformat(), "to": days[1].isoformat()}
    who = access.require_user().username
    with st.spinner("Reading the source's listing …"):
        done = attempt(lambda: backfilling.ask(access.core(), known.id, asked, who=who))
    if done is None:
        return
    if done.state.is_open:
        say_later(f"Still reading ({done.progress}); the jobs appear by themselves.")
    else:
        say_later(f"{done.report.get('posts', 0)} posts read, {done.report.get('jobs', 0)} jobs made.")
    st.rerun()
