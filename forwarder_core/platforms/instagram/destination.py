"""An Instagram account as a destination: a Reel uploaded, looked for, looked at.

What lives here: the upload around its one irreversible call, and what is known after it. What does not: the upload
itself, which is the library's `clip_upload`, and any second try.
The fact to know: the file can be sent again at no harm; the configure step makes it a post. From the moment it is
asked for, silence and nonsense mean `OutcomeUnknown`, and only a refusal in Instagram's own words means “not posted”.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from forwarder_core.connectors.base import (
    CredentialBox,
    Draft,
    Evidence,
    MediaFile,
    Published,
    Reconciled,
    SendHooks,
    Visibility,
)
from forwarder_core.connectors.shapes import understood
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.posts import SeenPost
from forwarder_core.egress import Exit
from forwarder_core.errors import (
    AuthExpired,
    Bug,
    ContractChanged,
    LocalFailed,
    NetworkFailed,
    OutcomeUnknown,
    PlatformTransient,
    ProxyFailed,
    SessionGone,
    SourceGone,
)
from forwarder_core.platforms.instagram.client import POLITE, Client, Pace
from forwarder_core.platforms.instagram.errors import translated
from forwarder_core.platforms.instagram.matching import CLOCKS_DIFFER, conclude
from forwarder_core.platforms.instagram.posts import only_item, page_of, url_of
from forwarder_core.platforms.instagram.session import Session
from forwarder_core.platforms.instagram.source import list_clips

_SAYS_NOTHING = (NetworkFailed, ProxyFailed, PlatformTransient, ContractChanged, Bug)
_MOST_PAGES = 5


class InstagramDestination:
    def __init__(self, account: Account, box: CredentialBox, exit_: Exit, *, pace: Pace = POLITE) -> None:
        self._account = account
        self._configure_s = pace.configure_s * exit_.pace
        self._session = Session(account, box, exit_, pace=pace)

    def open(self, draft: Draft, media: MediaFile) -> str:
        """Prove the session now, because a login in the middle of an upload would be one too many.

        Instagram's upload has nothing to resume: each `send` is a whole upload, so the reference is only a name."""
        if media.cover is None or media.cover.suffix.lower() not in (".jpg", ".jpeg"):
            raise LocalFailed("The Reel has no cover picture in JPEG form.")
        self._session.ask(lambda client: client.account_info())
        return uuid.uuid4().hex

    def send(self, session: str, draft: Draft, media: MediaFile, hooks: SendHooks) -> Published:
        client = self._session.client()
        step = _Step(hooks, media.size_bytes)
        client.commit = step
        try:
            with translated(self._session.exit):
                caption = draft.caption.encode("utf-8", "ignore").decode()  # a lone surrogate cannot be sent at all
                made = client.clip_upload(
                    media.path, caption, thumbnail=media.cover, configure_timeout=self._configure_s
                )
                return Published(str(made.pk), url_of(str(made.code)))
        except AuthExpired as e:
            # A refusal, so nothing was posted. Signing in again is for the next `open`, not for the middle of this.
            raise SessionGone("Instagram ended the session during the upload.", raw=e.raw) from e
        except _SAYS_NOTHING as e:
            if step.published:
                return step.published
            if not step.was_asked:
                raise
            raise OutcomeUnknown("Instagram did not say whether the Reel was posted.", raw=e.raw) from e
        finally:
            client.commit = None

    @understood("Instagram")
    def reconcile(self, evidence: Evidence) -> Reconciled:
        """Several signals must agree: caption, length and time together. Never the newest post by itself."""
        return conclude(self._own_posts_since(evidence), evidence)

    @understood("Instagram")
    def verify(self, remote_id: str) -> Visibility:
        try:
            answer = self._session.ask(lambda client: client.private_request(f"media/{remote_id}/info/"))
            media = only_item(answer, remote_id)
        except SourceGone as e:
            return Visibility(is_live=False, is_final=False, privacy="unknown", duration_ms=None, detail=e.message)
        is_private = bool((media.get("user") or {}).get("is_private"))
        return Visibility(
            is_live=True,
            is_final=True,
            privacy="private" if is_private else "public",
            duration_ms=round(float(media["video_duration"]) * 1000) if media.get("video_duration") else None,
            detail="only the account's followers see it" if is_private else "Instagram shows it",
        )

    def _own_posts_since(self, evidence: Evidence) -> list[SeenPost]:
        """Pages until one lies wholly before the window; pinned posts are old and prove nothing by themselves."""
        posts: list[SeenPost] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = self._own_page(cursor)
            posts += page.posts
            cursor = page.next
            oldest = evidence.not_before - CLOCKS_DIFFER
            if cursor is None or all(post.posted_at < oldest for post in page.posts):
                return posts
        return posts

    def _own_page(self, cursor: str | None) -> Any:
        def ask(client: Client) -> Any:
            return list_clips(client, None, cursor)

        answer = self._session.ask(ask)
        with translated(self._session.exit):
            return page_of(answer)


class _Step:
    """The configure step as the engine follows it. Instagram answers it 202 until the file is converted; each of
    those asks is announced, since each could be the one that posts."""

    def __init__(self, hooks: SendHooks, size_bytes: int) -> None:
        self._hooks = hooks
        self._size_bytes = size_bytes
        self.was_asked = False
        self.published: Published | None = None

    def before(self) -> None:
        if not self.was_asked:
            self._hooks.sent(self._size_bytes)
        self._hooks.committing()
        self.was_asked = True

    def after(self, answer: Mapping[str, Any]) -> None:
        """Remember the id before the library reads the rest, whose shape may have changed."""
        media = answer.get("media")
        if isinstance(media, Mapping) and media.get("pk") and media.get("code"):
            self.published = Published(str(media["pk"]), url_of(str(media["code"])))
