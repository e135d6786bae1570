"""The rules of a connection as fields of a form: which posts, when, and in which words; with a preview of the words.

Used where a connection is made and where one is changed. The fact to know: nothing is decided here; each function gives
its rules as the API takes them, and the services judge those.
"""

from __future__ import annotations

from datetime import date, time
from typing import Any

import streamlit as st

from admin_app.ui import access
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.backlog import Order
from forwarder_core.domain.captions import CAPTION, VARIABLES, Links, Mentions
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.filters import FilterMode, Filters, LicensedMusic
from forwarder_core.domain.schedule_rules import zones
from forwarder_core.domain.schedules import Schedule, WindowsFor
from forwarder_core.services import editing, wording
from forwarder_core.services.wording import Sketch

MODES = {
    FilterMode.ALL_NEW: "Forward all new posts",
    FilterMode.KEYWORDS: "Only posts whose caption contains a keyword",
    FilterMode.ASKED_ONLY: "None by itself: only what I ask for (old posts, downloads, by hand)",
}
ORDERS = {Order.OLDEST: "Oldest first", Order.NEWEST: "Newest first", Order.TOP: "Most viewed first"}
_SOUND = {None: "With or without sound", True: "Only with sound", False: "Only without sound"}
_MUSIC = {
    LicensedMusic.FORWARD: "Forward it",
    LicensedMusic.SKIP: "Leave it",
    LicensedMusic.MUTE: "Forward it without its sound",
}
_WINDOWS_FOR = {WindowsFor.ALL: "All posts wait for it", WindowsFor.OLD_POSTS: "Only old posts; new ones go at once"}
_MENTIONS = {Mentions.KEEP: "Keep", Mentions.PLAIN: "Write the name without @", Mentions.STRIP: "Leave out"}
_LINKS = {Links.KEEP: "Keep", Links.STRIP: "Leave out"}
_PATTERN = "Read as a regular expression; letters match in either case."


def filters(key: str, known: Filters | None = None) -> dict[str, Any]:
    """`known`: of a connection that is changed."""
    f = known or Filters()
    mode = st.radio("Which posts", list(MODES), list(MODES).index(f.mode), format_func=MODES.__getitem__,
                    key=f"{key}-mode")  # fmt: skip
    words = st.text_input("Keywords, separated by commas", ", ".join(f.caption_keywords), key=f"{key}-keywords",
                          help="Only used with the second choice above.")  # fmt: skip
    old = st.checkbox("Also forward the posts that are there already", f.include_old_posts, key=f"{key}-old")
    said = {
        "mode": mode,
        "caption_keywords": _listed(words),
        "include_old_posts": old,
    }
    with st.expander("More filters", icon=":material/filter_alt:"):
        said |= _by_words(key, f) | _by_facts(key, f)
    with st.expander("Old posts", icon=":material/history:"):
        said |= _old_posts(key, f)
    return said


def _by_words(key: str, f: Filters) -> dict[str, Any]:
    pattern = st.text_input("… or the caption matches", f.caption_pattern.text if f.caption_pattern else "",
                            key=f"{key}-pattern", help=_PATTERN, placeholder=r"\bsale\b")  # fmt: skip
    left, right = st.columns(2)
    with left:
        excluded = st.text_input("Not with these words", ", ".join(f.excluded_keywords), key=f"{key}-excluded")
        any_of = st.text_input("One of these hashtags", _tags(f.hashtags.any_of), key=f"{key}-tags-any")
    with right:
        refused = st.text_input("Not where the caption matches", f.excluded_pattern.text if f.excluded_pattern else "",
                                key=f"{key}-excluded-pattern", help=_PATTERN)  # fmt: skip
        all_of = st.text_input("All of these hashtags", _tags(f.hashtags.all_of), key=f"{key}-tags-all")
    none_of = st.text_input("None of these hashtags", _tags(f.hashtags.none_of), key=f"{key}-tags-none")
    return {
        "caption_pattern": pattern or None,
        "excluded_keywords": _listed(excluded),
        "excluded_pattern": refused or None,
        "hashtags": {"any": _listed(any_of), "all": _listed(all_of), "none": _listed(none_of)},
    }


