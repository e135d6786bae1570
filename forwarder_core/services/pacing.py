"""Pacing: the rules between a job that is due and its start: hold, windows, daily posts, spacing, quotas.

Asked twice with the same answer: at dispatch, for all (`Pacer`), and at the claim, for one (`may_start`). A job that
may not go waits as a row that says for what and until when; its whole destination's queue is planned with it, so that
every waiting post has its time.
The fact to know: nothing is asked of the database before the first due job, and then four small questions for all,
however many there are.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime

from forwarder_core.db import dispatch, pacing
from forwarder_core.db import quotas as ledger
from forwarder_core.db.engine import Tx
from forwarder_core.db.pacing import Rules
from forwarder_core.db.quotas import Day
from forwarder_core.domain import pace
from forwarder_core.domain.jobs import Dispatch, WaitReason
from forwarder_core.domain.limits import Limits
from forwarder_core.domain.pace import Standing, Waiting
from forwarder_core.services import limits, quotas
from forwarder_core.services.context import Core
from forwarder_core.services.quotas import Scope
from forwarder_core.services.tunables import Tuned

HOLD = "dispatch.hold"


def is_held(tuned: Tuned) -> bool:
    return bool(tuned.count(HOLD))


class Pacer:
    """One dispatch. Ask `allows` of each job there is room for, tell `take` what starts, `settle` at the end.

    `connection_id`: it is about jobs of this connection alone.
    """

    def __init__(self, core: Core, tx: Tx, now: datetime, connection_id: int | None = None) -> None:
        self._core, self._tx, self._now, self._only = core, tx, now, connection_id
        self._rules: dict[int, Rules] | None = None
        self._has_counted = False
        self._days: dict[tuple[str, date], Day] = {}
        self._closed: dict[str, datetime] = {}
        self._last: dict[int, datetime] = {}
        self._scopes: dict[int, list[Scope]] = {}
        self._limits: dict[str, Limits] = {}
        self._taken: Counter[str] = Counter()
        self._started: list[tuple[int, int]] = []
        self._barred: set[int] = set()

    def allows(self, job: Dispatch) -> bool:
        """May it go now? One that may not is remembered, and planned by `settle`."""
        if job.is_past:
            return True
        rules = self._rules_of(job.connection_id)
        if rules is None:
            return False
        waiting = Waiting(job_id=job.job_id, schedule=rules.schedule, is_old=job.is_old, is_urgent=job.is_urgent)
        (turn,) = pace.plan([waiting], self._standing(rules), self._now)
        if turn.at > self._now:
            self._barred.add(rules.destination_id)
        return turn.at <= self._now

    def take(self, job: Dispatch) -> None:
        """It starts: its places are taken."""
        rules = self._rules_of(job.connection_id)
        if job.is_past or rules is None:
            return
        self._started.append((job.job_id, rules.destination_id))
        self._taken.update(scope.name for scope in self._scopes_of(rules))
        self._last[rules.destination_id] = self._now

    def settle(self) -> None:
        """Reserve what the started jobs will use, and give each job that waits its time."""
        places = [
            (job_id, scope.name, scope.day(self._now))
            for job_id, destination in self._started
            for scope in self._scopes[destination]
        ]
        ledger.reserve(self._tx, places, self._now)
        by_destination = {r.destination_id: r for r in (self._rules or {}).values() if r.destination_id in self._barred}
        for destination_id, rules in by_destination.items():
            started = {job_id for job_id, _ in self._started}
            queue = [w for w in pacing.queue_of(self._tx, destination_id, self._now) if w.job_id not in started]
            pacing.put_off(self._tx, pace.plan(queue, self._standing(rules), self._now), self._now)

    def window_is_open(self, job: Dispatch) -> bool:
        rules = self._rules_of(job.connection_id)
        return rules is None or job.is_urgent or rules.schedule.may_go_at(self._now, is_old=job.is_old) <= self._now

    def places_of(self, connection_id: int) -> list[tuple[str, date]]:
        rules = self._rules_of(connection_id)
        return [] if rules is None else [(scope.name, scope.day(self._now)) for scope in self._scopes_of(rules)]

    def _rules_of(self, connection_id: int) -> Rules | None:
        if self._rules is None:
            self._rules = pacing.rules(self._tx, self._only)
        return self._rules.get(connection_id)

    def _count(self) -> None:
        """What was used so far, at all destinations in question; it costs more the more posts a day has had."""
        self._has_counted = True
        self._days, self._closed = ledger.days(self._tx, quotas.days_around(self._now), self._now)
        spaced = {r.destination_id for r in (self._rules or {}).values() if pace.read(r.pace).spacing_s}
        if spaced:
            self._last = pacing.last_posts(self._tx, sorted(spaced))

    def _scopes_of(self, rules: Rules) -> list[Scope]:
        """Whatever a post of this destination takes a unit of; the account's own first."""
        known = self._scopes.get(rules.destination_id)
        if known is None:
            sizes = self._limits_of(rules.platform)
            shared = quotas.shared_scopes(self._core, rules.platform, rules.sealed, sizes.quotas)
            own = quotas.account_scope(self._core, rules.destination_id, "", sizes)
            known = [own, *(scope for scope in shared if scope.is_per_post)]
            self._scopes[rules.destination_id] = known
        return known

    def _limits_of(self, platform: str) -> Limits:
        known = self._limits.get(platform)
        if known is None:
            known = self._limits[platform] = limits.in_force(self._tx, platform)
        return known

    def _standing(self, rules: Rules) -> Standing:
        if not self._has_counted:
            self._count()
        own, *shared = self._scopes_of(rules)
        day = self._day(own)
        spacing = pace.read(rules.pace)
        is_busy = day.reserved and spacing.spacing_s
        closed_until, closed_for = self._closed.get(own.name), WaitReason.DAILY_LIMIT
        for scope in shared:
            until = self._shared_until(scope)
            if until is not None and (closed_until is None or until > closed_until):
                closed_until, closed_for = until, WaitReason.QUOTA
        return Standing(
            pace=spacing,
            usual=quotas.cap_of(own, day),
            taken=day.used + day.reserved + self._taken[own.name],
            last_at=self._now if is_busy else self._last.get(rules.destination_id),
            closed_until=closed_until,
            closed_for=closed_for,
            zone=own.zone,
        )

    def _shared_until(self, scope: Scope) -> datetime | None:
        """Until when a shared allowance has nothing left; None = it has."""
        if scope.name in self._closed:
            return self._closed[scope.name]
        day = self._day(scope)
        is_full = day.used + day.reserved + self._taken[scope.name] >= quotas.cap_of(scope, day)
        return scope.resets_at(self._now) if is_full else None

    def _day(self, scope: Scope) -> Day:
        key = (scope.name, scope.day(self._now))
        return self._days.get(key) or Day(scope=scope.name, day=key[1])


def may_start(core: Core, tx: Tx, job_id: int, now: datetime, tuned: Tuned, *, by_hand: bool = False) -> bool:
    """Asked again at the claim. A run somebody started by hand waits for no window, but for everything else."""
    found = pacing.job(tx, job_id)
    if found is None or is_held(tuned):
        return False
    connection_id, is_old, is_urgent, is_past = found
    if is_past:
        return True
    pacer = Pacer(core, tx, now, connection_id)
    job = Dispatch(job_id, 0, connection_id, 0, 0, 0, 0, is_old=is_old, is_urgent=is_urgent or by_hand)
    if ledger.has_place(tx, job_id, pacer.places_of(connection_id)):
        return pacer.window_is_open(job)
    dispatch.lock_dispatch(tx)  # the day has turned since the dispatch, or there was none
    if not pacer.allows(job):
        return False
    pacer.take(job)
    pacer.settle()
    return True
