"""What a connection is set to, in a table; and its name, changed."""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, words
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.filters import FilterMode, Filters
from forwarder_core.domain.transforms import TransformOptions
from forwarder_core.services import editing
from forwarder_core.services.overview import ConnectionView

_MODES = {
    FilterMode.ALL_NEW: "all new posts",
    FilterMode.ASKED_ONLY: "only those asked for",
}


def details(view: ConnectionView) -> None:
    """Everything that was said about it, short; the forms say the rest."""
    c, zone = view.connection, access.core().settings.zone
    windows = ", ".join(f"{w.start:%H:%M} to {w.end:%H:%M}" for w in c.schedule.windows.daily)
    facts = {
        "Which posts": _which(c.filters),
        "Old posts": "too" if c.filters.include_old_posts else "left alone",
        "Check interval": f"every {words.span(c.schedule.check_interval_s)}",
        "Publishing hours": f"{windows} ({c.schedule.windows.zone})" if windows else "at any time",
        "Priority": str(c.priority),
        "Proxy": view.proxy_alias or ("its own policy" if c.proxy_policy else "the accounts' own"),
        "Video": _video(c.transform),
        "Retries": "a policy of its own" if c.retry_policy else "as the installation does",
        "Asks before it publishes": "yes" if c.publish.get("approval") else "no",
        "Created": words.clock_time(c.created_at, zone),
        "Started": words.clock_time(c.started_at, zone) if c.started_at else "not yet",
    }
    with st.expander("Details", icon=":material/info:"):
        values = [words.plain(value) for value in facts.values()]
        st.table({"": list(facts), "Value": values}, hide_index=True, hide_header=True, border=False)


def _which(filters: Filters) -> str:
    if filters.caption_keywords and filters.mode not in _MODES:
        return f"those whose caption contains {', '.join(filters.caption_keywords)}"
    return _MODES.get(filters.mode, str(filters.mode).replace("_", " "))


def _video(options: TransformOptions) -> str:
    said = [f"quality {str(options.quality).replace('_', ' ')}"]
    if options.upscale or options.upscale_to_4k:
        said.append("upscaled to 4K" if options.upscale_to_4k else "upscaled")
    if options.layout.is_on:
        said.append(f"layout {str(options.layout.template).replace('_', ' ')}")
    return ", ".join(said)


def name_form(c: Connection, key: str) -> None:
    with st.form(f"{key}-name-{c.id}", border=False):
        name = st.text_input("Name", c.name, max_chars=200)
        if not st.form_submit_button("Save the name"):
            return
    who = access.require_user().username
    wanted = (name or "").replace("\x00", "").strip()
    if attempt(lambda: editing.change_connection(access.core(), c.id, {"name": wanted}, who=who)):
        say_later(f"Connection '{wanted}' changed")
        st.rerun()
