"""The writing half of the fake's Data API: resumable uploads, with the arithmetic of Content-Range done honestly.

What lives here: sessions and their bytes. What does not: what a video looks like afterwards (fake_api.py).
The fact to know: a session's bytes are the file `<upload_id>.part`, kept in whole steps of 256 KiB whenever a client
goes away; its video's id is drawn when it is opened, so that a kill at any moment ends in one video or none.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.youtube import SPEC
from forwarder_core.platforms.youtube.fake_answers import Refused
from forwarder_core.platforms.youtube.fake_api import VIDEO_PARTS, asked_parts, refuse_on_quota, video_of
from forwarder_core.platforms.youtube.fake_oauth import client_of, signed_in

STEP_BYTES = 256 * 1024
UPLOADS_PER_DAY = 100
_MOST_BYTES = 274_877_906_944
_SESSION_LIFE = timedelta(days=7)
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_KNOWN_FIELDS = {
    "snippet": {"title", "description", "tags", "categoryId", "defaultLanguage", "defaultAudioLanguage"},
    "status": {
        "privacyStatus",
        "publishAt",
        "license",
        "embeddable",
        "publicStatsViewable",
        "selfDeclaredMadeForKids",
        "containsSyntheticMedia",
    },
}

Json = dict[str, Any]


class Uploads:
    def __init__(self, world: World) -> None:
        self._world = world
        self._turns: defaultdict[str, int] = defaultdict(int)
        self._ending: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def open(self, request: Request) -> Response:
        account = signed_in(request, self._world)
        if request.query_params.get("uploadType") != "resumable":
            raise Refused(400, "badRequest", "Only resumable uploads are known here.")
        parts = asked_parts(request, VIDEO_PARTS)
        refuse_on_quota(request, self._world, account)
        size = _announced_size(request)
        video = _checked_video(await request.body(), parts)
        self._count_upload(account)
        upload_id = secrets.token_urlsafe(48)
        self._world.notes(SPEC.platform)[f"session:{upload_id}"] = {
            "account": account.id,
            "size": size,
            "video": video,
            "video_id": self._world.new_id(SPEC.platform),
            "opened_at": self._world.now().isoformat(),
        }
        query = urlencode({"uploadType": "resumable", "part": ",".join(parts), "upload_id": upload_id})
        location = f"https://{request.headers['host']}{request.url.path}?{query}"
        return Response(headers={"location": location, "x-guploader-uploadid": upload_id})

    async def put(self, request: Request) -> Response:
        """Bytes, or the question how many there are."""
        try:
            account = signed_in(request, self._world)
            upload_id = request.query_params.get("upload_id", "")
            session = self._session(upload_id, account)
            first = self._first_byte(request, upload_id, session)
        except Refused:
            async for _ in request.stream():  # taken in, so that the client gets to read the answer
                pass
            raise
        if first is not None and not video_of(self._world, session["video_id"]):
            await self._receive(request, upload_id, session, first)
        return await self._standing(request, upload_id, session, account)

    def _session(self, upload_id: str, account: WorldAccount) -> Json:
        session: Json | None = self._world.notes(SPEC.platform).get(f"session:{upload_id}")
        if session is None or session["account"] != account.id:
            raise Refused(404, "notFound", "The upload session was not found.")
        if datetime.fromisoformat(session["opened_at"]) + _SESSION_LIFE < self._world.now():
            raise Refused(410, "gone", "The upload session has ended.")
        return session

    def _first_byte(self, request: Request, upload_id: str, session: Json) -> int | None:
        """Where the body begins; None where the request only asks. Wrong arithmetic and gaps are refused."""
        size = session["size"]
        match = _RANGE.fullmatch(request.headers.get("content-range", f"bytes */{size}"))
        if not match or match[3] not in ("*", str(size)):
            raise Refused(400, "badContentRange", "Failed to parse Content-Range header.")
        if match[1] is None:
            return None
        first, last = int(match[1]), int(match[2])
        if request.headers.get("content-length") != str(last - first + 1) or not first <= last < size:
            raise Refused(400, "badContentRange", "Content-Range and Content-Length do not agree.")
        if last + 1 != size and (last + 1) % STEP_BYTES:
            raise Refused(400, "badContentRange", f"A chunk must end at a multiple of {STEP_BYTES} bytes.")
        if first > (kept := self._kept(upload_id, session)):
            raise Refused(400, "badContentRange", f"Expected bytes from {kept} on.")
        return first

    async def _receive(self, request: Request, upload_id: str, session: Json, first: int) -> None:
        """Take the body in from byte `first` on; what is there already is skipped."""
        self._turns[upload_id] += 1
        turn, at, kept = self._turns[upload_id], first, self._kept(upload_id, session)
        file = self._file(upload_id)
        with file.open("r+b" if file.exists() else "w+b", buffering=0) as out:
            out.truncate(kept)
            try:
                async for piece in request.stream():
                    if self._turns[upload_id] != turn:
                        raise Refused(503, "backendError", "Another request has taken over this session.")
                    out.seek(0, 2)
                    out.write(piece[max(kept - at, 0) :])
                    at += len(piece)
            except ClientDisconnect:
                out.truncate(self._kept(upload_id, session))
                raise

    async def _standing(self, request: Request, upload_id: str, session: Json, account: WorldAccount) -> Response:
        async with self._ending[upload_id]:
            kept = self._kept(upload_id, session)
            video = video_of(self._world, session["video_id"])
            if video is None and kept < session["size"]:
                headers = {"range": f"bytes=0-{kept - 1}"} if kept else {}
                return Response(status_code=308, headers={**headers, "x-guploader-uploadid": upload_id})
            if video is None:
                await run_in_threadpool(self._end, request, self._file(upload_id), session, account)
                self._world.take_fault(SPEC.platform, request.url.path, account.id, "answer_lost")
                video = video_of(self._world, session["video_id"])
        parts = ("kind", "id", *asked_parts(request, VIDEO_PARTS))
        return JSONResponse({name: value for name, value in (video or {}).items() if name in parts})

    def _end(self, request: Request, file: Path, session: Json, account: WorldAccount) -> None:
        """All bytes are there: make a video of them, or note why it is none."""
        snippet, status = session["video"]["snippet"], session["video"].get("status", {})
        facts = self._drawn_facts(request.url.path, session, account)
        if "refused" not in facts:
            is_locked = bool(account.secrets.get("locks_private"))  # as YouTube did to uploads of unaudited projects
            self._world.notes(SPEC.platform)[f"video:{session['video_id']}"] = facts
            try:
                self._world.publish(
                    SPEC.platform,
                    account.id,
                    file,
                    title=snippet["title"],
                    caption=snippet.get("description", ""),
                    privacy="private" if is_locked else status.get("privacyStatus", "public"),
                    tags=snippet.get("tags", ()),
                    post_id=session["video_id"],
                )
                return
            except ValueError:  # the world's word for a file without a picture
                facts["refused"] = {"uploadStatus": "failed", "failureReason": "invalidFile"}
        facts |= {"account": account.id, "title": snippet["title"], "at": self._world.now().isoformat()}
        self._world.notes(SPEC.platform)[f"video:{session['video_id']}"] = facts
        file.unlink(missing_ok=True)

    def _drawn_facts(self, route: str, session: Json, account: WorldAccount) -> Json:
        """What will be remarkable about this video, by the faults that are armed."""
        snippet, status = session["video"]["snippet"], session["video"].get("status", {})
        facts: Json = {
            "category": snippet.get("categoryId", "22"),
            "made_for_kids": status.get("selfDeclaredMadeForKids", False),
        }
        if lag := self._world.take_fault(SPEC.platform, route, account.id, "listing_lag"):
            until = self._world.now() + timedelta(seconds=float(lag.value.get("seconds", 5)))
            facts["hidden_until"] = until.isoformat()
        if self._world.take_fault(SPEC.platform, route, account.id, "never_finishes"):
            facts["never_finishes"] = True
        if self._world.take_fault(SPEC.platform, route, account.id, "duplicate"):
            facts["refused"] = {"uploadStatus": "rejected", "rejectionReason": "duplicate"}
        return facts

    def _count_upload(self, account: WorldAccount) -> None:
        """A project has so many a day, until midnight Pacific; `uploads_per_day` in the account's secrets is more."""
        day = self._world.now().astimezone(ZoneInfo("America/Los_Angeles")).date()
        notes, key = self._world.notes(SPEC.platform), f"uploads:{client_of(account).project}:{day}"
        if notes.get(key, 0) >= int(account.secrets.get("uploads_per_day", UPLOADS_PER_DAY)):
            raise Refused(403, "quotaExceeded", "The project has used up its uploads for today.")
        notes[key] = notes.get(key, 0) + 1

    def _file(self, upload_id: str) -> Path:
        return self._world.upload_dir() / f"{upload_id}.part"

    def _kept(self, upload_id: str, session: Json) -> int:
        """Bytes that count: all of a whole file, else whole steps."""
        file = self._file(upload_id)
        length = file.stat().st_size if file.exists() else 0
        return length if length == session["size"] else length // STEP_BYTES * STEP_BYTES


