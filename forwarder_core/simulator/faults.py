"""Faults: which there are, where one applies, and the book of those armed. Acting them out is the business of others.

Names without a prefix are acted out by the app's middleware (HTTP_FAULTS) or by a platform's fake (FAKE_FAULTS);
`proxy_*` by the gateway, once per new connection (one that is open already is not struck). The fact to know: a fault
is taken in one guarded UPDATE, so that a count of 1 strikes once however many requests arrive together.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from forwarder_core.simulator.store import Store

HTTP_FAULTS = (
    "latency",
    "stall",
    "http_429",
    "http_5xx",
    "http_401",
    "http_403",
    "html_200",
    "empty_200",
    "truncated",
    "wrong_json",
    "wrong_types",  # the true answer, each of its values of another type
    "broken_json",
    "gzip_bomb",
    "drip",  # a byte now and then, for five minutes
)
FAKE_FAULTS = (
    "challenge",
    "token_expired",
    "invalid_grant",
    "quota",
    "duplicate",
    "never_finishes",
    "answer_lost",
    "listing_lag",
    "caption_dropped",
    "flood_limit",  # Telegram only: more than 20 messages a minute in one chat are refused while it is armed
)
PROXY_FAULTS = (
    "proxy_refuse",
    "proxy_delay",
    "proxy_throttle",
    "proxy_cut",
    "proxy_hang",
    "proxy_407",
)
ALL_FAULTS = HTTP_FAULTS + FAKE_FAULTS + PROXY_FAULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a fault strikes; None = anywhere. `route` is a path's beginning or a glob over it, `host` a glob.

    `account` is an account's id. `proxy` is a proxy's id or port, for proxy faults.
    """

    platform: str | None = None
    route: str | None = None
    account: str | None = None
    host: str | None = None
    proxy: str | None = None

    def covers(self, here: Place) -> bool:
        return (
            self.platform in (None, here.platform)
            and self.account in (None, here.account)
            and self.proxy in (None, here.proxy)
            and (self.host is None or fnmatchcase(here.host or "", self.host))
            and (self.route is None or _on_route(self.route, here.route or ""))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmedFault:
    """`remaining` None = until it is deleted. `value` holds what the fault needs: seconds, status, after_bytes …"""

    id: int
    name: str
    place: Place
    value: Mapping[str, Any] = field(default_factory=dict)
    remaining: int | None = 1
    hits: int = 0


class FaultBook:
    def __init__(self, store: Store) -> None:
        self._store = store

    def arm(self, name: str, place: Place, *, count: int | None = 1, value: Mapping[str, Any]) -> ArmedFault:
        with self._store.transaction() as db:
            cursor = db.execute(
                "INSERT INTO faults (name, place, value, remaining) VALUES (?, ?, ?, ?)",
                (name, json.dumps(asdict(place)), json.dumps(dict(value)), count),
            )
            row = db.execute("SELECT * FROM faults WHERE id = ?", (cursor.lastrowid,)).fetchone()
        return _fault(row)

    def armed(self) -> list[ArmedFault]:
        """All that were armed since the last clearing, spent ones (`remaining` 0) too."""
        return [_fault(row) for row in self._store.rows("SELECT * FROM faults ORDER BY id")]

    def waiting(self, *names: str) -> list[ArmedFault]:
        """Those of `names` that can still strike."""
        rows = self._store.rows("SELECT * FROM faults WHERE remaining IS NULL OR remaining > 0 ORDER BY id")
        return [_fault(row) for row in rows if row["name"] in names]

    def take(self, here: Place, *names: str) -> ArmedFault | None:
        """The first waiting fault of `names` that covers `here`, its count reduced by one."""
        candidates = [fault for fault in self.waiting(*names) if fault.place.covers(here)]
        for fault in candidates:
            taken = self._store.run(
                "UPDATE faults SET remaining = remaining - 1, hits = hits + 1"
                " WHERE id = ? AND (remaining IS NULL OR remaining > 0)",
                (fault.id,),
            )
            if taken:
                return fault
        return None

    def disarm(self, fault_id: int | None = None) -> int:
        """One fault, or all. Returns how many there were."""
        if fault_id is None:
            return self._store.run("DELETE FROM faults")
        return self._store.run("DELETE FROM faults WHERE id = ?", (fault_id,))


def _on_route(pattern: str, path: str) -> bool:
    return path.startswith(pattern) or fnmatchcase(path, pattern)


def _fault(row: sqlite3.Row) -> ArmedFault:
    return ArmedFault(
        id=row["id"],
        name=row["name"],
        place=Place(**json.loads(row["place"])),
        value=json.loads(row["value"]),
        remaining=row["remaining"],
        hits=row["hits"],
    )
