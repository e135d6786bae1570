"""Outgoing webhooks and e-mail over the wire. Secrets go in, or out once, and never again."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from admin_app.api.schemas.base import Body, Out, PageQuery, Words
from forwarder_core.services.mail_settings import MailSettings, Tls
from forwarder_core.services.webhooks import Delivery, Made, Webhook


class WebhookChange(Body):
    """Only what is given changes. `kinds` empty: every kind that is on by default."""

    name: Words = Field("", max_length=120, examples=["On-call desk"])
    url: Words = Field("", max_length=2_000, examples=["https://hooks.example.com/forwarder"])
    kinds: list[str] = Field(default_factory=list, max_length=100)
    enabled: bool = True


class WebhookIn(WebhookChange):
    name: Words = Field(max_length=120, examples=["On-call desk"])
    url: Words = Field(max_length=2_000, examples=["https://hooks.example.com/forwarder"])


class WebhookOut(Out):
    id: int
    name: str
    url: str
    kinds: list[str]
    enabled: bool
    created_at: datetime

    @classmethod
    def of(cls, known: Webhook) -> WebhookOut:
        return cls(
            id=known.id,
            name=known.name,
            url=known.url,
            kinds=list(known.kinds),
            enabled=known.enabled,
            created_at=known.created_at,
        )


class WebhooksOut(Out):
    items: list[WebhookOut]


class WebhookDone(Out):
    status: Literal["success"] = "success"
    webhook: WebhookOut
    message: str


class WebhookMade(Out):
    """`secret` signs each call and is told only here."""

    status: Literal["success"] = "success"
    webhook: WebhookOut
    secret: str = Field(repr=False, examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    message: str

    @classmethod
    def of(cls, made: Made, message: str) -> WebhookMade:
        return cls(webhook=WebhookOut.of(made.webhook), secret=made.secret, message=message)


class WebhookTested(Out):
    status: Literal["success"] = "success"
    status_code: int
    message: str


class DeliveryQuery(PageQuery):
    pass


class WebhookDeliveryOut(Out):
    """`state`: waiting, sent, or dropped after the last attempt. `status_code`: the receiver's last answer."""

    id: int
    kind: str
    state: str
    attempts: int
    status_code: int | None
    last_error: str | None
    next_at: datetime | None
    created_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, one: Delivery) -> WebhookDeliveryOut:
        is_waiting = one.state == "waiting"
        return cls(
            id=one.id,
            kind=one.kind,
            state=one.state,
            attempts=one.attempts,
            status_code=one.status_code,
            last_error=one.last_error,
            next_at=one.next_at if is_waiting else None,
            created_at=one.created_at,
            sent_at=one.sent_at,
        )


class MailIn(Body):
    """Only what is given changes; an empty password removes it."""

    enabled: bool = False
    host: Words = Field("", max_length=253, examples=["smtp.example.com"])
    port: int = Field(587, ge=1, le=65_535)
    tls: Tls = Tls.STARTTLS
    username: Words | None = Field(None, max_length=320)
    password: Words | None = Field(None, max_length=500, repr=False)
    sender: Words = Field("", max_length=320, examples=["forwarder@example.com"])
    recipients: list[Words] = Field(default_factory=list, max_length=10, examples=[["ops@example.com"]])


class MailOut(Out):
    enabled: bool
    host: str
    port: int
    tls: Tls
    username: str | None
    has_password: bool
    sender: str
    recipients: list[str]

    @classmethod
    def of(cls, stored: MailSettings) -> MailOut:
        return cls(
            enabled=stored.enabled,
            host=stored.host,
            port=stored.port,
            tls=stored.tls,
            username=stored.username,
            has_password=stored.has_password,
            sender=stored.sender,
            recipients=list(stored.recipients),
        )


class MailDone(Out):
    status: Literal["success"] = "success"
    settings: MailOut
    message: str


class StrangerOut(Out):
    """Somebody who wrote to the bot and may not command it."""

    user_id: int
    name: str
    seen_at: datetime


class StrangersOut(Out):
    items: list[StrangerOut]


class Heard(Out):
    """What Telegram is answered: that its update was taken."""

    ok: Literal[True] = True
