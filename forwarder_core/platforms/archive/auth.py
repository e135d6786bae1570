"""The sign-in of an archive: a folder the admin names, made where there is none, kept as the place it really is.

What lives here: the check of what was typed, and `identify`. What does not: writing (shelf.py).
The fact to know: only folders inside `archive` of FORWARDER_HOME are taken, links followed first. Whoever may use the
server itself can make that `archive` a link to another disk; whoever only has the admin's screens cannot leave it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from forwarder_core.connectors.base import CredentialBox, Identity
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import AuthInvalid, FieldError, Invalid
from forwarder_core.platforms.archive.errors import translated
from forwarder_core.platforms.archive.shelf import folder_of

_FIELD = "folder"


class ArchiveAuthenticator:
    def __init__(self, account: Account, box: CredentialBox, exit_: Exit) -> None:
        self._box = box

    def identify(self) -> Identity:
        with translated("The archive"):
            folder = folder_of(self._box)
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise AuthInvalid(
                    "The archive may not be written to by this program.",
                    action="Give the user this program runs as the right to write there.",
                )
            free = shutil.disk_usage(folder).free
        key = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
        return Identity(f"folder-{key}", folder.name, f"{folder.name} ({free / 1e9:,.1f} GB free)")


def secrets_from_form(fields: Mapping[str, str], home: Path) -> dict[str, str]:
    """`folder` as its real path. Raises Invalid naming the field."""
    unknown = [FieldError(name, "is not a field of an archive") for name in fields if name != _FIELD]
    if unknown:
        raise Invalid("An archive has one field: its folder.", *unknown)
    root = _root(home)
    return {_FIELD: str(_made(fields.get(_FIELD, "").strip() or str(root), root))}


def _root(home: Path) -> Path:
    return Path(os.path.realpath(home / "archive"))


def _made(typed: str, root: Path) -> Path:
    if not typed.isprintable() or not Path(typed).is_absolute():
        raise _bad("it must be the full path of a folder")
    folder = Path(os.path.realpath(typed))
    if not folder.is_relative_to(root):
        raise _bad(f"it must lie in {root}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise _bad(f"it cannot be made ({e.strerror})") from e
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise _bad("this program may not write to it")
    return folder


def _bad(message: str) -> Invalid:
    return Invalid(f"The folder of the archive cannot be used: {message}.", FieldError(_FIELD, message))
