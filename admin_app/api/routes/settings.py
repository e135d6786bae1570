"""What the administrator tunes while the product runs: values by key, obeyed at once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body

from admin_app.api.deps import CoreDep
from admin_app.api.schemas.base import Out
from forwarder_core.services import overview, tunables

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
def change_settings(values: Values, core: CoreDep) -> SettingsDone:
    """All or none; only the keys given change."""
    return SettingsDone(settings=tunables.change(core, values).as_dict(), message="Settings changed")
