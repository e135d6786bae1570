"""The fake's uploads: settings, the file in one body, the cover, and the configure step that makes a Reel of them.

What lives here: the way of a Reel in. What does not: judging the file, which the world does when it is published.
The fact to know: the first configure is always answered 202, “Transcode not finished yet”, as Instagram does; an
upload id makes one Reel, and a second configure of it is refused.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.instagram.fake_posts import media_json
from forwarder_core.platforms.instagram.fake_wire import (
    PLATFORM,
    Refused,
    fail,
    guard,
    need,
    ok,
    parse_json,
    signed_form,
)

_CAPTION_CHARS = 2200
_LAG_S = 60.0


class Uploads:
    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        post = ["POST"]
        return [
            Route("/upload_settings/{session}", self.settings, methods=post),
            Route("/rupload_igvideo/{name}", self.offset, methods=["GET"]),
            Route("/rupload_igvideo/{name}", self.video, methods=post),
            Route("/rupload_igphoto/{name}", self.cover, methods=post),
            Route("/api/v1/media/configure_to_clips/", self.configure, methods=post),
        ]

    async def settings(self, request: Request) -> Response:
        guard(request, self._world)
        need(parse_json((await request.body()).decode(), "upload settings"), "composer_session_id")
        return ok()

    async def offset(self, request: Request) -> Response:
        guard(request, self._world)
        return JSONResponse({"offset": 0})

    async def video(self, request: Request) -> Response:
        """One body from offset 0; the protocol has chunks, but the app's client sends none."""
        account = guard(request, self._world)
        params = parse_json(request.headers.get("x-instagram-rupload-params", ""), "X-Instagram-Rupload-Params")
        upload_id, media_type = need(params, "upload_id", "media_type")
        if request.headers.get("offset") != "0" or media_type != "2" or not upload_id.isdigit():
            return fail(400, "Bad upload request")
        file = self._file(account, upload_id)
        with file.open("wb") as out:
            async for chunk in request.stream():
                out.write(chunk)
        if file.stat().st_size != int(request.headers.get("x-entity-length", "-1")):
            file.unlink()
            return fail(400, "Uploaded size does not match X-Entity-Length")
        self._world.notes(PLATFORM)[f"upload/{upload_id}"] = {"account": account.id, "cover": False, "tries": 0}
        return ok(upload_id=upload_id)

    async def cover(self, request: Request) -> Response:
        guard(request, self._world)
        params = parse_json(request.headers.get("x-instagram-rupload-params", ""), "X-Instagram-Rupload-Params")
        (upload_id,) = need(params, "upload_id")
        body = await request.body()
        if not body.startswith(b"\xff\xd8") or len(body) != int(request.headers.get("x-entity-length", "-1")):
            return fail(400, "The cover is not a whole JPEG")
        notes = self._world.notes(PLATFORM)
        if upload := notes.get(f"upload/{upload_id}"):
            notes[f"upload/{upload_id}"] = {**upload, "cover": True}
        return ok(upload_id=upload_id)

    async def configure(self, request: Request) -> Response:
        account = guard(request, self._world)
        asked = await signed_form(request)
        upload_id, caption = str(asked.get("upload_id", "")), str(asked.get("caption", ""))
        upload = self._ready(account, upload_id)
        if len(caption) > _CAPTION_CHARS:
            return fail(400, "Caption is too long")
        if upload["tries"] == 0 or self._strikes(request, account, "never_finishes"):
            self._world.notes(PLATFORM)[f"upload/{upload_id}"] = {**upload, "tries": upload["tries"] + 1}
            return fail(202, "Transcode not finished yet.")
        if self._strikes(request, account, "caption_dropped"):
            caption = ""
        post = await run_in_threadpool(
            self._world.publish, PLATFORM, account.id, self._file(account, upload_id), caption=caption
        )
        self._world.notes(PLATFORM).pop(f"upload/{upload_id}", None)
        if lag := self._strikes(request, account, "listing_lag"):
            until = self._world.now() + timedelta(seconds=float(lag.get("seconds", _LAG_S)))
            self._world.notes(PLATFORM)[f"hidden/{post.id}"] = until.isoformat()
        self._strikes(request, account, "answer_lost")  # the simulator then withholds what is returned here
        return ok(media=media_json(self._world, post, account), upload_id=upload_id)

    def _ready(self, account: WorldAccount, upload_id: str) -> dict[str, Any]:
        upload = self._world.notes(PLATFORM).get(f"upload/{upload_id}")
        if upload is None or upload["account"] != account.id or not self._file(account, upload_id).exists():
            raise Refused(fail(400, "media_needs_reupload", error_title="unknown upload id"))
        if not upload["cover"]:
            raise Refused(fail(400, "The cover is missing"))
        return dict(upload)

    def _strikes(self, request: Request, account: WorldAccount, name: str) -> dict[str, Any] | None:
        fault = self._world.take_fault(PLATFORM, request.url.path, account.id, name)
        return {"armed": True, **fault.value} if fault else None

    def _file(self, account: WorldAccount, upload_id: str) -> Path:
        return self._world.upload_dir() / f"instagram-{account.id}-{int(upload_id)}.mp4"
