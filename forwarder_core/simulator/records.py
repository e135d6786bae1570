"""Rows of the simulator's store as the objects the fakes see, and back. Paths are kept relative to the folder."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from forwarder_core.connectors.base import WorldAccount, WorldPost

_ACCOUNT_COLUMNS = frozenset({"username", "password", "secrets", "challenge"})
_PUBLICATION = (
    "id",
    "title",
    "caption",
    "sha256",
    "size_bytes",
    "duration_ms",
    "width",
    "height",
    "privacy",
    "published_at",
    "platform",
    "url",
)


def dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def account(row: sqlite3.Row) -> WorldAccount:
    return WorldAccount(
        platform=row["platform"],
        id=row["id"],
        username=row["username"],
        password=row["password"],
        secrets=json.loads(row["secrets"]),
        challenge=row["challenge"],
    )


def account_columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Changes of an account as columns. Raises KeyError for a field an account does not have."""
    if unknown := set(fields) - _ACCOUNT_COLUMNS:
        raise KeyError(", ".join(sorted(unknown)))
    return {name: dump(dict(value)) if name == "secrets" else value for name, value in fields.items()}


def post(row: sqlite3.Row, folder: Path) -> WorldPost:
    return WorldPost(
        platform=row["platform"],
        account_id=row["account_id"],
        id=row["id"],
        url=row["url"],
        title=row["title"],
        caption=row["caption"],
        path=folder / row["path"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        duration_ms=row["duration_ms"],
        width=row["width"],
        height=row["height"],
        privacy=row["privacy"],
        published_at=datetime.fromisoformat(row["published_at"]),
        tags=tuple(json.loads(row["tags"])),
        uploaded=bool(row["uploaded"]),
    )


def insert_post(db: sqlite3.Connection, post: WorldPost, verdict: Sequence[str]) -> None:
    row = {
        "platform": post.platform,
        "account_id": post.account_id,
        "id": post.id,
        "url": post.url,
        "title": post.title,
        "caption": post.caption,
        "path": f"media/{post.path.name}",
        "sha256": post.sha256,
        "size_bytes": post.size_bytes,
        "duration_ms": post.duration_ms,
        "width": post.width,
        "height": post.height,
        "privacy": post.privacy,
        "published_at": post.published_at.isoformat(),
        "tags": dump(list(post.tags)),
        "uploaded": int(post.uploaded),
        "verdict": dump(list(verdict)),
    }
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    db.execute(f"INSERT INTO posts ({columns}) VALUES ({marks})", tuple(row.values()))


def publication(row: sqlite3.Row) -> dict[str, Any]:
    """A post as control shows it."""
    shown = {("bytes" if name == "size_bytes" else name): row[name] for name in _PUBLICATION}
    return shown | {
        "account": row["account_id"],
        "tags": json.loads(row["tags"]),
        "verdict": json.loads(row["verdict"]),
    }
