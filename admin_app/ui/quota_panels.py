"""What is left of today, what each platform takes, and how many posts an account gets: quotas, limits, pace."""

from __future__ import annotations

from typing import Any

import streamlit as st

from admin_app.ui import access, words
from admin_app.ui.widgets import attempt, platform_title, say_later
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.limits import LimitValue
from forwarder_core.services import editing, limits, quotas
from forwarder_core.services.limits import LimitView
from forwarder_core.services.quotas import QuotaView

_NEARLY = 0.8  # of a limit: worth a look


def today(*, only_tight: bool = False) -> None:
    """Used, reserved and limit of every counter. `only_tight`: nothing where there is enough of everything."""
    core = access.core()
    found = quotas.views(core)
    if only_tight:
        found = [view for view in found if _is_tight(view)]
    if not found:
        if not only_tight:
            st.caption("Nothing is counted yet: no connection has a destination.")
        return
    st.subheader("Quotas of today")
    zone = core.settings.zone
    st.dataframe(
        {
            "What": [view.title for view in found],
            "Used": [f"{view.used:,} of {view.limit:,}" for view in found],
            "Share": [min(1.0, view.used / view.limit) if view.limit else 1.0 for view in found],
            "Under way": [view.reserved for view in found],
            "Starts anew": [words.clock_time(view.closed_until or view.resets_at, zone) for view in found],
        },
        hide_index=True,
        width="stretch",
        column_config={"Share": st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="percent")},
    )


def _is_tight(view: QuotaView) -> bool:
    return view.is_used_up or (view.limit > 0 and view.used + view.reserved >= _NEARLY * view.limit)


def limits_form() -> None:
    """One platform's limits, each with its source; a changed one says whose it is."""
    core = access.core()
    platform = st.selectbox("Platform", limits.platforms(), format_func=platform_title, key="limits-platform")
    shown = [view for view in limits.views(core) if view.platform == platform]
    if not platform:
        return
    with st.form(f"limits-{platform}", border=True):
        typed = {view.name: _field(view) for view in shown}
        why = st.text_input("Why (optional)", key="limits-why")
        if not st.form_submit_button("Save", type="primary", icon=":material/save:"):
            return
    changed = {view.name: _wanted(view, typed[view.name]) for view in shown if typed[view.name] != view.value}
    if not changed:
        st.info("Nothing was changed.")
        return
    who = access.require_user().username
    if attempt(lambda: limits.change(core, platform, changed, who=who, why=why)) is not None:
        say_later(f"Limits of {platform} changed")
        st.rerun()


def _field(view: LimitView) -> LimitValue:
    about = f"`{view.name}` · {view.source} · checked {view.checked_at}"
    if view.is_changed:
        about = f"`{view.name}` · {view.source} · by {view.changed_by}; usually {view.usual}"
    key = f"limit-{view.platform}-{view.name}"
    label = f"{words.limit(view.name)}{', changed' if view.is_changed else ''}"
    if isinstance(view.usual, str):
        return st.text_input(label, str(view.value), help=about, key=key)
    if isinstance(view.usual, int):
        return int(st.number_input(label, 0, None, int(view.value), help=about, key=key))
    return float(st.number_input(label, 0.0, None, float(view.value), help=about, key=key, format="%g"))


def _wanted(view: LimitView, typed: LimitValue) -> LimitValue | None:
    """The file's own value typed again takes the override back."""
    return None if typed == view.usual else typed


def pace_form(account: Account) -> None:
    """How many posts the account gets as a destination, and how far apart."""
    core = access.core()
    known = editing.pace_of(core, account.id)
    st.subheader("Pace as a destination")
    with st.form(f"pace-{account.id}", border=True):
        per_day = st.number_input("Posts a day (0: as many as the platform takes)", 0, 10_000,
                                  known["posts_per_day"] or 0)  # fmt: skip
        spacing = st.number_input("Minutes between two posts", 0.0, 10_080.0, float(known["spacing_minutes"]))
        ramp = st.text_input("A new account: posts on its first, second, third … day",
                             ", ".join(str(n) for n in known["ramp"]), placeholder="2, 3, 5, 8",
                             help="A rate you choose and can show; afterwards the number above counts.")  # fmt: skip
        if not st.form_submit_button("Save pace", type="primary", icon=":material/save:"):
            return
    values: dict[str, Any] = {
        "posts_per_day": int(per_day) or None,
        "spacing_minutes": spacing,
        "ramp": _days(ramp),
        "ramp_from": known["ramp_from"] if _days(ramp) == known["ramp"] else None,
    }
    who = access.require_user().username
    if attempt(lambda: editing.change_account(core, account.id, {"pace": values}, who=who)) is not None:
        say_later(f"Pace of {account.alias} changed")
        st.rerun()


def _days(typed: str) -> Any:
    """Numbers where they are; what is none goes on as text, for the service to refuse."""
    try:
        return [int(part) for part in typed.split(",") if part.strip()]
    except ValueError:
        return typed
