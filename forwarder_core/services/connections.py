"""Connections: making them, starting and stopping them, and asking one to act now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import IntegrityError

from forwarder_core.connectors.base import Role
from forwarder_core.db import accounts, connections, jobs, pacing, people, posts
from forwarder_core.db.engine import Tx
from forwarder_core.domain import caption_rules, filter_rules, retry_rules, schedule_rules
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import Connection, ConnectionStatus, type_of
from forwarder_core.domain.jobs import Job, JobStatus, WaitReason
from forwarder_core.domain.posts import Decision, SourcePost
from forwarder_core.domain.publications import ASK, publish_again_after_s
from forwarder_core.domain.requests import Request
from forwarder_core.errors import Conflict, FieldError, Invalid, NotFound, StepFailed
from forwarder_core.services import accounts as accounts_service
from forwarder_core.services import detection, forwarding, polling, proxy_rules, rehearsing, templates
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about
from forwarder_core.services.rehearsing import NotReady
from forwarder_core.services.tokens import check_ref

RUN_NOW_S = 10.0  # how long “run now” waits for what the source says
SYSTEM = "system"  # who did it where no person did


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConnection:
    """`type` may be left empty: the two accounts' platforms say it. The rules are as the API has them."""

    name: str
    source_account_id: int
    destination_account_id: int
    type: str = ""
    proxy_id: int | None = None
    token_ref: int | None = None
    proxy_policy: Mapping[str, Any] = field(default_factory=dict)
    filters: Mapping[str, Any] = field(default_factory=dict)
    schedule: Mapping[str, Any] = field(default_factory=dict)
    transform_options: Mapping[str, Any] = field(default_factory=dict)
    publish_options: Mapping[str, Any] = field(default_factory=dict)
    retry_policy: Mapping[str, Any] = field(default_factory=dict)
    on_ambiguous: str | Mapping[str, Any] = ASK
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Ran:
    """What asking a connection to act now brought. `look` is still open where its source takes long to answer."""

    connection: Connection
    jobs: tuple[Job, ...]
    look: Request


def create(core: Core, new: NewConnection, *, who: str = SYSTEM) -> Connection:
    """Stored stopped. Raises Invalid for ends that do not fit, Conflict when the name is taken."""
    with core.begin() as tx:
        source, destination = accounts.get(tx, new.source_account_id), accounts.get(tx, new.destination_account_id)
    kind = check_ends(new, source, destination)
    values = {name: getattr(new, name) for name in new.__dataclass_fields__ if name != "type"}
    values |= {
        "name": new.name.strip(),
        "type": kind,
        "status": ConnectionStatus.STOPPED,
        "created_at": core.clock.now(),
    }
    values |= {name: dict(value) for name, value in values.items() if isinstance(value, Mapping)}
    check_rules(values)
    templates.check_layout(core, values)
    try:
        with core.begin() as tx:
            if source and destination:
                proxy_rules.check_new_connection(tx, source, destination, new.proxy_id, new.proxy_policy)
            values["token_ref"] = check_ref(tx, new.destination_account_id, new.token_ref)
            made = connections.add(tx, values)
            _audit(tx, core, who, "connection_created", made)
    except IntegrityError as e:
        raise Conflict(f"There is a connection “{new.name}” already.", action="Choose another name.") from e
    about(connection_id=made).info("Connection '%s' created", new.name)
    return get(core, made)


def get(core: Core, connection_id: int) -> Connection:
    with core.begin() as tx:
        found = connections.get(tx, connection_id)
    if found is None:
        raise NotFound(f"There is no connection {connection_id}.")
    return found


def page(
    core: Core, *, after: int = 0, limit: int = 100, status: tuple[str, ...] = (), q: str | None = None
) -> list[Connection]:
    with core.begin() as tx:
        return connections.page(tx, after=after, limit=limit, status=status, q=q)


def outcomes(core: Core, connection_ids: list[int]) -> dict[int, dict[str, int]]:
    """Jobs by state for each of these connections."""
    with core.begin() as tx:
        return connections.outcomes(tx, connection_ids)


def start(core: Core, connection_id: int, *, who: str = SYSTEM) -> Connection:
    """Watch the source from this moment on. Raises NotReady with every reason when it cannot be.

    The baseline is taken before this returns: posts with a platform time from now on are new, whichever look finds
    them; what the source shows already is old. A source that cannot be read refuses the start.
    """
    known = get(core, connection_id)
    if known.status is ConnectionStatus.ACTIVE:
        return known
    rehearsing.require(core, connection_id)
    if known.status is ConnectionStatus.PAUSED and known.started_at is not None:
        _take_up(core, known, who)
    else:
        try:
            detection.baseline(core, known)
        except StepFailed as e:
            raise NotReady(f"Cannot start: the source could not be read. {e.message}", action=e.action) from e
        with core.begin() as tx:
            _audit(tx, core, who, "connection_started", connection_id)
    about(connection_id=connection_id).info("Connection '%s' started", known.name)
    return get(core, connection_id)


def _take_up(core: Core, paused: Connection, who: str) -> None:
    """Go on after a pause: what was posted meanwhile is still new."""
    with core.begin() as tx:
        connections.change(tx, paused.id, {"status": ConnectionStatus.ACTIVE, "status_reason": None})
        held = jobs.page(tx, before_id=2**62, limit=100_000, connection_id=paused.id, status=(JobStatus.PAUSED,))
        resumed = [job.id for job in held if job.wait_reason is not WaitReason.APPROVAL]
        jobs.move(tx, resumed, JobStatus.QUEUED, now=core.clock.now(), wait_reason=None)
        accounts.watch(tx, paused.source_account_id, core.clock.now())
        _audit(tx, core, who, "connection_resumed", paused.id)


