"""What may go out and how much of it: limits of platforms, quotas of the day, the pace of accounts, captions tried."""

from __future__ import annotations

from fastapi import APIRouter

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import RowId
from admin_app.api.schemas.limits import (
    LimitOut,
    LimitsDone,
    LimitsIn,
    LimitsOut,
    PaceDone,
    PaceIn,
    PaceOut,
    QuotaOut,
    QuotasOut,
)
from admin_app.api.schemas.rules import PreviewIn, PreviewOut
from forwarder_core.services import editing, limits, quotas, wording
from forwarder_core.services.wording import Sketch

router = APIRouter(prefix="/api", tags=["Limits & quotas"])


@router.get("/limits")
def list_limits(core: CoreDep) -> LimitsOut:
    """What each destination takes, with the source of every number, and what was set in its place."""
    found: dict[str, list[LimitOut]] = {}
    for view in limits.views(core):
        found.setdefault(view.platform, []).append(LimitOut.of(view))
    return LimitsOut(platforms=found)


@router.put("/limits")
def change_limits(body: LimitsIn, core: CoreDep, who: Who) -> LimitsDone:
    """Obeyed at once by the media plan, the captions and the daily counts. All or none."""
    changed = limits.change(core, body.platform, body.limits, who=who, why=body.why)
    return LimitsDone(limits=[LimitOut.of(view) for view in changed], message=f"Limits of {body.platform} changed")


@router.get("/quotas")
def list_quotas(core: CoreDep) -> QuotasOut:
    """What of today is used, reserved by jobs under way, and left, and when it starts anew."""
    return QuotasOut(items=[QuotaOut.of(view) for view in quotas.views(core)])


@router.get("/accounts/{account_id}/pace")
def get_pace(account_id: RowId, core: CoreDep) -> PaceOut:
    return PaceOut.of(editing.pace_of(core, account_id))


@router.put("/accounts/{account_id}/pace")
def change_pace(account_id: RowId, body: PaceIn, core: CoreDep, who: Who) -> PaceDone:
    """As a whole. What waits for this account is asked again at once."""
    changed = editing.change_account(core, account_id, {"pace": body.model_dump(mode="json")}, who=who)
    stored = PaceOut.of(editing.pace_of(core, account_id))
    return PaceDone(pace=stored, message=f"Pace of '{changed.alias}' changed")


@router.post("/captions/preview")
def preview_caption(body: PreviewIn, core: CoreDep) -> PreviewOut:
    """How a caption would read at its destination. Nothing is stored or sent."""
    options = body.publish_options.model_dump(mode="json", exclude_unset=True)
    is_given = "publish_options" in body.model_fields_set
    sketch = Sketch(
        caption=body.caption,
        connection_id=body.connection,
        platform=body.platform,
        options=options if is_given or body.connection is None else None,
        source_url=body.source_url,
        source_handle=body.source_handle,
        posted_at=body.posted_at,
    )
    made = wording.preview(core, sketch)
    words = made.words
    return PreviewOut(title=words.title, caption=words.caption, tags=list(words.tags), notes=list(made.notes))
