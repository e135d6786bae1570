"""The reader that processes share: as right as one for each file alone, and nothing rests on its life."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from forwarder_core.media import reader
from forwarder_core.media.probe import probe
from forwarder_core.media.reader import Reader
from tests.unit.media.samples import make_clip

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setattr(reader, "_kept", [])
    monkeypatch.setenv("FORWARDER_ADMIN_PASSWORD", "not for those who read files")
    reader.keep()
    started = reader.kept()
    assert started is not None
    yield started
    started.end()


def test_it_reads_what_a_process_for_the_file_alone_reads_and_each_by_another_process(
    clip: Path, kept: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = [probe(clip), probe(clip)]
    monkeypatch.setattr(reader, "_kept", [])
    assert seen == [probe(clip)] * 2
    assert "FORWARDER_ADMIN_PASSWORD" not in psutil.Process(kept.process.pid).environ()


def test_a_process_that_dies_at_its_file_takes_no_other_with_it(clip: Path, kept: Reader) -> None:
    assert kept.ask([], timeout_s=20) == b""  # as one whose decoder crashed: it ended without a word
    assert probe(clip).width
    assert kept.process.poll() is None


def test_where_the_reader_was_killed_files_are_read_without_it(clip: Path, kept: Reader) -> None:
    kept.process.kill()
    kept.process.wait(10)
    with pytest.raises(OSError):
        kept.ask([f"file:{clip}", "1"], timeout_s=5)
    assert probe(clip).width


def test_it_ends_when_nobody_is_left_who_could_ask(kept: Reader) -> None:
    kept.line.close()
    assert kept.process.wait(20) == 0
