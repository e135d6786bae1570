"""Template images on a real disk and database: names that cannot lead elsewhere, pictures that are pictures."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.domain.transforms import Layout, Template, TransformOptions
from forwarder_core.errors import Conflict, Invalid, LocalFailed, NotFound, RequestError
from forwarder_core.media import shipped, stills
from forwarder_core.services import previewing, templates
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.media.samples import make_clip, run_ffmpeg

pytestmark = pytest.mark.slow


@pytest.fixture
def core(database_url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Core]:
    with factories.make_core(database_url, clock, tmp_path / "home") as made:
        yield made


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=200x300", "-frames:v", "1", str(folder / "p.png"))
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=200x300", "-frames:v", "1", str(folder / "p.jpg"))
    return folder


def test_the_shipped_ones_are_there_and_pass_their_own_check(core: Core) -> None:
    listed = templates.listed(core)
    assert [(image.name, image.width, image.height) for image in listed] == [
        (n, 1080, 1920) for n in sorted(shipped.ALL)
    ]
    assert all(image.is_shipped and not image.used_by for image in listed)
    for name in shipped.ALL:
        stills.check(templates.path_of(core, f"/templates/{name}"), templates._ffmpeg(None))
    with pytest.raises(Conflict, match="came with the product"):
        templates.remove(core, "bg_travel.png", who="admin")


def test_one_is_added_read_used_and_removed(core: Core, picture: Path) -> None:
    data = (picture / "p.png").read_bytes()
    made = templates.add(core, "beach.png", data, who="admin")
    assert (made.name, made.kind, made.width, made.height, made.is_shipped) == ("beach.png", "png", 200, 300, False)
    assert templates.read(core, "beach.png") == (data, "image/png")
    with pytest.raises(Conflict, match="already"):
        templates.add(core, "beach.png", data, who="admin")
    connection = factories.add_connection(
        core,
        transform_options={"greenscreen": {"template": "split_screen", "background_image": "/templates/beach.png"}},
    )
    assert {i.name: i.used_by for i in templates.listed(core)}["beach.png"] == (connection.name,)
    with pytest.raises(Conflict, match=connection.name):
        templates.remove(core, "beach.png", who="admin")
    templates.add(core, "other.jpg", (picture / "p.jpg").read_bytes(), who="admin")
    templates.remove(core, "other.jpg", who="admin")
    with pytest.raises(NotFound):
        templates.read(core, "other.jpg")


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "/etc/passwd", "a/b.png", "..png", ".hidden.png", "-y.png", "x.svg", "x.png\n", "", "a\0.png"],
)
def test_no_name_leads_out_of_the_folder(core: Core, picture: Path, name: str) -> None:
    (core.settings.home / "secret.png").parent.mkdir(exist_ok=True)
    (core.settings.home / "secret.png").write_bytes((picture / "p.png").read_bytes())
    for act in (
        lambda: templates.read(core, name),
        lambda: templates.remove(core, name, who="admin"),
        lambda: templates.add(core, name, (picture / "p.png").read_bytes(), who="admin"),
    ):
        with pytest.raises(Invalid):
            act()
    assert (core.settings.home / "secret.png").exists()


def test_a_link_is_not_followed(core: Core, picture: Path) -> None:
    templates.listed(core)
    (core.settings.home / "templates" / "link.png").symlink_to(picture / "p.png")
    assert "link.png" not in [image.name for image in templates.listed(core)]
    with pytest.raises(NotFound):
        templates.read(core, "link.png")
    with pytest.raises(Conflict):
        templates.add(core, "link.png", (picture / "p.png").read_bytes(), who="admin")


def _png(width: int, height: int, body: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_what_is_no_usable_picture_is_refused_and_leaves_nothing(core: Core, picture: Path) -> None:
    png, jpg = ((picture / name).read_bytes() for name in ("p.png", "p.jpg"))
    bad = {
        "a.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "neither a PNG nor a JPEG"),
        "b.png": (jpg, "JPEG picture: name it so"),
        "c.png": (_png(30_000, 30_000, b"x"), "30000x30000"),
        "d.png": (png[: len(png) // 2], "damaged"),
        "e.png": (_png(64, 64, zlib.compress(bytes(100))), "damaged"),
        "f.png": (png + bytes(stills.MAX_BYTES), "5 MB are taken"),
        "g.jpg": (b"\xff\xd8\xff\xe0" + bytes(20), "how large"),
        "h.jpg": (jpg[:300] + bytes(300), "damaged|how large"),
    }
    for name, (data, words) in bad.items():
        with pytest.raises(Invalid, match=words):
            templates.add(core, name, data, who="admin")
    assert sorted(entry.name for entry in (core.settings.home / "templates").iterdir()) == sorted(shipped.ALL)


def test_an_image_that_is_gone_stops_a_job_with_words_and_a_request_with_others(core: Core) -> None:
    with pytest.raises(LocalFailed, match="not there any more"):
        templates.layout_image(core, "gone.png")
    with pytest.raises(RequestError):
        previewing.preview(core, TransformOptions(), "youtube")


@pytest.mark.parametrize("template", [t for t in Template if t is not Template.NONE])
def test_a_preview_is_one_frame_of_the_canvas(core: Core, template: Template) -> None:
    image = "frame_brand.png" if template is Template.BRANDED_OVERLAY else "bg_travel.png"
    jpeg = previewing.preview(core, TransformOptions(layout=Layout(template=template, image=image)), "youtube")
    still = stills.read(jpeg)
    assert (still.kind, still.width, still.height) == ("jpeg", 1080, 1920)
    assert not list(core.media_root.iterdir())


def test_a_preview_of_a_real_video(core: Core, tmp_path: Path) -> None:
    video = make_clip(tmp_path / "v.mp4", size="640x360", seconds=0.5)
    jpeg = previewing.preview(
        core, TransformOptions(layout=Layout(template=Template.PICTURE_IN_PICTURE)), "instagram", video=video
    )
    assert stills.read(jpeg).width == 1080
    assert video.exists()