def _announced_size(request: Request) -> int:
    kind = request.headers.get("x-upload-content-type", "")
    if not kind.startswith("video/") and kind != "application/octet-stream":
        raise Refused(400, "mediaBodyRequired", "The request does not include the video content.")
    size = request.headers.get("x-upload-content-length", "")
    if not size.isdigit() or not 0 < int(size) <= _MOST_BYTES:
        raise Refused(400, "invalidContentLength", "X-Upload-Content-Length is missing or out of bounds.")
    return int(size)


def _checked_video(body: bytes, parts: list[str]) -> Json:
    """The `video` resource of the request, as strictly as Google takes it."""
    try:
        video = json.loads(body)
        snippet, status = video["snippet"], video.get("status", {})
        title, text, tags = str(snippet.get("title", "")), str(snippet.get("description", "")), snippet.get("tags", [])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(400, "invalidVideoMetadata", "The request metadata is invalid.") from None
    for name, fields in video.items():
        if name not in _KNOWN_FIELDS or name not in parts or set(fields) - _KNOWN_FIELDS[name]:
            raise Refused(400, "badRequest", f"Unknown or unasked fields in {name}.")
    if not title or len(title) > 100 or set("<>") & set(title):
        raise Refused(400, "invalidTitle", "The request metadata specifies an invalid or empty video title.")
    if len(text.encode()) > 5000 or set("<>") & set(text):
        raise Refused(400, "invalidDescription", "The request metadata specifies an invalid video description.")
    if sum(len(tag) + (2 if " " in tag else 0) for tag in tags) + len(tags) - 1 > 500:
        raise Refused(400, "invalidTags", "The request metadata specifies invalid video keywords.")
    if not str(snippet.get("categoryId", "22")).isdigit():
        raise Refused(400, "invalidCategoryId", "The snippet.categoryId property specifies an invalid category ID.")
    if status.get("privacyStatus", "public") not in ("public", "unlisted", "private"):
        raise Refused(400, "invalidVideoMetadata", "The privacy status is invalid.")
    return dict(video)
