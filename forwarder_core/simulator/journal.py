"""What happened: the request log and the failures. A failure is a call the simulated world does not know.

Failures are what a test looks at last: a client that asked for an unknown name or path would, outside, have done
something nobody foresaw.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from forwarder_core.simulator.store import Store

_KEEP_REQUESTS = 50_000
_TRIM_EVERY = 1_000


@dataclass(slots=True, kw_only=True)
class RequestEntry:
    """One request, completed while it is answered. `status` None = the client left, or was left, without an answer.

    `client` reads “address via proxy[ as user]” or “address direct”: the same for every request of one way in.
    """

    at: datetime
    client: str
    host: str
    method: str
    path: str
    platform: str | None = None
    account: str | None = None
    status: int | None = None
    proxy: str | None = None
    proxy_user: str | None = None
    exit_ip: str | None = None
    http: str = "1.1"
    faults: list[str] = field(default_factory=list)  # those that struck, in order


current: ContextVar[RequestEntry | None] = ContextVar("simulator_request", default=None)


class Journal:
    def __init__(self, store: Store) -> None:
        self._store = store

    def request(self, entry: RequestEntry) -> None:
        with self._store.transaction() as db:
            cursor = db.execute("INSERT INTO requests (entry) VALUES (?)", (_dump(asdict(entry)),))
            seq = cursor.lastrowid or 0
            if seq % _TRIM_EVERY == 0:
                db.execute("DELETE FROM requests WHERE seq <= ?", (seq - _KEEP_REQUESTS,))

    def requests(self, **wanted: str) -> list[dict[str, Any]]:
        """Oldest first; those whose fields equal `wanted`."""
        rows = self._store.rows("SELECT entry FROM requests ORDER BY seq")
        entries = [json.loads(row["entry"]) for row in rows]
        return [entry for entry in entries if all(entry[name] == value for name, value in wanted.items())]

    def failure(self, *, at: datetime, kind: str, host: str, detail: str, method: str = "", path: str = "") -> None:
        entry = {"at": at, "kind": kind, "host": host, "method": method, "path": path, "detail": detail}
        self._store.run("INSERT INTO failures (entry) VALUES (?)", (_dump(entry),))

    def failures(self) -> list[dict[str, Any]]:
        return [json.loads(row["entry"]) for row in self._store.rows("SELECT entry FROM failures ORDER BY seq")]


def _dump(entry: dict[str, Any]) -> str:
    return json.dumps(entry, default=datetime.isoformat)
