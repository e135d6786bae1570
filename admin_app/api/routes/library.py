"""The library: handing in many files at once, with a sheet of captions, what became of each, and all that arrived.

The fact to know: the guard lets the largest requests of all through to this address (see door.guard), and only
signed-in ones; the files are spooled to the disk while they arrive.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Query, UploadFile, status
from starlette.concurrency import run_in_threadpool

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import Page, RowId
from admin_app.api.schemas.library import (
    FilesQuery,
    HandedInDone,
    HandedInOut,
    LibraryFileOut,
    MediaOut,
    MediaQuery,
)
from forwarder_core.services import handing_in, viewing
from forwarder_core.services.handing_in import Upload

router = APIRouter(prefix="/api/library", tags=["Library"])


@router.get("")
def list_media(query: Annotated[MediaQuery, Query()], core: CoreDep) -> Page[MediaOut]:
    """Everything that arrived somewhere, the latest first: in an archive or on a platform, with what is kept of it."""
    found = viewing.library(
        core,
        before=query.before,
        limit=query.limit + 1,
        q=query.q,
        account_id=query.account,
        since=query.since,
        until=query.until,
    )
    shown = found[: query.limit]
    more = str(shown[-1][0].job_id) if len(found) > query.limit else None
    return Page(items=[MediaOut.of(one, files) for one, files in shown], next_cursor=more)


@router.post("/{account_id}/files", status_code=status.HTTP_201_CREATED)
async def hand_in(
    account_id: RowId,
    core: CoreDep,
    who: Who,
    files: Annotated[list[UploadFile], File(description="Videos, 100 at most and 1 GB in all")],
    captions: Annotated[
        UploadFile | None,
        File(description="CSV with the columns file, caption, date, account; the last three may be missing or empty"),
    ] = None,
) -> HandedInDone:
    """All of them become posts of the library, or none: 422 names each bad row by its line, each bad file by its name.

    A row may name another library account; a file may have a row for each of several. A date to come holds the file
    back until then. A file whose content is there already is not added again.
    """
    sheet = await captions.read(handing_in.MOST_SHEET_BYTES + 1) if captions is not None else None
    uploads = [Upload(name=one.filename or "", content=one.file, size_bytes=one.size or 0) for one in files]
    made = await run_in_threadpool(handing_in.hand_in, core, account_id, uploads, sheet, who=who)
    added = sum(one.stored_as is not None for one in made)
    return HandedInDone(files=[HandedInOut.of(one) for one in made], message=f"{added} files added to the library")


@router.get("/{account_id}/files")
def list_files(account_id: RowId, query: Annotated[FilesQuery, Query()], core: CoreDep) -> Page[LibraryFileOut]:
    """What is in the folder, newest first, put there by whichever way, and what each connection made of it."""
    found = handing_in.listed(core, account_id, offset=query.after, limit=query.limit + 1)
    more = str(query.after + query.limit) if len(found) > query.limit else None
    return Page(items=[LibraryFileOut.of(one) for one in found[: query.limit]], next_cursor=more)
