"""A YouTube for tests and the demo: the part of Google that we talk to, strict where Google is strict.

What lives here: which path is answered by what, and what the simulator asks of a platform's fake. What does not: the
answers (fake_oauth.py, fake_api.py, fake_uploads.py, fake_feed.py, fake_player.py). The fact to know: it is written
from the vendor's documents and our measurements, not from our own client, and everything it must remember is in the
world's notes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Host, Route, Router

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.youtube import fake_oauth
from forwarder_core.platforms.youtube.fake_answers import Refused, refusal
from forwarder_core.platforms.youtube.fake_api import Api
from forwarder_core.platforms.youtube.fake_feed import Feed
from forwarder_core.platforms.youtube.fake_oauth import OAuth, client_of, token_owner
from forwarder_core.platforms.youtube.fake_player import Player
from forwarder_core.platforms.youtube.fake_uploads import Uploads

_FAULT_WORDS = {
    "http_401": (401, "authError", "Invalid Credentials"),
    "http_403": (403, "forbidden", "Access forbidden."),
    "http_429": (429, "rateLimitExceeded", "Too many requests."),
    "http_5xx": (503, "backendError", "Backend Error"),
}


def app(world: World) -> Starlette:
    oauth, api, uploads = OAuth(world), Api(world), Uploads(world)
    data = Router(
        [
            Route("/youtube/v3/channels", api.channels),
            Route("/youtube/v3/playlistItems", api.playlist_items),
            Route("/youtube/v3/videos", api.videos),
            Route("/upload/youtube/v3/videos", uploads.open, methods=["POST"]),
            Route("/upload/youtube/v3/videos", uploads.put, methods=["PUT"]),
        ]
    )
    accounts = Router([Route(path, oauth.consent) for path in ("/o/oauth2/v2/auth", "/o/oauth2/auth")])
    player, feed = Player(world), Feed(world)
    pages = Router([*player.routes(), Route("/feeds/videos.xml", feed.videos)])
    return Starlette(
        routes=[
            Host("oauth2.googleapis.com", Router([Route("/token", oauth.token, methods=["POST"])])),
            Host("accounts.google.com", accounts),
            *(Host(name, data) for name in ("youtube.googleapis.com", "www.googleapis.com")),
            *(Host(name, pages) for name in ("www.youtube.com", "m.youtube.com", "youtube.com")),
            Host("youtu.be", Router([Route("/{id}", player.by_path)])),
            Host("{server}.googlevideo.com", Router([Route("/videoplayback", player.video)])),
        ],
        exception_handlers={Refused: refusal},
    )


def credentials(world: World, account: WorldAccount) -> dict[str, str]:
    """What the owner of this account types into the account form: two JSON files."""
    client = client_of(account)
    addresses = {
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    login = {"client_id": client.id, "client_secret": client.secret}
    return {
        "oauth_client": json.dumps({"web": {**login, **addresses, "project_id": client.project}}),
        "token": json.dumps(
            {
                **login,
                "refresh_token": client.refresh_token,
                "token_uri": addresses["token_uri"],
                "scopes": list(fake_oauth.SCOPES),
            }
        ),
    }


def account_of(request: Request, world: World) -> str | None:
    """Whose call it is; the token endpoint says it in its body, which is not ours to read here."""
    owner = token_owner(request, world)
    return owner.id if owner else None


def fault_response(name: str, value: Mapping[str, Any]) -> Response | None:
    """An HTTP fault in Google's words. `value`: status, reason, retry_after."""
    if name not in _FAULT_WORDS or "body" in value:
        return None
    status, reason, message = _FAULT_WORDS[name]
    status, reason = int(value.get("status", status)), str(value.get("reason", reason))
    refused = Refused(status, reason, message, retry_after_s=value.get("retry_after"))
    return refused.response()
