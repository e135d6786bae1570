"""A channel's public feed: its fifteen newest videos, without a sign-in and without quota.

What lives here: asking for it and reading its Atom. What does not: which entries are Shorts (shorts.py) and what lies
before them (the uploads playlist, source.py).
The fact to know: the feed is XML from outside. A document type is refused, because entities can only be declared in
one, and an answer that is no feed of this very channel raises: it is never an empty list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

import httpx

from forwarder_core.bounds import told_wait_s
from forwarder_core.egress import Exit, network_failure
from forwarder_core.errors import (
    ContractChanged,
    NetworkFailed,
    PlatformTransient,
    ProxyBlocked,
    ProxyFailed,
    RateLimited,
    StepFailed,
)

FULL = 15  # entries; with fewer it holds all that the channel shows
_URL = "https://www.youtube.com/feeds/videos.xml"
_READ_TIMEOUT_S = 20.0
_MOST_BYTES = 4_000_000
_ATOM, _YT, _MEDIA = (
    "{http://www.w3.org/2005/Atom}",
    "{http://www.youtube.com/xml/schemas/2015}",
    "{http://search.yahoo.com/mrss/}",
)
_VIDEO_ID = re.compile(r"[\w-]{11}", re.ASCII)


class FeedUnavailable(PlatformTransient):
    """No feed at present (404 or 5xx, which YouTube gives for hours at times); the channel may well be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One video of the feed. `is_short` True: its address says so; None: it says nothing either way."""

    id: str
    title: str
    description: str
    published_at: datetime
    is_short: bool | None
    views: int | None
    likes: int | None


def read(exit_: Exit, channel_id: str) -> list[Entry]:
    """The feed as it is now, newest first. Raises FeedUnavailable, RateLimited, ContractChanged, network classes."""
    try:
        with (
            exit_.http(read_timeout_s=_READ_TIMEOUT_S, follows=True) as client,
            client.stream("GET", _URL, params={"channel_id": channel_id}) as answer,
        ):
            _check(answer)
            content = _body(answer)
    except httpx.RequestError as e:
        raise network_failure(e, exit_) from e
    return parse(content, channel_id)


def parse(content: bytes, channel_id: str) -> list[Entry]:
    """The entries of a feed, newest first. Raises ContractChanged for anything that is not this channel's feed."""
    root = _root(content)
    if root.tag != f"{_ATOM}feed" or _text(root, f"{_YT}channelId") not in _names(channel_id):
        raise ContractChanged("YouTube's feed is not that of this channel.", raw=root.tag[:200])
    entries = [_entry(each, channel_id) for each in root.findall(f"{_ATOM}entry")]
    return sorted(entries, key=lambda entry: entry.published_at, reverse=True)  # stable: times are whole seconds


def _check(answer: httpx.Response) -> None:
    status = answer.status_code
    if status == 200:
        return
    raise _refusal(status, told_wait_s(answer.headers))


def _refusal(status: int, wait_s: float | None) -> StepFailed:
    if status == 429:
        return RateLimited("YouTube's feed asks to slow down (HTTP 429).", retry_after_s=wait_s)
    if status == 407:
        return ProxyFailed("The proxy refused the login (HTTP 407).")
    if status == 403:
        return ProxyBlocked("YouTube refuses this address its feed (HTTP 403).")
    if status in (404, 410) or status >= 500:
        return FeedUnavailable(f"YouTube gave no feed of this channel (HTTP {status}).")
    return ContractChanged(f"YouTube answered for the feed in a form not known here (HTTP {status}).")


def _body(answer: httpx.Response) -> bytes:
    content = b""
    for chunk in answer.iter_bytes():
        content += chunk
        if len(content) > _MOST_BYTES:
            raise ContractChanged("YouTube's feed is larger than any feed.")
    announced = answer.headers.get("content-length", "")
    if announced.isdecimal() and "content-encoding" not in answer.headers and len(content) < int(announced):
        raise NetworkFailed("The connection to YouTube ended early.")
    return content


def _root(content: bytes) -> ElementTree.Element:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise ContractChanged("YouTube's feed is not UTF-8.") from e
    prolog = text.partition("<feed")[0]
    if "<feed" not in text or "<!" in prolog:
        raise ContractChanged("YouTube answered with something else than its feed.", raw=text[:200])
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as e:
        raise ContractChanged("YouTube's feed cannot be read.", raw=str(e)) from e


def _entry(entry: ElementTree.Element, channel_id: str) -> Entry:
    id_, at = _text(entry, f"{_YT}videoId"), _instant(_text(entry, f"{_ATOM}published"))
    if not _VIDEO_ID.fullmatch(id_) or at is None:
        raise ContractChanged("An entry of YouTube's feed names no video or no time.", raw=id_[:200])
    if _text(entry, f"{_YT}channelId") not in _names(channel_id):
        raise ContractChanged("YouTube's feed holds a video of another channel.", raw=id_)
    link = next((each.get("href", "") for each in entry.findall(f"{_ATOM}link")), "")
    group = entry.find(f"{_MEDIA}group")
    community = group.find(f"{_MEDIA}community") if group is not None else None
    return Entry(
        id=id_,
        title=_text(entry, f"{_ATOM}title"),
        description=_text(group, f"{_MEDIA}description"),
        published_at=at,
        is_short=True if "/shorts/" in link else None,
        views=_count(community, f"{_MEDIA}statistics", "views"),
        likes=_count(community, f"{_MEDIA}starRating", "count"),
    )


def _text(parent: ElementTree.Element | None, tag: str) -> str:
    return (parent.findtext(tag) or "").strip() if parent is not None else ""


def _count(parent: ElementTree.Element | None, tag: str, name: str) -> int | None:
    found = parent.find(tag) if parent is not None else None
    value = found.get(name, "") if found is not None else ""
    return int(value) if value.isdecimal() else None


def _names(channel_id: str) -> tuple[str, str]:
    """The feed writes its own channel without the `UC` that its entries have. What follows may begin with `UC` too."""
    return channel_id, channel_id.removeprefix("UC")


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None
