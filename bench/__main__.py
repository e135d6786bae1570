"""`python -m bench [NAME…] [--rounds N] [--jobs N] [--json]`: run benches and print what they measured."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Mapping

# The module of each; `history` is what lays a past, `aged` what measures beside it.
BENCHES: Mapping[str, str] = {
    **{name: name for name in ("analytics", "anomalies", "api", "burst", "celery", "detect", "fingerprint", "forward")},
    "history": "aged",
    **{name: name for name in ("idle", "latency", "pooled", "soak", "ui", "video")},
}
_OF_ANY_LENGTH = ("analytics", "history", "ui")


def main() -> int:
    parser = argparse.ArgumentParser(prog="run bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; default all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, help=f"of {' and '.join(_OF_ANY_LENGTH)}: how long a history")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHES]:
        parser.error(f"there is no bench {', '.join(unknown)}")
    found = {}
    for name in options.names or BENCHES:
        more = {"jobs": options.jobs} if options.jobs and name in _OF_ANY_LENGTH else {}
        found[name] = importlib.import_module(f"bench.{BENCHES[name]}").measure(options.rounds, **more)
    sys.stdout.write(json.dumps(found) + "\n" if options.json else _table(found))
    return 0


def _table(found: Mapping[str, Mapping[str, Mapping[str, float | str]]]) -> str:
    lines = ["| bench | metric | ours | baseline | ratio | rounds |", "|---|---|---|---|---|---|"]
    for bench, metrics in found.items():
        for name, m in metrics.items():
            unit = m["unit"]
            cells = (bench, name, f"{m['ours']} {unit}", f"{m['baseline']} {unit}", m["ratio"], m["rounds"])
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
