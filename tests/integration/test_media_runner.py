"""The process around ffmpeg: cancelled in time, never stuck, never orphaned."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from forwarder_core.domain.transforms import TransformOptions
from forwarder_core.errors import LocalFailed, MediaRejected
from forwarder_core.media import process
from forwarder_core.media.failures import Cancelled
from forwarder_core.media.plan import plan
from forwarder_core.media.probe import probe
from forwarder_core.media.progress import Progress
from forwarder_core.media.render import render
from forwarder_core.media.runner import Clocks, run
from forwarder_core.media.tools import find_ffmpeg
from tests.unit.media.samples import LIMITS, make_clip

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ENDLESS = ["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=64x64", "-progress", "pipe:1", "-f", "null", "-"]


def endless() -> list[str]:
    return [str(find_ffmpeg().path), *ENDLESS]


def children() -> set[int]:
    """Processes whose parent we are."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid():
                found.add(int(entry.name))
    return found


def is_running(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


@pytest.fixture(params=["setpriv", "launcher"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of tying a child to its parent."""
    if request.param == "launcher":
        monkeypatch.setattr(process, "_setpriv", lambda: None)
    elif process._setpriv() is None:
        pytest.fail("no setpriv here: install util-linux")
    return str(request.param)


def test_a_run_tells_what_it_cost(way: str) -> None:
    ran = run([str(find_ffmpeg().path), "-version"], duration_s=1)
    assert 0 < ran.cpu_s < 5
    assert ran.max_rss_bytes > 1_000_000


def test_cancelling_takes_at_most_four_seconds(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", size="640x360", seconds=20, sound=None)
    decided = plan(probe(source), TransformOptions(), LIMITS)
    stop, before = threading.Event(), children()
    at: list[float] = []

    def press(_: Progress) -> None:
        if not stop.is_set():
            at.append(time.monotonic())
            stop.set()

    with pytest.raises(Cancelled):
        render(decided, source, tmp_path / "r.mp4", ffmpeg=find_ffmpeg(), progress=press, cancelled=stop.is_set)
    assert time.monotonic() - at[0] < 4.0
    assert children() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["source.mp4"]


def test_one_that_ignores_term_is_killed() -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('progress=continue', flush=True); time.sleep(60)"
    )
    stop = threading.Event()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        run([sys.executable, "-c", script], duration_s=1, progress=lambda _: stop.set(), cancelled=stop.is_set)
    assert 3.0 <= time.monotonic() - started < 6.0


def test_one_that_stands_still_is_ended_and_one_that_works_in_silence_is_not() -> None:
    with pytest.raises(LocalFailed, match="stood still"):
        run([sys.executable, "-c", "import time; time.sleep(60)"], duration_s=1, clocks=Clocks(stall_s=1.0))
    busy = "import time\nend = time.process_time() + 1.5\nwhile time.process_time() < end: pass"
    assert run([sys.executable, "-c", busy], duration_s=1, clocks=Clocks(stall_s=1.0)).cpu_s >= 1.5


def test_the_wall_limit_ends_what_runs_for_ever() -> None:
    with pytest.raises(LocalFailed, match="not done after"):
        run(endless(), duration_s=1, clocks=Clocks(wall_s=1.0))


def test_an_error_in_the_progress_callback_leaves_no_process(way: str) -> None:
    before = children()

    def fail(_: Progress) -> None:
        raise RuntimeError("fenced")

    with pytest.raises(RuntimeError, match="fenced"):
        run(endless(), duration_s=1, progress=fail)
    assert children() == before


def test_a_child_has_no_network_where_the_system_allows_that_and_is_bound_by_limits(way: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = (
            "import resource, socket, sys\n"
            "limits = [resource.getrlimit(getattr(resource, f'RLIMIT_{n}'))[1] for n in ('CORE', 'DATA', 'FSIZE')]\n"
            "called = socket.socket().connect_ex(('127.0.0.1', int(sys.argv[1]))) == 0\n"
            "sys.stderr.write(f'{limits} {called}')"
        )
        said = run([sys.executable, "-c", script, str(server.getsockname()[1])], duration_s=1).stderr
    assert said == f"[0, {process.memory_bytes(os.cpu_count() or 1)}, {16 << 30}] {not process._without_network()}"


def test_a_child_may_take_one_gigabyte_and_more_only_for_4k_and_many_cores() -> None:
    assert process.memory_bytes(2) == process.memory_bytes(4) == 1 << 30
    assert process.memory_bytes(2, is_large=True) == 3 << 30
    assert process.memory_bytes(16) == (1 << 30) + 12 * (128 << 20)


def test_too_much_memory_is_refused_to_it_and_not_taken_from_the_server() -> None:
    with pytest.raises((LocalFailed, MediaRejected)):
        run([sys.executable, "-c", "x = bytearray(4 << 30)"], duration_s=1)


def test_a_killed_worker_leaves_no_ffmpeg_and_no_final_file(tmp_path: Path) -> None:
    make_clip(tmp_path / "source.mp4", size="640x360", seconds=20, sound=None)
    script = (
        "import sys; from pathlib import Path\n"
        "from forwarder_core.domain.transforms import TransformOptions\n"
        "from forwarder_core.media.plan import plan; from forwarder_core.media.probe import probe\n"
        "from forwarder_core.media.render import render; from forwarder_core.media.tools import find_ffmpeg\n"
        "from tests.unit.media.samples import LIMITS\n"
        "folder = Path(sys.argv[1]); source = folder / 'source.mp4'\n"
        "render(plan(probe(source), TransformOptions(), LIMITS), source, folder / 'rendition.mp4',\n"
        "       ffmpeg=find_ffmpeg(), cover=folder / 'cover.jpg',\n"
        "       progress=lambda at: (folder / 'begun').write_text(str(at.fraction)))\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT)
    try:
        _wait_for(lambda: (tmp_path / "begun").exists(), within_s=60)
        (child,) = psutil.Process(worker.pid).children(recursive=True)
        worker.kill()
        worker.wait()
        killed_at = time.monotonic()
        _wait_for(lambda: not is_running(child.pid))
        assert time.monotonic() - killed_at < 2.0
    finally:
        worker.kill()
        worker.wait()
    left = {entry.name for entry in tmp_path.iterdir()} - {"begun"}
    assert left <= {"source.mp4", "rendition.part.mp4", "cover.part.jpg"}, "nothing under a final name"


def test_a_flood_of_complaints_is_kept_to_its_end() -> None:
    script = "import sys\nfor i in range(40000): sys.stderr.write(f'line {i}\\n')"
    ran = run([sys.executable, "-c", script], duration_s=1)
    assert len(ran.stderr) <= 64 * 1024
    assert ran.stderr.endswith("line 39999\n")


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(LocalFailed, match="not there any more"):
        run(["/nonexistent/ffmpeg"], duration_s=1)


@pytest.mark.parametrize("prefix", ["", "process._setpriv = lambda: None; "])
def test_ffmpeg_dies_with_a_killed_worker(tmp_path: Path, prefix: str) -> None:
    note = tmp_path / "pid"
    script = (
        "import sys; from pathlib import Path; from forwarder_core.media import process, runner\n"
        f"{prefix}\n"
        "born = process.Child.__init__\n"
        "def noted(self, argv, **more):\n"
        "    born(self, argv, **more); Path(sys.argv[1]).write_text(str(self.process.pid))\n"
        "process.Child.__init__ = noted\n"
        "runner.run(sys.argv[2:], duration_s=60)\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", script, str(note), *endless()], cwd=ROOT)
    try:
        pid = _wait_for(lambda: int(note.read_text()) if note.exists() and note.read_text() else 0)
        _wait_for(lambda: "ffmpeg" in (Path("/proc") / str(pid) / "comm").read_text())
        time.sleep(0.2)
        worker.kill()
        worker.wait()
        _wait_for(lambda: not is_running(pid))
    finally:
        worker.kill()
        worker.wait()
        if note.exists() and is_running(int(note.read_text())):
            os.kill(int(note.read_text()), signal.SIGKILL)


def _wait_for(look: Callable[[], int], within_s: float = 10.0) -> int:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        found = look()
        if found:
            return int(found)
        time.sleep(0.05)
    raise AssertionError(f"it did not happen within {within_s:g} s")
