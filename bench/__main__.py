"""`python -m bench [NAME…] [--rounds N] [--json]`: run benches and print what they measured."""

from __future__ import annotations

import argparse
import importlib
import json
import sys

NAMES = ("analytics", "api", "burst", "fingerprint", "forward", "idle", "latency", "video")


def main() -> int:
    parser = argparse.ArgumentParser(prog="run bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; default all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in NAMES]:
        parser.error(f"there is no bench {', '.join(unknown)}")
    found = {name: importlib.import_module(f"bench.{name}").measure(options.rounds) for name in options.names or NAMES}
    sys.stdout.write(json.dumps(found) + "\n" if options.json else _table(found))
    return 0


def _table(found: dict[str, dict[str, dict[str, float | str]]]) -> str:
    lines = ["| bench | metric | ours | baseline | ratio | rounds |", "|---|---|---|---|---|---|"]
    for bench, metrics in found.items():
        for name, m in metrics.items():
            unit = m["unit"]
            cells = (bench, name, f"{m['ours']} {unit}", f"{m['baseline']} {unit}", m["ratio"], m["rounds"])
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
