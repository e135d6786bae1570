"""The sign-in of a library: a folder the admin names, checked once, kept as the place it really is.

What lives here: the check of what was typed, and `identify`. What does not: the watching (folder.py).
The fact to know: only folders inside `library` of FORWARDER_HOME are taken, links followed first. Whoever may use the
server itself can make that `library` a link to another disk; whoever only has the admin's screens cannot leave it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from forwarder_core.connectors.base import CredentialBox, Identity
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.sheets import SHEET
from forwarder_core.egress import Exit
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.platforms.library import words
from forwarder_core.platforms.library.errors import reading
from forwarder_core.platforms.library.folder import folder_of, videos

_FIELD = "folder"


class LibraryAuthenticator:
    def __init__(self, account: Account, box: CredentialBox, exit_: Exit) -> None:
        self._box = box

    def identify(self) -> Identity:
        """`title` tells what was found, bad rows of captions.csv included."""
        folder = folder_of(self._box)
        with reading("The library folder"):
            count = len({video.id for video in videos(folder)})
            problems = words.sheet_of(folder)[0].problems
        found = f"{count} videos" + (f"; {SHEET}: {'; '.join(problems[:3])}" if problems else "")
        key = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
        return Identity(remote_id=f"folder-{key}", handle=folder.name, title=f"{folder.name} ({found})")


def secrets_from_form(fields: Mapping[str, str], home: Path) -> dict[str, str]:
    """`folder` as its real path. Raises Invalid naming the field."""
    unknown = [FieldError(name, "is not a field of a library") for name in fields if name != _FIELD]
    if unknown:
        raise Invalid("A library has one field: its folder.", *unknown)
    return {_FIELD: str(_checked(fields.get(_FIELD, "").strip(), _root(home)))}


def _root(home: Path) -> Path:
    return Path(os.path.realpath(home / "library"))


def _checked(typed: str, root: Path) -> Path:
    if not typed or not typed.isprintable() or not Path(typed).is_absolute():
        raise _bad("it must be the full path of a folder")
    folder = Path(os.path.realpath(typed))
    if not folder.is_relative_to(root):
        raise _bad(f"it must lie in {root}")
    if not folder.is_dir():
        raise _bad("there is no such folder on this server")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise _bad("this program may not read it")
    return folder


def _bad(message: str) -> Invalid:
    return Invalid(f"The folder of the library cannot be used: {message}.", FieldError(_FIELD, message))
