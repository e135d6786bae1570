"""`run restore FILE`: put a backup in the place of the present databases, and make what follows safe.

The fact to know: the platforms hold what was published since the backup was taken. After this command every post of
before the restore is looked for at its destination before it may be published (services.restoring); `--report` tells
what was found.
"""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from forwarder_core import db
from forwarder_core.cli.at_home import core_of, passphrase_in, present, quiet
from forwarder_core.cli.progress import reporter
from forwarder_core.domain.restores import Restore
from forwarder_core.embedded import backup_files, dumps
from forwarder_core.embedded.backup_files import DAGSTERS, MEDIA, OURS, TEMPLATES, Manifest
from forwarder_core.embedded.databases import Databases
from forwarder_core.errors import StartError
from forwarder_core.services import keeping, restoring
from forwarder_core.settings import Settings, load
from forwarder_core.vault import Vault

_WORDS = {
    "was_there": "found at the destination, nothing was sent",
    "was_not_there": "not at the destination, published anew",
    "being_looked_for": "being looked for",
    "a_person_is_asked": "not known: the job's page asks you",
}


class RestoreRefused(StartError):
    code = "restore_refused"
    action = "Do what the message says, or add --force if you know better."


def command(
    file: Annotated[Path | None, typer.Argument()] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="Holds the passphrase in its first line.")] = None,
    force: Annotated[bool, typer.Option(help="Replace what is there; restore without the keys.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Prove the backup whole and say what would happen.")] = False,
    report: Annotated[bool, typer.Option(help="Only tell what the last restore found at the destinations.")] = False,
) -> None:
    """Restore a backup from FILE."""
    settings = load()
    if report:
        print(json.dumps(_differences(settings), indent=1, ensure_ascii=False))
        return
    if file is None:
        raise RestoreRefused("No backup is named.", action="./run restore FILE, or ./run restore --report.")
    say = reporter()
    with quiet(settings) as databases:
        unsealed = backup_files.opened(file.expanduser().absolute(), settings.home, passphrase_in(passphrase_file))
        with unsealed as (manifest, members):
            say(f"the backup of {manifest.at:%Y-%m-%d %H:%M} UTC is whole")
            if not keeping.knows(manifest.revision):
                raise RestoreRefused(
                    f"The backup is of revision {manifest.revision}, which this version does not know.",
                    action="Restore it with the version that took it, or a newer one.",
                )
            if not force:
                _refuse(settings, databases, manifest)
            if not dry_run:
                made = _restore(settings, databases, manifest, members)
    if dry_run:
        print("Nothing was changed.")
        return
    print(f"Restored: the state of {made.taken_at:%Y-%m-%d %H:%M} UTC")
    print("Next: ./run up. Posts from before now are looked for at their destinations before they are published;")
    print("      ./run restore --report tells what was found.")
    print(f"The former databases are kept as *{dumps.REPLACED} until the next restore.")


def _refuse(settings: Settings, databases: Databases, manifest: Manifest) -> None:
    missing = set(manifest.keys) - set(backup_files.fingerprints(settings.key_file))
    if missing:
        raise RestoreRefused(
            f"{settings.key_file} lacks {len(missing)} of the keys the backup's secrets are sealed with.",
            action="Put the key file of that time back; with --force every credential must be entered anew.",
        )
    if found := dumps.rows_in(databases.forwarder):
        raise RestoreRefused(
            f"The present database is not empty ({found} accounts and posts).",
            action="Add --force to put the backup in its place; it is kept under another name.",
        )


def _restore(settings: Settings, databases: Databases, manifest: Manifest, members: Path) -> Restore:
    dumps.refuse_in_use(databases.dagster)
    dumps.restore(databases.forwarder, members / OURS)
    dumps.restore(databases.dagster, members / DAGSTERS)
    db.migrate(databases.forwarder)
    (settings.home / "dagster" / "schema-version").unlink(missing_ok=True)  # Dagster looks at its tables anew
    Vault.open(settings.key_file)
    _put_back(members / TEMPLATES, settings.home / "templates")
    media = json.loads((members / MEDIA).read_text("utf-8"))
    gone = [file for file in media if not (settings.home / "media" / file["path"]).is_file()]
    with core_of(settings, databases, "forwarder-restore") as core:
        return restoring.mark(core, manifest.at, {"media_files": len(media), "media_files_missing": len(gone)})


def _put_back(pictures: Path, into: Path) -> None:
    for picture in sorted(pictures.iterdir()) if pictures.is_dir() else ():
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(picture, into / picture.name)


def _differences(settings: Settings) -> dict[str, object]:
    with present(settings) as databases, core_of(settings, databases, "forwarder-restore") as core:
        found = restoring.report(core)
    if found is None:
        return {"restored": None}
    restore, fates = found
    return {
        "restored": _text(restore.restored_at),
        "backup_of": _text(restore.taken_at),
        "posts": {
            name: {
                "means": _WORDS[name],
                "jobs": [
                    {"job": s.job_id, "destination": s.account, "post": s.post_url, "found": s.remote_url}
                    for s in those
                ],
            }
            for name, those in fates.items()
        },
    }


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
