"""One job with everything that happened to it, and what a person can do about it.

The fact to know: an unconfirmed job has exactly two answers, and only a look at the destination tells which; neither
is given by one click.
"""

from __future__ import annotations

from typing import Any

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from admin_app.ui import access, job_media, places, questions, words
from admin_app.ui.live import EVERY, is_web
from admin_app.ui.widgets import attempt, badge, failure, say_later
from forwarder_core.domain.jobs import JobStatus, Step
from forwarder_core.errors import ForwarderError
from forwarder_core.services import bulk, jobs
from forwarder_core.services.jobs import Answer, JobStory, JobView

_LINKS = {"source": "Source post", "destination": "Published post", "run": "Dagster run"}


def show(job_id: int) -> None:
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
    if not view.job.status.is_terminal:
        _progress(job_id, view.job.status)
    if view.job.failure:
        failure(view.job.failure)
    if view.job.status is JobStatus.UNCONFIRMED:
        _confirm(story)
    questions.show(job_id)
    _actions(story)
    _facts(story)
    if view.caption:
        with st.container(border=True):
            st.caption("Caption of the source post")
            st.text(view.caption)
    job_media.show(story)
    _attempts(story)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Timeline")
        places.link("logs", "Its logs", icon=":material/article:", job_id=str(job_id))
    if not story.timeline:
        st.caption("Nothing has been logged about this job yet.")
    for row in story.timeline:
        with st.container(horizontal=True, gap="small"):
            st.caption(words.clock_time(row["at"], zone), width="content")
            st.text(row["text"], width="stretch")


@st.fragment(run_every=EVERY)
def _progress(job_id: int, drawn: JobStatus) -> None:
    """How far it is, live; the whole page again once it is in another state than the one drawn."""
    access.require_user(is_use=False)
    try:
        view = jobs.get(access.core(), job_id)
    except (ForwarderError, SQLAlchemyError):
        return
    if view.job.status is not drawn:
        st.rerun()
    if view.job.status is JobStatus.RUNNING:
        step = words.STEP[view.job.step] if view.job.step else "Starting"
        said = f"{step}: {words.plain(view.note)}" if view.note else step
        st.progress(min(max(view.job.progress, 0.0), 1.0), text=said)


def _confirm(story: JobStory) -> None:
    """“It is live” and “Publish again”, each behind a question. `?confirm=` of an alert's link opens one of them."""
    core, job_id = access.core(), story.view.job.id
    who = access.require_user().username
    asked = st.query_params.get("confirm")
    with st.container(border=True):
        st.markdown("**Nobody can say whether this was posted.** Look at the destination, then answer.")
        live, again = st.columns(2)
        with live, st.expander("It is live", icon=":material/visibility:", expanded=asked == Answer.LIVE):
            _it_is_live(job_id, who)
        with again, st.expander("Publish again", icon=":material/replay:", expanded=asked == Answer.AGAIN):
            st.write("Only when it is not there: otherwise it will be there twice.")
            if st.button("It is not there: publish again", key="confirm-again"):
                _done(attempt(lambda: jobs.confirm(core, job_id, Answer.AGAIN, who=who)), "is published again")


def _it_is_live(job_id: int, who: str) -> None:
    with st.form("confirm-live", border=False):
        st.write("The job ends as published, and the post is never sent again.")
        remote_id = st.text_input("Id of the post there (optional)", max_chars=200).replace("\x00", "").strip()
        url = st.text_input("Its address (optional)", placeholder="https://…", max_chars=2_000).strip()
        if not st.form_submit_button("Yes, it is live", type="primary"):
            return
    if url and not is_web(url):
        st.error("The address must begin with https:// and hold no spaces.", icon=":material/error:")
        return
    answer = {"remote_id": remote_id or None, "url": url or None}
    _done(attempt(lambda: jobs.confirm(access.core(), job_id, Answer.LIVE, who=who, **answer)), "is live")


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
            with st.popover("Give up", icon=":material/mail_off:"):
                reason = st.text_input("Why it is put into the dead-letter queue", key="give-up-reason")
                if st.button("Give it up", key="give-up"):
                    why = reason.replace("\x00", "")
                    _done(attempt(lambda: jobs.dead_letter(core, job.id, reason=why, who=who)), "given up")
        if job.status is JobStatus.DEAD:
            _delete(job.id, who)
        for name, address in story.links.items():
            if name in _LINKS and (is_web(address) or name == "run"):
                st.link_button(_LINKS[name], address, icon=":material/open_in_new:")


def _delete(job_id: int, who: str) -> None:
    def act() -> bool:
        bulk.delete(access.core(), job_id, who=who)
        return True

    with st.popover("Delete", icon=":material/delete:"):
        st.write("It leaves every list and cannot be retried any more. What was decided and published stays.")
        if st.button("Delete it", key="delete") and attempt(act):
            say_later(f"Job {job_id} deleted")
            del st.query_params["id"]
            st.rerun()


def _done(changed: JobView | None, words_: str) -> None:
    if changed is not None:
        say_later(f"Job {changed.job.id} {words_}")
        st.rerun()


def _facts(story: JobStory) -> None:
    job, zone = story.view.job, access.core().settings.zone
    facts = {
        "Source post": story.view.source_post_id,
        "Attempts": str(job.attempts),
        "Queued": words.clock_time(job.created_at, zone),
        "Started": words.clock_time(job.started_at, zone),
        "Ended": words.clock_time(job.completed_at, zone),
        "Publication": str(story.publication or "none yet").capitalize(),
    }
    if job.started_at and job.completed_at:
        facts["Took"] = words.span((job.completed_at - job.started_at).total_seconds())
    if job.status is JobStatus.RUNNING and job.step:
        facts["Step"] = words.STEP[job.step]
    if job.wait_reason:
        facts["Waits for"] = words.WAIT[job.wait_reason]
    if job.next_attempt_at:
        facts["Next try"] = words.clock_time(job.next_attempt_at, zone)
    with st.container(border=True):
        values = [words.plain(value) for value in facts.values()]
        st.table({"": list(facts), "Value": values}, hide_index=True, hide_header=True, border=False)


def _way_out(attempt: dict[str, Any]) -> str:
    """The proxy by today's name and the address it had then; the address alone where it was removed since."""
    address = attempt["proxy"] or ""
    return f"{attempt['proxy_alias']} ({address})" if attempt["proxy_alias"] else address


def _attempts(story: JobStory) -> None:
    st.subheader("Attempts")
    if not story.attempts:
        st.caption("No attempt has been made yet.")
        return
    zone = access.core().settings.zone
    st.dataframe(
        {
            "No.": [a["n"] for a in story.attempts],
            "Result": [str(a["state"]).capitalize() for a in story.attempts],
            "Step": [words.STEP[Step(a["step"])] if a["step"] else "" for a in story.attempts],
            "Error": [a["error_message"] or "" for a in story.attempts],
            "Way out": [_way_out(a) for a in story.attempts],
            "Started": [words.clock_time(a["started_at"], zone) for a in story.attempts],
            "Ended": [words.clock_time(a["ended_at"], zone) for a in story.attempts],
            "Seconds by step": [", ".join(f"{k} {v:g}" for k, v in a["seconds"].items()) for a in story.attempts],
        },
        hide_index=True,
        width="stretch",
    )
