"""Green-screen layouts through the whole way: every frame is there, and everything stands in its place."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import pytest

from forwarder_core.domain.transforms import Fit, Layout, Position, Template, TransformOptions
from forwarder_core.media.plan import Plan, Stream, plan
from forwarder_core.media.probe import Probe, probe
from forwarder_core.media.render import render
from forwarder_core.media.tools import Ffmpeg, find_ffmpeg
from tests.unit.media.samples import SMALL, X264, make_clip, run_ffmpeg

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 360, 640
RED, GREEN, BLUE, SKY = (255, 0, 0), (0, 208, 0), (0, 0, 255), (0, 176, 255)
Pixel = tuple[int, int, int]


@pytest.fixture(params=["system", "wheel"])
def ffmpeg(request: pytest.FixtureRequest) -> Ffmpeg:
    return find_ffmpeg(Path(imageio_ffmpeg.get_ffmpeg_exe()) if request.param == "wheel" else None)


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stills")
    run_ffmpeg("-f", "lavfi", "-i", "color=red:s=501x700", "-frames:v", "1", str(folder / "red.png"))
    run_ffmpeg("-f", "lavfi", "-i", "color=red:s=300x300", "-frames:v", "1", str(folder / "red.jpg"))
    # In yuva: drawbox with replace=1 on RGBA crashes ffmpeg 5.1.
    band = "color=black@0:s=360x640,format=yuva444p,drawbox=0:0:360:64:red:fill:replace=1,format=rgba"
    run_ffmpeg("-f", "lavfi", "-i", band, "-frames:v", "1", str(folder / "band.png"))
    return folder


def colored(path: Path, color: str, *, fps: str = "30", size: str = "360x640", seconds: float = 0.5) -> Path:
    return make_clip(path, fps=fps, size=size, seconds=seconds, video=("-vf", f"drawbox=color={color}:t=fill", *X264))


def forward(source: Path, layout: Layout, image: Path, ffmpeg: Ffmpeg, fit: Fit = Fit.PAD) -> tuple[Plan, Probe, Path]:
    decided = plan(probe(source), TransformOptions(layout=layout, fit=fit), SMALL)
    made = render(
        decided, source, source.with_name("r.mp4"), ffmpeg=ffmpeg, image=image, cover=source.with_name("c.jpg")
    )
    assert made.seen is not None
    assert made.tries == 1
    return decided, made.seen, made.path


def pixels(path: Path, *places: tuple[int, int]) -> list[Pixel]:
    """Of the last frame: a still that ended early would be missing there."""
    raw = path.with_name("frame.rgb")
    run_ffmpeg("-sseof", "-0.1", "-i", str(path), "-update", "1", "-f", "image2", "-vcodec", "rawvideo",
               "-vf", "scale=in_color_matrix=bt709", "-pix_fmt", "rgb24", str(raw))  # fmt: skip
    data = raw.read_bytes()
    found = []
    for x, y in places:
        at = (y * WIDTH + x) * 3
        found.append((data[at], data[at + 1], data[at + 2]))
    return found


def is_like(seen: Pixel, wanted: Pixel) -> bool:
    return max(abs(a - b) for a, b in zip(seen, wanted, strict=True)) < 16


@pytest.mark.parametrize(
    ("template", "fps"),
    [
        *itertools.product([t for t in Template if t is not Template.NONE], ["30", "60"]),
        (Template.CHROMA_KEY, "30000/1001"),
    ],
)
def test_every_frame_and_every_second_is_there(
    tmp_path: Path, stills: Path, ffmpeg: Ffmpeg, template: Template, fps: str
) -> None:
    source = make_clip(tmp_path / "s.mp4", fps=fps)
    before = probe(source)
    image = "band.png" if template is Template.BRANDED_OVERLAY else "red.png"
    decided, seen, _ = forward(source, Layout(template=template, image=image), stills / image, ffmpeg)
    assert (decided.video, decided.audio) == (Stream.ENCODE, Stream.COPY)
    assert (seen.width, seen.height, seen.sar) == (WIDTH, HEIGHT, 1)
    assert seen.fps_avg == before.fps_avg
    assert seen.frames == before.frames
    assert abs(seen.video_duration_s - before.video_duration_s) <= 1 / float(before.fps_avg)
    assert not seen.is_silent


@pytest.mark.parametrize(("position", "above", "below"), [("bottom", RED, BLUE), ("top", BLUE, RED)])
def test_a_split_screen(
    tmp_path: Path, stills: Path, ffmpeg: Ffmpeg, position: str, above: Pixel, below: Pixel
) -> None:
    source = colored(tmp_path / "s.mp4", "blue")
    layout = Layout(
        template=Template.SPLIT_SCREEN, position=Position(position), border_width=12, border_color="#00b0ff"
    )
    _, _, made = forward(source, layout, stills / "red.jpg", ffmpeg)
    line_y = 318 if position == "bottom" else 321
    seen = pixels(made, (180, 100), (180, 500), (180, line_y), (20, 500 if position == "bottom" else 100))
    for pixel, wanted in zip(seen, (above, below, SKY, SKY), strict=True):
        assert is_like(pixel, wanted)
    _, _, made = forward(source, layout, stills / "red.jpg", ffmpeg, Fit.CROP)
    assert is_like(pixels(made, (20, 500 if position == "bottom" else 100))[0], BLUE)


def test_the_room_beside_a_laid_video_can_be_the_video_itself(tmp_path: Path, stills: Path, ffmpeg: Ffmpeg) -> None:
    wide = colored(tmp_path / "s.mp4", "blue", size="640x180")
    for template, image, foot in ((Template.SPLIT_SCREEN, "red.png", 330), (Template.BRANDED_OVERLAY, "band.png", 630)):
        layout = Layout(template=template, image=image, border_color="#00b0ff")
        decided, seen, made = forward(wide, layout, stills / image, ffmpeg, Fit.BLUR)
        assert decided.is_blurred and seen.frames == 15
        still, beside = pixels(made, (180, 20), (20, foot))
        assert is_like(still, RED) and is_like(beside, BLUE)


def test_a_picture_in_picture_with_its_border(tmp_path: Path, stills: Path, ffmpeg: Ffmpeg) -> None:
    source = colored(tmp_path / "s.mp4", "blue", size="640x360")
    layout = Layout(template=Template.PICTURE_IN_PICTURE, size=50, border_width=24, border_color="#00b0ff")
    decided, _, made = forward(source, layout, stills / "red.png", ffmpeg)
    box = decided.placement and decided.placement.video
    assert box and (box.x, box.width, box.height) == (90, 180, 102)
    middle = box.y + box.height // 2
    seen = pixels(
        made, (180, middle), (86, middle), (274, middle), (180, box.y - 4), (40, middle), (180, 20), (180, 620)
    )
    for pixel, wanted in zip(seen, (BLUE, SKY, SKY, SKY, RED, RED, RED), strict=True):
        assert is_like(pixel, wanted)


def test_a_picture_in_a_corner(tmp_path: Path, stills: Path, ffmpeg: Ffmpeg) -> None:
    layout = Layout(template=Template.PICTURE_IN_PICTURE, size=40, position=Position.BOTTOM_RIGHT)
    _, _, made = forward(colored(tmp_path / "s.mp4", "blue"), layout, stills / "red.png", ffmpeg)
    corner, elsewhere = pixels(made, (300, 560), (100, 200))
    assert is_like(corner, BLUE)
    assert is_like(elsewhere, RED)


def test_a_branded_overlay_covers_only_where_it_is_painted(tmp_path: Path, stills: Path, ffmpeg: Ffmpeg) -> None:
    layout = Layout(template=Template.BRANDED_OVERLAY, image="band.png")
    _, _, made = forward(colored(tmp_path / "s.mp4", "blue"), layout, stills / "band.png", ffmpeg)
    band, video = pixels(made, (180, 20), (180, 300))
    assert is_like(band, RED)
    assert is_like(video, BLUE)


def test_green_becomes_the_background(tmp_path: Path, stills: Path, ffmpeg: Ffmpeg) -> None:
    figure = "drawbox=color=0x00d000:t=fill,drawbox=120:200:120:240:blue:t=fill"
    source = make_clip(tmp_path / "s.mp4", seconds=0.5, video=("-vf", figure, *X264))
    _, _, made = forward(source, Layout(template=Template.CHROMA_KEY), stills / "red.png", ffmpeg)
    figure_pixel, around = pixels(made, (180, 320), (40, 320))
    assert is_like(figure_pixel, BLUE)
    assert is_like(around, RED)


def test_a_layout_is_cut_in_the_same_pass(tmp_path: Path, stills: Path) -> None:
    """A long clip with a layout: the still must not outlast the cut."""
    source = make_clip(tmp_path / "s.mp4", seconds=3.0, fps="60")
    limits = replace(SMALL, max_duration_s=2)
    for template in (Template.PICTURE_IN_PICTURE, Template.CHROMA_KEY):
        decided = plan(probe(source), TransformOptions(layout=Layout(template=template)), limits)
        made = render(decided, source, tmp_path / "r.mp4", ffmpeg=find_ffmpeg(), image=stills / "red.png")
        assert made.seen and made.seen.frames == round(1.75 * 60)
