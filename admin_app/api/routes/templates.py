"""Template images: the pictures of green-screen layouts, and one frame of what a layout would look like.

The fact to know: the guard lets larger requests through to this one address (see door.guard), and only signed-in ones.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Path, UploadFile, status
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import Done
from admin_app.api.schemas.templates import PreviewIn, TemplateDone, TemplateList, TemplateOut
from forwarder_core.services import previewing, templates, viewing
from forwarder_core.services.viewing import Part

router = APIRouter(prefix="/api/templates", tags=["Templates"])
Name = Annotated[str, Path(max_length=80, examples=["bg_travel.png"])]
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}, "image/jpeg": {}}, "description": "The picture"}
}


@router.get("")
def list_templates(core: CoreDep) -> TemplateList:
    """All of them, by name, the shipped ones included."""
    return TemplateList(items=[TemplateOut.of(image) for image in templates.listed(core)])


@router.post("", status_code=status.HTTP_201_CREATED)
async def add_template(
    core: CoreDep,
    who: Who,
    file: Annotated[UploadFile, File(description="PNG or JPEG, 5 MB at most")],
    name: Annotated[str | None, Form(max_length=80, description="Default: the file's own name")] = None,
) -> TemplateDone:
    """Checked to its last byte before it is kept. 409 when the name is taken."""
    data = await file.read(templates.MAX_BYTES + 1)
    made = await run_in_threadpool(templates.add, core, name or file.filename or "", data, who=who)
    return TemplateDone(template=TemplateOut.of(made), message=f"Template {made.name} added")


@router.post("/preview", responses={200: {"content": {"image/jpeg": {}}, "description": "One frame"}})
def preview(body: PreviewIn, core: CoreDep) -> Response:
    """One frame, as a JPEG, of what a layout would send; of a test picture, or of a job's own video."""
    video = viewing.part_of(core, body.job_id, Part.SOURCE) if body.job_id else None
    said = body.greenscreen if isinstance(body.greenscreen, bool) else body.greenscreen.model_dump(mode="json")
    frame = previewing.preview(core, previewing.options_of(said, body.fit), body.platform, video=video)
    return Response(frame, media_type="image/jpeg")


@router.get("/{name}", response_class=Response, responses=_PICTURE)
def get_template(name: Name, core: CoreDep) -> Response:
    """The picture itself."""
    data, media_type = templates.read(core, name)
    return Response(data, media_type=media_type)


@router.put("/{name}")
async def replace_template(
    name: Name, core: CoreDep, who: Who, file: Annotated[UploadFile, File(description="PNG or JPEG, 5 MB at most")]
) -> TemplateDone:
    """Another picture under the same name: connections that show it show the new one from now on."""
    data = await file.read(templates.MAX_BYTES + 1)
    made = await run_in_threadpool(templates.replace_image, core, name, data, who=who)
    return TemplateDone(template=TemplateOut.of(made), message=f"Template {made.name} replaced")


@router.delete("/{name}")
def delete_template(name: Name, core: CoreDep, who: Who) -> Done:
    """409 for one that is shipped or that a connection shows."""
    templates.remove(core, name, who=who)
    return Done(message=f"Template {name} deleted")
