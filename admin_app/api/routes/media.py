"""The kept files of a job: its source, its rendition and its cover for the player, and their comparison on request.

The fact to know: a player asks for pieces (`Range`), and the file answers with pieces; nothing is read into memory.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import RowId
from admin_app.api.schemas.media import QualityDone
from forwarder_core.services import viewing
from forwarder_core.services.viewing import Part

router = APIRouter(prefix="/api/jobs", tags=["Jobs & logs"])
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"video/mp4": {}, "image/jpeg": {}}, "description": "The whole file"},
    206: {"description": "The piece asked for by `Range`"},
}


@router.get("/{job_id}/media/{part}", response_class=FileResponse, responses=_FILE)
def get_media(job_id: RowId, part: Part, core: CoreDep) -> FileResponse:
    """`source` as it was fetched, `rendition` as it was published, `cover`. 404 once retention has taken them."""
    path = viewing.part_of(core, job_id, part)
    return FileResponse(path, media_type=viewing.MEDIA_TYPES[part], headers={"cache-control": "private, max-age=300"})


@router.post("/{job_id}/quality")
def measure_quality(job_id: RowId, core: CoreDep, who: Who) -> QualityDone:
    """SSIM, and VMAF where this server's ffmpeg has it, of the first ten seconds. Kept in the job's receipt.

    Takes some seconds. 409 where the files are not kept any more.
    """
    return QualityDone(receipt=viewing.judge(core, job_id, who=who), message=f"Quality of job {job_id} measured")
