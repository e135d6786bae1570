"""YouTube as a source: the Shorts of one channel listed, and their files brought here.

What lives here: in which order a listing is read, and what its page names mean. What does not: the feed (feed.py),
what is a Short (shorts.py), the download (download.py).
The fact to know: the feed costs no quota but ends after fifteen videos. So the first two pages are the feed, its
oldest Short being the second by itself: a look that needs nothing older asks the Data API for nothing but the length of
videos it has not met. Only then comes the uploads playlist, at two units a page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from forwarder_core.clock import Clock
from forwarder_core.connectors.base import CredentialBox, FetchedFile, Page
from forwarder_core.connectors.metering import Meter
from forwarder_core.connectors.shapes import understood
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import AuthInvalid, ContractChanged, SourceGone
from forwarder_core.platforms.youtube import download, feed, quota, shorts
from forwarder_core.platforms.youtube.client import YouTubeClient
from forwarder_core.platforms.youtube.download import DownloadLimits
from forwarder_core.platforms.youtube.feed import Entry
from forwarder_core.platforms.youtube.tokens import NEEDED
from forwarder_core.platforms.youtube.wire import Timeouts

# How pages are named: "feed:<time>|<id>" = what the feed holds before that entry; "list" = the playlist from its
# beginning; "<playlist>:<token>" = on in that playlist, with YouTube's own token.
_FEED, _LIST = "feed:", "list"
_ALL, _SHORTS = (
    "UU",
    "UUSH",
)  # how the two playlists of a channel begin; the second is undocumented, and not always there

_forms = shorts.Forms()


class YouTubeSource:
    """One channel, reached through one exit. Not to be shared by threads."""

    def __init__(
        self,
        account: Account,
        box: CredentialBox,
        exit_: Exit,
        *,
        clock: Clock | None = None,
        timeouts: Timeouts | None = None,
        limits: DownloadLimits | None = None,
        forms: shorts.Forms = _forms,
    ) -> None:
        self._account = account
        self._box = box
        self._exit = exit_
        self._client = YouTubeClient(box, exit_, clock=clock, timeouts=timeouts)
        self._limits = limits or DownloadLimits()
        self._forms = forms
        self._entries: list[Entry] | None = None

    @understood("YouTube")
    def list_posts(self, page: str | None = None) -> Page:
        with self._client:
            if page is None:
                return self._newest()
            if page.startswith(_FEED):
                return self._before(page.removeprefix(_FEED))
            return self._uploads() if page == _LIST else self._further(page)

    def fetch(self, platform_post_id: str, into: Path, progress: Callable[[int, int | None], None]) -> FetchedFile:
        order = download.Order(
            video_id=platform_post_id,
            into=into,
            cookies=self._box.read().get("cookies", ""),
            limits=self._limits,
        )
        return download.fetch(order, self._exit, progress)

    def meter(self) -> Meter:
        return Meter(units={quota.UNITS: self._client.take_units()})

    # ---- the feed -----------------------------------------------------------------------------------------------

    def _newest(self) -> Page:
        """The feed without its oldest Short. Where YouTube gives no feed, the playlist is asked instead."""
        try:
            entries = self._feed()
        except feed.FeedUnavailable:
            if not self._is_signed_in():
                raise
            return self._uploads()
        found = self._shorts_among(entries)
        if len(entries) < feed.FULL:
            return self._page(found, None)
        if len(found) < 2:  # too little to say how far back the feed reaches
            return self._page(found, _LIST)
        newer = found[:-1]
        return self._page(newer, f"{_FEED}{newer[-1].published_at.isoformat()}|{newer[-1].id}")

    def _before(self, place: str) -> Page:
        """What the feed holds before this place; it may have moved on since, then that is nothing."""
        at, _, id_ = place.partition("|")
        try:
            since = datetime.fromisoformat(at)
        except ValueError as e:
            raise ContractChanged("This page of a YouTube listing is none of ours.", raw=place[:100]) from e
        entries = self._feed()
        places = [number for number, entry in enumerate(entries, 1) if entry.id == id_]
        older = entries[places[0] :] if places else [entry for entry in entries if entry.published_at <= since]
        found = self._shorts_among(older)
        return self._page(found, _LIST) if found else self._uploads()

    def _feed(self) -> list[Entry]:
        if self._entries is None:
            self._entries = feed.read(self._exit, self._channel_id())
        return self._entries

    def _shorts_among(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those that are Shorts. Without a sign-in lengths cannot be asked for, and only addresses tell."""
        is_signed_in = self._is_signed_in()
        if is_signed_in and (unknown := [entry.id for entry in entries if self._forms.get(entry.id) is None]):
            self._forms.learn(self._client.videos(unknown, shorts.PARTS, max_height=shorts.MAX_HEIGHT))
        found = []
        for entry in entries:
            form = self._forms.get(entry.id)
            if form is None and is_signed_in:
                continue  # taken down meanwhile, live, or not processed: a later look has it
            if shorts.is_short(entry, form):
                found.append(entry)
        return found

    def _page(self, entries: Sequence[Entry], following: str | None) -> Page:
        return Page(tuple(shorts.from_entry(entry, self._forms.get(entry.id)) for entry in entries), following)

    # ---- the uploads playlist -----------------------------------------------------------------------------------

    def _uploads(self) -> Page:
        """The first page of the channel's list of Shorts, or of all its uploads where it has none."""
        bare = self._channel_id().removeprefix("UC")
        try:
            return self._further(f"{_SHORTS}{bare}:")
        except SourceGone:
            return self._further(f"{_ALL}{bare}:")

    def _further(self, page: str) -> Page:
        """One page of a playlist. Raises SourceGone where there is no such playlist."""
        playlist, colon, token = page.partition(":")
        bare = self._channel_id().removeprefix("UC")
        if not colon or playlist not in (f"{_SHORTS}{bare}", f"{_ALL}{bare}"):
            raise ContractChanged("This page of a YouTube listing is none of ours.", raw=page[:100])
        items, following = self._client.list_playlist(playlist, token or None)
        ids = [str(item["contentDetails"]["videoId"]) for item in items]
        videos = self._client.videos(ids, shorts.PARTS, max_height=shorts.MAX_HEIGHT) if ids else []
        self._forms.learn(videos)
        shown = [video for video in videos if shorts.is_shown(video, self._channel_id())]
        if playlist == f"{_ALL}{bare}":
            shown = [video for video in shown if (form := shorts.form_of(video)) and form.fits]
        return Page(
            tuple(shorts.from_video(video) for video in shown), f"{playlist}:{following}" if following else None
        )

    def _is_signed_in(self) -> bool:
        secrets = self._box.read()
        return all(secrets.get(name) for name in NEEDED)

    def _channel_id(self) -> str:
        for known in (self._account.remote_id, self._account.handle):
            if known and known.startswith("UC"):
                return known
        raise AuthInvalid(
            "The channel ID of this account is not known.", action="Enter it in Accounts: it begins with UC."
        )
