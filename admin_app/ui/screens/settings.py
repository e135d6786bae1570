"""Settings: the password, how long a session lasts, Telegram, and everything the administrator tunes, by its group.

The fields are drawn from the tunables themselves, with their units and ranges: a new one has its field without a line
here. What is typed outside its range is refused by the service, in the same words as over the API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import streamlit as st

from admin_app.ui import (
    access,
    api_token_forms,
    audit_table,
    password_form,
    places,
    quota_panels,
    retry_classes,
    second_factor_form,
    upkeep_panels,
    words,
)
from admin_app.ui.screens.notifications import kinds_form, telegram_form
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.services import health, overview, tunables
from forwarder_core.services.tunables import Tunable

_RETENTION, _RETRIES, _WORKERS = "Retention", "Retry policy", "Workers"
_GROUPS = {
    _RETENTION: ("retention.",),
    _RETRIES: ("retry.", "breaker."),
    _WORKERS: ("dispatch.", "lease."),
}
_SESSIONS = "session."
_STATES = {"ok": ":material/check_circle:", "warning": ":material/warning:", "failing": ":material/error:"}


def show() -> None:
    st.title("Settings")
    drawn: dict[str, Callable[[], None]] = {
        "Admin": _admin,
        "Notifications": _notifications,
        **{title: partial(_group, title, prefixes) for title, prefixes in _GROUPS.items()},
        _RETENTION: _retention,
        _RETRIES: _retries,
        _WORKERS: _workers,
        "Platforms": _platforms,
        "Limits": _limits,
        "API tokens": api_token_forms.show,
        "Audit log": audit_table.show,
        "Server": _server,
    }
    # Not tabs: those draw all of them at every click, and the server's health costs a moment.
    drawn[st.segmented_control("Show", list(drawn), default="Admin", key="settings-view") or "Admin"]()


def _admin() -> None:
    password_form.show()
    second_factor_form.show()
    _group("Session timeout", (_SESSIONS,))


def _notifications() -> None:
    telegram_form()
    st.subheader("Kinds of alerts")
    kinds_form()
    places.link("notifications", "History and the other roads", icon=":material/notifications:")


def _retention() -> None:
    _group(_RETENTION, _GROUPS[_RETENTION])
    upkeep_panels.clean_up()


def _workers() -> None:
    upkeep_panels.workers()
    upkeep_panels.priorities()
    _group(_WORKERS, _GROUPS[_WORKERS])


def _retries() -> None:
    _group(_RETRIES, _GROUPS[_RETRIES])
    retry_classes.table()


def _platforms() -> None:
    """Whatever belongs to no other group."""
    st.caption("How sources are watched, and how long destinations may take.")
    named = {_SESSIONS, *(prefix for prefixes in _GROUPS.values() for prefix in prefixes)}
    _group("Platforms", tuple(sorted({f"{key.partition('.')[0]}." for key in tunables.ALL} - named)))


def _limits() -> None:
    quota_panels.today()
    st.subheader("Limits of platforms")
    quota_panels.limits_form()


# ---- tunables ---------------------------------------------------------------------------------------------------


def _group(title: str, prefixes: tuple[str, ...]) -> None:
    now = overview.tuned(access.core()).as_dict()
    plain = [t for t in tunables.ALL.values() if not isinstance(t.default, Mapping)]
    shown = [t for prefix in prefixes for t in plain if t.key.startswith(prefix)]
    if not shown:
        return
    st.subheader(title)
    with st.form(f"tunables-{title}", border=True):
        typed = {t.key: _field(t, now[t.key]) for t in shown}
        if st.form_submit_button("Save", type="primary", icon=":material/save:"):
            _save({key: value for key, value in typed.items() if value != _as_typed(now[key])})


def _field(t: Tunable, value: Any) -> Any:
    """A field of the tunable's own type; its range and its usual value stand below it."""
    if t.choices:
        at, said = t.choices.index(value), lambda choice: str(choice).replace("_", " ").capitalize()
        return st.selectbox(t.text, t.choices, at, format_func=said, help=f"`{t.key}`", key=t.key)
    if t.check is not None:
        return st.multiselect(t.text, retry_classes.every_code(), list(value), help=f"`{t.key}`", key=t.key)
    usual = _as_typed(t.default)
    range_ = f"{t.least:g} to {t.most:g} {t.unit}"
    help_ = f"`{t.key}` · {range_} · usually {usual}"
    label = f"{t.text} ({t.unit})"
    if isinstance(t.default, bool):
        return st.checkbox(t.text, bool(value), help=help_, key=t.key)
    if isinstance(t.default, int):
        return st.number_input(label, int(t.least), int(t.most), int(value), help=help_, key=t.key)
    if isinstance(t.default, float):
        return st.number_input(label, float(t.least), float(t.most), float(value), help=help_, key=t.key, format="%g")
    return st.text_input(label, _as_typed(value), help=help_, key=t.key)


def _as_typed(value: Any) -> Any:
    """A list of numbers as a person writes it; anything else as it is."""
    if not isinstance(value, (list, tuple)):
        return value
    return list(value) if not value or isinstance(value[0], str) else ", ".join(f"{part:g}" for part in value)


def _save(changed: dict[str, Any]) -> None:
    if not changed:
        st.info("Nothing was changed.")
        return
    values = {key: _numbers(value) if isinstance(value, str) else value for key, value in changed.items()}
    who = access.require_user().username
    if attempt(lambda: tunables.change(access.core(), values, who=who)) is not None:
        say_later(f"Settings changed: {', '.join(sorted(values))}")
        st.rerun()


def _numbers(typed: str) -> Any:
    """“10, 60, 300” as numbers; what is none goes on as text, for the service to refuse by name."""
    try:
        return [float(part) for part in typed.replace(";", ",").split(",") if part.strip()]
    except ValueError:
        return typed


# ---- the server -------------------------------------------------------------------------------------------------


def _server() -> None:
    """Its health, and where it keeps things."""
    core = access.core()
    with st.spinner("Looking …"):
        found = health.look(core)
    for name, check in found.checks.items():
        icon = _STATES.get(str(check.state), ":material/remove:")
        state = str(check.state).replace("_", " ")
        st.markdown(
            f"{icon} **{words.plain(name.replace('_', '-').capitalize())}**: {state}. {words.plain(check.detail)}"
        )
    settings = core.settings
    home = settings.home.absolute()
    facts = {
        "Data folder": str(home),
        "Videos": str(core.media_root.absolute()),
        "Logs of the processes": str(home / "logs"),
        "Reports": str(home / "reports"),
        "Keys": str(settings.key_file.absolute()),
        "Dagster": str(home / "dagster"),
        "Public address": settings.base_url,
        "Time zone": str(settings.zone),
    }
    values = [words.plain(value) for value in facts.values()]
    st.table({"": list(facts), "Value": values}, hide_index=True, hide_header=True, border=False)
    st.caption("These are set in the environment: see docs/configuration.md.")
