"""From Instagram's JSON to our posts: pure functions, each odd shape refused.

What lives here: reading one media and one page of a listing. What does not: asking for them (`source`).
The fact to know: an answer that lacks its list is not an empty list. Nothing here ever turns the one into the other,
because an empty page would mean “no new posts”.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any
from urllib.parse import urlsplit

from instagrapi.extractors import extract_media_v1

from forwarder_core.connectors.base import Page
from forwarder_core.domain.posts import SeenPost
from forwarder_core.errors import ContractChanged, SourceGone
from forwarder_core.platforms.instagram import FILE_HOSTS

_VIDEO = 2


def page_of(answer: object) -> Page:
    """The answer of `clips/user/`. The cursor is Instagram's own; it is asked for only while there is more."""
    listing = _mapping(answer, "the listing")
    items, paging = listing.get("items"), _mapping(listing.get("paging_info"), "the listing's paging")
    if not isinstance(items, list):
        raise ContractChanged("Instagram's listing came without its items.", raw=_keys(listing))
    cursor, has_more = paging.get("max_id"), paging.get("more_available", False)
    if not isinstance(has_more, bool):
        raise ContractChanged("Instagram's listing does not say whether there is more.", raw=_keys(paging))
    if has_more and (not cursor or not isinstance(cursor, str)):
        raise ContractChanged("Instagram's listing has more pages but no way to them.", raw=_keys(paging))
    posts = tuple(post_of(_mapping(item, "an item").get("media")) for item in items)
    return Page(posts, str(cursor) if has_more else None)


def post_of(answer: object) -> SeenPost:
    """One media as listed. Counts and facts Instagram left out stay None; the library would say 0 or False."""
    raw = _mapping(answer, "a post")
    if not isinstance(raw.get("media_type"), int):
        raise ContractChanged("Instagram listed a post of no known kind.", raw=_keys(raw))
    media = extract_media_v1(dict(raw))
    return SeenPost(
        platform_post_id=str(media.pk),
        url=url_of(str(media.code)),
        caption=media.caption_text,
        posted_at=media.taken_at.astimezone(UTC),
        duration_s=float(raw["video_duration"]) if raw.get("video_duration") else None,
        views=_first_number(raw, "play_count", "ig_play_count", "view_count"),
        likes=None if raw.get("like_and_view_counts_disabled") else _first_number(raw, "like_count"),
        comments=_first_number(raw, "comment_count"),
        has_audio=raw["has_audio"] if isinstance(raw.get("has_audio"), bool) else None,
        has_licensed_music=licensed_music(raw),
        is_video=media.media_type == _VIDEO,
    )


def url_of(code: str) -> str:
    return f"https://www.instagram.com/reel/{code}/"


def only_item(answer: object, pk: str) -> Mapping[str, Any]:
    """The media of `media/<pk>/info/`."""
    items = _mapping(answer, "the post").get("items")
    if not isinstance(items, list):
        raise ContractChanged("Instagram's answer came without the post.", raw=_keys(answer))
    if not items:
        raise SourceGone("Instagram does not show this post any more.")
    found = next((item for item in items if str(_mapping(item, "the post").get("pk")) == pk), None)
    if found is None:
        raise ContractChanged("Instagram's answer is about another post.", raw=_keys(items[0]))
    return dict(found)


def file_url(media: Mapping[str, Any]) -> str:
    """The address of the best rendition: signed, valid for hours, and only ever on Instagram's own file servers."""
    if media.get("media_type") != _VIDEO or not media.get("video_versions"):
        raise SourceGone("This Instagram post has no video.")
    url = str(extract_media_v1(dict(media)).video_url)
    parts = urlsplit(url)
    suffixes = tuple(host.removeprefix("*") for host in FILE_HOSTS)
    if parts.scheme != "https" or not (parts.hostname or "").endswith(suffixes):
        raise ContractChanged("Instagram named a file server that is not its own.", raw=parts.hostname or parts.scheme)
    return url


def licensed_music(media: Mapping[str, Any]) -> bool | None:
    """Whether the clip plays a track from Instagram's library; None where the answer does not say."""
    clip = media.get("clips_metadata") or {}
    attribution = media.get("clips_music_attribution_info") or clip.get("music_attribution_info") or {}
    if clip.get("audio_type") == "licensed_music" or clip.get("music_info"):
        return True
    if attribution.get("uses_original_audio") is not None:
        return not attribution["uses_original_audio"]
    if clip.get("audio_type") == "original_sounds" or clip.get("original_sound_info"):
        return False
    return None


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ContractChanged(f"Instagram's answer came without {what}.", raw=type(value).__name__)
    return value


def _first_number(raw: Mapping[str, Any], *names: str) -> int | None:
    return next((int(raw[name]) for name in names if isinstance(raw.get(name), int)), None)


def _keys(value: object) -> str:
    return ", ".join(sorted(map(str, value)))[:200] if isinstance(value, Mapping) else type(value).__name__
