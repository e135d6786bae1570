"""The roads of an alert beside Telegram: which webhooks take it, whether it is mailed. Decided as the alert is written.

The fact to know: the deliveries are rows of the alert's own transaction, so that no road misses what another told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from forwarder_core.alerts.kinds import is_wanted, rule_of
from forwarder_core.db import events, roads
from forwarder_core.db.engine import Tx
from forwarder_core.db.roads import Webhook

TELEGRAM, MAIL, WEBHOOK = "telegram", "email", "webhook"
CHANNELS = (TELEGRAM, MAIL, WEBHOOK)  # the words an account may name its roads by; none named = all
MAIL_SETTING = "mail.server"


def lead(tx: Tx, outbox_id: int, kind: str, *, cause: str, now: datetime, channels: Sequence[str] = ()) -> None:
    """Have the alert go out by mail and to the webhooks that want its kind; `channels`: by these roads only."""
    ways: list[int | None] = []
    if _is_open(WEBHOOK, channels):
        ways += [one.id for one in roads.all_webhooks(tx) if _takes(one, kind)]
    if _is_open(MAIL, channels) and has_mail(tx):
        said = events.setting_values(tx).get("telegram.kinds") or {}
        ways += [None] if is_wanted(kind, said) else []
    roads.send_by(tx, outbox_id, ways, cause=cause, now=now)


def is_asked_for(tx: Tx, kind: str) -> bool:
    """Does a webhook name this kind although it is off by default?"""
    return any(one.enabled and kind in one.kinds for one in roads.all_webhooks(tx))


def is_by_telegram(channels: Sequence[str]) -> bool:
    return _is_open(TELEGRAM, channels)


def has_mail(tx: Tx) -> bool:
    return bool((events.setting_values(tx).get(MAIL_SETTING) or {}).get("enabled"))


def has_any(tx: Tx) -> bool:
    """Does an alert reach somebody without Telegram?"""
    return has_mail(tx) or any(one.enabled for one in roads.all_webhooks(tx))


def _takes(webhook: Webhook, kind: str) -> bool:
    return webhook.enabled and (kind in webhook.kinds if webhook.kinds else rule_of(kind).is_on)


def _is_open(road: str, channels: Sequence[str]) -> bool:
    named = [channel for channel in channels if channel in CHANNELS]
    return not named or road in named
