"""The table of retries per class of failure: how many, and after which waits, where that is not as usual.

Only classes a policy can change stand in it; the others wait for a person, an answer, or as their platform says.
An empty field follows the installation's usual policy; a formula said over the API stays and is shown beneath.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from admin_app.ui import access
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.retry_rules import code_of
from forwarder_core.errors import Retry, StepFailed, failure_classes
from forwarder_core.services import overview, tunables

_KEY = "retry.per_class"
_COUNT, _WAITS = "max_attempts", "delays_seconds"


def every_code() -> list[str]:
    return sorted(code for code, cls in failure_classes().items() if cls is not StepFailed)


def table() -> None:
    stored = overview.tuned(access.core()).mapping(_KEY)
    now = {code_of(word) or word: rule for word, rule in stored.items()}
    st.subheader("Retry policy per error")
    st.caption("Empty: as usual. A connection's own policy comes before all of this.")
    with st.form("retry-classes", border=True):
        typed = {code: _row(code, now.get(code, {})) for code in _changeable()}
        if st.form_submit_button("Save the table", type="primary", icon=":material/save:"):
            _save(now, typed)


def _changeable() -> list[str]:
    known = failure_classes()
    return [code for code in every_code() if known[code].retry in (Retry.BACKOFF, Retry.ONCE)]


def _row(code: str, said: dict[str, Any]) -> tuple[str, str]:
    title = failure_classes()[code].title
    name, count, waits = st.columns([3, 1, 3], vertical_alignment="bottom")
    with name:
        st.markdown(f"**{title}**  \n`{code}`")
        if formula := ", ".join(f"{word} {value}" for word, value in said.items() if word not in (_COUNT, _WAITS)):
            st.caption(formula)
    retries = count.text_input("Retries", _text(said.get(_COUNT)), key=f"retry-count-{code}")
    typed = waits.text_input("Waits (s)", _text(said.get(_WAITS)), key=f"retry-waits-{code}", placeholder="10, 60, 300")
    return retries.strip(), typed.strip()


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(f"{part:g}" for part in value) if isinstance(value, (list, tuple)) else f"{value:g}"


def _save(now: dict[str, Any], typed: dict[str, tuple[str, str]]) -> None:
    wanted = {code: rule for code, rule in now.items() if code not in typed}
    for code, (count, waits) in typed.items():
        rule = {word: value for word, value in now.get(code, {}).items() if word not in (_COUNT, _WAITS)}
        rule |= {_COUNT: numbers(count)[0]} if count else {}
        rule |= {_WAITS: numbers(waits)} if waits else {}
        if rule:
            wanted[code] = rule
    who = access.require_user().username
    if attempt(lambda: tunables.change(access.core(), {_KEY: wanted}, who=who)) is not None:
        say_later("Retry policy per error saved")
        st.rerun()


def numbers(typed: str) -> list[Any]:
    """“10, 60, 300” as numbers; what is none stays text, for the service to refuse by name."""
    return [_number(part.strip()) for part in typed.replace(";", ",").split(",") if part.strip()] or [typed]


def _number(part: str) -> float | str:
    try:
        return float(part)
    except ValueError:
        return part
