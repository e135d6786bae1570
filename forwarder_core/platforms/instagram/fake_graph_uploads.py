"""The fake's upload host: bytes of a container from an offset on, and how many there are.

What lives here: receiving a file. What does not: the container around it (`fake_graph_publishing`).
The fact to know: what arrived before a connection broke is kept, and the next request must begin where it ended or at
0; a file that is no MP4 ends its container in ERROR, as Meta's processing would.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.instagram.fake_graph_publishing import Container, Publishing
from forwarder_core.platforms.instagram.fake_graph_wire import VERSIONS, guard, upload_error
from forwarder_core.platforms.instagram.fake_wire import PLATFORM, Refused

_PROCESSING_S = "0.2"
_NO_VIDEO = "Media upload has failed with error code 2207026"


class Uploads:
    def __init__(self, world: World, publishing: Publishing) -> None:
        self._world = world
        self._publishing = publishing

    async def offset(self, request: Request) -> Response:
        self._container(request, self._guard(request))
        return JSONResponse({"offset": self._kept(request.path_params["container"])})

    async def receive(self, request: Request) -> Response:
        try:
            account = self._guard(request)
            container = self._container(request, account)
            offset, total = self._announced(request)
        except Refused:
            async for _ in request.stream():  # taken in, so that the client gets to read the answer
                pass
            raise
        id_ = request.path_params["container"]
        file = self._publishing.file(id_)
        await self._take_in(request, file, offset)
        if self._kept(id_) != total:
            return upload_error("PartialRequestError", "Partial request (did not match length of file)", retriable=True)
        self._publishing.save(id_, self._processed(request, account, container, total))
        return JSONResponse({"success": True, "message": "Upload successful."})

    async def _take_in(self, request: Request, file: Path, offset: int) -> None:
        with file.open("r+b" if file.exists() else "w+b", buffering=0) as out:
            out.truncate(offset)
            out.seek(offset)
            try:
                async for piece in request.stream():
                    out.write(piece)
            except ClientDisconnect as e:
                raise ConnectionResetError("the client went away in the middle of the file") from e

    def _processed(self, request: Request, account: WorldAccount, container: Container, total: int) -> Container:
        """The container as it will show itself from now on."""
        with self._publishing.file(request.path_params["container"]).open("rb") as file:
            is_video = file.read(12)[4:8] == b"ftyp"
        if not is_video:
            return {**container, "size": total, "error": _NO_VIDEO}
        if self._world.take_fault(PLATFORM, request.url.path, account.id, "never_finishes"):
            return {**container, "size": total}
        takes = timedelta(seconds=float(account.secrets.get("processing_s", _PROCESSING_S)))
        return {**container, "size": total, "ready": (self._world.now() + takes).isoformat()}

    def _guard(self, request: Request) -> WorldAccount:
        if request.path_params["version"] not in VERSIONS:
            raise Refused(upload_error("InvalidRequest", "Unsupported version"))
        try:
            return guard(request, self._world)
        except Refused:
            raise Refused(upload_error("NotAuthorizedError", "User not authorized to perform this request")) from None

    def _container(self, request: Request, account: WorldAccount) -> Container:
        found = self._publishing.find(request.path_params["container"], account)
        if found is None or self._publishing.status(found) != "IN_PROGRESS":
            raise Refused(upload_error("InvalidRequest", "Invalid container"))
        return found

    def _announced(self, request: Request) -> tuple[int, int]:
        offset, total = request.headers.get("offset", ""), request.headers.get("file_size", "")
        length = request.headers.get("content-length", "")
        if not (offset.isdigit() and total.isdigit() and length.isdigit()):
            raise Refused(upload_error("InvalidRequest", "offset, file_size and Content-Length are required"))
        if int(offset) not in (0, self._kept(request.path_params["container"])):
            raise Refused(upload_error("OffsetInvalidError", "Request starting offset is invalid"))
        if int(offset) + int(length) != int(total):
            raise Refused(upload_error("InvalidRequest", "The body does not end where the file does"))
        return int(offset), int(total)

    def _kept(self, id_: str) -> int:
        file = self._publishing.file(id_)
        return file.stat().st_size if file.exists() else 0
