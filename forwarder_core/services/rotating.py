"""Rotating the vault's keys while jobs run: a new key in front, everything stored under it, old keys dropped later.

Each secret is replaced only while it is what was read, so a worker that renews a token meanwhile wins. Cut short at any
point, it is begun again and does what is left.
The fact to know: every process follows the key file, but one that read it a moment ago may still seal with the old key.
So an old key is dropped by a second command, an hour later at the earliest, and only when nothing is under it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forwarder_core.db import events, sealed
from forwarder_core.errors import ForwarderError
from forwarder_core.services import mail_settings, telegram_settings
from forwarder_core.services.context import Core
from forwarder_core.vault import UnreadableSecret, new_key

DROP_AFTER_S = 3_600.0
_TOKEN = "gAAAA"  # how every Fernet token begins
_SETTINGS = "settings"


class OldKeyInUse(ForwarderError):
    code = "old_key_in_use"
    action = "Run ./run rotate-keys, wait an hour, then drop the old keys."


def add_key(key_file: Path) -> None:
    """A fresh key in front of the others; the file is replaced whole."""
    _write(key_file, [new_key(), *key_file.read_text("ascii").split()])


def under_old_keys(core: Core) -> dict[str, int]:
    """How many secrets, by where they are, are not under the newest key."""
    counts = {}
    with core.begin() as tx:
        for name in sealed.COLUMNS:
            counts[name] = sum(not core.vault.is_newest(one) for rows in sealed.batches(tx, name) for _, one in rows)
        stored = list(_tokens(events.setting_values(tx)))
    counts[_SETTINGS] = sum(not core.vault.is_newest(one.encode()) for one in stored)
    return {name: count for name, count in counts.items() if count}


def reseal(core: Core) -> dict[str, int]:
    """Put everything under the newest key; what was changed, by where it is. Raises UnreadableSecret at the end for
    what no key opens; the rest is done then."""
    done, unreadable = {}, []
    for name in sealed.COLUMNS:
        done[name] = 0
        with core.begin() as tx:
            found = [row for rows in sealed.batches(tx, name) for row in rows if not core.vault.is_newest(row[1])]
        for key, old in found:
            try:
                new = core.vault.reseal(old)
            except UnreadableSecret:
                unreadable.append(f"{name} of row {key}")
                continue
            with core.begin() as tx:
                done[name] += sealed.replace(tx, name, key, old, new)
    with core.begin() as tx:
        telegram_settings.reseal(core, tx)
        mail_settings.reseal(core, tx)
    if unreadable:
        raise UnreadableSecret(f"No key opens {', '.join(unreadable[:10])}.")
    return {name: count for name, count in done.items() if count}


def drop_old(core: Core, age_s: float) -> int:
    """Leave only the newest key in the file, which was changed `age_s` seconds ago. Raises OldKeyInUse."""
    key_file = core.settings.key_file
    keys = key_file.read_text("ascii").split()
    if left := under_old_keys(core):
        raise OldKeyInUse(f"Still under an old key: {', '.join(f'{n} of {where}' for where, n in left.items())}.")
    if len(keys) > 1 and age_s < DROP_AFTER_S:
        raise OldKeyInUse(f"The newest key is {age_s / 60:.0f} minutes old; running work may still use the one before.")
    _write(key_file, keys[:1])
    return len(keys) - 1


def _tokens(value: Any) -> Iterator[str]:
    """The sealed words among the stored settings, however deep."""
    if isinstance(value, str) and value.startswith(_TOKEN):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tokens(part)


def _write(key_file: Path, keys: list[str]) -> None:
    unfinished = key_file.with_name(f"{key_file.name}.unfinished")
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="ascii") as out:
        out.write("".join(f"{key}\n" for key in keys))
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(key_file)
