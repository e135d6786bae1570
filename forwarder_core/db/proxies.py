"""Proxies, their checks, and who uses them, in SQL. What a use means for a call is decided in `domain.proxies`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, insert, or_, select, update

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.accounts import accounts, proxies, proxy_checks
from forwarder_core.db.tables.flow import attempts, connections, jobs
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.proxies import Assignment, End, Health, Proxy, ProxyPolicy, ProxyType, Test, Use
from forwarder_core.errors import NetworkFailed, OutcomeUnknown, ProxyFailed

_OWN = proxies.c.workspace_id == WORKSPACE
_CONNECTIONS = (connections.c.workspace_id == WORKSPACE) & connections.c.deleted_at.is_(None)


def add(tx: Tx, values: Mapping[str, Any]) -> int:
    """Insert and return the id. Raises IntegrityError when the alias is taken."""
    made: int = tx.execute(insert(proxies).values(**values).returning(proxies.c.id)).scalar_one()
    return made


def get(tx: Tx, proxy_id: int, *, lock: bool = False) -> Proxy | None:
    """With `lock` nobody else changes it until this transaction ends."""
    query = select(proxies).where(_OWN, proxies.c.id == proxy_id)
    row = tx.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else proxy_of(row)


_PAGE = select(proxies).where(_OWN, proxies.c.id > bindparam("after")).order_by(proxies.c.id).limit(bindparam("most"))


def page(tx: Tx, *, after: int = 0, limit: int = 1_000) -> list[Proxy]:
    """By id upwards."""
    return [proxy_of(row) for row in tx.execute(_PAGE, {"after": after, "most": limit})]


def known(tx: Tx) -> dict[int, Proxy]:
    """Every proxy by its id."""
    return {proxy.id: proxy for proxy in page(tx)}


def change(tx: Tx, proxy_id: int, values: Mapping[str, Any]) -> bool:
    """Raises IntegrityError when the alias is taken."""
    return tx.execute(update(proxies).where(_OWN, proxies.c.id == proxy_id).values(**values)).rowcount == 1


def remove(tx: Tx, proxy_id: int) -> bool:
    return tx.execute(proxies.delete().where(_OWN, proxies.c.id == proxy_id)).rowcount == 1


def sealed_login(tx: Tx, proxy_id: int) -> bytes | None:
    sealed: bytes | None = tx.execute(select(proxies.c.credentials).where(_OWN, proxies.c.id == proxy_id)).scalar_one()
    return sealed


def proxy_of(row: Row[Any]) -> Proxy:
    return Proxy(
        id=row.id,
        alias=row.alias,
        type=ProxyType(row.type),
        host=row.host,
        port=row.port,
        has_login=row.credentials is not None,
        assignment=Assignment(row.assignment),
        created_at=row.created_at,
        health=Health(row.health),
        consecutive_failures=row.consecutive_failures,
        latency_ms=row.latency_ms,
        checked_at=row.checked_at,
        last_ok_at=row.last_ok_at,
        last_error=row.last_error,
        exit_ip=row.exit_ip,
        exit_country=row.exit_country,
    )


# ---- checks -----------------------------------------------------------------------------------------------------


def keep_tests(tx: Tx, proxy_id: int, tests: Sequence[Test], now: datetime) -> None:
    rows = [
        {"target": t.endpoint, "ok": t.is_ok, "latency_ms": t.latency_ms, "error": t.error, "proxy_id": proxy_id}
        for t in tests
    ]
    if rows:
        tx.execute(insert(proxy_checks), [{**row, "at": now} for row in rows])


def last_tests(tx: Tx, proxy_id: int, *, limit: int = 50) -> list[dict[str, Any]]:
    """Newest first: target, ok, latency_ms, error, at."""
    query = select(proxy_checks).where(proxy_checks.c.proxy_id == proxy_id).order_by(proxy_checks.c.id.desc())
    return [dict(row) for row in tx.execute(query.limit(limit)).mappings()]


def found_down(tx: Tx, since: datetime) -> set[int]:
    """The proxies whose latest check is later than `since` and reached nothing."""
    latest = select(proxy_checks.c.proxy_id, func.max(proxy_checks.c.at).label("at")).group_by(proxy_checks.c.proxy_id)
    last = latest.where(proxy_checks.c.at > since).subquery()
    is_last = (proxy_checks.c.proxy_id == last.c.proxy_id) & (proxy_checks.c.at == last.c.at)
    query = select(proxy_checks.c.proxy_id).join(last, is_last).group_by(proxy_checks.c.proxy_id)
    return set(tx.scalars(query.having(~func.bool_or(proxy_checks.c.ok))))


def forget_tests(tx: Tx, before: datetime) -> None:
    tx.execute(proxy_checks.delete().where(proxy_checks.c.at < before))


# ---- who uses which ---------------------------------------------------------------------------------------------

_SOURCE, _DESTINATION = accounts.alias("source"), accounts.alias("destination")


def _uses() -> Select[Any]:
    ends = [
        column.label(f"{name}_{column.name}")
        for name, end in (("source", _SOURCE), ("destination", _DESTINATION))
        for column in (end.c.id, end.c.alias, end.c.platform, end.c.proxy_id)
    ]
    return (
        select(
            connections.c.id,
            connections.c.name,
            connections.c.status,
            connections.c.status_reason,
            connections.c.proxy_id,
            connections.c.proxy_policy,
            *ends,
        )
        .join(_SOURCE, _SOURCE.c.id == connections.c.source_account_id)
        .join(_DESTINATION, _DESTINATION.c.id == connections.c.destination_account_id)
        .where(_CONNECTIONS)
        .order_by(connections.c.id)
    )


_USES = _uses()
_USES_OF = _USES.where((_SOURCE.c.id == bindparam("account_id")) | (_DESTINATION.c.id == bindparam("account_id")))


def uses(tx: Tx, *, account_id: int | None = None) -> list[Use]:
    """Every connection with its ends, or those of one account; lowest id first."""
    found = tx.execute(_USES) if account_id is None else tx.execute(_USES_OF, {"account_id": account_id})
    return [_use_of(row) for row in found]


def owners(tx: Tx, proxy_id: int) -> list[str]:
    """Aliases of the accounts that name the proxy themselves."""
    query = select(accounts.c.alias).where(accounts.c.workspace_id == WORKSPACE, accounts.c.proxy_id == proxy_id)
    return list(tx.execute(query.order_by(accounts.c.id)).scalars())


def set_policy(tx: Tx, connection_id: int, policy: ProxyPolicy) -> None:
    tx.execute(update(connections).where(connections.c.id == connection_id).values(proxy_policy=policy.as_dict()))


def move_connection(tx: Tx, connection_id: int, proxy_id: int) -> None:
    tx.execute(update(connections).where(_CONNECTIONS, connections.c.id == connection_id).values(proxy_id=proxy_id))


def pause_connection(tx: Tx, connection_id: int, reason: str) -> bool:
    """True when it was active."""
    return _turn(tx, connection_id, ConnectionStatus.ACTIVE, ConnectionStatus.PAUSED, None, reason)


def resume_connection(tx: Tx, connection_id: int, reason: str) -> bool:
    """True when it was paused for exactly this reason."""
    return _turn(tx, connection_id, ConnectionStatus.PAUSED, ConnectionStatus.ACTIVE, reason, None)


def _turn(
    tx: Tx, connection_id: int, before: ConnectionStatus, after: ConnectionStatus, was: str | None, reason: str | None
) -> bool:
    guard = [_CONNECTIONS, connections.c.id == connection_id, connections.c.status == before]
    if was is not None:
        guard.append(connections.c.status_reason == was)
    turned = update(connections).where(*guard).values(status=after, status_reason=reason).returning(connections.c.id)
    return tx.execute(turned).one_or_none() is not None


# ---- what jobs had of them --------------------------------------------------------------------------------------


def connection_of(tx: Tx, job_id: int) -> int:
    connection_id: int = tx.execute(select(jobs.c.connection_id).where(jobs.c.id == job_id)).scalar_one()
    return connection_id


def turn_of(tx: Tx, job_id: int) -> int:
    """How many jobs of its connection came before it: the longer its history, the longer this takes."""
    own = select(jobs.c.connection_id).where(jobs.c.id == job_id).scalar_subquery()
    earlier = select(func.count()).where(jobs.c.connection_id == own, jobs.c.id < job_id)
    return tx.execute(earlier).scalar_one()


def last_used(tx: Tx, job_id: int) -> int | None:
    """The proxy the job's latest attempt went through, where it has called already."""
    query = select(attempts.c.proxy_id).where(attempts.c.job_id == job_id).order_by(attempts.c.n.desc()).limit(1)
    used: int | None = tx.execute(query).scalar_one_or_none()
    return used


