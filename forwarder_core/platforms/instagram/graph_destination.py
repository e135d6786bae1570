"""An Instagram professional account as a destination through the Graph API: a Reel published, looked for, looked at.

What lives here: the order of the steps around the one irreversible call, and what is known after it. What does not:
the protocol of an upload (`graph_uploads`) and the judgement of what is listed (`graph_matching`).
The fact to know: `media_publish` makes the post and is sent once. Its answer is an id and nothing else; the post's
own address would cost a second call between Meta's yes and our row, so a publication carries the account's Reels page
until `verify` or `reconcile` reads the permalink.
"""

from __future__ import annotations

from datetime import timedelta

from forwarder_core.clock import Clock
from forwarder_core.connectors.base import (
    CredentialBox,
    Draft,
    Evidence,
    MediaFile,
    Page,
    Published,
    Reconciled,
    SendHooks,
    Trace,
    Visibility,
)
from forwarder_core.connectors.metering import Meter
from forwarder_core.connectors.shapes import understood
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.posts import SeenPost
from forwarder_core.egress import Exit
from forwarder_core.errors import (
    ContractChanged,
    NetworkFailed,
    OutcomeUnknown,
    PlatformTransient,
    ProxyFailed,
    SourceGone,
    StepFailed,
)
from forwarder_core.platforms.instagram import graph_uploads as uploads
from forwarder_core.platforms.instagram.graph_client import GraphClient, text
from forwarder_core.platforms.instagram.graph_matching import Said, conclude
from forwarder_core.platforms.instagram.graph_media import address_of, page_of
from forwarder_core.platforms.instagram.graph_session import GraphSession
from forwarder_core.platforms.instagram.graph_source import list_media
from forwarder_core.platforms.instagram.graph_uploads import Container, Patience, Status
from forwarder_core.platforms.instagram.matching import CLOCKS_DIFFER

_SAYS_NOTHING = (NetworkFailed, ProxyFailed, PlatformTransient, ContractChanged)
_MOST_PAGES = 5
_LIFE = timedelta(hours=24)  # of a container
_SAID = {
    Status.PUBLISHED: Said.PUBLISHED,
    Status.IN_PROGRESS: Said.BUSY,
    Status.GONE: Said.NOTHING,
}


