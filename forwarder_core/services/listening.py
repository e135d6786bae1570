"""Listening: the one process that hears the bot, by polling or by having registered our address with Telegram.

Runs in a thread of the keeper. The fact to know: what is registered with Telegram is Telegram's own state and outlives
this installation's, so it is written down here when it was set, and undone before polling begins.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from forwarder_core.alerts.delivery import Misconfigured, NotDelivered, Refused
from forwarder_core.alerts.pace import pause_s
from forwarder_core.db import bot, events
from forwarder_core.logs import redact, remember_secret
from forwarder_core.services import commanding, telegram_settings
from forwarder_core.services.commanding import Mouth, Voice
from forwarder_core.services.context import Core
from forwarder_core.services.telegram_settings import WEBHOOK

PATH = "/api/webhook/telegram"
PROBLEM = "telegram.commands_problem"
POLL_S = 8  # shorter than the keeper waits for this thread at its end
_QUIET = timedelta(days=6)  # after a week without an update Telegram begins its numbers anew
log = logging.getLogger(__name__)


class Ears(Voice, Protocol):
    """What listening needs of Telegram; each call raises NotDelivered."""

    def hear(self, token: str, *, after: int | None, wait_s: int) -> list[Mapping[str, Any]]: ...

    def register(self, token: str, url: str, secret: str) -> None: ...

    def unregister(self, token: str) -> None: ...


@dataclass(slots=True)
class Patience:
    """Longer and longer pauses while Telegram does not answer; in memory of the one process that listens."""

    failures: int = 0
    closed_until: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        return self.closed_until is None or now >= self.closed_until

    def failed(self, now: datetime) -> None:
        self.closed_until = now + timedelta(seconds=pause_s(self.failures))
        self.failures += 1

    def succeeded(self) -> None:
        self.failures, self.closed_until = 0, None


def has_work(core: Core) -> bool:
    """False while commands are switched off and nothing is left of a time when they were not."""
    with core.begin() as tx:
        stored = events.setting_values(tx)
    return WEBHOOK in stored or PROBLEM in stored or telegram_settings.of(core, stored).hears


def listen(core: Core, ears: Ears, patience: Patience, *, wait_s: int = POLL_S) -> int:
    """One round: register or poll as the settings want it, and keep what was heard; how much that was."""
    now = core.clock.now()
    if not patience.is_over(now):
        return 0
    try:
        heard = _listen(core, ears, wait_s)
    except NotDelivered as e:
        patience.failed(now)
        _note_problem(core, e)
        return 0
    patience.succeeded()
    _note_problem(core, None)
    return heard


@contextmanager
def open_ears(core: Core) -> Iterator[tuple[Ears, Mouth]]:
    """Telegram by the installation's way out. The library is loaded here and not before: it is large."""
    from forwarder_core.alerts.telegram_ears import TelegramEars

    with TelegramEars(core.settings.default_exit) as ears, telegram_settings.open_sender(core) as sender:
        yield ears, Mouth(sender, ears)


def _listen(core: Core, ears: Ears, wait_s: int) -> int:
    with core.begin() as tx:
        settings = telegram_settings.read(core, tx)
        token = telegram_settings.token_of(core, tx)
        registered = events.setting_values(tx).get(WEBHOOK)
    url = core.settings.base_url + PATH
    if settings.hears and settings.commands == "webhook":
        if not registered or (registered["bot"], registered["url"]) != (settings.bot, url):
            _register(core, ears, token, url)
        return 0
    if registered and registered["bot"] == settings.bot:
        ears.unregister(token)
    if registered:
        with core.begin() as tx:
            events.drop_setting(tx, WEBHOOK)
    if not settings.hears:
        return 0
    with core.begin() as tx:
        after = bot.last_update(tx, settings.bot or "", core.clock.now() - _QUIET)
    return commanding.receive(core, _hear(ears, token, after, wait_s))


def _hear(ears: Ears, token: str, after: int | None, wait_s: int) -> list[Mapping[str, Any]]:
    """Where somebody else registered an address for this bot, polling is refused until that is undone."""
    try:
        return ears.hear(token, after=after, wait_s=wait_s)
    except NotDelivered as e:
        if e.code != "telegram_conflict":
            raise
        ears.unregister(token)
        return ears.hear(token, after=after, wait_s=0)


def _register(core: Core, ears: Ears, token: str, url: str) -> None:
    """The secret is written down first: a call may come before the answer to the registration does."""
    secret = secrets.token_urlsafe(32)
    remember_secret(secret)
    sealed = core.vault.seal({"secret": secret}).decode()
    with core.begin() as tx:
        known = {"bot": token.partition(":")[0], "url": "", "secret": sealed}
        events.keep_setting(tx, WEBHOOK, known, core.clock.now())
    ears.register(token, url, secret)
    with core.begin() as tx:
        events.keep_setting(tx, WEBHOOK, {**known, "url": url}, core.clock.now())
    log.info("The bot's updates come to %s", url)


def _note_problem(core: Core, error: NotDelivered | None) -> None:
    """Why commands are not heard, for the settings page."""
    with core.begin() as tx:
        known = events.setting_values(tx).get(PROBLEM)
        if error is None:
            if known:
                events.drop_setting(tx, PROBLEM)
            return
        is_ours = isinstance(error, Misconfigured | Refused)
        action = "Check the bot token and FORWARDER_PUBLIC_URL, which must be https." if is_ours else error.action
        said = {"code": error.code, "text": redact(error.message), "action": action}
        if said != known:
            events.keep_setting(tx, PROBLEM, said, core.clock.now())
            log.warning("Commands cannot be heard (%s): %s", error.code, error.message)


def problem(core: Core) -> dict[str, str] | None:
    """`{code, text, action}` while commands cannot be heard."""
    with core.begin() as tx:
        found: dict[str, str] | None = events.setting_values(tx).get(PROBLEM)
    return found
