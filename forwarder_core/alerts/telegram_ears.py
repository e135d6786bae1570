"""Hearing what people write to the bot: asked for by long polling, or sent to our address. Never both at once.

The fact to know: Telegram refuses polling while an address is registered, and hands each update to whoever asks first,
so exactly one process listens and an update counts as taken only when the next call names a higher number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forwarder_core.alerts.telegram_way import TelegramWay

WANTED = ("message", "callback_query")
_MOST_AT_ONCE = 50
_SPARE_S = 5.0


class TelegramEars(TelegramWay):
    """Each call raises one of the classes of `delivery`."""

    def hear(self, token: str, *, after: int | None, wait_s: int) -> list[Mapping[str, Any]]:
        """The updates after this one, oldest first; waits up to `wait_s` for the first."""
        return self._run(self._hear(token, after, wait_s), waits_s=wait_s)

    def register(self, token: str, url: str, secret: str) -> None:
        """Have updates sent to `url`, with `secret` in the header that proves whose they are."""
        self._run(self._register(token, url, secret))

    def unregister(self, token: str) -> None:
        """Have them kept for polling; those that wait are not lost."""
        self._run(self._unregister(token))

    def answer_press(self, token: str, callback_id: str, text: str) -> None:
        """End the waiting sign on a button, with a line shown to whoever pressed it."""
        self._run(self._answer_press(token, callback_id, text))

    async def _hear(self, token: str, after: int | None, wait_s: int) -> list[Mapping[str, Any]]:
        bot = await self._bot_of(token)
        updates = await bot.get_updates(
            offset=None if after is None else after + 1,
            limit=_MOST_AT_ONCE,
            timeout=wait_s,
            read_timeout=wait_s + _SPARE_S,
            allowed_updates=WANTED,
        )
        return [update.to_dict() for update in updates]

    async def _register(self, token: str, url: str, secret: str) -> None:
        bot = await self._bot_of(token)
        await bot.set_webhook(url, secret_token=secret, allowed_updates=WANTED, max_connections=1)

    async def _unregister(self, token: str) -> None:
        bot = await self._bot_of(token)
        await bot.delete_webhook()

    async def _answer_press(self, token: str, callback_id: str, text: str) -> None:
        bot = await self._bot_of(token)
        await bot.answer_callback_query(callback_id, text=text[:200])
