"""What jobs ask a person: the question with its answers on a job's page, and the list of all that wait."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, places, words
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.questions import Question
from forwarder_core.services import approving

_SHOWN = 5


def show(job_id: int) -> None:
    """The open question of this job; nothing where it asks none."""
    asked = attempt(lambda: approving.question_of(access.core(), job_id))
    if asked is None or not asked.is_open:
        return
    with st.container(border=True):
        st.markdown("**This job waits for your answer.**")
        st.text(asked.text)
        with st.container(horizontal=True, gap="small"):
            for choice in asked.choices:
                is_pressed = st.button(
                    words.plain(choice.label),
                    key=f"answer-{choice.word}",
                    type="secondary" if choice.ends else "primary",
                )
                if is_pressed:
                    _answer(asked, choice.word, choice.label)


def _answer(asked: Question, word: str, label: str) -> None:
    who = access.require_user().username
    if attempt(lambda: approving.answer(access.core(), asked.job_id, word, who)) is not None:
        say_later(f"Job {asked.job_id}: {label}")
        st.rerun()


def waiting() -> None:
    """Every job that waits for an answer, with the way to it; nothing where none does."""
    every = approving.waiting(access.core())
    if not every:
        return
    noun = "job waits" if len(every) == 1 else "jobs wait"
    with st.container(border=True):
        st.markdown(f":material/front_hand: **{len(every)} {noun} for your answer**")
        for asked in every[:_SHOWN]:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                places.link("jobs", f"Job {asked.job_id}", icon=":material/list_alt:", id=str(asked.job_id))
                st.text(words.short(asked.text, 110), width="stretch")
        if len(every) > _SHOWN:
            st.caption(f"… and {len(every) - _SHOWN} more, under Jobs.")
