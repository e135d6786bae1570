"""What a hostile file may take: every kind ends typed and for good, soon, within a gigabyte, and leaves nothing.

The fact to know: the memory is the kernel's own account of all children (wait4) of a process that reads nothing but
these files; the making of the files, which takes more, happens outside it.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.media.samples import make_clip, run_ffmpeg

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
READER = """
import json, resource, sys, time
from pathlib import Path
from forwarder_core.domain.transforms import TransformOptions
from forwarder_core.errors import StepFailed
from forwarder_core.media.plan import plan
from forwarder_core.media.probe import probe
from forwarder_core.media.render import render
from forwarder_core.media.tools import find_ffmpeg
from tests.unit.media.samples import SMALL

for name in sys.argv[2:]:
    source, began = Path(sys.argv[1]) / name / "source.mp4", time.monotonic()
    source = source if source.exists() else source.with_name("-y.mp4")
    ended = {"code": "", "retry": "", "action": ""}
    try:
        made = source.with_name("rendition.mp4")
        chosen = plan(probe(source), TransformOptions(upscale=True), SMALL)
        render(chosen, source, made, ffmpeg=find_ffmpeg(), cover=made.with_name("cover.jpg"))
    except StepFailed as e:
        ended = {"code": e.code, "retry": e.retry, "action": e.action}
    took = time.monotonic() - began
    print(json.dumps({"name": name, "took": took, **ended}))
print(json.dumps({"kib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}))
"""


def _moved(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    changed = bytearray(data)
    for at, what in changes:
        changed[at : at + len(what)] = what
    return bytes(changed)


def _drawn(folder: Path, name: str, *words: str) -> bytes:
    made = folder / name
    run_ffmpeg(*words, str(made))
    return made.read_bytes()


def _of_one_clip(clip: Path) -> Iterator[tuple[str, bytes]]:
    whole = clip.read_bytes()
    data_at, length = whole.index(b"mdat") + 4, len(whole)
    part = (length - data_at) // 5
    yield "truncated", whole[: length // 2]
    yield "bit_flipped", _moved(whole, *((at, bytes([whole[at] ^ 0x55])) for at in range(data_at, length, 97)))
    yield "zero_holed", _moved(whole, (data_at + part, bytes(part)))
    header = whole.index(b"mvhd") + 4
    scale = struct.unpack_from(">I", whole, header + 12)[0]
    yield "25_days", _moved(whole, (header + 16, struct.pack(">I", min(scale * 2_160_000, 0x7FFFFFFF))))


def _pictures(folder: Path, clip: Path) -> Iterator[tuple[str, bytes]]:
    for kind in ("jpg", "png", "gif"):
        yield kind, _drawn(folder, f"x.{kind}", "-i", str(clip), "-frames:v", "1")
    cover = ("-i", str(clip), "-i", str(folder / "x.jpg"), "-map", "0:a", "-map", "1:v", "-c", "copy")
    yield "cover_art_only", _drawn(folder, "cover.mp4", *cover, "-disposition:v:0", "attached_pic")
    huge = ("-f", "lavfi", "-i", "color=s=15360x8640:r=2:d=1", "-c:v", "mjpeg")
    yield "133_megapixels", _drawn(folder, "huge.mp4", *huge)
    large = _drawn(folder, "large.mp4", "-f", "lavfi", "-i", "color=s=4096x4096:r=4:d=1", "-preset", "ultrafast")
    yield "larger_than_it_says", _moved(large, (large.index(b"avc1") + 28, struct.pack(">HH", 64, 64)))
    gap = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=10:d=1", "-vf", "setpts=PTS+gt(N\\,5)*20880/TB")
    yield "gap_of_5_8_hours", _drawn(folder, "gap.mp4", *gap, "-fps_mode", "passthrough")


def _texts() -> Iterator[tuple[str, bytes]]:
    yield "zero_bytes", b""
    yield "html", b"<!DOCTYPE html><html><body>Log in</body></html>"
    yield "ffconcat", b"ffconcat version 1.0\nfile neighbour.mp4\n"
    yield "hls", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nneighbour.mp4\n#EXT-X-ENDLIST\n"
    yield "svg", b"<svg xmlns='http://www.w3.org/2000/svg'><image href='neighbour.mp4' width='9' height='9'/></svg>"
    yield "sdp", b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n"
    yield "a_name_like_an_option", b"ffconcat version 1.0\nfile neighbour.mp4\n"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder for each kind, with a whole neighbour in it that is worth reading."""
    folder = tmp_path_factory.mktemp("hostile")
    clip = make_clip(folder / "clip.mp4", size="640x360", seconds=2.0, more=("-movflags", "+faststart"))
    names = []
    for name, data in (*_texts(), *_of_one_clip(clip), *_pictures(folder, clip)):
        own = folder / "jobs" / name
        own.mkdir(parents=True)
        (own / ("-y.mp4" if name == "a_name_like_an_option" else "source.mp4")).write_bytes(data)
        (own / "neighbour.mp4").write_bytes(clip.read_bytes())
        names.append(name)
    return folder / "jobs", names


@pytest.fixture(scope="module")
def read(hostile: tuple[Path, list[str]]) -> tuple[dict[str, dict[str, str]], int, Callable[[str], set[str]]]:
    """How each ended, the most memory any child held in KiB, and what lies in a kind's folder now."""
    folder, names = hostile
    argv = [sys.executable, "-c", READER, str(folder), *names]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    *ended, last = (json.loads(line) for line in done.stdout.splitlines())
    return {one["name"]: one for one in ended}, last["kib"], lambda name: {e.name for e in (folder / name).iterdir()}


def test_every_kind_ends_for_good_with_advice_and_without_a_file(
    read: tuple[dict[str, dict[str, str]], int, Callable[[str], set[str]]],
) -> None:
    ended, _, left = read
    assert len(ended) == 18
    for name, one in ended.items():
        assert (one["code"], one["retry"]) == ("media_rejected", "never"), one
        assert one["action"].endswith("."), one
        assert float(one["took"]) < 20, one
        assert left(name) <= {"source.mp4", "-y.mp4", "neighbour.mp4"}, name


def test_none_of_them_makes_a_child_hold_more_than_a_gigabyte(
    read: tuple[dict[str, dict[str, str]], int, Callable[[str], set[str]]],
) -> None:
    assert 0 < read[1] <= 1 << 20
