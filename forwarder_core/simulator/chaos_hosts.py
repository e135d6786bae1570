"""Chaos among machines: workers on several hosts, killed or cut off in the middle of an upload, from a seed.

What lives here: the schedule, the moment, and what a machine that was cut off may not have done. What does not: the
machines themselves (the command), the judgement of posts (verdict).
The fact to know: a machine that is cut off is given its link back only after its jobs went on elsewhere and ended. Then
it wakes up with its old leases, and every row of those jobs is the same before and after.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from random import Random
from typing import Any, Protocol

from forwarder_core.db import verdicts
from forwarder_core.domain.publications import PublicationState
from forwarder_core.errors import Fenced
from forwarder_core.simulator.chaos import TUNED, Drill, Load
from forwarder_core.simulator.clips import Clip

SILENT_S = 60.0  # the shortest that a machine may be waited for
RUNS_PER_HOST = 3
_BYTES_PER_S = 2_000_000.0  # an upload of 19 MB takes ten seconds, its chunks of 8 MiB four each
_UPLOAD_WITHIN_S = 180.0
_BOOTS_AFTER_S = 15.0
_ENDED_WITHIN_S = 900.0  # a lease renewed past an irreversible call (300 s), the silence, an upload, and room
_WAKES_WITHIN_S = 240.0
_STAYS_AWAKE_S = 20.0  # two rounds of what it does by itself

# Three chunks: one that is not the last is under way most of the time.
_LONG = Clip(seed=5, seconds=29, width=720, height=1280)
_SHORT = Clip(seed=1, seconds=3.2, width=540, height=960)


def load_of(hosts: int) -> Load:
    """Few posts and long ones, with room for a machine less."""
    tuned: Mapping[str, Any] = {
        **TUNED,
        "dispatch.max_running": RUNS_PER_HOST * hosts,
        "lease.silent_host_s": SILENT_S,
    }
    return Load(shapes=(_LONG, _LONG, _SHORT), least_open={"youtube": 2 * hosts, "instagram": 1}, lanes=8, tuned=tuned)


class Trouble(StrEnum):
    KILLED = "killed"  # and started again after a while
    CUT_OFF = "cut off"  # until its jobs went on elsewhere
    FORGETS = "the broker forgets"


_IN_TURN = (Trouble.KILLED, Trouble.CUT_OFF, Trouble.FORGETS)


class Host(Protocol):
    """A machine under trial."""

    @property
    def name(self) -> str: ...
    @property
    def is_up(self) -> bool: ...

    def boot(self) -> None: ...
    def kill(self) -> None: ...
    def cut(self) -> None: ...
    def join(self) -> None: ...


class Broker(Protocol):
    def lose_everything(self) -> None: ...


def schedule(kills: int) -> Iterator[Trouble]:
    """So many troubles, each kind in its turn."""
    for number in range(kills):
        yield _IN_TURN[number % len(_IN_TURN)]


class HostDrill:
    """The machines of a drill, and what is done to them."""

    def __init__(self, drill: Drill, hosts: Sequence[Host], broker: Broker) -> None:
        self.drill, self.hosts, self.broker = drill, hosts, broker
        self.wrongs: list[str] = []
        self._draw = Random(drill.seed)
        self._last: Host | None = None

    def strike(self, kills: int) -> None:
        """Raises nothing for what goes wrong: it is in `wrongs`."""
        self.drill.world.arm("proxy_throttle", count=None, match={"platform": "youtube"}, bytes_per_s=_BYTES_PER_S)
        for trouble in schedule(kills):
            if trouble is Trouble.FORGETS:
                self._forget()
            elif (host := self._mid_upload()) is None:
                self.wrongs.append(f"no upload was under way for a host to be {trouble}")
                continue
            elif trouble is Trouble.KILLED:
                self._kill(host)
            else:
                self._cut_off(host)
            self.drill.kills += 1
            self.drill.counts[f"hosts {trouble}" if trouble is not Trouble.FORGETS else trouble] += 1

    def _mid_upload(self) -> Host | None:
        """A host that has sent a part of a video and is sending the next; another than the last, where there is one."""
        names = {host.name: host for host in self.hosts if host.is_up and host is not self._last}
        found: list[str] = []

        def look() -> bool:
            self._tend()
            now = self.drill.patiently(self._uploads)
            found[:] = sorted({u.host for u in now if u.state is PublicationState.SENDING and u.host in names})
            return bool(found)

        if not self.drill.wait_until(look, _UPLOAD_WITHIN_S):
            return None
        self._last = names[self._draw.choice(found)]
        return self._last

    def _tend(self, down: Host | None = None) -> None:
        """Posts keep coming, and a worker that ended by itself is started again, as its machine's supervisor would."""
        self.drill.keep_busy()
        for host in self.hosts:
            if host is not down and not host.is_up:
                host.boot()
                self.drill.counts["workers that ended by themselves"] += 1

    def _uploads(self) -> list[verdicts.Upload]:
        with self.drill.core.begin() as tx:
            return verdicts.uploads(tx, self.drill.core.clock.now())

    def _carried_by(self, host: Host) -> list[int]:
        with self.drill.core.begin() as tx:
            return sorted(verdicts.carried_by(tx, host.name))

    def _kill(self, host: Host) -> None:
        host.kill()
        jobs = self._carried_by(host)
        self._tell(host, Trouble.KILLED, jobs)
        self._busily(_BOOTS_AFTER_S, down=host)
        host.boot()
        self.drill.report(f"{host.name} starts again")
        self._see_end(host, Trouble.KILLED, jobs)

    def _cut_off(self, host: Host) -> None:
        host.cut()
        jobs = self._carried_by(host)
        self._tell(host, Trouble.CUT_OFF, jobs)
        try:
            self._see_end(host, Trouble.CUT_OFF, jobs)
            before = self._everything(jobs)
        finally:
            host.join()
        self._see_it_wake(host, jobs, before)

    def _see_end(self, host: Host, trouble: Trouble, jobs: Sequence[int]) -> None:
        """Wait until the jobs it carried have ended, on whichever machine."""
        if not self.drill.wait_until(lambda: not self._unfinished(jobs), _ENDED_WITHIN_S):
            self.wrongs.append(f"{host.name} {trouble}: jobs {self._unfinished(jobs)} did not go on and end")
        self.drill.counts[f"jobs of hosts {trouble} that ended"] += len(jobs)

    def _see_it_wake(self, host: Host, jobs: Sequence[int], before: Mapping[str, Any]) -> None:
        """It has its link again: it may say that it lives, and nothing else."""
        now = self.drill.core.clock.now()
        self.drill.report(f"{host.name} has its link again")
        if not self.drill.wait_until(lambda: self._heard_since(host, now), _WAKES_WITHIN_S):
            self.wrongs.append(f"{host.name} gave no sign of life after its link came back")
        self._busily(_STAYS_AWAKE_S)
        after = self._everything(jobs)
        changed = [table for table, rows in before.items() if rows != after[table]]
        if changed:
            self.wrongs.append(f"{host.name} wrote to {', '.join(changed)} of jobs {jobs} that were no more its own")
        self.drill.counts["tables of theirs it wrote to afterwards"] += len(changed)
        self.drill.counts["jobs it noticed to have lost"] += self._noticed(jobs, now)

    def _forget(self) -> None:
        self.broker.lose_everything()
        self.drill.report("the broker lost everything it knew")
        self._busily(_BOOTS_AFTER_S)

    def _unfinished(self, jobs: Sequence[int]) -> list[int]:
        self._tend()

        def ask() -> set[int]:
            with self.drill.core.begin() as tx:
                return verdicts.unfinished_among(tx, jobs)

        return sorted(self.drill.patiently(ask))

    def _everything(self, jobs: Sequence[int]) -> dict[str, Any]:
        with self.drill.core.begin() as tx:
            return dict(verdicts.everything_of(tx, jobs))

    def _heard_since(self, host: Host, since: datetime) -> bool:
        with self.drill.core.begin() as tx:
            heard = verdicts.heard_at(tx, host.name)
        return heard is not None and heard > since

    def _noticed(self, jobs: Sequence[int], since: datetime) -> int:
        """Jobs of which a worker has said since then that they were taken from it."""
        with self.drill.core.begin() as tx:
            return len(verdicts.said_of(tx, jobs, Fenced.code, since))

    def _busily(self, seconds: float, down: Host | None = None) -> None:
        """Time passes while posts keep coming."""

        def look() -> bool:
            self._tend(down)
            return False

        self.drill.wait_until(look, seconds)

    def _tell(self, host: Host, trouble: Trouble, jobs: Sequence[int]) -> None:
        self.drill.report(f"{host.name} {trouble} in mid-upload, with jobs {', '.join(map(str, jobs))}")
