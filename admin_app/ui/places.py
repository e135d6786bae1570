"""Ways from one screen to another, in the same tab, and the way out.

The fact to know: a link in Markdown opens a new tab in Streamlit, and so does a link button; inside the app only
`st.page_link` stays. The few pieces of HTML in the screens are here; what comes from outside passes `escape`.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import quote

import streamlit as st

_KEY = "places"
_OUT = '<a href="{path}" style="color:inherit;font-weight:600">{words}</a>'


_COVER = (
    '<img loading="lazy" style="width:100%;aspect-ratio:1;object-fit:cover;border-radius:8px" src="{src}" alt="{alt}">'
)
_PICTURE = '<img loading="lazy" style="width:100%;border-radius:6px" src="{src}" alt="{alt}">'
_AGAIN = '<script>window.location.assign("/login?changed=1")</script>'
# A click on the screen that is open keeps its address in Streamlit, and with it the row that is shown. So it is told
# of a step to the bare address, as if the person had gone there by the browser's own buttons.
_FRESH = """<script>if (!window.navIsFresh) { window.navIsFresh = true; document.addEventListener("click", event => {
  const link = event.target.closest("[data-testid=stSidebarNavLink]");
  if (link && !event.ctrlKey && !event.metaKey && link.pathname === location.pathname && location.search)
    setTimeout(() => { history.pushState({}, "", link.pathname); dispatchEvent(new PopStateEvent("popstate")); });
}, true); }</script>"""
# Less air above a screen; what a button in a row answers stands below the row; who walks by keys sees where they are.
_LAYOUT = """<style>.stMainBlockContainer { padding-top: 4.25rem }
.stHorizontalBlock > .stElementContainer:has(.stAlert) { flex: 1 0 100%; order: 1 }
[data-testid=stSidebarNavLink]:focus-visible { outline: 2px solid currentColor }</style>"""
_PLAYER = (
    '<video controls preload="metadata" style="width:100%;max-height:70vh" src="{src}"{poster}'
    ' aria-label="Video of job {job}, {part}"></video>'
)


def remember(places: Mapping[str, st.Page]) -> None:
    """Which screens there are in this run, by name."""
    st.session_state[_KEY] = dict(places)


def link(place: str, label: str, *, icon: str | None = None, **query: str) -> None:
    st.page_link(st.session_state[_KEY][place], label=label, icon=icon, query_params=query or None, width="content")


def number(name: str) -> int | None:
    """What a link led here with under this name, where it can be the id of a row."""
    said = st.query_params.get(name, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None


def hour() -> int | None:
    """`?hour=`, 0 to 23."""
    said = number("hour")
    return said if said is not None and said < 24 else None


def cover(job_id: int, alt: str) -> None:
    """The picture kept of a job's video; `alt` in words, made harmless here."""
    st.html(_COVER.format(src=f"/api/jobs/{int(job_id)}/media/cover", alt=escape(alt)))


def template(name: str) -> None:
    """A template's picture, from the API: one that Streamlit keeps may be gone before the browser asks for it."""
    st.html(_PICTURE.format(src=f"/api/templates/{quote(name)}", alt=escape(name)))


def frame() -> None:
    """Around every screen: less air above it, the way out, and a navigation that leads back from a detail."""
    st.html(_LAYOUT)
    st.html(_OUT.format(path="/logout", words="Sign out") + _FRESH, unsafe_allow_javascript=True)


def player(job_id: int, part: str, *, with_cover: bool) -> None:
    """A kept file of a job, played in pieces from the API; Streamlit's own player would send all of it through here."""
    address = f"/api/jobs/{int(job_id)}/media/"
    poster = f' poster="{address}cover"' if with_cover and part == "rendition" else ""
    st.html(_PLAYER.format(src=f"{address}{part}", poster=poster, job=int(job_id), part=escape(part)))


def drawing(data_uri: str, alt: str) -> None:
    """An SVG as a picture: as a part of the page Streamlit would take it out."""
    st.html(f'<img src="{escape(data_uri)}" alt="{escape(alt)}">')


def sign_in_again() -> None:
    """After a change of the password: to the sign-in page at once, which says why; a page left open would only fail."""
    st.html(_AGAIN, unsafe_allow_javascript=True)


def sign_in_link() -> None:
    st.html(_OUT.format(path="/login", words="To the sign-in page"))
