"""What the administrator tunes while the product runs: values by key, obeyed at once; and Telegram with its test."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import Out
from admin_app.api.schemas.notifications import TelegramDone, TelegramIn, TelegramOut, TelegramTest, TelegramTested
from forwarder_core.services import overview, telegram_settings, tunables

router = APIRouter(prefix="/api/settings", tags=["Settings"])
Values = Annotated[dict[str, Any], Body(examples=[{"retry.delays_s": [10, 60, 300]}])]


class SettingsDone(Out):
    status: Literal["success"] = "success"
    settings: dict[str, Any]
    message: str


@router.get("")
def get_settings(core: CoreDep) -> dict[str, Any]:
    """Every key with the value in force."""
    return overview.tuned(core).as_dict()


@router.put("")
def change_settings(values: Values, core: CoreDep, who: Who) -> SettingsDone:
    """All or none; only the keys given change."""
    return SettingsDone(settings=tunables.change(core, values, who=who).as_dict(), message="Settings changed")


@router.get("/telegram")
def get_telegram(core: CoreDep) -> TelegramOut:
    """As it is set up. The token is never told; `bot` is its public part."""
    return TelegramOut.of(telegram_settings.get(core))


@router.put("/telegram")
def change_telegram(body: TelegramIn, core: CoreDep, who: Who) -> TelegramDone:
    """Only what is given changes, all or none; null or an empty text removes. What waits is sent at once."""
    changed = telegram_settings.change(core, body.model_dump(exclude_unset=True), who=who)
    return TelegramDone(settings=TelegramOut.of(changed), message="Telegram settings saved")


@router.post("/telegram/test")
def test_telegram(core: CoreDep, body: TelegramTest | None = None) -> TelegramTested:
    """Send a test message, with what is given or else with what is stored. 422 says what Telegram refuses."""
    given = body.model_dump() if body else {}
    tested = telegram_settings.test(core, **given)
    return TelegramTested(message=tested.message, message_id=tested.message_id, channel_id=tested.chat_id)