def _by_facts(key: str, f: Filters) -> dict[str, Any]:
    left, right = st.columns(2)
    with left:
        min_s = _number("At least … seconds long", f.min_duration_s, f"{key}-min-s")
        min_h = _number("At least … hours old (waits)", f.min_age_h, f"{key}-min-h")
        min_views = _number("At least … views", f.popularity.min_views, f"{key}-views")
        after_h = _number("… counted when it is … hours old", f.popularity.after_h, f"{key}-after-h")
    with right:
        max_s = _number("At most … seconds long", f.max_duration_s, f"{key}-max-s")
        max_h = _number("At most … hours old when found", f.max_age_h, f"{key}-max-h")
        min_likes = _number("At least … likes", f.popularity.min_likes, f"{key}-likes")
        newest = _number("Of many found at once, only the newest …", f.newest_n, f"{key}-newest")
    sound = _choice("Sound", _SOUND, f.has_audio, f"{key}-sound")
    music = _choice("Music under licence, where the source says so", _MUSIC, f.licensed_music, f"{key}-music")
    return {
        "duration": {"min_s": min_s, "max_s": max_s},
        "age": {"min_h": min_h, "max_h": max_h},
        "popularity": {"after_h": after_h, "min_views": _whole(min_views), "min_likes": _whole(min_likes)},
        "has_audio": sound,
        "licensed_music": str(music),
        "newest_n": _whole(newest),
    }


def _old_posts(key: str, f: Filters) -> dict[str, Any]:
    st.caption("Used where posts that are there already are forwarded too. New posts always go first.")
    days = st.date_input("Only of these days (UTC)", [d for d in (f.old_from, f.old_to) if d], key=f"{key}-days",
                         format="YYYY-MM-DD")  # fmt: skip
    newest = _number("Only the newest …", f.old_newest_n, f"{key}-old-newest")
    per_day = _number("At most … a day", f.old_per_day, f"{key}-old-per-day")
    order = _choice("Order", ORDERS, f.old_order, f"{key}-old-order")
    chosen = tuple(days) if isinstance(days, (tuple, list)) else (days,)
    return {
        "date_range": _days(chosen),
        "old_posts": {"newest_n": _whole(newest), "per_day": _whole(per_day), "order": str(order)},
    }


def schedule(key: str, known: Schedule | None = None) -> dict[str, Any]:
    s = known or Schedule()
    minutes = st.number_input("Look for new posts every … minutes", 1, 1_440, max(1, round(s.check_interval_s / 60)),
                              key=f"{key}-minutes")  # fmt: skip
    with st.expander("Publish at certain hours only", icon=":material/schedule:", expanded=bool(s.windows.daily)):
        st.caption("Sources are looked at all the time; what is found waits for the next window.")
        names = sorted(zones())
        usual = s.windows.zone if s.windows.daily else str(access.core().settings.zone)
        zone = st.selectbox("Time zone", names, names.index(usual) if usual in names else 0, key=f"{key}-zone")
        known_rows = [{"from": w.start, "to": w.end} for w in s.windows.daily]
        rows = [_window(f"{key}-window-{n}", known_rows[n] if n < len(known_rows) else None) for n in range(3)]
        who = _choice("Who waits", _WINDOWS_FOR, s.windows_for, f"{key}-windows-for")
    windows = [row for row in rows if row is not None]
    return {
        "type": "windows" if windows else "continuous",
        "check_interval_minutes": minutes,
        "windows": windows,
        "windows_for": str(who),
        "timezone": zone or "UTC",
    }


def _window(key: str, known: dict[str, time] | None) -> dict[str, str] | None:
    left, right = st.columns(2)
    start = left.time_input("From", known["from"] if known else None, key=f"{key}-from", step=300)
    end = right.time_input("to", known["to"] if known else None, key=f"{key}-to", step=300)
    return {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}"} if start and end else None


