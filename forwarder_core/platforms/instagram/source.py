"""An Instagram account as a source: its Reels listed, and their files brought here.

What lives here: two questions to Instagram and the download. What does not: the session (`session`), reading answers
(`posts`), what was seen before (detection).
The fact to know: the library's own `user_clips` turns every refusal into an empty list, and its downloads go out past
the proxy. Neither is used: the listing is one plain request, the file comes by `egress.download`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from forwarder_core.connectors.base import CredentialBox, FetchedFile, Page
from forwarder_core.connectors.shapes import understood
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.platforms.instagram.client import POLITE, Client, Pace
from forwarder_core.platforms.instagram.errors import translated
from forwarder_core.platforms.instagram.posts import file_url, only_item, page_of
from forwarder_core.platforms.instagram.session import Session
from forwarder_core.platforms.instagram.signed_files import fetch_signed

_PAGE_SIZE = 12  # what the app asks for


class InstagramSource:
    def __init__(self, account: Account, box: CredentialBox, exit_: Exit, *, pace: Pace = POLITE) -> None:
        self._account = account
        self._session = Session(account, box, exit_, pace=pace)

    @understood("Instagram")
    def list_posts(self, page: str | None = None) -> Page:
        answer = self._session.ask(lambda client: list_clips(client, self._account.remote_id, page))
        with translated(self._session.exit):
            return page_of(answer)

    def fetch(self, platform_post_id: str, into: Path, progress: Callable[[int, int | None], None]) -> FetchedFile:
        agent = {"User-Agent": str(self._session.client().user_agent)}
        return fetch_signed(self._session.exit, lambda: self._fresh_url(platform_post_id), into, progress, agent)

    @understood("Instagram")
    def _fresh_url(self, pk: str) -> str:
        answer = self._session.ask(lambda client: client.private_request(f"media/{pk}/info/"))
        with translated(self._session.exit):
            return file_url(only_item(answer, pk))


def list_clips(client: Client, user_id: str | None, page: str | None) -> Any:
    """One page of a profile's Reels as the app asks for it; `user_id` None = the signed-in account's own."""
    return client.private_request(
        "clips/user/",
        data={
            "target_user_id": int(user_id or client.user_id),
            "max_id": page or "",
            "page_size": _PAGE_SIZE,
            "include_feed_video": "true",
        },
    )
