"""The simulated world, durable: accounts, posts, notes. The `World` that fakes are given, and what only control uses.

HTTP is not here, nor what a platform answers. The fact to know: an upload counts as accepted when its row is
committed; the file is linked into place before and its first name removed after, so a kill in between loses nothing
and a repeated `publish` of the same post id returns the post there is.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from forwarder_core.clock import Clock, ManualClock, SystemClock
from forwarder_core.connectors.base import WorldAccount, WorldFault, WorldPost
from forwarder_core.domain.limits import Limits
from forwarder_core.simulator import identifiers, journal, records
from forwarder_core.simulator.faults import FaultBook, Place
from forwarder_core.simulator.journal import Journal
from forwarder_core.simulator.judge import judge
from forwarder_core.simulator.notes import Notes
from forwarder_core.simulator.probe import Probe, probe
from forwarder_core.simulator.store import Store, count_up

UNFINISHED = "clip-"  # how names of half-made files begin in the upload folder; swept at the next start
LimitsOf = Callable[[str], Limits | None]


class Taken(ValueError):
    """The platform has an account of this name already."""


def _no_limits(platform: str) -> Limits | None:
    return None


class SimulatedWorld:
    """Implements `forwarder_core.connectors.base.World`. Safe to use from several threads."""

    def __init__(
        self,
        home: Path,
        *,
        clock: Clock | None = None,
        limits_of: LimitsOf = _no_limits,
        seed: int | None = None,
    ) -> None:
        self.folder = home / "simulator"
        for name in ("media", "uploads"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for left in self.upload_dir().glob(f"{UNFINISHED}*"):
            shutil.rmtree(left)
        self.store = Store(self.folder / "world.sqlite3")
        self.faults = FaultBook(self.store)
        self.journal = Journal(self.store)
        self._clock = clock or SystemClock()
        self._limits_of = limits_of
        self._wanted_seed = seed
        self._accepting = threading.Lock()

    # ---- the protocol the fakes see -----------------------------------------------------------------------------

    def now(self) -> datetime:
        return self._clock.now()

    def account(self, platform: str, key: str) -> WorldAccount | None:
        rows = self.store.rows(
            "SELECT * FROM accounts WHERE platform = ? AND (id = ? OR username = ?) ORDER BY id = ? DESC",
            (platform, key, key, key),
        )
        return records.account(rows[0]) if rows else None

    def accounts(self, platform: str) -> Sequence[WorldAccount]:
        rows = self.store.rows("SELECT * FROM accounts WHERE platform = ? ORDER BY rowid", (platform,))
        return [records.account(row) for row in rows]

    def update_account(self, platform: str, account_id: str, **fields: Any) -> WorldAccount:
        """Fields: username, password, secrets, challenge. Raises KeyError for an unknown account or field."""
        changes = records.account_columns(fields)
        assignments = ", ".join(f"{name} = ?" for name in changes)
        if changes and not self.store.run(
            f"UPDATE accounts SET {assignments} WHERE platform = ? AND id = ?",
            (*changes.values(), platform, account_id),
        ):
            raise KeyError(account_id)
        found = self.account(platform, account_id)
        if found is None:
            raise KeyError(account_id)
        return found

    def posts(self, platform: str, account_id: str) -> Sequence[WorldPost]:
        rows = self.store.rows(
            "SELECT * FROM posts WHERE platform = ? AND account_id = ? ORDER BY published_at DESC, seq DESC",
            (platform, account_id),
        )
        return [records.post(row, self.folder) for row in rows]

    def post(self, platform: str, post_id: str) -> WorldPost | None:
        row = self.store.row("SELECT * FROM posts WHERE platform = ? AND id = ?", (platform, post_id))
        return records.post(row, self.folder) if row else None

    def delete_post(self, platform: str, post_id: str) -> None:
        found = self.post(platform, post_id)
        self.store.run("DELETE FROM posts WHERE platform = ? AND id = ?", (platform, post_id))
        if found:
            found.path.unlink(missing_ok=True)

    def new_id(self, platform: str) -> str:
        seed, floor = self._seed(), identifiers.floor(platform, self.now())
        with self.store.transaction() as db:
            return identifiers.post_id(platform, count_up(db, f"post/{platform}", at_least=floor), seed)

    def upload_dir(self) -> Path:
        return self.folder / "uploads"

    def publish(
        self,
        platform: str,
        account_id: str,
        file: Path,
        *,
        caption: str,
        title: str = "",
        privacy: str = "public",
        tags: Sequence[str] = (),
        post_id: str | None = None,
    ) -> WorldPost:
        """As the protocol says. Raises `NotAVideo`; the file is then left where it is."""
        if post_id and (found := self.post(platform, post_id)):
            return found
        words = _Words(caption, title, privacy, tuple(tags))
        return self._add(platform, account_id, file, words, post_id or self.new_id(platform), uploaded=True)

    def notes(self, platform: str) -> Notes:
        return Notes(self.store, platform)

    def take_fault(self, platform: str, route: str, account: str | None, *names: str) -> WorldFault | None:
        known = self.account(platform, account) if account else None
        place = Place(platform=platform, route=route, account=known.id if known else account)
        fault = self.faults.take(place, *names)
        if fault is None:
            return None
        if entry := journal.current.get():
            entry.faults.append(fault.name)
        return WorldFault(fault.name, fault.value)

    def saw(self, platform: str, account: str | None) -> None:
        if entry := journal.current.get():
            entry.platform, entry.account = platform, account

    # ---- what only control uses ---------------------------------------------------------------------------------

    def add_account(
        self,
        platform: str,
        username: str,
        *,
        password: str | None = None,
        challenge: str | None = None,
        secrets_: dict[str, str] | None = None,
        account_id: str | None = None,
    ) -> WorldAccount:
        """Raises `Taken` when the platform knows the name or id."""
        seed = self._seed()
        with self.store.transaction() as db:
            number = count_up(db, f"account/{platform}")
            id_ = account_id or identifiers.account_id(platform, number, seed)
            cursor = db.execute(
                "INSERT OR IGNORE INTO accounts VALUES (?, ?, ?, ?, ?, ?)",
                (platform, id_, username, password or f"pass-{username}", records.dump(secrets_ or {}), challenge),
            )
            if not cursor.rowcount:
                raise Taken(f"{platform} has an account “{username}” already")
        return self.update_account(platform, id_)

    def add_post(self, platform: str, account_id: str, file: Path, *, caption: str, title: str = "") -> WorldPost:
        """A post made by a person: the file is copied, the post is no publication."""
        words = _Words(caption, title, "public", ())
        return self._add(platform, account_id, file, words, self.new_id(platform), uploaded=False)

    def listing(self, platform: str | None, account_id: str | None, *, uploads_only: bool) -> list[dict[str, Any]]:
        """Posts as control shows them, oldest first, with the judge's reasons against each upload (`verdict`)."""
        rows = self.store.rows(
            "SELECT * FROM posts WHERE uploaded >= ? AND ifnull(platform = ?, 1) AND ifnull(account_id = ?, 1)"
            " ORDER BY seq",
            (int(uploads_only), platform, account_id),
        )
        return [records.publication(row) for row in rows]

    def next_number(self, counter: str) -> int:
        with self.store.transaction() as db:
            return count_up(db, counter)

    def stand_still(self, at: datetime | None, *, moved_s: float) -> datetime:
        """Have the clock stand at `at`, else where it is, moved on by so much."""
        clock = ManualClock(at or self.now())
        now = clock.move(moved_s)
        self._clock = clock
        return now

    def run_on(self) -> datetime:
        """Have the clock be this machine's again, as it is after every start."""
        self._clock = SystemClock()
        return self.now()

    def reset(self) -> None:
        """Forget everything but the certificates, the seed and which ids were given: none is given twice, as nowhere
        in the world, and whoever remembers one (a process' memory of lengths) is not told wrong."""
        self.store.clear()
        for name in ("media", "uploads"):
            shutil.rmtree(self.folder / name)
            (self.folder / name).mkdir()

    def close(self) -> None:
        self.store.close()

    # ---- inside -------------------------------------------------------------------------------------------------

    def _add(
        self, platform: str, account_id: str, file: Path, words: _Words, post_id: str, *, uploaded: bool
    ) -> WorldPost:
        account = self.account(platform, account_id)
        if account is None:
            raise KeyError(account_id)
        measured = probe(file)
        post = WorldPost(
            platform=platform,
            account_id=account.id,
            id=post_id,
            url=identifiers.post_url(platform, post_id, account.username),
            title=words.title,
            caption=words.caption,
            path=self.folder / "media" / f"{platform}-{post_id}.mp4",
            sha256=measured.sha256,
            size_bytes=measured.size_bytes,
            duration_ms=measured.duration_ms,
            width=measured.width,
            height=measured.height,
            privacy=words.privacy,
            published_at=self.now(),
            tags=words.tags,
            uploaded=uploaded,
        )
        return self._accept(post, file, self._verdict(post, measured))

    def _accept(self, post: WorldPost, file: Path, verdict: tuple[str, ...]) -> WorldPost:
        is_ours = file.resolve().is_relative_to(self.upload_dir().resolve())
        with self._accepting:
            if found := self.post(post.platform, post.id):
                return found
            _place(file, post.path, copy=not is_ours)
            with self.store.transaction() as db:
                records.insert_post(db, post, verdict)
        if is_ours:
            file.unlink(missing_ok=True)
        return post

    def _verdict(self, post: WorldPost, measured: Probe) -> tuple[str, ...]:
        limits = self._limits_of(post.platform) if post.uploaded else None
        return judge(limits, measured, title=post.title, caption=post.caption, tags=post.tags) if limits else ()

    def _seed(self) -> str:
        """What ids are drawn from: given at the first start, or drawn then, and kept."""
        row = self.store.row("SELECT value FROM meta WHERE key = 'seed'")
        if row and self._wanted_seed is None:
            return str(row["value"])
        wanted = secrets.token_hex(8) if self._wanted_seed is None else str(self._wanted_seed)
        self._wanted_seed = None
        self.store.run("INSERT OR REPLACE INTO meta VALUES ('seed', ?)", (wanted,))
        return wanted


@dataclass(frozen=True, slots=True)
class _Words:
    """What is said of a post."""

    caption: str
    title: str
    privacy: str
    tags: tuple[str, ...]


def _place(file: Path, stored: Path, *, copy: bool) -> None:
    """Bring `file` to `stored` in one step seen from outside; its first name stays until the row is committed."""
    part = stored.with_name(stored.name + ".part")
    part.unlink(missing_ok=True)
    if copy:
        shutil.copyfile(file, part)
    else:
        os.link(file, part)
    part.replace(stored)
