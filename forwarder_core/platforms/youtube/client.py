"""The calls we make of the YouTube Data API: as one account, through one exit, with the vendor's errors translated.

What lives here: each call once, its parts and its shape checked. What does not: what an answer means
(visibility.py, listing.py) and the order of an upload (sessions.py).
The fact to know: the library builds its methods from the discovery document in its own package, so an unknown
parameter fails here at once and nothing is fetched at start. Building them costs more than a call, so they are built
once for all clients of a process, without a way out; each request is given its client's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, NoReturn, Self

import google_auth_httplib2
import googleapiclient.discovery
import googleapiclient.errors
from googleapiclient.http import HttpRequest, MediaFileUpload

from forwarder_core.clock import Clock, SystemClock
from forwarder_core.connectors.base import CredentialBox, Draft
from forwarder_core.connectors.shapes import objects_in, text_at, understood
from forwarder_core.egress import Exit
from forwarder_core.errors import AuthInvalid, ContractChanged, PlatformTransient, SourceGone, StepFailed
from forwarder_core.platforms.youtube import errors, metadata, quota
from forwarder_core.platforms.youtube.tokens import BoxedToken
from forwarder_core.platforms.youtube.wire import Timeouts, open_wire

Json = dict[str, Any]

_PAGE = 50  # the most the API gives or takes at once


class YouTubeClient:
    """Used as `with client:`, any number of times. Not to be shared by threads: its transport is one connection."""

    def __init__(
        self, box: CredentialBox, exit_: Exit, *, clock: Clock | None = None, timeouts: Timeouts | None = None
    ) -> None:
        self._exit = exit_
        self._units = 0
        self._clock = clock or SystemClock()
        credentials = BoxedToken(box, self._clock).credentials()
        self._http = google_auth_httplib2.AuthorizedHttp(credentials, open_wire(exit_, timeouts or Timeouts()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """A connection lives for one step: kept longer it goes stale, and that looks like an answer that was lost."""
        self._http.close()

    def own_channel(self, part: str) -> Json:
        """The channel of this sign-in. Raises AuthInvalid where the Google account has none."""
        answer = self._execute(_calls("channels").list(part=part, mine=True))
        with understood("YouTube"):
            channels = _items(answer)
            for channel in channels:
                text_at(channel, "id")
        if not channels:
            raise AuthInvalid(
                "This Google account has no YouTube channel.", action="Create the channel in YouTube, then try again."
            )
        return channels[0]

    def playlist_page(self, playlist_id: str, page: str | None) -> tuple[list[Json], str | None]:
        """As `list_playlist`; a channel without uploads has no such playlist: empty."""
        try:
            return self.list_playlist(playlist_id, page)
        except SourceGone:
            return [], None

    def list_playlist(self, playlist_id: str, page: str | None) -> tuple[list[Json], str | None]:
        """One page of a playlist and the name of the next. Raises SourceGone where there is no such playlist."""
        request = _calls("playlistItems").list(
            part="contentDetails", playlistId=playlist_id, maxResults=_PAGE, pageToken=page
        )
        answer = self._execute(request)
        with understood("YouTube"):
            items = _items(answer)
            for item in items:
                text_at(item, "contentDetails", "videoId")
            return items, text_at(answer, "nextPageToken") if "nextPageToken" in answer else None

    def videos(self, ids: Sequence[str], part: str, *, max_height: int | None = None) -> list[Json]:
        """Those of `ids` (50 at most) that exist. With `max_height` the part `player` tells each one's shape."""
        request = _calls("videos").list(part=part, id=",".join(ids), maxHeight=max_height)
        answer = self._execute(request)
        with understood("YouTube"):
            found = _items(answer)
            if strangers := {text_at(video, "id") for video in found} - set(ids):
                raise ValueError(f"asked for others than {len(strangers)} of these videos")
        return found

    def insert_request(self, draft: Draft, media: MediaFileUpload) -> HttpRequest:
        """`videos.insert` as the library would send it; sessions.py sends it in our own order."""
        request: HttpRequest = _calls("videos").insert(
            part="snippet,status",
            body=metadata.body(draft),
            notifySubscribers=metadata.is_on(draft, "notify_subscribers", default=True),
            media_body=media,
        )
        request.http = self._http
        return request

    def ask(self, url: str, method: str, headers: dict[str, str], body: str | None = None) -> tuple[Any, bytes]:
        """One signed-in request as it is: the answer's status and headers, and its body. Any status returns."""
        with errors.translated(self._exit, self._clock):
            answer, content = self._http.request(url, method, headers=headers, body=body)
        return answer, content

    def sign_in(self) -> None:
        """See to a token that lasts, so that the next request is one request."""
        if not self._http.credentials.valid:
            self.renew()

    def renew(self) -> None:
        """Another access token than the one this client began with: a new one, unless somebody has made one since."""
        with errors.translated(self._exit, self._clock):
            self._http.credentials.refresh(google_auth_httplib2.Request(self._http.http))

    def failure(self, error: BaseException) -> StepFailed:
        """Our class for a vendor error caught outside of this module."""
        return errors.failure(error, self._exit, self._clock.now())

    def refusal(self, answer: Any, content: bytes) -> StepFailed:
        """Our class for an answer of `ask` that is no success."""
        return self.failure(googleapiclient.errors.HttpError(answer, content))

    def take_units(self) -> int:
        """Quota units spent since this was last asked; a refused call costs as much as an answered one."""
        spent, self._units = self._units, 0
        return spent

    def _execute(self, request: HttpRequest) -> Json:
        self._units += quota.READ_COST
        with errors.translated(self._exit, self._clock):
            answer = request.execute(http=self._http)
        if not isinstance(answer, dict):
            raise PlatformTransient("YouTube answered with something else than JSON.")
        if not str(answer.get("kind", "")).startswith("youtube#"):
            raise ContractChanged("YouTube answered in a form not known here.", raw=errors.redacted(json.dumps(answer)))
        return answer


class _NoWayOut:
    """In the place of a transport: a request that was not given its client's goes nowhere."""

    def request(self, *args: object, **kwargs: object) -> NoReturn:
        raise RuntimeError("this request was given no transport")


@cache
def _api() -> Any:
    return googleapiclient.discovery.build(
        "youtube",
        "v3",
        http=_NoWayOut(),
        cache_discovery=False,
        static_discovery=True,
        client_options={"universe_domain": "googleapis.com"},  # else read from the environment
    )


@cache
def _calls(noun: str) -> Any:
    """The library's methods of this noun; nothing of a request is kept in them."""
    return getattr(_api(), noun)()


def warm() -> None:
    """What a process that forks one child per run does once for all of them."""
    for noun in ("channels", "playlistItems", "videos"):
        _calls(noun)


def _items(answer: Json) -> list[Json]:
    """What was found. An answer may leave an empty list out, but then it says that there is nothing."""
    if "items" not in answer and answer["pageInfo"]["totalResults"] == 0:
        return []
    return objects_in(answer, "items")
