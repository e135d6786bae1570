"""Template images: the pictures of green-screen layouts, in one folder under the product's home.

What lives here: which there are, adding one that was checked like any upload, removing one nothing uses. What does not:
what a picture must be (media.stills), where it stands (media.layouts), a frame of it (previewing).
The fact to know: a name becomes a path only in `_path`, after it has matched the pattern of plain names, and the thing
there must be a regular file: no other file of this machine can be read or overwritten through a name or a link.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from forwarder_core.db import connections, people
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.transforms import image_name
from forwarder_core.errors import Conflict, FieldError, Invalid, LocalFailed, NotFound
from forwarder_core.media import shipped, stills
from forwarder_core.media.tools import Ffmpeg, find_ffmpeg
from forwarder_core.services.context import Core

MOST_IMAGES = 200
MAX_BYTES = stills.MAX_BYTES
_PAGE = 500
_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateImage:
    """`used_by`: names of the connections whose layout shows it. Shipped ones cannot be removed."""

    name: str
    kind: str
    width: int
    height: int
    size_bytes: int
    is_shipped: bool
    used_by: tuple[str, ...]


def listed(core: Core) -> list[TemplateImage]:
    """All of them, by name. A file somebody put there that is no usable picture is passed over."""
    used = _uses(core)
    names = sorted(entry.name for entry in _folder(core).iterdir() if entry.is_file() and not entry.is_symlink())
    return [image for name in names if (image := _described(core, name, used.get(name, ()))) is not None]


def read(core: Core, name: str) -> tuple[bytes, str]:
    """The picture and its media type. Raises NotFound."""
    path = path_of(core, name)
    return path.read_bytes(), _TYPES[path.suffix]


def path_of(core: Core, name: str) -> Path:
    """The absolute path of a template image. Raises Invalid for what is no plain name, NotFound for one not there."""
    path = _path(core, name)
    if path.is_symlink() or not path.is_file():
        raise NotFound(f"There is no template image {path.name}.", action="Choose another picture for the layout.")
    return path


def layout_image(core: Core, name: str) -> Path:
    """The same for a job at work, whose errors are those of a step."""
    try:
        return path_of(core, name)
    except NotFound as e:
        raise LocalFailed(
            f"The picture {name} of the connection's layout is not there any more.",
            action="Upload it again under Templates, or choose another one in the connection.",
        ) from e


def add(core: Core, name: str, data: bytes, *, who: str) -> TemplateImage:
    """Keep an uploaded picture. Raises Invalid when it is none, Conflict when the name is taken or the folder full."""
    target = _path(core, name)
    if target.exists() or target.is_symlink():
        raise Conflict(f"There is a template image {target.name} already.", action="Choose another name.")
    try:
        if len(list(target.parent.iterdir())) >= MOST_IMAGES:
            raise Conflict(f"There are {MOST_IMAGES} template images already.", action="Remove one first.")
    except OSError as e:
        raise LocalFailed(f"The pictures could not be counted: {e.strerror}.") from e
    _keep_checked(core, target, data)
    _note(core, who, "template_added", target.name)
    return _known(core, target.name)


def replace_image(core: Core, name: str, data: bytes, *, who: str) -> TemplateImage:
    """Another picture under the same name, whoever shows it. Raises Conflict for a shipped one, NotFound, Invalid."""
    target = path_of(core, name)
    if target.name in shipped.ALL:
        raise Conflict(f"{target.name} came with the product.", action="Upload yours under another name.")
    _keep_checked(core, target, data)
    _note(core, who, "template_replaced", target.name)
    return _known(core, target.name)


def check_layout(core: Core, values: Mapping[str, Any]) -> None:
    """Is the picture there that the transform options in `values` name? Raises Invalid, before a job finds out."""
    layout = connections.transform_of(values.get("transform_options") or {}).layout
    if not layout.is_on:
        return
    try:
        path_of(core, layout.image)
    except NotFound as e:
        field = FieldError("transform_options.greenscreen.background_image", e.message)
        raise Invalid("The layout's picture is not there.", field, action=e.action) from e


def remove(core: Core, name: str, *, who: str) -> None:
    """Raises Conflict for one that is shipped or in use, NotFound."""
    path = path_of(core, name)
    if path.name in shipped.ALL:
        raise Conflict(f"{path.name} came with the product.", action="Leave it; only your own pictures can be removed.")
    if used := _uses(core).get(path.name):
        raise Conflict(
            f"{path.name} is used by {', '.join(used)}.", action="Choose another picture in these connections first."
        )
    path.unlink(missing_ok=True)
    _note(core, who, "template_removed", path.name)


@cache
def _ffmpeg(configured: Path | None) -> Ffmpeg:
    return find_ffmpeg(configured)


def _folder(core: Core) -> Path:
    """The folder, with the shipped pictures in it: they are drawn at first use, and again when one was lost."""
    folder = core.settings.home.absolute() / "templates"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, draw in shipped.ALL.items():
        if not (folder / name).exists():
            _write(folder / name, draw())
    return folder


def _path(core: Core, name: str) -> Path:
    try:
        return _folder(core) / image_name(name)
    except ValueError as e:
        raise Invalid(f"{e}.", FieldError("name", str(e))) from e


def _keep(target: Path, data: bytes, ffmpeg: Ffmpeg) -> None:
    """Under its name only once it has been decoded to the end."""
    with tempfile.TemporaryDirectory(prefix=".check-", dir=target.parent) as folder:
        trial = Path(folder) / target.name
        trial.write_bytes(data)
        stills.check(trial, ffmpeg)
    _write(target, data)


def _keep_checked(core: Core, target: Path, data: bytes) -> None:
    try:
        still = stills.read(data)
        if (still.kind == "png") is not (target.suffix == ".png"):
            raise stills.BadStill(f"{target.name} holds a {still.kind.upper()} picture: name it so.")
        _keep(target, data, _ffmpeg(core.settings.ffmpeg))
    except stills.BadStill as e:
        raise Invalid(
            str(e), FieldError("file", str(e)), action="Upload a PNG or JPEG picture within these bounds."
        ) from e
    except OSError as e:
        raise LocalFailed(f"The picture could not be kept: {e.strerror}.") from e


def _write(target: Path, data: bytes) -> None:
    """Whole or not at all."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=target.parent) as folder:
        part = Path(folder) / target.name
        part.write_bytes(data)
        part.replace(target)


