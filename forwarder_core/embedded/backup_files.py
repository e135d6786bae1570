"""The backup as a file: what is in it, how it is put together and how it is proven whole before it is used.

A tar of `manifest.json` first, then `dagster.dump`, `forwarder.dump`, `media.json` (names and sizes of what lay in the
media folder; the files themselves are fetched again) and `templates/` (the pictures of layouts); sealed where a
passphrase is given. The keys of the vault are never in it: whoever finds a backup can open no account with it.
The fact to know: Dagster's database is dumped first. Its run keys block a launch that ours would repeat, and never the
other way round.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from forwarder_core.embedded import dumps, sealed_file
from forwarder_core.embedded.databases import Databases
from forwarder_core.embedded.sealed_file import BackupUnreadable
from forwarder_core.settings import Settings

FORMAT = 1
OURS, DAGSTERS, MEDIA, MANIFEST, TEMPLATES = (
    "forwarder.dump",
    "dagster.dump",
    "media.json",
    "manifest.json",
    "templates",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`keys`: fingerprints of the vault's keys at the time, newest first. `files`: sha256 of each member."""

    format: int
    taken_at: str
    revision: str
    app_name: str
    keys: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.taken_at)


def write(settings: Settings, databases: Databases, target: Path, manifest: Manifest, passphrase: str | None) -> int:
    """Take the backup into `target`, whole or not at all, readable by its owner only; its size in bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as name:
        folder = Path(name)
        dumps.dump(databases.dagster, folder / DAGSTERS)
        dumps.dump(databases.forwarder, folder / OURS)
        (folder / MEDIA).write_text(json.dumps(_media(settings.home / "media")), "utf-8")
        members = {**{n: folder / n for n in (DAGSTERS, OURS, MEDIA)}, **_templates(settings.home)}
        files = {member: _sha256(path) for member, path in members.items()}
        (folder / MANIFEST).write_text(json.dumps(asdict(manifest) | {"files": files}), "utf-8")
        packed = folder / "packed"
        with tarfile.open(packed, "w") as tar:
            for member, path in {MANIFEST: folder / MANIFEST, **members}.items():
                tar.add(path, member, recursive=False)
        whole = folder / "whole"
        _sealed(packed, whole, passphrase) if passphrase else packed.rename(whole)
        whole.chmod(0o600)
        size = whole.stat().st_size
        whole.replace(target)
    return size


@contextmanager
def opened(path: Path, beside: Path, passphrase: str | None) -> Iterator[tuple[Manifest, Path]]:
    """The manifest and a folder with every member, each proven whole. Raises BackupUnreadable."""
    if not path.is_file():
        raise BackupUnreadable(f"There is no file {path}.", action="Check the name.")
    with tempfile.TemporaryDirectory(dir=beside, prefix=".restore-") as name:
        folder = Path(name)
        packed = _unsealed(path, folder / "packed", passphrase)
        members = folder / "members"
        try:
            _unpack(packed, members)
            manifest = _manifest(members)
        except (tarfile.TarError, OSError, ValueError, KeyError, TypeError) as e:
            raise BackupUnreadable(f"{path.name} is no backup of this product ({type(e).__name__}).") from e
        wrong = [n for n, sha in manifest.files.items() if not (members / n).is_file() or _sha256(members / n) != sha]
        if wrong:
            raise BackupUnreadable(f"In {path.name} these are damaged: {', '.join(wrong)}.")
        yield manifest, members


def fingerprints(key_file: Path) -> tuple[str, ...]:
    """The keys of the file by name; 48 bits of a hash of 256 random ones tell nothing of them."""
    keys = key_file.read_text("ascii").split() if key_file.exists() else []
    return tuple(hashlib.sha256(key.encode()).hexdigest()[:12] for key in keys)


def _unpack(packed: Path, into: Path) -> None:
    """Files only, and none outside of the folder. Raises ValueError for anything else: we did not put it there.

    The filters of tarfile itself came with Python 3.11.4, and Debian 12 has 3.11.2.
    """
    with tarfile.open(packed) as tar:
        for member in tar:
            target = (into / member.name).resolve()
            content = tar.extractfile(member) if member.isreg() else None
            if content is None or not target.is_relative_to(into.resolve()):
                raise ValueError(f"{member.name!r} is no file of a backup")
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("xb") as out:
                shutil.copyfileobj(content, out)


def _manifest(folder: Path) -> Manifest:
    said: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    if said["format"] != FORMAT:
        raise BackupUnreadable(
            f"The backup has format {said['format']}, this version reads {FORMAT}.",
            action="Restore it with the version that took it, then update.",
        )
    manifest = Manifest(**(said | {"keys": tuple(said["keys"])}))
    if not {OURS, DAGSTERS} <= manifest.files.keys():
        raise BackupUnreadable("The backup lacks a database.")
    return manifest


def _sealed(packed: Path, whole: Path, passphrase: str) -> None:
    with packed.open("rb") as plain, whole.open("wb") as out:
        sealed_file.seal(plain, out, passphrase)


def _unsealed(path: Path, into: Path, passphrase: str | None) -> Path:
    if not sealed_file.is_sealed(path):
        return path
    if passphrase is None:
        raise BackupUnreadable("The backup is sealed.", action="Give its passphrase with --passphrase-file.")
    with path.open("rb") as sealed, into.open("wb") as out:
        os.fchmod(out.fileno(), 0o600)
        sealed_file.unseal(sealed, out, passphrase)
    return into


def _templates(home: Path) -> dict[str, Path]:
    folder = home / "templates"
    found = sorted(p for p in folder.iterdir() if p.is_file() and not p.is_symlink()) if folder.is_dir() else []
    return {f"{TEMPLATES}/{path.name}": path for path in found}


def _media(folder: Path) -> list[dict[str, Any]]:
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
    return [{"path": p.relative_to(folder).as_posix(), "size_bytes": p.stat().st_size} for p in files]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
