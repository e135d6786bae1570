"""What a home remembers of its embedded cluster: where it lies, its port, its password.

The fact to know: the record is written before the cluster is made, so a start cut short finds the password again.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from forwarder_core.embedded.ports import free_port, is_free
from forwarder_core.errors import StartError


@dataclass(frozen=True, slots=True)
class ClusterRecord:
    """`outside`: the cluster's folder where it could not lie in the home; None = `<home>/postgres`."""

    port: int
    password: str = field(repr=False)
    outside: str | None = None

    def folder(self, home: Path) -> Path:
        return Path(self.outside) if self.outside else home / "postgres"


def record_path(home: Path) -> Path:
    return home / "postgres" / "cluster.json"


def read_record(home: Path) -> ClusterRecord | None:
    path = record_path(home)
    try:
        return ClusterRecord(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as e:
        raise StartError(
            f"{path} cannot be read ({type(e).__name__}).",
            action="Put the file back from a backup: it holds the password of the database beside it.",
        ) from e


def write_record(home: Path, record: ClusterRecord) -> ClusterRecord:
    """Whole or not at all, readable by its owner only."""
    path = record_path(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as out:
        json.dump(asdict(record), out)
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(path)
    return record


def new_record(outside: Path | None) -> ClusterRecord:
    return ClusterRecord(free_port(), secrets.token_urlsafe(32), str(outside) if outside else None)


def with_free_port(home: Path, record: ClusterRecord) -> ClusterRecord:
    """The record, with another port where another program holds its own by now."""
    return record if is_free(record.port) else write_record(home, replace(record, port=free_port()))
