"""Delivering: the waiting deliveries go to their webhooks and, several of one cause together, out by mail.

One at a time: take it (a lease on its row), send it, mark it. A crash in between repeats that one, under the same id.
The fact to know: a receiver that is away is asked again after 10 s, 1 min, 5 min and ever longer waits, for itself and
not once per alert, and what it did not take in about a day is dropped and stays in its log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from forwarder_core.alerts import digest, grouping, mail, messages
from forwarder_core.alerts import webhooks as way
from forwarder_core.alerts.delivery import NotDelivered
from forwarder_core.alerts.grouping import Due
from forwarder_core.alerts.mail import MailServer
from forwarder_core.alerts.webhooks import Post, WebhookFailed
from forwarder_core.db import roads
from forwarder_core.db.roads import Delivery, DeliveryState, Webhook
from forwarder_core.logs import redact
from forwarder_core.services import mail_settings, telegram_settings, webhooks
from forwarder_core.services.context import Core

WAITS_S = (10.0, 60.0, 300.0, 1_800.0, 7_200.0, 21_600.0, 43_200.0)  # then it is dropped
LEASE = timedelta(seconds=60)  # longer than a call with all its timeouts
_MOST_ROWS = 500
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Errand:
    """Deliveries that go out as one, by a webhook or by mail."""

    deliveries: tuple[Delivery, ...]
    webhook: Webhook | None = None
    server: MailServer | None = None

    @property
    def ids(self) -> list[int]:
        return [delivery.id for delivery in self.deliveries]

    @property
    def first(self) -> Delivery:
        return self.deliveries[0]


def send_due(core: Core, *, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Send what is due over every road but Telegram; how many calls and mails arrived."""
    sent = 0
    with core.begin() as tx:
        if not roads.has_due(tx, core.clock.now()):
            return sent
    for take in (_take_call, _take_mail):
        while not is_stopping():
            errand = take(core)
            if errand is None:
                break
            sent += _deliver(core, errand)
    return sent


def _take_call(core: Core) -> _Errand | None:
    """The next call of a webhook, leased; None when there is none now, or another process is choosing."""
    now = core.clock.now()
    with core.begin() as tx:
        if not roads.lock_sending(tx):
            return None
        for found in roads.due(tx, now, 1, by_mail=False):
            webhook = roads.webhook(tx, found.webhook_id or 0)
            roads.hold(tx, [found.id], now + LEASE)
            return _Errand((found,), webhook=webhook)
    return None


def _take_mail(core: Core) -> _Errand | None:
    """The next mail: one alert, or all that wait of one cause where they are more than a handful."""
    now = core.clock.now()
    with core.begin() as tx:
        if not roads.lock_sending(tx):
            return None
        due = {one.id: one for one in roads.due(tx, now, _MOST_ROWS, by_mail=True)}
        if not due:
            return None
        server = mail_settings.server(core, tx)
        if server is None:
            roads.mark(tx, list(due), DeliveryState.DROPPED, last_error="E-mail is switched off.")
            return None
        recent = roads.sent_by_cause(tx, now - grouping.WINDOW)
        parcels = grouping.parcels([Due(one.id, one.cause, one.created_at) for one in due.values()], recent, now)
        if not parcels:
            return None
        roads.hold(tx, parcels[0].ids, now + LEASE)
    return _Errand(tuple(due[id_] for id_ in parcels[0].ids), server=server)


def _deliver(core: Core, errand: _Errand) -> bool:
    """Send and mark; False when it did not arrive."""
    try:
        status = _send(core, errand)
    except NotDelivered as e:
        _failed(core, errand, e)
        return False
    now = core.clock.now()
    with core.begin() as tx:
        roads.mark(tx, errand.ids, DeliveryState.SENT, sent_at=now, status_code=status, last_error=None)
    return True


def _send(core: Core, errand: _Errand) -> int | None:
    """The receiver's status where it is a webhook's."""
    if errand.webhook is not None:
        return _call(core, errand.first, errand.webhook)
    if errand.server is not None:
        _mail(core, errand, errand.server)
    return None


def _call(core: Core, delivery: Delivery, webhook: Webhook) -> int:
    if not webhook.enabled:
        raise WebhookFailed("The webhook is switched off.")
    body = webhooks.body_of(core, delivery.kind, delivery.severity, delivery.payload, delivery.created_at.isoformat())
    post = Post(
        id=f"msg_{delivery.id}",
        url=webhook.url,
        secret=webhooks.secret_of(core, webhook),
        body=body,
        at=core.clock.now(),
    )
    return way.send(core.settings.default_exit, post, core.settings.allow_private_networks)


def _mail(core: Core, errand: _Errand, server: MailServer) -> None:
    frame = telegram_settings.frame(core)
    payloads = [delivery.payload for delivery in errand.deliveries]
    kind = errand.first.kind
    message = (
        digest.render_surely(kind, payloads, frame)
        if len(payloads) > 1
        else messages.render_surely(kind, payloads[0], frame)
    )
    made = mail.compose(
        server,
        subject=mail_settings.subject_of(message.plain),
        text=message.plain,
        app_name=core.settings.app_name,
        at=core.clock.now(),
        id_=f"alert-{errand.first.id}-{len(payloads)}",
    )
    mail.send(core.settings.default_exit, server, made, core.settings.allow_private_networks)


def _failed(core: Core, errand: _Errand, error: NotDelivered) -> None:
    """The same wait for everything that goes the same way."""
    now, tries = core.clock.now(), errand.first.attempts
    is_last = tries >= len(WAITS_S)
    again_at: datetime = now + timedelta(seconds=WAITS_S[min(tries, len(WAITS_S) - 1)])
    state = DeliveryState.DROPPED if is_last else DeliveryState.WAITING
    status = error.status_code if isinstance(error, WebhookFailed) else None
    with core.begin() as tx:
        said = redact(error.message)
        roads.mark(tx, errand.ids, state, next_at=again_at, status_code=status, last_error=said)
        roads.postpone(tx, errand.first.webhook_id, now, again_at)
    where = f"webhook {errand.webhook.id}" if errand.webhook else "e-mail"
    log.warning("An alert was not delivered by %s (%s)", where, error.code)
