"""YouTube as a destination: `open → send → verify`, and `reconcile` whenever the outcome is unclear.

What lives here: the order of the steps and what each outcome means to the engine. What does not: the protocol of an
upload (sessions.py), the search among uploads (listing.py), the meaning of a video's state (visibility.py).
The fact to know: the last chunk is what publishes the video. `hooks.committing()` runs right before it and it is sent
once; everything before may be repeated, by this process or by one that knows only the session's reference.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from forwarder_core.clock import Clock
from forwarder_core.connectors.base import (
    CredentialBox,
    Draft,
    Evidence,
    MediaFile,
    Published,
    Reconciled,
    SendHooks,
    Trace,
    Visibility,
)
from forwarder_core.connectors.metering import Meter
from forwarder_core.connectors.shapes import understood
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import NetworkFailed, OutcomeUnknown, PlatformTransient, SessionGone, StepFailed
from forwarder_core.platforms.youtube import listing, quota, visibility
from forwarder_core.platforms.youtube.client import YouTubeClient
from forwarder_core.platforms.youtube.sessions import Standing, Upload, ask_session, open_session
from forwarder_core.platforms.youtube.wire import Timeouts

_CHUNK_WAITS_S = (1.0, 3.0)  # before the second and the third try; longer troubles are the engine's to wait out


class YouTubeDestination:
    """One channel, reached through one exit. Not to be shared by threads."""

    def __init__(
        self,
        account: Account,
        box: CredentialBox,
        exit_: Exit,
        *,
        clock: Clock | None = None,
        timeouts: Timeouts | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = YouTubeClient(box, exit_, clock=clock, timeouts=timeouts)
        self._pause = pause

    def open(self, draft: Draft, media: MediaFile) -> str:
        with self._client:
            return open_session(self._client, draft, media)

    def send(self, session: str, draft: Draft, media: MediaFile, hooks: SendHooks) -> Published:
        with self._client:
            upload = Upload(self._client, session, draft, media)
            standing = _alive(upload.ask())
            while standing.is_open and not upload.is_last(standing.offset):
                standing = _alive(self._send_chunk(upload, standing.offset))
                if standing.is_open:
                    hooks.sent(standing.offset)
            if standing.is_done:
                return _named(standing)
            self._client.sign_in()  # before the hook: after it nothing but the chunk itself may fail
            hooks.committing()
            return upload.finish(standing.offset)

    def reconcile(self, evidence: Evidence) -> Reconciled:
        try:
            with self._client, understood("YouTube"):
                return self._look_for(evidence)
        except StepFailed as e:
            return Reconciled(Trace.UNKNOWN, evidence=f"YouTube would not say. {e.message}")

    @understood("YouTube")
    def verify(self, remote_id: str) -> Visibility:
        with self._client:
            videos = self._client.videos([remote_id], "status,processingDetails,contentDetails,snippet")
        return visibility.of(videos[0]) if videos else visibility.NOT_SHOWN

    def meter(self) -> Meter:
        return Meter(units={quota.UNITS: self._client.take_units()})

    def _send_chunk(self, upload: Upload, offset: int) -> Standing:
        """One chunk that is not the last, in three tries; after a failed one the session says what it has."""
        for wait_s in _CHUNK_WAITS_S:
            try:
                return upload.send_chunk(offset)
            except (NetworkFailed, PlatformTransient):
                self._pause(wait_s)
            standing = upload.ask()
            if not standing.is_open or standing.offset != offset:
                return standing
        return upload.send_chunk(offset)

    def _look_for(self, evidence: Evidence) -> Reconciled:
        """The session first, which knows. Listings lag: their “not found” is proof only after the settle time."""
        standing = ask_session(self._client, evidence.session) if evidence.session else Standing(is_gone=True)
        if standing.published:
            return Reconciled(Trace.PUBLISHED, standing.published, "The upload session names the video.")
        if standing.is_open:
            return Reconciled(Trace.RESUMABLE, evidence=f"The upload session is open at byte {standing.offset}.")
        found = listing.find(self._client, evidence)
        if standing.is_done and found.trace is Trace.NOT_FOUND:
            return Reconciled(Trace.UNKNOWN, evidence="The upload session is complete, but the video is not listed.")
        return found


def _alive(standing: Standing) -> Standing:
    if standing.is_gone:
        raise SessionGone("The upload session is gone: YouTube does not know it any more.")
    return standing


def _named(standing: Standing) -> Published:
    if standing.published is None:
        raise OutcomeUnknown("The upload session is complete but names no video.")
    return standing.published
