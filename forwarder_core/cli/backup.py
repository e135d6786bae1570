"""`run backup FILE`: both databases, the index of the media and the pictures of layouts, in one file.

The fact to know: the product may run meanwhile. The vault's keys are not in the backup; without them no secret in it
can be read, so they are kept apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forwarder_core.cli.at_home import core_of, passphrase_in, present
from forwarder_core.cli.progress import reporter
from forwarder_core.embedded import backup_files
from forwarder_core.embedded.backup_files import Manifest
from forwarder_core.errors import StartError
from forwarder_core.services import keeping
from forwarder_core.settings import load

_FORCE = typer.Option(help="Overwrite FILE where it exists.")
_SEALED = typer.Option(help="Seal the backup with the passphrase in this file's first line.")


def command(
    file: Path,
    passphrase_file: Annotated[Path | None, _SEALED] = None,
    force: Annotated[bool, _FORCE] = False,
) -> None:
    """Take a backup into FILE."""
    settings, report = load(), reporter()
    target, passphrase = file.expanduser().absolute(), passphrase_in(passphrase_file)
    if target.exists() and not force:
        raise StartError(f"{target} is there already.", action="Choose another name, or add --force.")
    with present(settings) as databases, core_of(settings, databases, "forwarder-backup") as core:
        taken_at, revision = keeping.begin_backup(core)
        manifest = Manifest(
            format=backup_files.FORMAT,
            taken_at=taken_at.isoformat(),
            revision=revision,
            app_name=settings.app_name,
            keys=backup_files.fingerprints(settings.key_file),
        )
        size = backup_files.write(settings, databases, target, manifest, passphrase)
        keeping.note_backup(
            core, name=target.name, size_bytes=size, is_encrypted=passphrase is not None, taken_at=taken_at
        )
    report(f"backup taken, {size / 1e6:.1f} MB")
    print(f"Backup: {target}")
    print(f"Keys: not in it; keep a copy of {settings.key_file} in another place")