def stop(core: Core, connection_id: int, *, who: str = SYSTEM) -> Connection:
    """No more looks and no more starts; running jobs end, waiting ones are cancelled.

    One whose irreversible call may have gone out is not: it waits until it is known whether its post is live.
    """
    return _halt(core, connection_id, ConnectionStatus.STOPPED, who=who)


def pause(
    core: Core, connection_id: int, reason: str = "Paused by the administrator", *, who: str = SYSTEM
) -> Connection:
    """Suspend; what waits stays and goes on after Resume. Raises Conflict unless it is active."""
    if (known := get(core, connection_id)).status is ConnectionStatus.STOPPED:
        raise Conflict(f"Connection “{known.name}” is stopped.", action="Only an active connection can be paused.")
    return _halt(core, connection_id, ConnectionStatus.PAUSED, reason, who=who)


def resume(core: Core, connection_id: int, *, who: str = SYSTEM) -> Connection:
    """Go on where a pause stopped: posts from during the pause are forwarded too."""
    if get(core, connection_id).status is not ConnectionStatus.PAUSED:
        raise Conflict("Only a paused connection can be resumed.", action="Start it instead.")
    return start(core, connection_id, who=who)


def run_now(core: Core, connection_id: int, *, who: str = SYSTEM, waited_s: float = 0.0) -> Ran:
    """Look at the source at once, for at most RUN_NOW_S seconds; the jobs that came of it are queued when this returns.

    Raises the look's own StepFailed when the source could not be read. `waited_s`: see `polling.look`.
    """
    known = get(core, connection_id)
    if known.status is not ConnectionStatus.ACTIVE:
        raise Conflict(f"Connection “{known.name}” is {known.status}.", action="Start it first.")
    with core.begin() as tx:
        connections.touch(tx, connection_id, core.clock.now())
    look = polling.look(core, known, who=who, patience_s=RUN_NOW_S, waited_s=waited_s)
    if error := polling.error_of(look):
        raise error
    made = polling.jobs_of(core, look)
    with core.begin() as tx:
        pacing.hurry(tx, [job.id for job in made], core.clock.now())
    about(connection_id=connection_id).info("Run now: %s jobs", len(made))
    return Ran(get(core, connection_id), tuple(made), look)


def seen_posts(
    core: Core, connection_id: int, *, before: int | None = None, limit: int = 100
) -> list[tuple[SourcePost, Decision]]:
    """Every post the connection has decided about, newest first: why it was or was not forwarded."""
    with core.begin() as tx:
        return posts.with_decisions(tx, connection_id, before=before or 2**62, limit=limit)


def _halt(core: Core, connection_id: int, to: ConnectionStatus, reason: str | None = None, *, who: str) -> Connection:
    known = get(core, connection_id)
    now = core.clock.now()
    with core.begin() as tx:
        connections.change(tx, connection_id, {"status": to, "status_reason": reason})
        _audit(tx, core, who, f"connection_{to}", connection_id)
        if to is ConnectionStatus.STOPPED:
            forwarding.cancel_left(tx, now, connection_id)
    about(connection_id=connection_id).info("Connection '%s' %s", known.name, to)
    return get(core, connection_id)


# How each rule is read; what cannot be read is refused when it is written.
RULES: dict[str, Callable[[Any], object]] = {
    "filters": filter_rules.read,
    "schedule": schedule_rules.read,
    "transform_options": connections.transform_of,
    "publish_options": caption_rules.read,
    "retry_policy": retry_rules.layer_of,
    "on_ambiguous": publish_again_after_s,
}


def check_ends(new: NewConnection, source: Account | None, destination: Account | None) -> str:
    """The connection's type. Raises Invalid with every field that does not fit."""
    problems = []
    for name, account, role in (
        ("source_account_id", source, Role.SOURCE),
        ("destination_account_id", destination, Role.DESTINATION),
    ):
        if account is None:
            problems.append(FieldError(name, "there is no such account"))
        elif not accounts_service.can_be(account.platform, role):
            problems.append(FieldError(name, f"a {account.platform} account cannot be a {role}"))
    if not new.name.strip():
        problems.append(FieldError("name", "must not be empty"))
    if source and destination:
        if source.id == destination.id:
            problems.append(FieldError("destination_account_id", "must be another account than the source"))
        kind = type_of(source.platform, destination.platform)
        if new.type and new.type != kind:
            problems.append(FieldError("type", f"these accounts make a connection of type {kind}"))
    if problems or source is None or destination is None:
        raise Invalid("The connection cannot be made.", *problems)
    return kind


def check_rules(values: Mapping[str, Any]) -> None:
    """Raises Invalid naming every field of the rules among these values that cannot be read."""
    problems = []
    for name in [name for name in RULES if name in values]:
        try:
            RULES[name](values[name])
        except Invalid as e:
            problems += [FieldError(f"{name}.{f.field}", f.message) for f in e.fields]
        except (ValueError, TypeError, AttributeError) as e:
            problems.append(FieldError(name, str(e)))
    if problems:
        raise Invalid("The rules of the connection cannot be read.", *problems)


def _audit(tx: Tx, core: Core, who: str, what: str, connection_id: int) -> None:
    people.audit(tx, who=who, what=what, target=f"connection:{connection_id}", now=core.clock.now())
