"""The small parts: sniffing, progress, failures, slots, the store, finding ffmpeg."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from forwarder_core.errors import Bug, FfmpegMissing, LocalFailed, MediaRejected
from forwarder_core.media import store as stores
from forwarder_core.media.failures import Cancelled, failure
from forwarder_core.media.progress import ProgressReader
from forwarder_core.media.slots import Slots
from forwarder_core.media.sniff import sniff
from forwarder_core.media.store import MediaStore
from forwarder_core.media.tools import find_ffmpeg


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", "empty"),
        (b"<!doctype html><html>", "web page"),
        (b"\n\n  <HTML>", "web page"),
        (b"\xef\xbb\xbf<html>", "web page"),
        (b'{"error": 1}', "JSON"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"GIF89a", "GIF"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI"),
        (b"#EXTM3U\n", "playlist"),
        (b"ffconcat version 1.0\n", "ffconcat"),
        (b"<svg xmlns=", "SVG"),
        (b"<?xml version='1.0'?><MPD>", "XML"),
        (b"v=0\r\no=- 0 0 IN IP4", "SDP"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"random bytes of no kind", "unknown"),
    ],
)
def test_a_file_that_is_no_video_is_named(tmp_path: Path, head: bytes, words: str) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(head)
    with pytest.raises(MediaRejected, match=words) as caught:
        sniff(path)
    assert caught.value.action != MediaRejected.action


def test_the_two_families_pass(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\0\0\0\x18ftypisom")
    assert sniff(path) == "mp4"
    path.write_bytes(b"\x1a\x45\xdf\xa3\x01")
    assert sniff(path) == "matroska"
    with pytest.raises(LocalFailed):
        sniff(tmp_path / "missing")


def test_progress_is_read_from_split_blocks_and_never_goes_back() -> None:
    reader = ProgressReader(10.0)
    assert reader.feed(b"out_time_us=N/A\nspeed=N/A\nprogress=continue\n") is not None
    assert reader.feed(b"out_time_us=250") is None
    half = reader.feed(b"0000\nspeed=0.5x\nprogress=continue\n")
    assert half is not None
    assert (half.fraction, half.speed, half.eta_s) == (0.25, 0.5, 15.0)
    back = reader.feed(b"out_time_us=1000000\nprogress=continue\n")
    assert back is not None
    assert back.fraction == 0.25
    end = reader.feed(b"out_time_us=99000000\nprogress=end\n")
    assert end is not None
    assert (end.fraction, end.eta_s) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("code", "stderr", "expected"),
    [
        (1, "av_interleaved_write_frame(): No space left on device", LocalFailed),
        (-9, "", LocalFailed),
        (137, "", LocalFailed),
        (1, "x264: malloc of size 1 failed\nCannot allocate memory", MediaRejected),
        (255, "", LocalFailed),
        (127, "nice: 'ffmpeg': No such file or directory", LocalFailed),
        (1, "/x: Permission denied", LocalFailed),
        (1, "Unrecognized option 'fps_mode'.", Bug),
        (1, "Error parsing ADTS frame header!", MediaRejected),
        (-11, "", MediaRejected),
        (1, "Invalid NAL unit size (0 > 8)", MediaRejected),
    ],
)
def test_what_a_failed_ffmpeg_means(code: int, stderr: str, expected: type[Exception]) -> None:
    assert type(failure(code, stderr)) is expected


def test_slots_are_shared_between_processes_and_die_with_them(tmp_path: Path) -> None:
    slots = Slots(tmp_path / "slots", 1)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys,time; from pathlib import Path; from forwarder_core.media.slots import Slots\n"
            "with Slots(Path(sys.argv[1]), 1).take(): print('held', flush=True); time.sleep(60)",
            str(slots.folder),
        ],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        waited: list[float] = []
        with pytest.raises(Cancelled), slots.take(cancelled=lambda: len(waited) > 0, waiting=waited.append):
            pass
        holder.kill()
        holder.wait()
        with slots.take() as number:
            assert number == 0
    finally:
        holder.kill()
        holder.wait()
        if holder.stdout is not None:
            holder.stdout.close()


def test_as_many_slots_as_named(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 2)
    with slots.take() as first, slots.take() as second:
        assert {first, second} == {0, 1}
        stop = threading.Event()
        stop.set()
        with pytest.raises(Cancelled), slots.take(cancelled=stop.is_set):
            pass


def test_copies_have_twice_as_many_slots_of_their_own(tmp_path: Path) -> None:
    copies = Slots(tmp_path, 1).of_copies
    with Slots(tmp_path, 1).take(), copies.take() as first, copies.take() as second:
        assert {first, second} == {0, 1}
        with pytest.raises(Cancelled), copies.take(cancelled=lambda: True):
            pass


def test_a_job_folder_is_private_and_goes_whole(tmp_path: Path) -> None:
    store = MediaStore(tmp_path)
    folder = store.open(7)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.source.write_bytes(b"12")
    (folder.path / "rendition.part.mp4").write_bytes(b"345")
    assert (folder.size_bytes, list(store.job_ids())) == (5, ["7"])
    folder.clear_work()
    assert [entry.name for entry in folder.path.iterdir()] == ["source.mp4"]
    store.remove(7)
    store.remove(7)
    assert list(store.job_ids()) == []
    assert list((tmp_path / "jobs").iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "-x", "x" * 65])
def test_a_job_id_cannot_leave_the_store(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no job id"):
        MediaStore(tmp_path).folder(name)


def test_a_full_disk_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LocalFailed, match="MB free") as caught:
        MediaStore(tmp_path).open(1, expected_bytes=10**15)
    assert "Free space" in caught.value.action
    monkeypatch.setattr(stores, "KEEP_FREE_BYTES", 10**16)
    with pytest.raises(LocalFailed):
        MediaStore(tmp_path).open(1)


def test_ffmpeg_is_found_and_a_wrong_setting_is_not_papered_over(tmp_path: Path) -> None:
    found = find_ffmpeg()
    assert found.path.is_absolute()
    assert find_ffmpeg(found.path).version == found.version
    assert find_ffmpeg(found.path).light.path == found.path
    assert "imageio_ffmpeg" in found.light.path.parts, "the one that starts at less cost"
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\necho hello\n")
    fake.chmod(0o755)
    with pytest.raises(FfmpegMissing, match="is not ffmpeg"):
        find_ffmpeg(fake)
    fake.write_text("#!/bin/sh\necho ffmpeg version 1 --disable-x264\n")
    other = fake.rename(tmp_path / "ffmpeg2")
    with pytest.raises(FfmpegMissing, match="libx264"):
        find_ffmpeg(other)
    with pytest.raises(FfmpegMissing):
        find_ffmpeg(tmp_path / "missing")