def attempts_through(tx: Tx, since: datetime) -> dict[int, int]:
    """How many attempts since then went through each proxy."""
    query = select(attempts.c.proxy_id, func.count()).join(jobs, jobs.c.id == attempts.c.job_id)
    recent = query.where(jobs.c.changed_at >= since, attempts.c.started_at >= since, attempts.c.proxy_id.is_not(None))
    return {int(used): int(n) for used, n in tx.execute(recent.group_by(attempts.c.proxy_id))}


def failures_through(tx: Tx, since: datetime) -> list[tuple[int, str, datetime, bool]]:
    """Attempts since then that failed at their proxy: which, its address then, when, and whether that is sure. It is
    not where only the answer was lost."""
    at = func.coalesce(attempts.c.ended_at, attempts.c.started_at)
    query = select(attempts.c.proxy_id, attempts.c.proxy, at, attempts.c.error_code)
    query = query.join(jobs, jobs.c.id == attempts.c.job_id)
    recent = query.where(jobs.c.changed_at >= since, attempts.c.started_at >= since, attempts.c.proxy_id.is_not(None))
    failed = recent.where(attempts.c.error_code.in_((ProxyFailed.code, OutcomeUnknown.code)))
    return [(row[0], row[1], row[2], row[3] == ProxyFailed.code) for row in tx.execute(failed)]


