"""Telegram as the admin sets it up: bot, channel, which kinds, whom to mention, the sign of life; and the test of it.

Each key is a row of its own, so that the sender (a chat's new id, a problem) and the admin never overwrite each other.
The fact to know: the bot token is sealed by the vault inside its row and never leaves but into the sender.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from forwarder_core.alerts import messages
from forwarder_core.alerts.delivery import Address, ChatMoved, Misconfigured, NotDelivered, Refused, Sender
from forwarder_core.alerts.facts import Frame
from forwarder_core.alerts.forms import LEAST_PING_S as LEAST_PING_S
from forwarder_core.alerts.forms import MOST_PING_S as MOST_PING_S
from forwarder_core.alerts.forms import clean
from forwarder_core.alerts.kinds import RULES, AlertKind, is_wanted
from forwarder_core.alerts.text import Message
from forwarder_core.db import events, outbox, people
from forwarder_core.db.engine import Tx
from forwarder_core.errors import FieldError, Invalid, Unavailable
from forwarder_core.logs import redact, remember_secret
from forwarder_core.services.alerting import wanted_kinds
from forwarder_core.services.context import Core

_PREFIX = "telegram."
_PROBLEM = "telegram.problem"
WEBHOOK = "telegram.webhook"  # {bot, url, secret (sealed)} while an address is registered with Telegram
USUAL_PING_S = 300


@dataclass(frozen=True, slots=True)
class Problem:
    """Why alerts do not arrive, and what to do."""

    code: str
    text: str
    action: str
    since: str


@dataclass(frozen=True, slots=True)
class Ping:
    """The last ping of the dead-man watch: when it was asked (ISO), and what went wrong."""

    at: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramSettings:
    """Without the token: `bot` is its public part. `daily_at` None: no daily sign of life; times of FORWARDER_TIMEZONE.

    `commands`: off, polling or webhook, from the `users` (their numbers) in the alerts' chat or `command_chat`.
    `ping_url` is asked every `ping_every_s` seconds while the sender lives, for a dead-man watch elsewhere.
    """

    enabled: bool = False
    enabled_since: str | None = None
    bot: str | None = None
    channel_id: str | None = None
    mention: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, bool] = field(default_factory=dict)
    commands: str = "off"
    users: tuple[int, ...] = ()
    command_chat: str | None = None
    daily_at: str | None = "09:00"
    ping_url: str | None = None
    ping_every_s: int = USUAL_PING_S
    ping: Ping | None = None
    problem: Problem | None = None

    @property
    def is_configured(self) -> bool:
        return bool(self.enabled and self.bot and self.channel_id)

    @property
    def is_ping_failing(self) -> bool:
        return bool(self.ping_url and self.ping and self.ping.error)

    @property
    def hears(self) -> bool:
        """Is there anybody whose commands and buttons count?"""
        return bool(self.bot and self.users and self.commands != "off")


@dataclass(frozen=True, slots=True)
class Preference:
    """One kind of alert, as a checkbox."""

    kind: str
    title: str
    is_on: bool
    default: bool


@dataclass(frozen=True, slots=True)
class Tested:
    """Telegram's answer to a test message."""

    message_id: int
    chat_id: str
    message: str = "Test message sent successfully"


def get(core: Core) -> TelegramSettings:
    with core.begin() as tx:
        return read(core, tx)


def read(core: Core, tx: Tx) -> TelegramSettings:
    return of(core, events.setting_values(tx))


def of(core: Core, stored: Mapping[str, Any]) -> TelegramSettings:
    """From the settings as they are stored."""
    said = {key.removeprefix(_PREFIX): value for key, value in stored.items() if key.startswith(_PREFIX)}
    switch, problem = said.get("enabled") or {}, said.get("problem")
    return TelegramSettings(
        enabled=bool(switch.get("is_on")),
        enabled_since=switch.get("since"),
        bot=_token(core, said.get("bot_token")).partition(":")[0] or None,
        channel_id=said.get("channel_id"),
        mention=said.get("mention") or {},
        kinds=said.get("kinds") or {},
        commands=said.get("commands") or "off",
        users=tuple(said.get("users") or ()),
        command_chat=said.get("command_chat"),
        daily_at=said.get("daily_at", "09:00"),
        ping_url=said.get("ping_url"),
        ping_every_s=int(said.get("ping_every_s") or USUAL_PING_S),
        ping=Ping(**said["ping"]) if said.get("ping") else None,
        problem=Problem(**problem) if problem else None,
    )


def address(core: Core, tx: Tx) -> Address | None:
    """Where alerts go; None while Telegram is not set up or switched off."""
    stored = events.setting_values(tx)
    token, chat = _token(core, stored.get("telegram.bot_token")), stored.get("telegram.channel_id")
    if not (stored.get("telegram.enabled") or {}).get("is_on") or not token or not chat:
        return None
    return Address(token, str(chat))


def token_of(core: Core, tx: Tx) -> str:
    """The bot's token, empty where none is stored: for the one thread that listens."""
    return _token(core, events.setting_values(tx).get("telegram.bot_token"))


def frame(core: Core, mention: str = "", *, has_buttons: bool = False) -> Frame:
    settings = core.settings
    return Frame(settings.app_name, settings.base_url, settings.zone, mention, has_buttons)


