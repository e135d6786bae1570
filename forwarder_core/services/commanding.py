"""Commanding: what people write to the bot is kept once, and then acted upon, in order, by one process.

Both roads (polling and Telegram's call of our address) only write rows here; the keeper acts. The fact to know: who
may command is decided twice, when an update comes and when it is acted upon, and whoever may not gets no answer, so
that a bot found by chance tells nothing, not even that it listens.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from forwarder_core.alerts.delivery import Address, NotDelivered, Sender
from forwarder_core.alerts.heard import Heard, heard_of, update_id_of
from forwarder_core.alerts.text import Page
from forwarder_core.db import bot, events, people
from forwarder_core.db.bot import Stranger as Stranger
from forwarder_core.db.engine import Tx
from forwarder_core.domain import commands
from forwarder_core.domain.commands import Command
from forwarder_core.errors import Forbidden, RequestError
from forwarder_core.services import obeying, telegram_settings
from forwarder_core.services.context import Core
from forwarder_core.services.telegram_settings import WEBHOOK, TelegramSettings

KEPT = timedelta(days=7)  # longer than Telegram offers an update again
_MOST_AT_ONCE = 50
log = logging.getLogger(__name__)


class Voice(Protocol):
    """What ends the waiting sign on a button."""

    def answer_press(self, token: str, callback_id: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Mouth:
    """The two ways an answer goes back: a message, and a line for whoever pressed a button."""

    sender: Sender
    voice: Voice


def receive(core: Core, updates: Iterable[Mapping[str, Any]]) -> int:
    """Keep these updates; how many of them are something to act upon. One that came before changes nothing."""
    now, taken = core.clock.now(), 0
    with core.begin() as tx:
        settings = telegram_settings.read(core, tx)
        for update in updates:
            number = update_id_of(update)
            if number is None or settings.bot is None:
                continue
            heard = heard_of(update)
            command = _command(heard) if heard else None
            is_known = heard is not None and _may_command(settings, heard)
            facts = heard.facts() if heard and command and is_known else None
            is_new = bot.receive(tx, bot=settings.bot, update_id=number, facts=facts, now=now)
            taken += bool(is_new and facts)
            if is_new and heard and command and not is_known:
                _note_stranger(core, tx, heard)
    return taken


def receive_call(core: Core, update: Mapping[str, Any], secret: str) -> int:
    """The same for an update Telegram brought to our address. Raises Forbidden unless it is Telegram that calls."""
    with core.begin() as tx:
        known = events.setting_values(tx).get(WEBHOOK)
        is_wanted = telegram_settings.read(core, tx).commands == "webhook"
    expected = core.vault.unseal(known["secret"].encode()).get("secret", "") if known else ""
    if not is_wanted or not expected or not hmac.compare_digest(expected.encode(), secret.encode()):
        raise Forbidden("This is not a call of our Telegram bot.", action="Nothing: Telegram knows the secret itself.")
    return receive(core, [update])


def act_on_waiting(core: Core, mouth: Mouth) -> int:
    """Do what was asked, oldest first, and answer; how many that were."""
    with core.begin() as tx:
        settings = telegram_settings.read(core, tx)
        token = telegram_settings.token_of(core, tx)
        found = bot.waiting(tx, settings.bot or "", _MOST_AT_ONCE) if settings.hears else []
    for one in found:
        heard = Heard.stored(one.update_id, one.facts)
        command = _command(heard)
        said = _obey(core, command, heard.who) if command and _may_command(settings, heard) else None
        with core.begin() as tx:
            is_ours = bot.handled(tx, one.id, core.clock.now())
        if said is not None and is_ours:
            _answer(mouth, token, heard, said)
    return len(found)


def strangers(core: Core) -> list[Stranger]:
    """Who wrote to the bot and may not command it, newest first."""
    with core.begin() as tx:
        return bot.strangers(tx)


def _command(heard: Heard) -> Command | None:
    return commands.pressed(heard.data) if heard.data else commands.typed(heard.text)


def _may_command(settings: TelegramSettings, heard: Heard) -> bool:
    """This person, in one of our chats."""
    ours = {chat.lower() for chat in (settings.channel_id, settings.command_chat) if chat}
    here = {heard.chat_id, heard.chat_name.lower()} - {""}
    return settings.hears and heard.user_id in settings.users and bool(ours & here)


def _note_stranger(core: Core, tx: Tx, heard: Heard) -> None:
    now = core.clock.now()
    if bot.note_stranger(tx, heard.user_id, heard.user_name, now):
        who, chat = heard.who, heard.chat_id
        people.audit(tx, who=who, what="telegram_stranger", now=now, details={"chat": chat, "name": heard.user_name})
        log.warning("Somebody who may not command the bot wrote to it: user %s in chat %s", heard.user_id, chat)


def _obey(core: Core, command: Command, who: str) -> Page:
    """What came of it, as it is answered: a refusal is an answer too."""
    try:
        return obeying.obey(core, command, who)
    except RequestError as e:
        return Page().line(e.message).line(e.action)


def _answer(mouth: Mouth, token: str, heard: Heard, said: Page) -> None:
    """Best effort: what was asked is done, whether or not its answer arrives."""
    message = said.message()
    try:
        if heard.callback_id:
            mouth.voice.answer_press(token, heard.callback_id, message.plain)
        else:
            mouth.sender.send(Address(token, heard.chat_id), message)
    except NotDelivered as e:
        log.warning("An answer to a command did not arrive (%s)", e.code)
