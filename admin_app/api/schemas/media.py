"""The quality receipt over the wire."""

from __future__ import annotations

from typing import Any, Literal

from admin_app.api.schemas.base import Out


class QualityDone(Out):
    """`receipt.quality`: `ssim` 0 to 1, `vmaf` 0 to 100 or null with a `note` that says why, over `seconds`."""

    status: Literal["success"] = "success"
    receipt: dict[str, Any]
    message: str
