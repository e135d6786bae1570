"""The pieces screens are made of: a state badge, an error with its action, a button that runs a use case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError
from streamlit.elements.lib.column_types import ColumnConfig

from admin_app.ui import access
from admin_app.ui.words import Colour, Look, plain
from forwarder_core.domain.jobs import Failure
from forwarder_core.errors import ForwarderError, Invalid
from forwarder_core.services import forms
from forwarder_core.services.rehearsing import NotReady

Made = TypeVar("Made")
_TOAST = "toast"
_PLATFORMS: tuple[Colour, ...] = ("gray", "orange", "green", "red", "blue")


def badge(look: Look) -> None:
    st.badge(look.word, icon=look.icon, color=look.colour)


def badge_of(look: Look) -> str:
    """The same as Markdown: among other words it costs no element of its own."""
    return f":{look.colour}-badge[{look.icon} {look.word}]"


def badge_column(looks: Iterable[Look]) -> ColumnConfig:
    """A table's column of badges. A cell is a list of one word: Streamlit colours nothing else in a table."""
    known = {look.word: look.colour for look in looks}
    return st.column_config.MultiselectColumn(options=list(known), color=list(known.values()))


def platform_title(platform: str) -> str:
    return next((spec.title for spec in forms.platforms() if spec.platform == platform), platform)


def platform_badge(platform: str) -> str:
    """As Markdown: its name on a colour of its own, by its place among those there are; a new one needs no line."""
    known = [spec.platform for spec in forms.platforms()]
    at = known.index(platform) if platform in known else 0
    return f":{_PLATFORMS[at % len(_PLATFORMS)]}-badge[{plain(platform_title(platform))}]"


def failure(error: Failure) -> None:
    """What happened and what to do about it."""
    st.error(f"**{plain(error.message)}**  \nWhat to do: {plain(error.action)}", icon=":material/error:")


def refusal(error: ForwarderError) -> None:
    """A use case said no: why, which fields, and what to do."""
    lines = [f"**{plain(error.message)}**"]
    if isinstance(error, Invalid):
        lines += [f"- {plain(f.field)}: {plain(f.message)}" for f in error.fields]
    if isinstance(error, NotReady) and len(error.reasons) > 1:
        lines += [f"- {plain(reason)}" for reason in error.reasons]
    else:
        lines.append(plain(error.action))
    st.error("\n\n".join(lines), icon=":material/error:")


def attempt(act: Callable[[], Made]) -> Made | None:
    """Run a use case; a refusal is shown and None returned. The UI's boundary: anything else is Streamlit's error."""
    try:
        return act()
    except ForwarderError as e:
        refusal(e)
    except SQLAlchemyError:
        st.error("The database does not answer. Nothing was changed; try again in a few seconds.")
    return None


def say_later(words: str) -> None:
    """A toast after the next run, which usually is a rerun at once."""
    st.session_state[_TOAST] = words


def say_now() -> None:
    if words := st.session_state.pop(_TOAST, None):
        st.toast(plain(words), icon=":material/check_circle:", duration="long")


def text(words: str) -> None:
    """Words from outside, exactly as they are."""
    st.text(words)


@st.fragment
def tabs(drawn: Mapping[str, Callable[[], None]], *, key: str, first: str | None = None) -> None:
    """Tabs of which only the open one is read and drawn, and no more than they when another is opened."""
    access.require_user()
    for tab, draw in zip(st.tabs(list(drawn), key=key, default=first, on_change="rerun"), drawn.values(), strict=True):
        if tab.open:
            with tab:
                draw()
