"""Files that are broken or want something: each ends in a typed, permanent error, and nothing else is read or left."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from forwarder_core.domain.transforms import TransformOptions
from forwarder_core.errors import MediaRejected, Retry
from forwarder_core.media import graph
from forwarder_core.media.plan import Mode, plan
from forwarder_core.media.probe import probe
from forwarder_core.media.render import render
from forwarder_core.media.runner import run
from forwarder_core.media.tools import find_ffmpeg
from tests.unit.media.samples import SMALL, make_clip, run_ffmpeg

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture
def rejected(tmp_path: Path) -> Callable[[bytes], MediaRejected]:
    """Write the bytes as source.mp4 beside a tempting neighbour, and expect the probe to refuse them."""

    def expect(data: bytes) -> MediaRejected:
        source = tmp_path / "source.mp4"
        source.write_bytes(data)
        began = time.monotonic()
        with pytest.raises(MediaRejected) as caught:
            probe(source)
        assert time.monotonic() - began < 20
        assert caught.value.retry is Retry.NEVER
        assert caught.value.message.endswith(".") and caught.value.action.endswith(".")
        return caught.value

    return expect


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile neighbour.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nneighbour.mp4\n#EXT-X-ENDLIST\n",
        "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'/>",
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
        "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'/>",
        "<!DOCTYPE html><html></html>",
        '{"message": "login_required"}',
    ],
)
def test_text_that_asks_for_other_files_is_refused_twice(tmp_path: Path, clip: Path, text: str) -> None:
    """By its first bytes, and, were those to fail one day, by ffmpeg itself."""
    (tmp_path / "neighbour.mp4").write_bytes(clip.read_bytes())
    source = tmp_path / "source.mp4"
    source.write_text(text)
    with pytest.raises(MediaRejected):
        probe(source)
    argv = graph.transform_argv(
        plan(probe(clip), TransformOptions(), SMALL), find_ffmpeg(), source, tmp_path / "out.mp4"
    )
    with pytest.raises(MediaRejected) as caught:
        run(argv, duration_s=1.0)
    assert "whitelist" in (caught.value.raw or "") or "Invalid data" in (caught.value.raw or "")
    out = tmp_path / "out.mp4"
    assert not out.exists() or out.stat().st_size == 0


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {url}/a.mp4\n",
        "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'>"
        "<image xlink:href='{url}/a.png' width='9' height='9'/></svg>",
        "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><BaseURL>{url}/</BaseURL></MPD>",
    ],
)
def test_text_that_asks_for_an_address_makes_nobody_call_it(tmp_path: Path, clip: Path, text: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = tmp_path / "source.mp4"
        source.write_text(text.format(url=f"http://127.0.0.1:{server.getsockname()[1]}"))
        with pytest.raises(MediaRejected):
            probe(source)
        decided = plan(probe(clip), TransformOptions(), SMALL)
        with pytest.raises(MediaRejected):
            run(graph.transform_argv(decided, find_ffmpeg(), source, tmp_path / "out.mp4"), duration_s=1.0)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(("kind", "words"), [("png", "PNG"), ("jpg", "JPEG"), ("gif", "GIF")])
def test_pictures_named_mp4(
    tmp_path: Path, clip: Path, rejected: Callable[[bytes], MediaRejected], kind: str, words: str
) -> None:
    picture = tmp_path / f"x.{kind}"
    run_ffmpeg("-i", str(clip), "-frames:v", "1", str(picture))
    assert words in rejected(picture.read_bytes()).message


def test_empty_random_and_header_only(rejected: Callable[[bytes], MediaRejected], clip: Path) -> None:
    assert "0 bytes" in rejected(b"").message
    assert "unknown kind" in rejected(bytes(range(1, 256)) * 40).message
    assert "moov" in rejected(clip.read_bytes()[:24] + struct.pack(">I4s", 0, b"mdat") + bytes(500)).message
    assert rejected(b"\0\0\0\x18ftypisom" + b"\xff" * 600)
    assert rejected(b"\x1a\x45\xdf\xa3" + b"\x93" * 600)


def test_a_download_that_broke_off(tmp_path: Path, clip: Path, rejected: Callable[[bytes], MediaRejected]) -> None:
    whole = clip.read_bytes()
    assert "cut off" in rejected(whole[: len(whole) // 2]).message
    assert "cut off" in rejected(whole[:200]).message
    last = tmp_path / "last.mp4"
    run_ffmpeg("-i", str(clip), "-c", "copy", str(last))
    assert "missing" in rejected(last.read_bytes()[:-500]).message
    webm = tmp_path / "x.webm"
    run_ffmpeg("-i", str(clip), "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-an", str(webm))
    assert rejected(webm.read_bytes()[: webm.stat().st_size // 2])


def test_the_header_of_a_half_file_made_to_look_whole(clip: Path, rejected: Callable[[bytes], MediaRejected]) -> None:
    """The data box says it is half as long, so only the packets tell."""
    whole = clip.read_bytes()
    at = whole.index(b"mdat") - 4
    half = (len(whole) - at) // 2
    error = rejected(whole[:at] + struct.pack(">I", half) + whole[at + 4 : at + half])
    assert "promises" in error.message or "damaged" in error.message


def test_sound_only_cover_only_and_one_frame(
    tmp_path: Path, clip: Path, rejected: Callable[[bytes], MediaRejected]
) -> None:
    made = tmp_path / "made.mp4"
    run_ffmpeg("-i", str(clip), "-vn", "-c", "copy", str(made))
    assert "only sound" in rejected(made.read_bytes()).message
    cover = tmp_path / "cover.jpg"
    run_ffmpeg("-i", str(clip), "-frames:v", "1", str(cover))
    run_ffmpeg("-i", str(clip), "-i", str(cover), "-map", "0:a", "-map", "1:v", "-c", "copy", "-disposition:v:0",
               "attached_pic", str(made))  # fmt: skip
    assert "cover picture" in rejected(made.read_bytes()).message
    run_ffmpeg("-i", str(clip), "-an", "-frames:v", "1", "-c", "copy", str(made))
    assert "single picture" in rejected(made.read_bytes()).message


def test_a_header_that_says_25_days_is_refused(clip: Path, rejected: Callable[[bytes], MediaRejected]) -> None:
    data = bytearray(clip.read_bytes())
    for kind in (b"mvhd", b"mdhd"):
        at = data.index(kind) + 4
        scale = struct.unpack_from(">I", data, at + 12)[0]
        struct.pack_into(">I", data, at + 16, min(scale * 2_000_000, 0x7FFFFFFF))
    assert "hours" in rejected(bytes(data)).message


def test_a_hole_of_hours_between_two_frames(tmp_path: Path, rejected: Callable[[bytes], MediaRejected]) -> None:
    made = tmp_path / "made.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:r=10:d=1", "-vf", "setpts=PTS+gt(N\\,5)*20000/TB", "-fps_mode",
               "passthrough", "-c:v", "libx264", str(made))  # fmt: skip
    assert "hours" in rejected(made.read_bytes()).message


def test_a_picture_larger_than_any_screen_is_never_decoded(
    tmp_path: Path, rejected: Callable[[bytes], MediaRejected]
) -> None:
    """35 megapixels, and 133: 200 MB for each decoded frame."""
    for size, codec in (("8192x4320", ("libx264", "-preset", "ultrafast")), ("15360x8640", ("mjpeg",))):
        huge = tmp_path / "huge.mp4"
        run_ffmpeg("-f", "lavfi", "-i", f"color=s={size}:r=2:d=1", "-c:v", *codec, str(huge))
        assert size in rejected(huge.read_bytes()).message


def test_damage_in_the_middle_ends_an_encode_without_a_file(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", size="640x360", seconds=2.0)
    data = bytearray(source.read_bytes())
    data[len(data) // 2 : len(data) * 3 // 4] = bytes(len(data) * 3 // 4 - len(data) // 2)
    source.write_bytes(data)
    decided = plan(probe(source), TransformOptions(), SMALL)
    with pytest.raises(MediaRejected, match="damaged"):
        render(decided, source, tmp_path / "r.mp4", ffmpeg=find_ffmpeg(), cover=tmp_path / "c.jpg")
    assert [entry.name for entry in tmp_path.iterdir()] == ["source.mp4"]


def test_damage_in_a_key_frame_ends_a_copy_too(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", seconds=2.0, more=("-g", "15", "-movflags",
                       "+faststart+negative_cts_offsets", "-use_editlist", "0"))  # fmt: skip
    data = bytearray(source.read_bytes())
    data[len(data) // 2 : len(data) * 3 // 4] = bytes(len(data) * 3 // 4 - len(data) // 2)
    source.write_bytes(data)
    decided = plan(probe(source), TransformOptions(), SMALL)
    assert decided.mode is Mode.COPY
    with pytest.raises(MediaRejected, match="damaged"):
        render(decided, source, tmp_path / "r.mp4", ffmpeg=find_ffmpeg(), cover=tmp_path / "c.jpg")
    assert [entry.name for entry in tmp_path.iterdir()] == ["source.mp4"]


@pytest.mark.parametrize(
    ("name", "max_fps"),
    [
        ("-vf.mp4", 60),  # copied, and its cover taken
        ("http:x.mp4", 60),
        ("a%03d.mp4", 25),  # encoded, and its cover taken
        ("it's 50%: [x];,\\.日本.mp4", 25),
    ],
)
def test_odd_names_are_only_names(tmp_path: Path, clip: Path, name: str, max_fps: float) -> None:
    source, cover = tmp_path / name, tmp_path / f"{name}.jpg"
    source.write_bytes(clip.read_bytes())
    decided = plan(probe(source), TransformOptions(), replace(SMALL, max_fps=max_fps))
    made = render(decided, source, tmp_path / f"out {name}", ffmpeg=find_ffmpeg(), cover=cover)
    assert (made.cover, cover.exists()) == (cover, True)
    assert probe(made.path).frames == (30 if max_fps == 60 else 25)


def test_a_relative_path_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="absolute"):
        probe(Path("source.mp4"))
