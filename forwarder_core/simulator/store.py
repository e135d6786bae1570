"""The simulator's one SQLite file: connection, tables, transactions. What the rows mean lives beside their readers.

One connection behind one lock serves every thread. WAL with synchronous=NORMAL: a killed process loses nothing that
was committed; only a power cut may lose the last moments, and the simulator does not simulate those.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (
  platform TEXT NOT NULL, id TEXT NOT NULL, username TEXT NOT NULL, password TEXT NOT NULL,
  secrets TEXT NOT NULL, challenge TEXT,
  PRIMARY KEY (platform, id), UNIQUE (platform, username));
CREATE TABLE IF NOT EXISTS posts (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, platform TEXT NOT NULL, account_id TEXT NOT NULL, id TEXT NOT NULL,
  url TEXT NOT NULL, title TEXT NOT NULL, caption TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL,
  size_bytes INTEGER NOT NULL, duration_ms INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
  privacy TEXT NOT NULL, published_at TEXT NOT NULL, tags TEXT NOT NULL, uploaded INTEGER NOT NULL,
  verdict TEXT NOT NULL, UNIQUE (platform, id));
CREATE INDEX IF NOT EXISTS posts_of_account ON posts (platform, account_id, seq);
CREATE TABLE IF NOT EXISTS notes (platform TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (platform, key));
CREATE TABLE IF NOT EXISTS faults (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, place TEXT NOT NULL, value TEXT NOT NULL,
  remaining INTEGER, hits INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS requests (seq INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS failures (seq INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS telegram_messages (
  message_id INTEGER PRIMARY KEY AUTOINCREMENT, chat_id TEXT NOT NULL, text TEXT NOT NULL, raw TEXT NOT NULL,
  parse_mode TEXT, reply_to INTEGER, reply_markup TEXT, sent_at TEXT NOT NULL, edited_at TEXT);
CREATE TABLE IF NOT EXISTS telegram_updates (update_id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
"""
_TABLES = (
    "accounts",
    "posts",
    "notes",
    "faults",
    "requests",
    "failures",
    "telegram_messages",
    "telegram_updates",
)


class Store:
    def __init__(self, file: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is committed together, or not at all. Not to be nested."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, tuple(values)).fetchall()

    def row(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Row | None:
        found = self.rows(sql, values)
        return found[0] if found else None

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """One statement, committed. Returns how many rows it changed."""
        with self._lock:
            return self._connection.execute(sql, tuple(values)).rowcount

    def clear(self) -> None:
        """Everything but `meta`: the seed and the counters."""
        with self.transaction() as db:
            for table in _TABLES:
                db.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def count_up(db: sqlite3.Connection, key: str, *, at_least: int = 1) -> int:
    """The next number of the counter `key`: one more than the last, and never below `at_least`."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    number = max(int(row["value"]) + 1 if row else at_least, at_least)
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, str(number)))
    return number
