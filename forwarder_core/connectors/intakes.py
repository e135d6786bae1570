"""The part of the contract of a platform that files can be handed to, because its content is the user's own.

What lives here: the `Intake` a platform may name in its SPEC, and what goes through it. What does not: the checks of an
upload (services.handing_in). The fact to know: a staged file is not there yet for anybody who looks at the platform;
many are staged, then all are kept or all are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from forwarder_core.connectors.base import CredentialBox
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.sheets import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A file as it is handed in: what it is called, its content from the beginning, and its words."""

    name: str
    content: BinaryIO
    size_bytes: int
    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A whole copy on the platform's own disk that nobody sees yet. `id`: the platform's id of the post it will be.

    `same_as`: the name of a file of the same content that is there already; such a copy is not kept.
    """

    name: str
    path: Path
    id: str
    line: Line
    same_as: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file that is there. `waits_for`: why it is no post yet, in words; None when nothing holds it back."""

    id: str
    name: str
    stored_as: str
    size_bytes: int
    caption: str
    at: datetime
    waits_for: str | None


class Intake(Protocol):
    def stage(self, offered: Offered) -> Staged:
        """Raises Invalid for a name the platform does not take, LocalFailed where the disk does not."""
        ...

    def keep(self, staged: Sequence[Staged]) -> list[str]:
        """Make them posts; the names they are stored as. Raises LocalFailed with some kept: then `drop` takes back."""
        ...

    def drop(self, staged: Sequence[Staged]) -> None:
        """Undo, whether they were kept or not. Raises nothing."""
        ...

    def listed(self) -> list[KeptFile]:
        """Newest first."""
        ...


IntakeFactory = Callable[[Account, CredentialBox], Intake]
