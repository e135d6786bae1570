"""The roads of alerts beside Telegram's messages: outgoing webhooks, e-mail, and Telegram's own call of our address."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, status

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import Done, Page, RowId
from admin_app.api.schemas.roads import (
    DeliveryQuery,
    Heard,
    MailDone,
    MailIn,
    MailOut,
    StrangerOut,
    StrangersOut,
    WebhookChange,
    WebhookDeliveryOut,
    WebhookDone,
    WebhookIn,
    WebhookMade,
    WebhookOut,
    WebhooksOut,
    WebhookTested,
)
from forwarder_core.services import commanding, mail_settings, webhooks

router = APIRouter(prefix="/api", tags=["Notifications"])
Update = Annotated[dict[str, Any], Body()]
Secret = Annotated[str, Header(alias="X-Telegram-Bot-Api-Secret-Token", max_length=256)]


@router.get("/webhooks")
def list_webhooks(core: CoreDep) -> WebhooksOut:
    return WebhooksOut(items=[WebhookOut.of(one) for one in webhooks.page(core)])


@router.post("/webhooks", status_code=status.HTTP_201_CREATED)
def create_webhook(body: WebhookIn, core: CoreDep, who: Who) -> WebhookMade:
    """The address must be public, or in a network the settings allow. The secret is told in this answer only."""
    made = webhooks.create(core, body.model_dump(exclude_unset=True), who=who)
    return WebhookMade.of(made, f"Webhook “{made.webhook.name}” created")


@router.get("/webhooks/{webhook_id}")
def get_webhook(webhook_id: RowId, core: CoreDep) -> WebhookOut:
    return WebhookOut.of(webhooks.get(core, webhook_id))


@router.put("/webhooks/{webhook_id}")
def change_webhook(webhook_id: RowId, body: WebhookChange, core: CoreDep, who: Who) -> WebhookDone:
    """Only what is given changes."""
    changed = webhooks.change(core, webhook_id, body.model_dump(exclude_unset=True), who=who)
    return WebhookDone(webhook=WebhookOut.of(changed), message=f"Webhook “{changed.name}” saved")


@router.delete("/webhooks/{webhook_id}")
def delete_webhook(webhook_id: RowId, core: CoreDep, who: Who) -> Done:
    """With what still waits for it, and its log."""
    webhooks.remove(core, webhook_id, who=who)
    return Done(message=f"Webhook {webhook_id} deleted")


@router.post("/webhooks/{webhook_id}/secret")
def renew_secret(webhook_id: RowId, core: CoreDep, who: Who) -> WebhookMade:
    """From now on another secret signs; it is told in this answer only."""
    return WebhookMade.of(webhooks.new_secret(core, webhook_id, who=who), "The secret was replaced")


@router.post("/webhooks/{webhook_id}/test")
def test_webhook(webhook_id: RowId, core: CoreDep) -> WebhookTested:
    """Call it now, with a test message. 503 says what the receiver answered instead of 2xx."""
    answered = webhooks.test(core, webhook_id)
    return WebhookTested(status_code=answered, message=f"The receiver answered {answered}")


@router.get("/webhooks/{webhook_id}/deliveries")
def list_deliveries(
    webhook_id: RowId, query: Annotated[DeliveryQuery, Query()], core: CoreDep
) -> Page[WebhookDeliveryOut]:
    """Newest first."""
    found = webhooks.deliveries(core, webhook_id, before=query.before, limit=query.limit + 1)
    shown = found[: query.limit]
    more = str(shown[-1].id) if len(found) > query.limit else None
    return Page(items=[WebhookDeliveryOut.of(one) for one in shown], next_cursor=more)


@router.get("/settings/email")
def get_mail(core: CoreDep) -> MailOut:
    """As it is set up. The password is never told."""
    return MailOut.of(mail_settings.get(core))


@router.put("/settings/email")
def change_mail(body: MailIn, core: CoreDep, who: Who) -> MailDone:
    """Only what is given changes, all or none."""
    changed = mail_settings.change(core, body.model_dump(mode="json", exclude_unset=True), who=who)
    return MailDone(settings=MailOut.of(changed), message="E-mail settings saved")


@router.post("/settings/email/test")
def test_mail(core: CoreDep) -> Done:
    """Send a test mail with what is stored."""
    mail_settings.test(core)
    return Done(message="Test mail sent")


@router.get("/settings/telegram/strangers")
def list_strangers(core: CoreDep) -> StrangersOut:
    """Who wrote to the bot and may not command it: the numbers to put into `users` are here."""
    found = commanding.strangers(core)
    return StrangersOut(items=[StrangerOut(user_id=s.user_id, name=s.name, seen_at=s.seen_at) for s in found])


@router.post("/webhook/telegram")
def telegram_calls(update: Update, core: CoreDep, secret: Secret = "") -> Heard:
    """Telegram brings what somebody wrote to the bot. 401 without a secret, 403 with another than registered."""
    commanding.receive_call(core, update, secret)
    return Heard()
