"""The fake's file servers: signed addresses that expire, and the files behind them, by Range too.

What lives here: making and checking addresses. What does not: the JSON that holds them (`fake_posts`).
The fact to know: the signature covers path and expiry with a key kept in the world, so an address outlives a restart
of the simulator but not its six hours, and a changed one is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from forwarder_core.connectors.base import World, WorldPost
from forwarder_core.platforms.instagram.fake_wire import PLATFORM

HOST = "scontent.cdninstagram.com"
LIFETIME = timedelta(hours=6)
_NOTE = "file_key"


class Files:
    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        return [Route("/v/{account}/{rendition}/{name}", self.video, methods=["GET"])]

    async def video(self, request: Request) -> Response:
        """Every rendition is the one file there is; the client must still choose by size."""
        world, path, asked = self._world, request.url.path, request.query_params
        world.saw(PLATFORM, request.path_params["account"])
        if world.take_fault(PLATFORM, path, request.path_params["account"], "token_expired"):
            return PlainTextResponse("URL signature expired", 403)
        expiry = asked.get("oe", "")
        if not hmac.compare_digest(asked.get("oh", ""), _signature(world, path, expiry)):
            return PlainTextResponse("Bad URL hash", 403)
        if int(expiry, 16) < world.now().timestamp():
            return PlainTextResponse("URL signature expired", 403)
        post = world.post(PLATFORM, PurePosixPath(request.path_params["name"]).stem)
        if post is None:
            return PlainTextResponse("Not found", 404)
        return FileResponse(post.path, media_type="video/mp4")


def video_url(world: World, post: WorldPost, rendition: str) -> str:
    return _signed(world, f"/v/{post.account_id}/{rendition}/{post.id}.mp4")


def cover_url(world: World, post: WorldPost) -> str:
    return _signed(world, f"/t/{post.account_id}/{post.id}.jpg")


def _signed(world: World, path: str) -> str:
    expiry = f"{int((world.now() + LIFETIME).timestamp()):x}"
    return f"https://{HOST}{path}?oe={expiry}&oh={_signature(world, path, expiry)}"


def _signature(world: World, path: str, expiry: str) -> str:
    key = world.notes(PLATFORM).setdefault(_NOTE, secrets.token_hex(16))
    return hmac.new(str(key).encode(), f"{path}|{expiry}".encode(), hashlib.sha256).hexdigest()[:32]
