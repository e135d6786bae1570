"""What the doctor finds: one thing looked at, how it is, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

CERTIFICATE_WARN_DAYS = 14
BACKUP_OLD_DAYS = 7
MOST_SKEW_S = 5.0  # tokens, signatures and one-time codes begin to fail at about 30 s


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILING = "failing"
    SKIPPED = "skipped"  # could not be looked at here, which is not the same as well


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is stable; `subject` says which one where there are several."""

    code: str
    state: State
    detail: str
    action: str = ""
    subject: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def exit_code(findings: Iterable[Finding]) -> int:
    """1 where something fails; warnings and what could not be looked at are no failure."""
    return int(any(finding.state is State.FAILING for finding in findings))


def of_certificate(ends_at: datetime, now: datetime) -> Finding:
    left = (ends_at - now).days
    words = f"The certificate is good until {ends_at:%Y-%m-%d} ({left} days)."
    action = "Renew it: certbot renew, or put new files to the paths nginx names."
    if left < 0:
        return Finding("certificate", State.FAILING, f"The certificate ended on {ends_at:%Y-%m-%d}.", action)
    if left < CERTIFICATE_WARN_DAYS:
        return Finding("certificate", State.WARNING, words, action)
    return Finding("certificate", State.OK, words)


def of_backup(taken_at: datetime | None, now: datetime) -> Finding:
    action = "Run ./run backup FILE regularly, and keep the file and the key file in two other places."
    if taken_at is None:
        return Finding("backup", State.WARNING, "No backup was ever taken.", action)
    days = (now - taken_at).days
    state = State.WARNING if days > BACKUP_OLD_DAYS else State.OK
    return Finding("backup", state, f"The last backup is {days} days old.", action if state is State.WARNING else "")


def of_clock(skew_s: float) -> Finding:
    words = f"This machine's clock and the database's differ by {abs(skew_s):.1f} s."
    if abs(skew_s) <= MOST_SKEW_S:
        return Finding("clock", State.OK, words)
    action = "Switch on time synchronisation (timedatectl set-ntp true) on both machines."
    return Finding("clock", State.FAILING, words, action)
