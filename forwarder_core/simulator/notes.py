"""A fake's durable notes: a mapping of JSON values, each change written through at once.

The fact to know: a value read is a copy. Changing it in place changes nothing; assign it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from typing import Any

from forwarder_core.simulator.store import Store


class Notes(MutableMapping[str, Any]):
    def __init__(self, store: Store, platform: str) -> None:
        self._store = store
        self._platform = platform

    def __getitem__(self, key: str) -> Any:
        row = self._store.row("SELECT value FROM notes WHERE platform = ? AND key = ?", (self._platform, key))
        if row is None:
            raise KeyError(key)
        return json.loads(row["value"])

    def __setitem__(self, key: str, value: Any) -> None:
        self._store.run("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (self._platform, key, json.dumps(value)))

    def __delitem__(self, key: str) -> None:
        if not self._store.run("DELETE FROM notes WHERE platform = ? AND key = ?", (self._platform, key)):
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        rows = self._store.rows("SELECT key FROM notes WHERE platform = ? ORDER BY rowid", (self._platform,))
        return iter([row["key"] for row in rows])

    def __len__(self) -> int:
        row = self._store.row("SELECT count(*) AS n FROM notes WHERE platform = ?", (self._platform,))
        return int(row["n"]) if row else 0