def change(core: Core, values: Mapping[str, Any], *, who: str) -> TelegramSettings:
    """Store what is given, all or none; an empty value removes. Raises Invalid naming every bad field.

    `values`: bot_token, channel_id, enabled, mention {severity: "@name"}, kinds {kind: bool}, commands, users,
    command_chat, daily_at, ping_url, ping_every_s. What waits is tried again at once.
    """
    cleaned, problems = clean(values, core.settings.allow_private_networks)
    now = core.clock.now()
    with core.begin() as tx:
        before = read(core, tx)
        if cleaned.get("enabled") and not problems:
            problems = _missing(before, cleaned)
        if problems:
            raise Invalid("These Telegram settings cannot be taken.", *problems)
        for name, value in cleaned.items():
            _keep(core, tx, name, value, before, now)
        events.drop_setting(tx, _PROBLEM)
        outbox.make_due(tx, now)
        people.audit(tx, who=who, what="telegram_settings", now=now, details={"changed": sorted(cleaned)})
        return read(core, tx)


def preferences(core: Core) -> list[Preference]:
    """Every kind the admin may switch; the test message is none."""
    with core.begin() as tx:
        said = wanted_kinds(tx)
    return [
        Preference(kind, rule.title, is_wanted(kind, said), rule.is_on)
        for kind, rule in RULES.items()
        if kind is not AlertKind.TEST
    ]


def test(
    core: Core, *, bot_token: str | None = None, channel_id: str | None = None, sender: Sender | None = None
) -> Tested:
    """Send a test message with these settings, or with the stored ones where none are given.

    Raises Invalid for what the admin must correct, Unavailable when Telegram cannot be reached; both say what to do.
    """
    given = {"bot_token": bot_token, "channel_id": channel_id}
    cleaned, problems = clean({name: value for name, value in given.items() if value})
    with core.begin() as tx:
        stored = events.setting_values(tx)
    token = cleaned.get("bot_token") or _token(core, stored.get("telegram.bot_token"))
    chat = cleaned.get("channel_id") or stored.get("telegram.channel_id")
    problems = problems or [
        FieldError(name, "is missing") for name, v in (("bot_token", token), ("channel_id", chat)) if not v
    ]
    if problems:
        raise Invalid("Telegram is not set up.", *problems, action="Enter the bot token and the channel, then test.")
    message = messages.render(AlertKind.TEST, {"at": core.clock.now().isoformat()}, frame(core))
    with nullcontext(sender) if sender else open_sender(core) as way:
        tested = _tested(way, Address(token, str(chat)), message)
    if not (bot_token or channel_id):
        with core.begin() as tx:
            note_problem(tx, None, core.clock.now())
            outbox.make_due(tx, core.clock.now())
    return tested


def _tested(way: Sender, to: Address, message: Message) -> Tested:
    try:
        return Tested(way.send(to, message), to.chat_id)
    except ChatMoved as e:
        return _tested(way, Address(to.token, e.chat_id), message)
    except (Misconfigured, Refused) as e:
        raise Invalid(e.message, action=Misconfigured.action) from e
    except NotDelivered as e:
        raise Unavailable(e.message, action="Try again in a minute; check the server's network if it lasts.") from e


@contextmanager
def open_sender(core: Core) -> Iterator[Sender]:
    """Telegram, by the installation's way out. The library is loaded here and not before: it is large."""
    from forwarder_core.alerts.telegram import TelegramSender

    with TelegramSender(core.settings.default_exit) as sender:
        yield sender


# ---- what the sender writes -------------------------------------------------------------------------------------


def note_problem(tx: Tx, error: NotDelivered | None, now: datetime) -> None:
    """Remember why alerts do not arrive, since when; None: they do."""
    known = events.setting_values(tx).get(_PROBLEM)
    if error is None:
        if known:
            events.drop_setting(tx, _PROBLEM)
        return
    since = known["since"] if known and known["code"] == error.code else now.isoformat()
    said = {"code": error.code, "text": redact(error.message), "action": error.action, "since": since}
    if said != known:
        events.keep_setting(tx, _PROBLEM, said, now)


def note_ping(tx: Tx, error: str | None, now: datetime) -> None:
    """How the last ping went."""
    events.keep_setting(tx, "telegram.ping", {"at": now.isoformat(), "error": error}, now)


def follow_chat(tx: Tx, moved_from: str, chat_id: str, now: datetime) -> None:
    """The group became a supergroup; nothing changes when the admin named another meanwhile."""
    if str(events.setting_values(tx).get("telegram.channel_id")) == moved_from:
        events.keep_setting(tx, "telegram.channel_id", chat_id, now)


def reseal(core: Core, tx: Tx) -> None:
    """The stored token, and the secret Telegram calls us with, under the newest key."""
    stored, now = events.setting_values(tx), core.clock.now()
    if sealed := stored.get("telegram.bot_token"):
        events.keep_setting(tx, "telegram.bot_token", core.vault.reseal(sealed.encode()).decode(), now)
    if known := stored.get(WEBHOOK):
        secret = core.vault.reseal(known["secret"].encode()).decode()
        events.keep_setting(tx, WEBHOOK, {**known, "secret": secret}, now)


def _token(core: Core, sealed: str | None) -> str:
    token = core.vault.unseal(sealed.encode() if sealed else None).get("bot_token", "")
    remember_secret(token, token.partition(":")[2])
    return token


def _keep(core: Core, tx: Tx, name: str, value: Any, before: TelegramSettings, now: datetime) -> None:
    if name == "bot_token" and value:
        value = core.vault.seal({"bot_token": value}).decode()
    elif name == "enabled":
        since = before.enabled_since if before.enabled else now.isoformat()
        value = {"is_on": value, "since": since if value else None}
    elif name == "kinds":
        value = {**before.kinds, **value}
    elif name == "mention":
        value = {severity: text for severity, text in {**before.mention, **value}.items() if text}
    events.keep_setting(tx, f"telegram.{name}", value, now)


def _missing(before: TelegramSettings, cleaned: Mapping[str, Any]) -> list[FieldError]:
    has = {"bot_token": before.bot, "channel_id": before.channel_id}
    return [FieldError(n, "is needed to switch alerts on") for n, old in has.items() if not cleaned.get(n, old)]
