"""Which videos are Shorts, and how one looks as a post. Pure, but for the memory of lengths.

What lives here: the judgement, and feed entries and API resources made into posts. What does not: asking for either.
The fact to know: nothing in the API says “Short”. The address in the feed or the channel's own list of Shorts does;
else it is a video of three minutes at most that is not wider than high. A video's length and shape never change, so
they are asked for once: that keeps the polls of a day within Google's quota.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from forwarder_core.connectors.shapes import text_at
from forwarder_core.domain.posts import SeenPost
from forwarder_core.errors import ContractChanged
from forwarder_core.platforms.youtube.feed import Entry
from forwarder_core.platforms.youtube.visibility import duration_ms

LONGEST_S = 180.0  # YouTube Help, Shorts up to 3 minutes since 2024-10-15
_SPARE_S = 1.0  # YouTube gives whole seconds, rounded
PARTS = "contentDetails,player,snippet,statistics,status"
MAX_HEIGHT = 720  # asking for a size of the player is what makes YouTube tell a video's shape

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """What of a video never changes. `is_wide` None: YouTube does not say."""

    duration_s: float
    is_wide: bool | None

    @property
    def fits(self) -> bool:
        return self.duration_s <= LONGEST_S + _SPARE_S and not self.is_wide


class Forms:
    """The forms of videos looked up before, for all accounts of this process. The oldest are forgotten first."""

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._known: OrderedDict[str, Form] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, video_id: str) -> Form | None:
        with self._lock:
            return self._known.get(video_id)

    def learn(self, videos: Iterable[Json]) -> None:
        """Keep the forms of these `video` resources; one that is not processed yet has none."""
        with self._lock:
            for video in videos:
                if form := form_of(video):
                    self._known[str(video["id"])] = form
            while len(self._known) > self._most:
                self._known.popitem(last=False)


def form_of(video: Json) -> Form | None:
    """None while YouTube does not know the length: still processing, live, or not begun."""
    length = duration_ms(video)
    if length is None or video.get("snippet", {}).get("liveBroadcastContent", "none") != "none":
        return None
    player = video.get("player", {})
    try:
        width, height = int(player.get("embedWidth", 0)), int(player.get("embedHeight", 0))
    except (TypeError, ValueError):
        width = height = 0
    return Form(length / 1000, width > height if width and height else None)


def is_short(entry: Entry, form: Form | None) -> bool:
    """`form` None: not known, then only the address can tell."""
    if entry.is_short:
        return form is None or form.duration_s <= LONGEST_S + _SPARE_S
    return form is not None and form.fits


def from_entry(entry: Entry, form: Form | None) -> SeenPost:
    return SeenPost(
        platform_post_id=entry.id,
        url=url_of(entry.id),
        caption=caption_of(entry.title, entry.description),
        posted_at=entry.published_at,
        duration_s=form.duration_s if form else None,
        views=entry.views,
        likes=entry.likes,
    )


def from_video(video: Json) -> SeenPost:
    """A `video` resource with PARTS as a post. Raises ContractChanged where it lacks its time."""
    snippet, statistics, form = video.get("snippet", {}), video.get("statistics", {}), form_of(video)
    try:
        posted_at = datetime.fromisoformat(snippet["publishedAt"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError) as e:
        raise ContractChanged("YouTube listed a video without its time.", raw=str(video.get("id"))) from e
    return SeenPost(
        platform_post_id=str(video["id"]),
        url=url_of(str(video["id"])),
        caption=caption_of(str(snippet.get("title", "")), str(snippet.get("description", ""))),
        posted_at=posted_at,
        duration_s=form.duration_s if form else None,
        views=_count(statistics, "viewCount"),
        likes=_count(statistics, "likeCount"),
        comments=_count(statistics, "commentCount"),
    )


def is_shown(video: Json, channel_id: str) -> bool:
    """Is it a finished video of this channel that everybody sees? An owner is listed private ones too."""
    is_public = text_at(video, "status", "privacyStatus") == "public"
    return is_public and text_at(video, "snippet", "channelId") == channel_id and form_of(video) is not None


def caption_of(title: str, description: str) -> str:
    """Title and description as one text, the title not twice."""
    if not description or description.startswith(title):
        return description or title
    return f"{title}\n\n{description}" if title else description


def url_of(video_id: str) -> str:
    return f"https://www.youtube.com/shorts/{video_id}"


def _count(statistics: Json, name: str) -> int | None:
    """Counts are text; one that the owner hides is left out."""
    value = str(statistics.get(name, ""))
    return int(value) if value.isdecimal() else None
