"""Incidents: many failures of one cause are one trouble, with one remedy. Whose trouble it is, and when it is over.

The fact to know: a failure of one post alone (its file, its caption) is its account's incident too; it only becomes
worth showing when others join it before one of the same account succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from forwarder_core.domain.accounts import Account
from forwarder_core.domain.jobs import Errand, Step
from forwarder_core.errors import (
    Bug,
    LocalFailed,
    NetworkFailed,
    OutcomeUnknown,
    PlatformTransient,
    Retry,
    Scope,
    StepFailed,
)

QUIET = timedelta(hours=1)  # an incident nothing was added to for so long is over
REOPENS = timedelta(minutes=10)  # failures of the cause so soon after its end: it was not over
MANY = 2  # jobs that make failures worth showing together


class Whose(StrEnum):
    """What an incident is about. `key`: the platform's name, the account's id, the proxy's id, `platform:project`;
    "" for the server. Of a proxy that has no id, being the installation's own or deleted since, its address."""

    PLATFORM = "platform"
    PROJECT = "project"
    ACCOUNT = "account"
    DESTINATION = "destination"
    PROXY = "proxy"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Cause:
    """Failures with the same code, scope and key are one incident. `title`: for people, what the key stands for."""

    code: str
    scope: Whose
    key: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """`jobs` that failed of it; `dead` and `waiting` of them still fail of it, and a bulk retry takes these along."""

    id: int
    cause: Cause
    failures: int
    jobs: int
    dead: int
    waiting: int
    opened_at: datetime
    last_at: datetime
    closed_at: datetime | None
    closed_because: str | None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def is_worth_showing(self) -> bool:
        """Many jobs; and once it is over, only while some of them are still dead of it."""
        return self.jobs >= MANY and (self.is_open or self.dead > 0)


@dataclass(frozen=True, slots=True)
class Party:
    """Something several accounts share, such as a proxy or a Google project. `title`: as people know it."""

    key: str
    title: str


def blamed(failed: Errand) -> Account:
    """Whose trouble it is: the source's while fetching, the destination's afterwards."""
    return failed.source if failed.job.step is Step.FETCH else failed.destination


def cause_of(failed: Errand, error: StepFailed, *, proxy: Party | None, project: Party | None = None) -> Cause | None:
    """Which incident a failed attempt belongs to; None for what is no failure. `proxy`: the one it used; `project`: of
    the account to blame, where it shares an allowance."""
    if error.retry is Retry.DONE or isinstance(error, OutcomeUnknown):
        return None
    end = blamed(failed)
    if isinstance(error, (LocalFailed, Bug)):
        return Cause(error.code, Whose.SERVER, "", "this server")
    if error.scope is Scope.PROXY and proxy is not None:
        return Cause(error.code, Whose.PROXY, proxy.key, proxy.title)
    if error.scope is Scope.PLATFORM or isinstance(error, (NetworkFailed, PlatformTransient)):
        return Cause(error.code, Whose.PLATFORM, end.platform, end.platform)
    if error.scope is Scope.PROJECT and project is not None:
        return Cause(error.code, Whose.PROJECT, project.key, project.title)
    if error.scope is Scope.DESTINATION:
        return Cause(error.code, Whose.DESTINATION, str(failed.destination.id), failed.destination.alias)
    return Cause(error.code, Whose.ACCOUNT, str(end.id), end.alias)


def healed_by(done: Errand, *, proxy: Party | None, project: Party | None = None) -> frozenset[tuple[Whose, str]]:
    """The scopes and keys a job proves sound by arriving. `proxy`: the one its attempt went through; `project`: of the
    account it was published with."""

    def of(end: Account) -> set[tuple[Whose, str]]:
        return {(Whose.PLATFORM, end.platform), (Whose.ACCOUNT, str(end.id))}

    ends = of(done.source) | of(done.destination) | {(Whose.DESTINATION, str(done.destination.id))}
    ends |= {(Whose.PROJECT, project.key)} if project else set()
    ends |= {(Whose.PROXY, proxy.key)} if proxy else set()
    return frozenset(ends | {(Whose.SERVER, "")})


def is_quiet(last_at: datetime, *, waiting: int, now: datetime) -> bool:
    """Nothing failed of it for an hour, and no job still waits because of it."""
    return not waiting and now - last_at >= QUIET
