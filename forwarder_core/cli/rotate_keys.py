"""`run rotate-keys`: everything stored under a fresh key while jobs run; `--drop-old` forgets the keys before it."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from forwarder_core.cli.at_home import core_of, present
from forwarder_core.services import rotating
from forwarder_core.settings import load
from forwarder_core.vault import Vault


def command(
    dry_run: Annotated[bool, typer.Option(help="Only count what is not under the newest key.")] = False,
    resume: Annotated[bool, typer.Option(help="Make no new key; finish what was cut short.")] = False,
    drop_old: Annotated[
        bool, typer.Option(help="Forget every key but the newest, an hour after the rotation.")
    ] = False,
) -> None:
    """Put every stored secret under a fresh key."""
    settings = load()
    Vault.open(settings.key_file)
    with present(settings) as databases, core_of(settings, databases, "forwarder-rotate") as core:
        if dry_run:
            print(f"Under the newest key: all but {_told(rotating.under_old_keys(core))}")
        elif drop_old:
            gone = rotating.drop_old(core, time.time() - settings.key_file.stat().st_mtime)
            print(f"Dropped: {gone} old keys. Backups taken before need them: keep their copies as long.")
        else:
            if not resume:
                rotating.add_key(settings.key_file)
            print(f"Put under the newest key: {_told(rotating.reseal(core))}")
            print("Next: back up the key file; after an hour ./run rotate-keys --drop-old")


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} of {where}" for where, count in counts.items()) or "nothing"
