"""Notifications and the Telegram settings over the wire. The bot token goes in and never comes out."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from admin_app.api.schemas.base import Body, Out, PageQuery, Words
from forwarder_core.services.notifying import MessageState, Notification, UndeliveredState
from forwarder_core.services.telegram_settings import Problem, TelegramSettings


class NotificationQuery(PageQuery):
    kind: list[Words] = Field(default_factory=list, description="Comma-separated or repeated")
    state: list[MessageState] = Field(default_factory=list)


class NotificationOut(Out):
    """`delivery`: sent, digest, waiting, failed, muted or not_configured. `text` as Telegram shows it."""

    id: int
    kind: str
    title: str
    severity: str
    text: str
    delivery: str
    job_id: int | None
    connection_id: int | None
    account_id: int | None
    attempts: int
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, shown: Notification) -> NotificationOut:
        alert = shown.alert
        return cls(
            id=alert.id,
            kind=alert.kind,
            title=shown.title,
            severity=alert.severity,
            text=shown.text,
            delivery=shown.delivery,
            job_id=alert.payload.get("job_id"),
            connection_id=alert.payload.get("connection_id"),
            account_id=alert.payload.get("account_id"),
            attempts=alert.attempts,
            last_error=alert.last_error,
            created_at=alert.created_at,
            sent_at=alert.sent_at,
        )


class ProblemOut(Out):
    code: str
    text: str
    action: str
    since: datetime

    @classmethod
    def of(cls, problem: Problem | None) -> ProblemOut | None:
        if problem is None:
            return None
        since = datetime.fromisoformat(problem.since)
        return cls(code=problem.code, text=problem.text, action=problem.action, since=since)


class DeliveryOut(Out):
    """Do alerts arrive? `problem` null: nothing is known to be in their way.

    `undelivered_elsewhere`: tried, and not taken by a webhook or the mail server yet.
    """

    is_configured: bool
    waiting: int
    failed: int
    oldest_at: datetime | None
    undelivered_elsewhere: int
    is_ping_failing: bool
    problem: ProblemOut | None

    @classmethod
    def of(cls, state: UndeliveredState) -> DeliveryOut:
        return cls(
            is_configured=state.is_configured,
            waiting=state.waiting,
            failed=state.failed,
            oldest_at=state.oldest_at,
            undelivered_elsewhere=state.undelivered_elsewhere,
            is_ping_failing=state.is_ping_failing,
            problem=ProblemOut.of(state.problem),
        )


class NotificationsOut(Out):
    items: list[NotificationOut]
    delivery: DeliveryOut
    next_cursor: str | None = None


class TelegramIn(Body):
    """`mention`: whom to call by severity. `kinds`: alerts on or off. `daily_at`: the sign of life, HH:MM."""

    bot_token: str | None = Field(None, max_length=200, repr=False, examples=["1234567890:ABCdefGHIjklMNOpqrs"])
    channel_id: str | None = Field(None, max_length=100, examples=["@your_channel", "-1001234567890"])
    enabled: bool = True
    mention: dict[str, str | None] = Field(default_factory=dict, max_length=10)
    kinds: dict[str, bool] = Field(default_factory=dict, max_length=100)
    commands: Literal["off", "polling", "webhook"] = "off"
    users: list[int] = Field(default_factory=list, max_length=50, description="Who may command, by Telegram's user id")
    command_chat: str | None = Field(None, max_length=30, description="A second chat commands are taken from")
    daily_at: str | None = Field(None, max_length=5)
    ping_url: Words | None = Field(None, max_length=2_000)
    ping_every_s: int = 300


class TelegramTest(Body):
    bot_token: str | None = Field(None, max_length=200, repr=False)
    channel_id: str | None = Field(None, max_length=100)


class TelegramOut(Out):
    """`bot` is the public part of the token, null where none is stored."""

    enabled: bool
    enabled_since: datetime | None
    bot: str | None
    channel_id: str | None
    mention: dict[str, Any]
    kinds: dict[str, bool]
    commands: str
    users: list[int]
    command_chat: str | None
    daily_at: str | None
    ping_url: str | None
    ping_every_s: int
    problem: ProblemOut | None

    @classmethod
    def of(cls, settings: TelegramSettings) -> TelegramOut:
        since = settings.enabled_since
        return cls(
            enabled=settings.enabled,
            enabled_since=datetime.fromisoformat(since) if since else None,
            bot=settings.bot,
            channel_id=settings.channel_id,
            mention=dict(settings.mention),
            kinds=dict(settings.kinds),
            commands=settings.commands,
            users=list(settings.users),
            command_chat=settings.command_chat,
            daily_at=settings.daily_at,
            ping_url=settings.ping_url,
            ping_every_s=settings.ping_every_s,
            problem=ProblemOut.of(settings.problem),
        )


class TelegramDone(Out):
    status: Literal["success"] = "success"
    settings: TelegramOut
    message: str


class TelegramTested(Out):
    status: Literal["success"] = "success"
    message: str
    message_id: int
    channel_id: str
