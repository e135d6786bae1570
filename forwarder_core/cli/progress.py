"""Progress lines on stderr: seconds since the start, then what happened. stdout belongs to the result."""

from __future__ import annotations

import sys
import time

from forwarder_core.embedded.supervisor import Report


def reporter() -> Report:
    began = time.monotonic()

    def report(line: str) -> None:
        print(f"[{time.monotonic() - began:5.1f} s] {line}", file=sys.stderr, flush=True)

    return report
