"""Looking for our own video among a channel's uploads, when nobody can say any more whether it was published.

What lives here: reading the newest uploads, and the pure judgement which of them is ours. What does not: asking the
upload session, which comes first and proves more (sessions.py).
The fact to know: the marker, the duration and the time must agree. The newest upload by itself proves nothing, and a
video with our marker but another length is a question for a person, not a “no”.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from forwarder_core.connectors.base import Evidence, Published, Reconciled, Trace
from forwarder_core.errors import PlatformTransient
from forwarder_core.platforms.youtube.client import YouTubeClient
from forwarder_core.platforms.youtube.visibility import duration_ms

_MOST_PAGES = 10  # of 50 uploads: five days at the full rate of one project
_DURATION_SLACK_MS = 1000  # YouTube gives whole seconds
_CLOCK_SLACK = timedelta(minutes=2)  # between this server and YouTube

Json = Mapping[str, Any]


def find(client: YouTubeClient, evidence: Evidence) -> Reconciled:
    """Search the uploads of the time in question. Raises where YouTube would not list them."""
    return judge((video for page in _pages(client, evidence) for video in page), evidence)


def judge(videos: Iterable[Json], evidence: Evidence) -> Reconciled:
    """Is one of these videos the publication in question?"""
    if not evidence.marker:
        return Reconciled(Trace.UNKNOWN, evidence="The post carries no marker to find it by.")
    read, doubts = 0, []
    for video in videos:
        read += 1
        if evidence.marker not in video.get("snippet", {}).get("tags", ()):
            continue
        agreed, differing = _signals(video, evidence)
        if not differing:
            words = f"Found among the channel's uploads: {', '.join(agreed)} agree."
            return Reconciled(Trace.PUBLISHED, _published(video), words)
        doubts.append(f"{video['id']} has our marker, but {' and '.join(differing)}")
    if doubts:
        return Reconciled(Trace.UNKNOWN, evidence=f"{'; '.join(doubts)}.")
    return Reconciled(Trace.NOT_FOUND, evidence=f"None of the {read} uploads of that time carries our marker.")


def _signals(video: Json, evidence: Evidence) -> tuple[list[str], list[str]]:
    """What speaks for a video that has our marker, and what against it."""
    agreed, differing = ["marker"], []
    length = duration_ms(video)
    if length is None:
        differing.append("its length is not known yet")
    elif abs(length - evidence.duration_ms) > _DURATION_SLACK_MS:
        differing.append(f"is {length / 1000:g} s long instead of {evidence.duration_ms / 1000:g} s")
    else:
        agreed.append("length")
    published_at = _instant(video.get("snippet", {}).get("publishedAt"))
    if published_at and _is_within(published_at, evidence):
        agreed.append("time")
    else:
        differing.append("was published at another time")
    return agreed, differing


def _pages(client: YouTubeClient, evidence: Evidence) -> Iterable[list[Json]]:
    """The newest uploads page by page, until a whole page is older than the time in question."""
    playlist = client.own_channel("contentDetails")["contentDetails"]["relatedPlaylists"]["uploads"]
    page: str | None = None
    for _ in range(_MOST_PAGES):
        items, page = client.playlist_page(playlist, page)
        if not items:
            return
        yield list(client.videos([item["contentDetails"]["videoId"] for item in items], "snippet,contentDetails"))
        if page is None or all(_is_older(item, evidence) for item in items):
            return
    raise PlatformTransient("The channel has more uploads since then than can be searched.")


def _is_older(item: Json, evidence: Evidence) -> bool:
    """A private upload has no time of publication and may be anything."""
    at = _instant(item["contentDetails"].get("videoPublishedAt"))
    return at is not None and at < evidence.not_before - _CLOCK_SLACK


def _is_within(at: datetime, evidence: Evidence) -> bool:
    return evidence.not_before - _CLOCK_SLACK <= at <= evidence.not_after + _CLOCK_SLACK


def _instant(text: Any) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _published(video: Json) -> Published:
    return Published(str(video["id"]), f"https://www.youtube.com/shorts/{video['id']}")
