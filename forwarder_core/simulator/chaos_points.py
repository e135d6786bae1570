"""The first phase of chaos: every named crash point, fired once in a running stack, in several ways of dying.

What lives here: which point in which mode, and how each is made to be passed. What does not: random kills.
The fact to know: all crashes of a round are armed at once. Each fires once per home, so a job that dies at one point
goes on to the next one, and the round needs about as long as the longest chain of rescues.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from forwarder_core.crashpoints import POINTS, CrashAt, Mode
from forwarder_core.simulator.chaos import Drill

ROUND_S = 360.0  # longest one round may take until each of its crashes has happened; 150 were too few under load
_FAIL_EVERY_S = 8.0
# A stop in good order matters where a worker holds a job; elsewhere it is an ordinary end of a process.
_TERMED = tuple(
    point for point in POINTS if point.partition(".")[0] in ("claim", "fetch", "transform", "publish", "verify")
)
# A bug, as mode `raise` is one, ends a job as dead by design. It is thrown where no job is carried yet or any more.
_RAISED = (
    "poll.before_commit",
    "poll.after_commit",
    "dispatch.before_stamp",
    "dispatch.after_stamp",
    "claim.before",
    "claim.after",
    "success.before",
    "success.after",
    "reap.before",
    "reap.after",
)
KILLS = tuple(CrashAt(point) for point in POINTS)
OTHERS = tuple(CrashAt(point, mode=Mode.TERM) for point in _TERMED) + tuple(
    CrashAt(point, mode=Mode.RAISE) for point in _RAISED
)


def fire(drill: Drill, armed_file: Path, crashes: Sequence[CrashAt], *, longest_s: float = ROUND_S) -> list[str]:
    """Have each of these crashes happen, while posts keep coming. Returns those that did not."""
    home = drill.core.settings.home
    wanted = {crash: crash.marker(home) for crash in crashes}
    fails_at = end = time.monotonic()
    end += longest_s
    try:
        while left := [crash for crash, marker in wanted.items() if not marker.exists()]:
            _arm(armed_file, left)
            if time.monotonic() > end:
                break
            if time.monotonic() >= fails_at and any(crash.point.startswith("failure.") for crash in left):
                drill.world.arm("http_5xx", count=2, match={"platform": "youtube"})
                fails_at = time.monotonic() + _FAIL_EVERY_S
            drill.keep_busy()
            drill.wait(0.5)
    finally:
        armed_file.unlink(missing_ok=True)
    fired = len(wanted) - len(left)
    drill.kills += fired
    drill.counts["crash points fired"] += fired
    drill.report(f"{fired} of {len(wanted)} crashes happened")
    return [str(crash) for crash in left]


def _arm(file: Path, crashes: Sequence[CrashAt]) -> None:
    """Whole or not at all: processes read it while it is written."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.write_text("".join(f"{crash}\n" for crash in crashes), "ascii")
    unfinished.replace(file)
