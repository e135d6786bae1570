"""Live: jobs as they move and log lines as they are written, by WebSocket (`/ws/jobs`) or server-sent events.

A listener gets where each running job is, then what happens. The facts to know: nothing here asks the database for one
listener alone while nothing happens; a listener that does not read what it is sent is let go, not waited for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from admin_app import auth
from admin_app.api.deps import CoreDep
from admin_app.api.schemas.base import Body, RowId
from forwarder_core.services import live
from forwarder_core.services.live import Feed, Kind, Moment

router = APIRouter(prefix="/api", tags=["Jobs & logs"])
_STILL_HERE_S = 15.0
_MOST_WAITING = 2_000
_LONGEST_BEGINNING_S = 5.0
_TOO_SLOW = 1013  # try again later
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events `job_status_update` and `log`; the id is a log event's",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


class EventQuery(Body):
    connection: RowId | None = Field(None, description="Only what concerns this connection")


class Ear:
    """What one listener has not been sent yet. `overrun`: it did not keep up."""

    def __init__(self, feed: Feed) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[list[Moment]] = asyncio.Queue()
        self._feed = feed
        self.overrun = False
        self._leave = feed.subscribe(self._heard)

    def _heard(self, moments: list[Moment]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._put, moments)

    def _put(self, moments: list[Moment]) -> None:
        if self._waiting.qsize() < _MOST_WAITING:
            self._waiting.put_nowait(moments)
        else:
            self.overrun = True

    async def next(self) -> list[Moment]:
        return await self._waiting.get()

    async def begin(self) -> None:
        """From here on nothing is missed."""
        await run_in_threadpool(self._feed.await_ear, _LONGEST_BEGINNING_S)

    def close(self) -> None:
        self._leave()


@router.get("/events", response_class=StreamingResponse, responses=_STREAM)
async def stream_events(
    query: Annotated[EventQuery, Query()],
    request: Request,
    core: CoreDep,
    last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,18}$")] = None,
) -> StreamingResponse:
    """Server-sent events: jobs as they move and log lines. `Last-Event-ID` resumes after that log event."""
    feed: Feed = request.app.state.feed
    # Asked before the answer begins: whatever is written after that is told.
    last = int(last_event_id) if last_event_id else await run_in_threadpool(live.newest_line, core)

    async def told() -> AsyncIterator[str]:
        ear = Ear(feed)
        try:
            await ear.begin()
            missed, seen = await run_in_threadpool(live.missed, core, last)
            standing = await run_in_threadpool(live.standing, core)
            yield "retry: 3000\n\n" + _events([*standing, *missed], query.connection)
            async for moments in _until(auth.end_of(request.scope), ear):
                fresh = [m for m in moments if m.line_id is None or m.line_id not in seen]
                yield _events(fresh, query.connection) if moments else ": still here\n\n"
        finally:
            ear.close()

    return StreamingResponse(told(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _until(end: Any, ear: Ear) -> AsyncIterator[list[Moment]]:
    """What the ear hears until the session ends or the listener falls behind; nothing now and then, as a sign of
    life."""
    ended = asyncio.ensure_future(end)
    try:
        while not ear.overrun:
            heard = asyncio.ensure_future(ear.next())
            await asyncio.wait({heard, ended}, timeout=_STILL_HERE_S, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                heard.cancel()
                return
            if heard.done():
                yield heard.result()
            else:
                heard.cancel()
                yield []
    finally:
        ended.cancel()


def _events(moments: list[Moment], connection: int | None) -> str:
    shown = [m for m in moments if m.kind is not Kind.SIGN_OUT and connection in (None, m.connection_id)]
    return "".join(
        f"{f'id: {m.line_id}{chr(10)}' if m.line_id is not None else ''}event: {m.kind}\ndata: {m.text}\n\n"
        for m in shown
    )


async def watch_jobs(socket: WebSocket) -> None:
    """`WS /ws/jobs`. All jobs, until the client sends `{"subscribe": <connection id>}`; `"all"` goes back to all.

    The guard has seen to the session, and closes the socket when that ends.
    """
    await socket.accept()
    talk = _Talk(socket)
    try:
        await talk.run()
    except (WebSocketDisconnect, OSError):
        pass  # they have gone
    finally:
        talk.ear.close()


class _Talk:
    """One WebSocket: it listens to its client and tells it of jobs, side by side."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._wanted: int | None = None
        self.ear = Ear(socket.app.state.feed)

    async def run(self) -> None:
        await self.ear.begin()
        await self._tell(await run_in_threadpool(live.standing, self._socket.app.state.core))
        tasks = {asyncio.ensure_future(self._listen()), asyncio.ensure_future(self._talk())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _talk(self) -> None:
        while not self.ear.overrun:
            await self._tell(await self.ear.next())
        await self._socket.close(_TOO_SLOW, "too slow")

    async def _tell(self, moments: list[Moment]) -> None:
        for moment in moments:
            if moment.kind is Kind.JOB and self._wanted in (None, moment.connection_id):
                await self._socket.send_text(moment.text)

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            understood, wanted = _subscription(message.get("text") or "")
            if not understood:
                words = 'Send {"subscribe": "all"} or {"subscribe": <connection id>}.'
                await self._socket.send_text(json.dumps({"event": "error", "code": "invalid", "message": words}))
                continue
            self._wanted = wanted
            await self._tell(await run_in_threadpool(live.standing, self._socket.app.state.core))


def _subscription(text: str) -> tuple[bool, int | None]:
    """Was it one, and to which connection; None = all."""
    try:
        said = json.loads(text[:1_000])
    except (ValueError, RecursionError):
        return False, None
    wanted = said.get("subscribe") if isinstance(said, dict) else None
    if isinstance(wanted, str) and wanted.isascii() and wanted.isdigit():
        wanted = int(wanted)
    if wanted == "all":
        return True, None
    return (True, wanted) if isinstance(wanted, int) and not isinstance(wanted, bool) else (False, None)
