"""Watching for the end of sessions: whatever a caller holds open is closed when they sign out.

One look per token however much it holds open: every three seconds for an end by time, and at once when the database
says that some session or token is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from admin_app.auth import Caller
from forwarder_core.errors import RequestError, Unavailable
from forwarder_core.services.live import Feed, Kind, Moment

_EVERY_S = 3.0
IsValid = Callable[[Caller], Awaitable[bool]]


@dataclass(slots=True)
class _Held:
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    holders: int = 0
    task: asyncio.Task[None] | None = None


class Watch:
    def __init__(self, feed: Feed, is_valid: IsValid) -> None:
        """`is_valid`: does the caller's token still open something? May raise Unavailable."""
        self._feed = feed
        self._is_valid = is_valid
        self._held: dict[str, _Held] = {}

    async def ended(self, caller: Caller) -> None:
        """Returns when the caller's session or token has ended."""
        held = self._held.setdefault(caller.token, _Held())
        held.holders += 1
        if held.task is None:
            held.task = asyncio.create_task(self._look(caller, held))
        try:
            await held.ended.wait()
        finally:
            held.holders -= 1
            if not held.holders:
                held.task.cancel()
                if self._held.get(caller.token) is held:
                    del self._held[caller.token]

    async def _look(self, caller: Caller, held: _Held) -> None:
        woken, loop = asyncio.Event(), asyncio.get_running_loop()

        def heard(moments: list[Moment]) -> None:
            if any(moment.kind is Kind.SIGN_OUT for moment in moments):
                with suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(woken.set)

        leave = self._feed.subscribe(heard)
        try:
            while await self._still(caller):
                woken.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), _EVERY_S)
            held.ended.set()
        finally:
            leave()

    async def _still(self, caller: Caller) -> bool:
        try:
            return await self._is_valid(caller)
        except Unavailable:
            return True  # a database that is away signs nobody out
        except RequestError:
            return False
