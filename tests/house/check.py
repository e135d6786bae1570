"""`./run check`: everything that can be said without running the product, side by side on two cores.

Format and lint of all Python, types, import contracts, the house rules. Each prints only when it fails.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# The longest first: two run at a time.
CHECKS: dict[str, list[str]] = {
    "types": [str(BIN / "mypy"), "--no-error-summary"],
    "house rules": [sys.executable, "-m", "pytest", "-q", "--no-header", "-m", "not slow", "tests/house"],
    "imports": [str(BIN / "lint-imports"), "--cache-dir", ".cache/import-linter"],
    "lint": [str(BIN / "ruff"), "check", "--quiet", "--output-format", "concise", "."],
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
}


def run(name: str) -> tuple[str, int, str, float]:
    began = time.monotonic()
    done = subprocess.run(
        CHECKS[name], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return name, done.returncode, done.stdout, time.monotonic() - began


def main() -> int:
    failed = []
    with ThreadPoolExecutor(2) as pool:
        for name, code, said, seconds in pool.map(run, CHECKS):
            sys.stdout.write(f"{'ok    ' if code == 0 else 'FAILED'} {name} ({seconds:.1f} s)\n")
            if code != 0:
                sys.stdout.write(said.rstrip() + "\n")
                failed.append(name)
    sys.stdout.write(f"check failed: {', '.join(failed)}\n" if failed else "check passed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
