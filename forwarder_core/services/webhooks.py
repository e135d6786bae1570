"""Outgoing webhooks as the admin sets them up: made, changed, tested, and what was delivered to each.

An address is checked when it is written and again at every call. The fact to know: the secret that signs is shown
once, when it is made; afterwards it is sealed and can only be replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import IntegrityError

from forwarder_core.alerts import foreign, messages
from forwarder_core.alerts import webhooks as way
from forwarder_core.alerts.kinds import RULES, AlertKind, rule_of
from forwarder_core.alerts.webhooks import Post, WebhookFailed
from forwarder_core.db import people, roads
from forwarder_core.db.engine import Tx
from forwarder_core.db.roads import Delivery as Delivery
from forwarder_core.db.roads import Webhook as Webhook
from forwarder_core.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from forwarder_core.logs import remember_secret
from forwarder_core.services import telegram_settings
from forwarder_core.services.context import Core

_MOST = 20
_NAME_CHARS = 120
_FIELDS = ("name", "url", "kinds", "enabled")


@dataclass(frozen=True, slots=True)
class Made:
    """`secret` is told here and never again."""

    webhook: Webhook
    secret: str = field(repr=False)


def page(core: Core) -> list[Webhook]:
    with core.begin() as tx:
        return roads.all_webhooks(tx)


def get(core: Core, webhook_id: int) -> Webhook:
    with core.begin() as tx:
        return _found(tx, webhook_id)


def create(core: Core, values: Mapping[str, Any], *, who: str) -> Made:
    """`values`: name, url, kinds, enabled. Raises Invalid naming every bad field, Conflict for a taken name."""
    _check(core, {"name": "", "url": "", **values})
    secret, now = way.new_secret(), core.clock.now()
    row = {"kinds": (), **values, "secret": core.vault.seal({"secret": secret}), "created_at": now}
    try:
        with core.begin() as tx:
            if len(roads.all_webhooks(tx)) >= _MOST:
                raise Conflict(f"There are {_MOST} webhooks already.", action="Delete one first.")
            made = roads.add_webhook(tx, row)
            people.audit(tx, who=who, what="webhook_created", target=f"webhook:{made}", now=now)
            return Made(_found(tx, made), secret)
    except IntegrityError as e:
        raise _name_taken(values) from e


def change(core: Core, webhook_id: int, values: Mapping[str, Any], *, who: str) -> Webhook:
    """Only what is given changes; see `create`."""
    _check(core, values)
    try:
        with core.begin() as tx:
            _found(tx, webhook_id)
            if values:
                roads.change_webhook(tx, webhook_id, values)
            details = {"changed": sorted(values)}
            people.audit(
                tx,
                who=who,
                what="webhook_changed",
                target=f"webhook:{webhook_id}",
                now=core.clock.now(),
                details=details,
            )
            return _found(tx, webhook_id)
    except IntegrityError as e:
        raise _name_taken(values) from e


def new_secret(core: Core, webhook_id: int, *, who: str) -> Made:
    """From now on another secret signs."""
    secret = way.new_secret()
    with core.begin() as tx:
        _found(tx, webhook_id)
        roads.change_webhook(tx, webhook_id, {"secret": core.vault.seal({"secret": secret})})
        people.audit(tx, who=who, what="webhook_secret_renewed", target=f"webhook:{webhook_id}", now=core.clock.now())
        return Made(_found(tx, webhook_id), secret)


def remove(core: Core, webhook_id: int, *, who: str) -> None:
    """With everything that still waits for it."""
    with core.begin() as tx:
        _found(tx, webhook_id)
        roads.remove_webhook(tx, webhook_id)
        people.audit(tx, who=who, what="webhook_deleted", target=f"webhook:{webhook_id}", now=core.clock.now())


def test(core: Core, webhook_id: int) -> int:
    """Call the webhook now; the receiver's 2xx. Raises Unavailable with what it answered instead."""
    known, now = get(core, webhook_id), core.clock.now()
    body = body_of(core, AlertKind.TEST, "info", {"at": now.isoformat()}, now.isoformat())
    post = Post(id=f"test-{now.timestamp():.0f}", url=known.url, secret=secret_of(core, known), body=body, at=now)
    try:
        return way.send(core.settings.default_exit, post, core.settings.allow_private_networks)
    except WebhookFailed as e:
        raise Unavailable(e.message, action="Check that the receiver runs and answers 2xx, then test again.") from e


def deliveries(core: Core, webhook_id: int, *, before: int = 2**62, limit: int = 50) -> list[Delivery]:
    """Newest first."""
    with core.begin() as tx:
        _found(tx, webhook_id)
        return roads.deliveries_of(tx, webhook_id, before_id=before, limit=limit)


def body_of(core: Core, kind: str, severity: str, payload: Mapping[str, Any], created_at: str) -> bytes:
    frame = telegram_settings.frame(core)
    return way.body_of(
        kind=str(kind),
        title=rule_of(kind).title,
        severity=severity,
        timestamp=created_at,
        text=messages.render_surely(kind, payload, frame).plain,
        data=payload,
    )


def secret_of(core: Core, webhook: Webhook) -> str:
    secret = core.vault.unseal(webhook.secret).get("secret", "")
    remember_secret(secret)
    return secret


def _check(core: Core, values: Mapping[str, Any]) -> None:
    problems = [FieldError(name, "there is no such field") for name in values if name not in _FIELDS]
    if "name" in values and not 0 < len(str(values["name"]).strip()) <= _NAME_CHARS:
        problems.append(FieldError("name", f"must have 1 to {_NAME_CHARS} characters"))
    known = {str(kind) for kind in RULES if kind is not AlertKind.TEST}
    if unknown := sorted(set(values.get("kinds", ())) - known):
        problems.append(FieldError("kinds", f"there is no kind {', '.join(unknown)}"))
    action = None
    if "url" in values:
        try:
            foreign.checked(core.settings.default_exit, values["url"], core.settings.allow_private_networks)
        except Invalid as e:
            problems += e.fields
            action = e.action
    if problems:
        raise Invalid("The webhook cannot be taken.", *problems, action=action)


def _found(tx: Tx, webhook_id: int) -> Webhook:
    known = roads.webhook(tx, webhook_id)
    if known is None:
        raise NotFound(f"There is no webhook {webhook_id}.")
    return known


def _name_taken(values: Mapping[str, Any]) -> Conflict:
    return Conflict(f"There is a webhook “{values.get('name')}” already.", action="Choose another name.")
