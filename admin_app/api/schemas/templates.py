"""Template images over the wire. The picture itself is served under `address`; `background_image` is its name in a
connection's green-screen layout."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from admin_app.api.schemas.base import Body, Out
from admin_app.api.schemas.connections import GreenscreenIn
from forwarder_core.domain.transforms import Fit
from forwarder_core.services.templates import TemplateImage


class TemplateOut(Out):
    name: str
    address: str
    background_image: str
    kind: Literal["png", "jpeg"]
    width: int
    height: int
    size_bytes: int
    is_shipped: bool
    used_by: list[str]

    @classmethod
    def of(cls, image: TemplateImage) -> TemplateOut:
        return cls(
            name=image.name,
            address=f"/api/templates/{image.name}",
            background_image=f"/templates/{image.name}",
            kind="png" if image.kind == "png" else "jpeg",
            width=image.width,
            height=image.height,
            size_bytes=image.size_bytes,
            is_shipped=image.is_shipped,
            used_by=list(image.used_by),
        )


class TemplateList(Out):
    """All of them, by name: there are 200 at most."""

    items: list[TemplateOut]
    next_cursor: None = None


class TemplateDone(Out):
    status: Literal["success"] = "success"
    template: TemplateOut
    message: str


class PreviewIn(Body):
    """What a connection would be given. `job_id`: show a frame of that job's video instead of a test picture."""

    platform: str = Field("youtube", max_length=80, description="Of the destination")
    greenscreen: bool | GreenscreenIn = True
    fit: Fit = Fit.PAD
    job_id: int | None = Field(None, ge=1, le=2**62)
