"""From the Graph API's JSON to our posts: pure functions, each odd shape refused.

What lives here: reading one media and one page of a listing. What does not: asking for them (`graph_source`).
The fact to know: Meta leaves `media_url` out of a Reel whose sound it thinks licensed, and says nothing else about
it; and its link to the next page carries the token, so only the cursor in it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from forwarder_core.connectors.base import Page
from forwarder_core.domain.posts import SeenPost
from forwarder_core.errors import ContractChanged, SourceGone
from forwarder_core.platforms.instagram import FILE_HOSTS
from forwarder_core.platforms.instagram.graph_client import Json, objects, text

FIELDS = "id,media_type,media_product_type,media_url,permalink,timestamp,caption,like_count,comments_count"
_REELS = "REELS"
_PERMALINK = re.compile(
    r"https://(?:www\.)?instagram\.com/(?:[\w.]+/)?(?:reel|reels|p|tv)/([\w-]{5,40})/?(?:\?.*)?", re.ASCII
)


def page_of(answer: Json) -> Page:
    """One page of `/{ig}/media`: its Reels, in Meta's order."""
    items = objects(answer, "data")
    paging = answer.get("paging") or {}
    if not isinstance(paging, Mapping):
        raise ContractChanged("Meta's listing came without its paging.")
    posts = tuple(post_of(item) for item in items if is_reel(item))
    return Page(posts, _cursor(paging) if paging.get("next") else None)


def is_reel(media: Json) -> bool:
    return text(media, "media_product_type") == _REELS


def post_of(media: Json) -> SeenPost:
    """A Reel as listed. Meta tells neither length nor views of it here."""
    return SeenPost(
        platform_post_id=text(media, "id"),
        url=address_of(text(media, "permalink")),
        caption=str(media.get("caption") or ""),
        posted_at=_instant(text(media, "timestamp")),
        likes=_count(media, "like_count"),
        comments=_count(media, "comments_count"),
        has_licensed_music=None if media.get("media_url") else True,
    )


def address_of(permalink: str) -> str:
    """As the other road writes it: the short code is the one name a post has on both, ids are two different numbers."""
    found = _PERMALINK.fullmatch(permalink)
    return f"https://www.instagram.com/reel/{found[1]}/" if found else permalink


def file_url(media: Json) -> str:
    """The signed address of the file, valid for hours, and only ever on Meta's own file servers."""
    if not media.get("media_url"):
        raise SourceGone(
            "Instagram gives no file for this Reel: its sound is licensed or was claimed by a rights holder.",
            action="Forward it from the original file by a library upload, or leave it.",
        )
    url = text(media, "media_url")
    parts = urlsplit(url)
    suffixes = tuple(host.removeprefix("*") for host in FILE_HOSTS)
    if parts.scheme != "https" or not (parts.hostname or "").endswith(suffixes):
        raise ContractChanged("Meta named a file server that is not its own.", raw=parts.hostname or parts.scheme)
    return url


def _cursor(paging: Json) -> str:
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, Mapping) else None
    if not isinstance(after, str) or not after:
        raise ContractChanged("Meta's listing has more pages but no way to them.", raw=", ".join(sorted(paging)))
    return after


def _instant(said: str) -> datetime:
    try:
        at = datetime.fromisoformat(said)
    except ValueError as e:
        raise ContractChanged("Meta wrote a time in another form than known here.", raw=said[:40]) from e
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _count(media: Json, name: str) -> int | None:
    value = media.get(name)
    return value if isinstance(value, int) else None
