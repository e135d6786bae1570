"""The way to Telegram, over python-telegram-bot: its bots, its event loop, and its errors in our words.

Only this module and its two users (`telegram`, `telegram_ears`) import the library. It is asynchronous and each of
them is one thread, so every call runs to its end in an event loop of that thread. The fact to know: the library's
BadRequest is a NetworkError by inheritance and must be told apart first, or a message Telegram will never take is
sent for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Self, TypeVar

from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest

from forwarder_core.alerts.delivery import (
    AskedTwice,
    ChatMoved,
    Misconfigured,
    NotDelivered,
    Refused,
    SlowDown,
    Unreachable,
)
from forwarder_core.egress import Exit
from forwarder_core.logs import redact

BASE_URL = "https://api.telegram.org/bot"
_CONNECT_S = 5.0
_READ_S = 10.0
_WHOLE_S = 30.0
_ODD = (KeyError, TypeError, AttributeError, ValueError)
_CONFIG_WORDS = (
    "chat not found",
    "chat_id is empty",
    "not enough rights",
    "have no rights",
    "need administrator",
    "bot was kicked",
    "bot is not a member",
    "peer_id_invalid",
    "channel_private",
    "group is deactivated",
)
T = TypeVar("T")


class TelegramWay:
    """Use from one thread; `close` from the same one. Keeps one bot, that of the last token."""

    def __init__(self, exit_: Exit, *, base_url: str = BASE_URL) -> None:
        self._exit = exit_
        self._base_url = base_url
        self._runner = asyncio.Runner()
        self._bot: Bot | None = None
        self._ways: list[HTTPXRequest] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._runner.run(self._leave())
        self._runner.close()

    def _run(self, call: Coroutine[Any, Any, T], *, waits_s: float = 0.0) -> T:
        """`waits_s`: how long the far end may rightly be silent. The HTTP library gives the handshake with a SOCKS
        proxy no timeout, and one that never answers would hold the sender for ever: so the whole call has its end."""
        try:
            return self._runner.run(asyncio.wait_for(call, _WHOLE_S + waits_s))
        except TelegramError as e:
            raise _translated(e) from e
        except _ODD as e:  # the library reads an answer of another shape without looking
            raise Unreachable(f"Something that is not Telegram answered ({type(e).__name__}).") from e
        except TimeoutError as e:
            raise Unreachable("Telegram did not answer in time.") from e
        except OSError as e:  # the CA bundle, read when the bot is made
            raise Unreachable(f"The way out cannot be used ({type(e).__name__}).") from e

    async def _bot_of(self, token: str) -> Bot:
        """Not initialized on purpose: that would ask Telegram who the bot is before every first message."""
        if self._bot is None or self._bot.token != token:
            await self._leave()
            self._bot = Bot(token, self._base_url, request=self._way(), get_updates_request=self._way())
        return self._bot

    async def _leave(self) -> None:
        """Close what the bot used; its own shutdown does nothing for one that was not initialized."""
        for way in self._ways:
            await way.shutdown()
        self._ways, self._bot = [], None

    def _way(self) -> HTTPXRequest:
        way = HTTPXRequest(
            proxy=self._exit.proxy.url if self._exit.proxy else None,
            connection_pool_size=4,
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            httpx_kwargs={"verify": self._exit.tls(), "trust_env": False},
        )
        self._ways.append(way)
        return way


def _translated(error: TelegramError) -> NotDelivered:
    said = redact(error.message)
    match error:
        case RetryAfter():
            after = error.retry_after
            wait_s = after.total_seconds() if isinstance(after, timedelta) else float(after)
            return SlowDown(f"Telegram asks to wait {wait_s:g} s.", retry_after_s=wait_s)
        case ChatMigrated():
            return ChatMoved("The group became a supergroup.", chat_id=str(error.new_chat_id))
        case InvalidToken():
            return Misconfigured(f"Telegram does not know this bot token ({said}).")
        case Forbidden():
            return Misconfigured(f"Telegram does not let the bot write there: {said}")
        case BadRequest():
            if any(words in said.lower() for words in _CONFIG_WORDS):
                return Misconfigured(f"Telegram does not accept the channel: {said}")
            return Refused(f"Telegram refused the message: {said}")
        case TimedOut():
            return Unreachable("Telegram did not answer in time.")
        case Conflict():
            return AskedTwice(f"Telegram does not let two listen to one bot ({said}).")
        case NetworkError():
            return Unreachable(f"Telegram could not be reached ({_reason(error)}).")
    return Unreachable(f"Telegram gave an unknown answer: {said}")


def _reason(error: TelegramError) -> str:
    """The HTTP library's class where there is one: its text may hold the address with the token in it."""
    cause = error.__cause__
    return type(cause).__name__ if cause is not None else redact(error.message)
