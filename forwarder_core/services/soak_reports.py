"""What the soaks of this installation found: each run's verdict as a file in `<home>/reports`, and the last of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

_MOST_KEPT = 20


def keep(home: Path, told: Mapping[str, Any], at: datetime) -> Path:
    """`told`: as `./run soak --json` prints it."""
    folder = home / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"soak-{at:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps({"at": at.isoformat(timespec="seconds"), **told}), "utf-8")
    for old in sorted(folder.glob("soak-*.json"))[:-_MOST_KEPT]:
        old.unlink(missing_ok=True)
    return path


def newest(home: Path, most: int = _MOST_KEPT) -> list[dict[str, Any]]:
    """Newest first; a file somebody broke is left out."""
    found = []
    for path in sorted((home / "reports").glob("soak-*.json"), reverse=True)[:most]:
        try:
            told = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(told, dict):
            found.append(told)
    return found
