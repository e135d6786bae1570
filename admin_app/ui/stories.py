"""What happened beside the figures, what it is worth as evidence, and whose trouble the failures of late are."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, charts, places, words
from admin_app.ui.widgets import attempt
from forwarder_core.domain.diagnoses import Suspect, Verdict
from forwarder_core.services import diagnosing, happenings
from forwarder_core.services.diagnosing import Answer
from forwarder_core.services.happenings import Story

_SPANS = {"3 hours": 3, "24 hours": 24, "7 days": 168}
_EMPTY = (
    "Renewals of tokens, changes of proxies and settings, releases, incidents and anomalies are marked here as they "
    "happen, with how much failures have to do with them."
)


def events(story: Story) -> None:
    st.subheader("What happened meanwhile")
    if not story.happenings:
        st.info(f"{_EMPTY} It appears with the first of them.", icon=":material/hourglass_empty:")
        return
    zone = access.core().settings.zone
    event = st.altair_chart(
        charts.happenings(story.happenings, zone), width="stretch", on_select="rerun", key="analytics-happenings"
    )
    if day := charts.picked(event, "day"):
        places.link("jobs", f"Jobs: {day}", icon=":material/list_alt:", ended_from=day, ended_to=day)
        places.link("logs", f"Logs: {day}", icon=":material/notes:", **{"from": day, "to": day})
    for one in story.evidence:
        st.markdown(f"- {words.plain(happenings.words(one))}")


def diagnosis() -> None:
    st.subheader("Proxy, account or platform?")
    span = st.segmented_control("Runs of the last", [*_SPANS], default="24 hours", key="analytics-span") or "24 hours"
    found = attempt(lambda: diagnosing.recent(access.core(), _SPANS[span]))
    if found is None:
        return
    show = st.info if found.diagnosis.verdict in (Verdict.NOTHING, Verdict.CANNOT_TELL) else st.warning
    show(words.plain(found.words), icon=":material/troubleshoot:")
    st.caption(f"{found.runs} runs in these hours, {found.failed} of them failed.")
    for said in found.evidence[:4]:
        st.markdown(f"- {words.plain(said)}")
    _way(found)


def _way(found: Answer) -> None:
    """To the guilty one, and to the jobs behind."""
    guilty = found.diagnosis.evidence[0] if found.diagnosis.key else None
    if guilty is None:
        return
    if guilty.suspect is Suspect.PROXY:
        places.link("proxies", "To the proxies", icon=":material/network_check:")
    elif guilty.suspect is Suspect.ACCOUNT:
        places.link("accounts", "To the account", icon=":material/build:", id=guilty.key)
        places.link("jobs", "Its jobs", icon=":material/list_alt:", account=guilty.key, status="dead")
