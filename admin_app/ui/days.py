"""Days as a field of a screen: those a link led here with to begin with, and the instants between them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import streamlit as st

from admin_app.ui import access, places

Span = tuple[datetime | None, datetime | None]


def field(label: str, key: str) -> Span:
    """One day or two; nothing is chosen unless the address says `?from=` and `?to=`."""
    return _span(st.date_input(label, [*_asked()], format="YYYY-MM-DD", key=key))


def hour_note(place: str) -> int | None:
    """Says which hour of each day a link led here with, and how to be rid of it."""
    hour = places.hour()
    if hour is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Of each day from {hour:02}:00 to {(hour + 1) % 24:02}:00.")
            places.link(place, "All hours", icon=":material/close:")
    return hour


def _asked() -> list[date]:
    """Days of the installation's zone."""
    try:
        return sorted(date.fromisoformat(st.query_params[name]) for name in ("from", "to") if name in st.query_params)
    except ValueError:
        return []


def _span(days: object) -> Span:
    """From the first day's beginning to the last one's end; while only one is chosen, from it on."""
    if not isinstance(days, tuple) or not days:
        return None, None
    zone = access.core().settings.zone
    first, *rest = (day for day in days if isinstance(day, date))
    since = datetime.combine(first, time(), zone)
    return since, datetime.combine(rest[0], time(), zone) + timedelta(days=1) if rest else None
