"""Jobs: the list with its filters, the dead-letter queue, and one job with everything that happened to it."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, places, words
from admin_app.ui.live import is_web
from admin_app.ui.widgets import attempt, badge, failure, say_later
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import jobs
from forwarder_core.services.jobs import JobStory, JobView, Wanted

_VIEWS = {
    "Active": tuple(s.value for s in JobStatus if not s.is_terminal),
    "Failed": (JobStatus.DEAD.value,),
    "History": (),
}
_PAGE = 50


def show() -> None:
    chosen = st.query_params.get("id", "")
    if chosen.isdigit():
        _one(int(chosen))
    else:
        _list()


def _list() -> None:
    core = access.core()
    st.title("Jobs")
    view = st.segmented_control("Show", list(_VIEWS), default="Active", key="jobs-view") or "Active"
    before = st.session_state.get(f"jobs-before-{view}", jobs.FIRST_PAGE)
    found = jobs.page(core, Wanted(status=_VIEWS[view]), before=before, limit=_PAGE + 1)
    if not found:
        st.info({"Active": "No job is under way or waiting.", "Failed": "No job has failed for good."}.get(view, "–"))
        return
    shown = found[:_PAGE]
    picked = st.dataframe(
        _table(shown),
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=f"jobs-table-{view}-{before}",
        column_config={
            "Source": st.column_config.LinkColumn(display_text="open"),
            "Destination": st.column_config.LinkColumn(display_text="open"),
        },
    )
    st.caption("Select a row to see everything that happened to it.")
    rows = picked["selection"]["rows"]
    if rows:
        st.query_params["id"] = str(shown[rows[0]].job.id)
        st.rerun()
    with st.container(horizontal=True):
        if before != jobs.FIRST_PAGE and st.button("Newest", icon=":material/first_page:"):
            st.session_state[f"jobs-before-{view}"] = jobs.FIRST_PAGE
            st.rerun()
        if len(found) > _PAGE and st.button("Older", icon=":material/chevron_right:"):
            st.session_state[f"jobs-before-{view}"] = shown[-1].job.id
            st.rerun()


def _table(views: list[JobView]) -> dict[str, list[object]]:
    zone = access.core().settings.zone
    return {
        "Job": [v.job.id for v in views],
        "Status": [words.JOB[v.job.status].word for v in views],
        "Connection": [v.connection_name for v in views],
        "Source": [v.source_url if is_web(v.source_url) else None for v in views],
        "Destination": [v.job.destination_url for v in views],
        "Caption": [words.short(v.caption, 60) for v in views],
        "Error": [v.job.failure.message if v.job.failure else "" for v in views],
        "Attempts": [v.job.attempts for v in views],
        "Created": [words.clock_time(v.job.created_at, zone) for v in views],
    }


def _one(job_id: int) -> None:
    core = access.core()
    if st.button("All jobs", icon=":material/arrow_back:"):
        del st.query_params["id"]
        st.rerun()
    story = attempt(lambda: jobs.story(core, job_id))
    if story is None:
        return
    view, zone = story.view, core.settings.zone
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(f"Job {job_id}", width="content")
        badge(words.JOB[view.job.status])
    places.link(
        "connections", words.plain(view.connection_name), icon=":material/link:", id=str(view.job.connection_id)
    )
    if view.job.failure:
        failure(view.job.failure)
    _actions(story)
    _facts(story)
    if view.caption:
        with st.container(border=True):
            st.caption("Caption of the source post")
            st.text(view.caption)
    _attempts(story)
    st.subheader("Timeline")
    if not story.timeline:
        st.caption("Nothing has been logged about this job yet.")
    for row in story.timeline:
        with st.container(horizontal=True, gap="small"):
            st.caption(words.clock_time(row["at"], zone), width="content")
            st.text(row["text"], width="stretch")
    if story.plan:
        st.subheader("Plan")
        st.json(story.plan, expanded=False)


def _actions(story: JobStory) -> None:
    core, job = access.core(), story.view.job
    who = access.require_user().username
    with st.container(horizontal=True, gap="small"):
        can_retry = job.status in (JobStatus.DEAD, JobStatus.CANCELLED, JobStatus.RETRY_WAIT)
        if can_retry and st.button("Retry now", icon=":material/replay:", type="primary"):
            _done(attempt(lambda: jobs.retry(core, job.id, who=who)), "queued for retry")
        if not job.status.is_terminal and job.status is not JobStatus.UNCONFIRMED:
            with st.popover("Cancel", icon=":material/cancel:"):
                st.write("The post will not be forwarded unless you retry it.")
                if st.button("Cancel it", key="cancel"):
                    _done(attempt(lambda: jobs.cancel(core, job.id, who=who)), "cancelled")
        named = {"source": "Source post", "destination": "Published post", "run": "Dagster run"}
        for name, address in story.links.items():
            if name in named and (is_web(address) or name == "run"):
                st.link_button(named[name], address, icon=":material/open_in_new:")


def _done(changed: JobView | None, words_: str) -> None:
    if changed is not None:
        say_later(f"Job {changed.job.id} {words_}")
        st.rerun()


def _facts(story: JobStory) -> None:
    job, zone = story.view.job, access.core().settings.zone
    where = words.STEP[job.step] if job.step else "–"
    facts = {
        "Step": f"{where} ({job.progress:.0%})" if job.status is JobStatus.RUNNING else where,
        "Attempts": str(job.attempts),
        "Queued": words.clock_time(job.created_at, zone),
        "Started": words.clock_time(job.started_at, zone),
        "Ended": words.clock_time(job.completed_at, zone),
        "Waits for": words.WAIT[job.wait_reason] if job.wait_reason else "–",
        "Next try": words.clock_time(job.next_attempt_at, zone),
        "Publication": str(story.publication or "none yet"),
    }
    with st.container(border=True):
        st.table({"": list(facts), "Value": list(facts.values())}, hide_index=True, hide_header=True, border=False)


def _attempts(story: JobStory) -> None:
    st.subheader("Attempts")
    if not story.attempts:
        st.caption("No attempt has been made yet.")
        return
    zone = access.core().settings.zone
    st.dataframe(
        {
            "No.": [a["n"] for a in story.attempts],
            "Result": [a["state"] for a in story.attempts],
            "Step": [a["step"] or "" for a in story.attempts],
            "Error": [a["error_message"] or "" for a in story.attempts],
            "Started": [words.clock_time(a["started_at"], zone) for a in story.attempts],
            "Ended": [words.clock_time(a["ended_at"], zone) for a in story.attempts],
            "Seconds by step": [", ".join(f"{k} {v:g}" for k, v in a["seconds"].items()) for a in story.attempts],
        },
        hide_index=True,
        width="stretch",
    )