class GraphDestination:
    """One account, reached through one exit. Not to be shared by threads."""

    def __init__(
        self,
        account: Account,
        box: CredentialBox,
        exit_: Exit,
        *,
        clock: Clock | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._account = account
        self._session = GraphSession(account, box, exit_, clock=clock)
        self._patience = patience or Patience()
        self._fresh: str | None = None
        self._told: tuple[int, int] | None = None

    def meter(self) -> Meter:
        """Meta's own count of the account's posts, once it was asked; the one about to be sent is not in it."""
        told, self._told = self._told, None
        return Meter() if told is None else Meter(posts_used=told[0], posts_total=told[1])

    @understood("Meta")
    def open(self, draft: Draft, media: MediaFile) -> str:
        """A container; the posting limit is asked first, because a container counts against a limit of its own."""
        with self._session as session:
            self._told = session.ask(uploads.check_quota)
            container = uploads.open_container(session.client(), session.ig_user_id, draft)
        self._fresh = container.reference
        return container.reference

    def send(self, session: str, draft: Draft, media: MediaFile, hooks: SendHooks) -> Published:
        container = Container.of(session)
        with self._session as meta:
            status, words = meta.ask(lambda client, ig: uploads.ask(client, container))
            uploads.raise_if_dead(status, words)
            client = meta.client()
            if status is Status.IN_PROGRESS:
                self._send_file(client, container, session, media)
                hooks.sent(media.size_bytes)
                status = uploads.wait_until_ready(client, container, self._patience)
            if status is Status.PUBLISHED:
                return self._found_again(draft, media)
            hooks.committing()
            return self._publish(client, meta.ig_user_id, container)

    def reconcile(self, evidence: Evidence) -> Reconciled:
        """The container first, which knows; then the account's own Reels, which must not contradict it."""
        try:
            with self._session as meta, understood("Meta"):
                status = Status.GONE
                if evidence.session:
                    container = Container.of(evidence.session)
                    status, _ = meta.ask(lambda client, ig: uploads.ask(client, container))
                posts = self._own_posts_since(evidence)
        except StepFailed as e:
            return Reconciled(Trace.UNKNOWN, evidence=f"Instagram would not say. {e.message}")
        return conclude(posts, evidence, _SAID.get(status, Said.NOT_PUBLISHED))

    @understood("Meta")
    def verify(self, remote_id: str) -> Visibility:
        try:
            with self._session as meta:
                media = meta.ask(lambda client, ig: client.get(remote_id, fields="id,media_product_type,permalink"))
        except SourceGone as e:
            return Visibility(is_live=False, is_final=False, privacy="unknown", duration_ms=None, detail=e.message)
        if text(media, "id") != remote_id:
            raise ContractChanged("Meta's answer is about another post.")
        url = address_of(text(media, "permalink"))
        detail = f"Instagram shows it: {url}"
        return Visibility(is_live=True, is_final=True, privacy="public", duration_ms=None, detail=detail, url=url)

    def _send_file(self, client: GraphClient, container: Container, session: str, media: MediaFile) -> None:
        """From where an earlier worker stopped, if this is not the container just opened. Meta sometimes answers a
        whole upload with a failure and processes it all the same: then the container decides."""
        offset = 0 if session == self._fresh else uploads.kept(client, container, media.size_bytes)
        self._fresh = None
        if offset >= media.size_bytes:
            return
        try:
            uploads.send_file(client, container, media, offset)
        except PlatformTransient:
            status, _ = uploads.ask(client, container)
            if status is not Status.FINISHED and uploads.kept(client, container, media.size_bytes) < media.size_bytes:
                raise

    def _publish(self, client: GraphClient, ig_user_id: str, container: Container) -> Published:
        """Once. A refusal in Meta's own words means “not posted”; silence and nonsense mean nobody knows."""
        try:
            made = client.post(f"{ig_user_id}/media_publish", creation_id=container.id)
            return Published(text(made, "id"), self._reels_url(), names_post=False)
        except _SAYS_NOTHING as e:
            raise OutcomeUnknown("Instagram did not say whether the Reel was posted.", raw=e.raw) from e

    def _found_again(self, draft: Draft, media: MediaFile) -> Published:
        """The container says that its post exists already, which only an earlier worker's call can have done."""
        now = self._session.clock.now()
        evidence = Evidence(
            session=None,
            marker=draft.marker,
            caption=draft.caption,
            duration_ms=media.duration_ms,
            not_before=now - _LIFE,
            not_after=now,
        )
        found = conclude(self._own_posts_since(evidence), evidence, Said.PUBLISHED)
        if found.published is None:
            raise OutcomeUnknown("The upload was published already, but its post was not found.", raw=found.evidence)
        return found.published

    def _own_posts_since(self, evidence: Evidence) -> list[SeenPost]:
        """Pages until one lies wholly before the window; a page without a Reel tells no time and is passed over."""
        posts: list[SeenPost] = []
        cursor: str | None = None
        oldest = evidence.not_before - CLOCKS_DIFFER
        for _ in range(_MOST_PAGES):
            page = self._own_page(cursor)
            posts += page.posts
            cursor = page.next
            if cursor is None or (page.posts and all(post.posted_at < oldest for post in page.posts)):
                break
        return posts

    def _own_page(self, cursor: str | None) -> Page:
        return page_of(self._session.ask(lambda client, ig: list_media(client, ig, cursor)))

    def _reels_url(self) -> str:
        return f"https://www.instagram.com/{self._account.handle.lstrip('@')}/reels/"
