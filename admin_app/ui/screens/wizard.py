"""The wizard for a new connection: seven steps, a rehearsal before anything is stored, and the way to save it.

The fact to know: nothing is written before “Save”; what was said lives in this tab's session until then, and a second
click finds the name taken instead of making a second connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from admin_app.ui import access, connection_actions, places, rehearsal, wizard_steps, words
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.connections import Connection
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.services import accounts, connections, proposing, proxies
from forwarder_core.services.connections import NewConnection

_KEPT, _AT = "wizard-said", "wizard-step"
_RULES = ("filters", "schedule", "transform_options", "publish_options", "retry_policy", "on_ambiguous")


@dataclass(frozen=True, slots=True)
class Step:
    title: str
    draw: Callable[[Mapping[str, Any]], dict[str, Any]]


STEPS = (
    Step("Basic configuration", wizard_steps.basic),
    Step("Accounts", wizard_steps.ends),
    Step("Proxy", wizard_steps.proxy),
    Step("Filter rules", wizard_steps.rules),
    Step("Scheduling", wizard_steps.schedule),
    Step("Transform options", wizard_steps.transform),
)
LAST = len(STEPS) + 1


def begin() -> None:
    """A fresh one, in place of whatever was left half-way."""
    _forget()
    st.query_params["new"] = "1"
    st.rerun()


def show() -> None:
    access.require_user()
    places.link("connections", "All connections", icon=":material/arrow_back:")
    st.title("New connection")
    at = int(st.session_state.get(_AT, 1))
    _indicator(at)
    if at == LAST:
        _review()
        return
    step = STEPS[at - 1]
    said = step.draw(_kept())
    with st.container(horizontal=True, gap="small"):
        if at > 1 and st.button("Back", icon=":material/arrow_back:", key="wizard-go-back"):
            _keep(said, only_sound=True)
            _go(at - 1)
        is_next = st.button("Next", icon=":material/arrow_forward:", type="primary", key="wizard-go-next")
        _cancel()
    if is_next and attempt(lambda: _checked(said)):
        _keep(said)
        _go(at + 1)


def _indicator(at: int) -> None:
    titles = [*(step.title for step in STEPS), "Review and save"]
    st.progress(at / LAST, text=f"Step {at} of {LAST}: {titles[at - 1]}")
    with st.container(horizontal=True, gap="small"):
        for n, title in enumerate(titles, 1):
            icon = "check_circle" if n < at else "radio_button_checked" if n == at else "radio_button_unchecked"
            st.caption(f":material/{icon}: {f'**{title}**' if n == at else title}", width="content")


def _checked(said: Mapping[str, Any]) -> bool:
    """Raises Invalid for what this step may not leave open."""
    missing = [
        FieldError(name, "must not be empty")
        for name in ("name", "source_account_id", "destination_account_id")
        if name in said and not said[name]
    ]
    if missing:
        raise Invalid("Something is still missing.", *missing)
    if "source_account_id" in said and said["source_account_id"] == said["destination_account_id"]:
        field = FieldError("destination_account_id", "must be another account than the source")
        raise Invalid("Source and destination are one account.", field)
    proposing.check_rules({name: said[name] for name in _RULES if name in said})
    return True


# ---- what was said so far ---------------------------------------------------------------------------------------


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = st.session_state.setdefault(_KEPT, {})
    return kept


def _keep(said: Mapping[str, Any], *, only_sound: bool = False) -> None:
    """`only_sound`: on the way back nothing is refused; rules that cannot be read are left as they were before."""
    if only_sound:
        try:
            proposing.check_rules({name: said[name] for name in _RULES if name in said})
        except Invalid:
            return
    known = _kept()
    if "type" in said and said["type"] != known.get("type"):
        known = {name: value for name, value in known.items() if not name.endswith("_account_id")}
    st.session_state[_KEPT] = known | dict(said)


def _go(step: int) -> None:
    st.session_state[_AT] = step
    st.rerun()


def _cancel() -> None:
    if st.button("Cancel", key="wizard-go-away"):
        _forget()
        del st.query_params["new"]
        st.rerun()


def _forget() -> None:
    for name in [name for name in st.session_state if str(name).startswith(wizard_steps.KEY)]:
        del st.session_state[name]


# ---- the last step ----------------------------------------------------------------------------------------------


def _review() -> None:
    new = NewConnection(**_kept())
    with st.container(border=True):
        shown = {label: words.plain(value) for label, value in _summary(new).items()}
        st.table({"": list(shown), "Value": list(shown.values())}, hide_index=True, hide_header=True, border=False)
    if st.button("Rehearse", icon=":material/fact_check:", key="wizard-go-rehearse"):
        with st.spinner("Asking both accounts …"):
            report = attempt(lambda: proposing.rehearse(access.core(), new))
        if report is not None:
            rehearsal.show(report)
    with st.container(horizontal=True, gap="small"):
        if st.button("Back", icon=":material/arrow_back:", key="wizard-go-back"):
            _go(LAST - 1)
        is_active = st.button("Save & Activate", icon=":material/play_arrow:", type="primary", key="wizard-go-active")
        is_inactive = st.button("Save as Inactive", icon=":material/save:", key="wizard-go-inactive")
        _cancel()
    if is_active or is_inactive:
        _save(new, activate=is_active)


def _summary(new: NewConnection) -> dict[str, str]:
    core = access.core()
    source, destination = (accounts.get(core, i) for i in (new.source_account_id, new.destination_account_id))
    proxy = proxies.get(core, new.proxy_id) if new.proxy_id is not None else None
    video, schedule = new.transform_options, new.schedule
    windows = ", ".join(f"{w['start']} to {w['end']}" for w in schedule["windows"])
    enlarged = "to 4K" if video["upscale_to_4k"] else "to 1080×1920" if video["upscale"] else "no"
    layout = video["greenscreen"]
    return {
        "Name": new.name,
        "Type": wizard_steps.kinds()[new.type][0],
        "Source": wizard_steps.account_word(source),
        "Destination": wizard_steps.account_word(destination),
        "Proxy": f"{proxy.alias} ({proxy.address})" if proxy else "the accounts' own",
        "Which posts": _which(new.filters),
        "Old posts": _old(new.filters),
        "Check interval": f"every {schedule['check_interval_minutes']:g} minutes",
        "Publishing hours": f"{windows} ({schedule['timezone']})" if windows else "at any time",
        "Priority": str(new.priority),
        "Retries": "a policy of its own" if new.retry_policy else "as the installation does",
        "Video quality": str(video["quality"]).replace("_", " "),
        "Upscaling": enlarged,
        "Green-screen layout": str(layout["template"]).replace("_", " ") if layout["enabled"] else "no",
    }


def _which(filters: Mapping[str, Any]) -> str:
    if filters["caption_keywords"] and str(filters["mode"]) != "forward_all_new":
        return f"those whose caption contains {', '.join(filters['caption_keywords'])}"
    return "all new posts"


def _old(filters: Mapping[str, Any]) -> str:
    if not filters["include_old_posts"]:
        return "left alone"
    days, newest = filters["date_range"], filters["old_posts"]["newest_n"]
    words_ = f"from {days['from']} to {days['to']}" if days else "all of them"
    return f"{words_}, the newest {newest}" if newest else words_


def _save(new: NewConnection, *, activate: bool) -> None:
    core, who = access.core(), access.require_user().username
    made = attempt(lambda: connections.create(core, new, who=who))
    if made is None:
        return
    if not activate:
        say_later(f"Connection '{made.name}' created")
        _open(made)
    with st.spinner("Looking at the source …"):
        started = attempt(lambda: connections.start(core, made.id, who=who))
    if started is not None:
        connection_actions.told(started, "created and activated")
        _open(started)
    _forget()
    st.info("The connection is stored and not active. Start it when this is mended.", icon=":material/save:")
    places.link("connections", words.plain(made.name), icon=":material/link:", id=str(made.id))


def _open(made: Connection) -> None:
    _forget()
    st.query_params.clear()
    st.query_params["id"] = str(made.id)
    st.rerun()