def compared(tx: Tx, job_id: int, proxy_id: int, since: datetime) -> dict[tuple[bool, bool], tuple[int, int]]:
    """How other jobs' attempts since then fared, by (through this proxy, with an account of this job): how many went
    well, and how many there were. Those that failed for another reason than the way out are left out."""
    own = select(connections.c.source_account_id, connections.c.destination_account_id)
    own = own.join(jobs, jobs.c.connection_id == connections.c.id).where(jobs.c.id == job_id)
    ends = tuple(tx.execute(own).one_or_none() or ())
    shares = or_(connections.c.source_account_id.in_(ends), connections.c.destination_account_id.in_(ends))
    is_fine = attempts.c.state == "success"
    same, ours = (attempts.c.proxy_id == proxy_id).label("same"), shares.label("ours")
    asked = select(same, ours, func.count().filter(is_fine), func.count()).select_from(attempts)
    road = asked.join(jobs, jobs.c.id == attempts.c.job_id).join(connections, connections.c.id == jobs.c.connection_id)
    ended = or_(is_fine, attempts.c.error_code.in_((ProxyFailed.code, NetworkFailed.code)))
    recent = road.where(attempts.c.started_at >= since, attempts.c.proxy_id.is_not(None), ended, jobs.c.id != job_id)
    counted = tx.execute(recent.group_by("same", "ours"))
    return {(bool(is_same), bool(is_ours)): (int(fine), int(n)) for is_same, is_ours, fine, n in counted}


def _use_of(row: Row[Any]) -> Use:
    try:
        policy = ProxyPolicy.of(row.proxy_policy)
    except ValueError:
        policy = ProxyPolicy()  # written by another version: the proxy named beside it still counts
    return Use(
        connection_id=row.id,
        name=row.name,
        status=row.status,
        status_reason=row.status_reason,
        proxy_id=row.proxy_id,
        policy=policy,
        source=_end(row, "source"),
        destination=_end(row, "destination"),
    )


def _end(row: Row[Any], name: str) -> End:
    return End(
        account_id=getattr(row, f"{name}_id"),
        alias=getattr(row, f"{name}_alias"),
        platform=getattr(row, f"{name}_platform"),
        proxy_id=getattr(row, f"{name}_proxy_id"),
    )