def _described(core: Core, name: str, used_by: tuple[str, ...]) -> TemplateImage | None:
    try:
        path = path_of(core, name)
        still = stills.read(path.read_bytes())
    except (Invalid, NotFound, stills.BadStill):
        return None
    return TemplateImage(
        name=path.name,
        kind=still.kind,
        width=still.width,
        height=still.height,
        size_bytes=path.stat().st_size,
        is_shipped=path.name in shipped.ALL,
        used_by=used_by,
    )


def _known(core: Core, name: str) -> TemplateImage:
    found = _described(core, name, _uses(core).get(name, ()))
    if found is None:
        raise NotFound(f"There is no template image {name}.")
    return found


def _uses(core: Core) -> dict[str, tuple[str, ...]]:
    """Names of connections by the picture their layout shows."""
    used: dict[str, tuple[str, ...]] = {}
    for connection in _all_connections(core):
        layout = connection.transform.layout
        if layout.is_on:
            used[layout.image] = (*used.get(layout.image, ()), connection.name)
    return used


def _all_connections(core: Core) -> Iterator[Connection]:
    after = 0
    while True:
        with core.begin() as tx:
            found = connections.page(tx, after=after, limit=_PAGE)
        yield from found
        if len(found) < _PAGE:
            return
        after = found[-1].id


def _note(core: Core, who: str, what: str, name: str) -> None:
    with core.begin() as tx:
        people.audit(tx, who=who, what=what, now=core.clock.now(), target=f"template:{name}")
    logging.getLogger(__name__).info("Template image %s: %s", name, what.removeprefix("template_"))