def wording_fields(key: str, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """Of `publish_options`, what says in which words. `known`: those of a connection that is changed."""
    k = known or {}
    st.caption("Variables: " + " ".join(f"`{{{name}}}`" for name in VARIABLES))
    title = st.text_input("Title", k.get("title_template", ""), key=f"{key}-title", placeholder="{title}",
                          help="Empty: the caption's first line. Only where the destination has titles.")  # fmt: skip
    caption = st.text_area("Caption", k.get("caption_template", CAPTION), key=f"{key}-caption")
    credit = k.get("credit_line") or ""
    line = st.text_input("Credit line", "Source: {source_url}" if credit is True else credit, key=f"{key}-credit",
                         placeholder="Source: {source_url}", help="Below everything; never cut off.")  # fmt: skip
    left, right = st.columns(2)
    removed = k.get("remove_hashtags", [])
    with left:
        add = st.text_input("Add hashtags", _tags(k.get("add_hashtags", ())), key=f"{key}-add")
        mentions = _choice("@mentions", _MENTIONS, Mentions(k.get("mentions", "keep")), f"{key}-mentions")
    with right:
        remove = st.text_input("Remove hashtags", "all" if removed == "all" else _tags(removed), key=f"{key}-remove",
                               help="“all” removes every one.")  # fmt: skip
        links = _choice("Links", _LINKS, Links(k.get("links", "keep")), f"{key}-links")
    shorts = st.checkbox("#Shorts at the end of the title", bool(k.get("shorts_tag")), key=f"{key}-shorts")
    return {
        "title_template": title,
        "caption_template": caption or CAPTION,
        "credit_line": line,
        "add_hashtags": _listed(add),
        "remove_hashtags": "all" if remove.strip().lower() == "all" else _listed(remove),
        "mentions": str(mentions),
        "links": str(links),
        "shorts_tag": shorts,
    }


@st.dialog("Rules", width="large")
def edit(connection: Connection) -> None:
    """Change which posts a connection forwards, when, and in which words."""
    who, key = access.require_user().username, f"rules-{connection.id}"
    which, when, words = st.tabs(["Which posts", "When", "In which words"])
    with which:
        said: dict[str, Any] = {"filters": filters(key, connection.filters)}
    with when:
        said["schedule"] = schedule(key, connection.schedule)
        said["priority"] = st.number_input("Priority", -100, 100, connection.priority, key=f"{key}-priority",
                                           help="Higher goes first at its destination.")  # fmt: skip
    with words:
        published = dict(connection.publish)
        said["publish_options"] = published | wording_fields(key, published)
        _preview(connection, said["publish_options"])
    if not st.button("Save", type="primary", icon=":material/save:", key=f"{key}-save"):
        return
    if attempt(lambda: editing.change_connection(access.core(), connection.id, said, who=who)):
        say_later(f"Connection '{connection.name}' changed")
        st.rerun()


def _preview(connection: Connection, options: dict[str, Any]) -> None:
    caption = st.text_area("Try a caption", "Sunset over the harbour #travel\nWith @anna", key=f"try-{connection.id}")
    if not st.button("Preview", icon=":material/visibility:", key=f"preview-words-{connection.id}"):
        return
    sketch = Sketch(
        caption=caption,
        connection_id=connection.id,
        options=options,
        source_url="https://www.instagram.com/reel/Abc123/",
        posted_at=access.core().clock.now(),
    )
    made = attempt(lambda: wording.preview(access.core(), sketch))
    if made is None:
        return
    if made.words.title:
        st.text(f"Title: {made.words.title}")
    st.code(made.words.caption or " ", language=None, wrap_lines=True)
    st.caption(f"Tags: {', '.join(made.words.tags) or '–'}".replace("#", ""))
    for note in made.notes:
        st.caption(note)


def _listed(typed: str) -> list[str]:
    return [word.strip() for word in typed.split(",") if word.strip()]


def _tags(tags: Any) -> str:
    return ", ".join(tags)


def _number(label: str, known: float | None, key: str) -> float | None:
    value = st.number_input(label, 0.0, None, None if known is None else float(known), key=key, format="%g")
    return None if value is None else float(value)


def _whole(value: float | None) -> int | None:
    return int(value) if value else None


def _days(chosen: tuple[date, ...]) -> dict[str, str] | None:
    if len(chosen) < 2:
        return None
    return {"from": chosen[0].isoformat(), "to": chosen[-1].isoformat()}


def _choice(label: str, words: dict[Any, str], now: Any, key: str) -> Any:
    known = list(words)
    chosen = st.selectbox(label, known, known.index(now), format_func=lambda word: words[word], key=key)
    return now if chosen is None and now is not None else chosen
