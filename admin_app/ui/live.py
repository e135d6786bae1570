"""What moves by itself: jobs under way, drawn anew every two seconds without a reload of the page."""

from __future__ import annotations

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from admin_app.ui import access, places, words
from admin_app.ui.widgets import badge, failure
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import overview
from forwarder_core.services.jobs import JobView

EVERY = "2s"


@st.fragment(run_every=EVERY)
def moving_jobs() -> None:
    """Under way, waiting, and just ended."""
    access.require_user(is_use=False)
    core = access.core()
    try:
        views, now = overview.moving(core), core.clock.now()
    except SQLAlchemyError:
        st.warning("The database does not answer at the moment.", icon=":material/cloud_off:")
        return
    if not views:
        st.caption("Nothing is moving. New posts appear here within seconds of their detection.")
    for view in views:
        with st.container(border=True):
            job_row(view, age=words.ago(view.job.created_at, now))


def job_row(view: JobView, *, age: str) -> None:
    """One job in two lines: state, what, how far; then where from, where to, and the run."""
    job = view.job
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        badge(words.JOB[job.status])
        places.link("jobs", f"Job {job.id}", id=str(job.id))
        st.markdown(words.plain(view.connection_name), width="content")
        st.caption(_whereabouts(view, age), width="content")
    if view.caption:
        st.text(words.short(view.caption))
    if job.status is JobStatus.RUNNING:
        st.progress(min(max(job.progress, 0.0), 1.0), text=words.plain(view.note) or None)
    links = _links(view)
    if links:
        st.markdown(f":small[{' · '.join(links)}]")
    if job.failure and job.status is not JobStatus.SUCCESS:
        failure(job.failure)


def _whereabouts(view: JobView, age: str) -> str:
    job = view.job
    parts = []
    if job.status is JobStatus.RUNNING and job.step:
        parts.append(words.STEP[job.step])
    if job.wait_reason:
        parts.append(words.WAIT[job.wait_reason])
    if job.attempts > 1:
        parts.append(f"attempt {job.attempts}")
    return " · ".join([*parts, f"seen {age}"])


def _links(view: JobView) -> list[str]:
    """Only addresses of the web become links."""
    job = view.job
    named = (("Source", view.source_url), ("Destination", job.destination_url))
    links = [f"[{name} :material/open_in_new:]({url})" for name, url in named if url and is_web(url)]
    if job.run_id:
        links.append(f"[Dagster run :material/account_tree:](/dagster/runs/{job.run_id})")
    return links


def is_web(url: str) -> bool:
    return url.startswith(("https://", "http://")) and not any(c in url for c in " ()<>\"'\\[]\n")
