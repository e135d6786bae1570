"""An Instagram professional account as a source through the Graph API: its own Reels listed, their files brought here.

What lives here: two questions to Meta and the download. What does not: the token (`graph_session`), reading answers
(`graph_media`), what was seen before (detection).
The fact to know: the API shows an account its own posts only, and not every file of them; a file's address is signed
and short-lived, so it is asked for right before each download.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from forwarder_core.clock import Clock
from forwarder_core.connectors.base import CredentialBox, FetchedFile, Page
from forwarder_core.connectors.shapes import understood
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import ContractChanged
from forwarder_core.platforms.instagram.graph_client import GraphClient, Json, text
from forwarder_core.platforms.instagram.graph_media import FIELDS, file_url, page_of
from forwarder_core.platforms.instagram.graph_session import GraphSession
from forwarder_core.platforms.instagram.signed_files import fetch_signed

_PAGE_SIZE = "25"


class GraphSource:
    def __init__(self, account: Account, box: CredentialBox, exit_: Exit, *, clock: Clock | None = None) -> None:
        self._session = GraphSession(account, box, exit_, clock=clock)

    @understood("Meta")
    def list_posts(self, page: str | None = None) -> Page:
        with self._session as session:
            return page_of(session.ask(lambda client, ig: list_media(client, ig, page)))

    def fetch(self, platform_post_id: str, into: Path, progress: Callable[[int, int | None], None]) -> FetchedFile:
        """Without the token: the address is signed, and its server is not Meta's API."""
        return fetch_signed(self._session.exit, lambda: self._fresh_url(platform_post_id), into, progress)

    @understood("Meta")
    def _fresh_url(self, media_id: str) -> str:
        with self._session as session:
            media = session.ask(lambda client, ig: client.get(media_id, fields=FIELDS))
        if text(media, "id") != media_id:
            raise ContractChanged("Meta's answer is about another post.")
        return file_url(media)


def list_media(client: GraphClient, ig_user_id: str, page: str | None) -> Json:
    """One page of the account's own posts of every kind, newest first."""
    after = {"after": page} if page else {}
    return client.get(f"{ig_user_id}/media", fields=FIELDS, limit=_PAGE_SIZE, **after)
