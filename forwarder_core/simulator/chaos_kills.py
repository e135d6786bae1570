"""The second phase of chaos: kills at random moments, of whatever there is to kill, from a seed.

What lives here: the schedule, the victims, how each is found and killed. What does not: crash points.
The fact to know: the supervisor gives up on a process that dies six times within two minutes, and rightly so; a
long-lived process is therefore killed again only after a while, and a worker is killed in its place until then.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from random import Random

import psutil

from forwarder_core.db import jobs
from forwarder_core.simulator.chaos import Drill

_SPARED_S = 30.0
_WORKER_WITHIN_S = 25.0


class Victim(StrEnum):
    """Who is to die. Values are the names the supervisor uses, where it knows them."""

    WORKER = "worker"
    CODE_SERVER = "code-server"
    CODE_CHILD = "code-server's child"
    DAEMON = "daemon"
    KEEPER = "keeper"
    LAUNCHER = "launcher"
    STEM = "stem"
    DAGSTER_STEM = "dagster-stem"
    DATABASE = "postgres"
    TUNNEL = "tunnel"  # an upload's connection, cut after some bytes: nobody dies


_WEIGHTS = {
    Victim.WORKER: 66,
    Victim.CODE_SERVER: 4,
    Victim.CODE_CHILD: 4,
    Victim.DAEMON: 5,
    Victim.KEEPER: 5,
    Victim.LAUNCHER: 5,
    Victim.STEM: 2,
    Victim.DAGSTER_STEM: 2,
    Victim.DATABASE: 3,
    Victim.TUNNEL: 8,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    victim: Victim
    after_s: float
    pick: float  # 0..1, which of several
    after_bytes: int


def schedule(draw: Random, kills: int) -> Iterator[Strike]:
    """Strikes until `kills` of them are due to kill somebody."""
    while kills > 0:
        victim = draw.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        yield Strike(
            victim=victim,
            after_s=draw.uniform(0.05, 1.2),
            pick=draw.random(),
            after_bytes=draw.randint(20_000, 900_000),
        )
        kills -= victim is not Victim.TUNNEL


def kill_at_random(drill: Drill, kills: int) -> None:
    spared: dict[Victim, float] = {}
    done = 0
    for strike in schedule(Random(drill.draw.getrandbits(32)), kills):
        drill.keep_busy()
        drill.wait(strike.after_s)
        if strike.victim is Victim.TUNNEL:
            _cut(drill, strike)
            continue
        victim = strike.victim if time.monotonic() >= spared.get(strike.victim, 0.0) else Victim.WORKER
        if victim is not Victim.WORKER and _kill_process(drill, victim):
            spared[victim] = time.monotonic() + _SPARED_S
        elif not _kill_worker(drill, strike.pick):
            drill.counts["no worker to kill"] += 1
            continue
        done += 1
        if done % 25 == 0:
            drill.report(f"{done} of {kills} kills")
    drill.kills += done


def _cut(drill: Drill, strike: Strike) -> None:
    platform = drill.draw.choice(("youtube", "instagram"))
    drill.world.arm("proxy_cut", count=1, match={"platform": platform}, after_bytes=strike.after_bytes)
    drill.counts["tunnels cut"] += 1


def _kill_worker(drill: Drill, pick: float) -> bool:
    """Kill the process that carries a job at this moment; waits for one to be there."""
    found: list[tuple[int, float]] = []

    def look() -> bool:
        found[:] = drill.patiently(lambda: _workers(drill))
        return bool(found)

    if not drill.wait_until(look, _WORKER_WITHIN_S):
        return False
    pid, born = found[int(pick * len(found))]
    if not kill(pid, born):
        return _kill_worker(drill, pick)
    drill.counts["killed: worker"] += 1
    return True


def _workers(drill: Drill) -> list[tuple[int, float]]:
    """Those that live: pid and birth."""
    with drill.core.begin() as tx:
        carried = [worker for _, worker in jobs.running(tx) if worker]
    return [(int(w["pid"]), float(w["born"])) for w in carried if _is(int(w["pid"]), float(w["born"]))]


def _kill_process(drill: Drill, victim: Victim) -> bool:
    name = Victim.CODE_SERVER if victim is Victim.CODE_CHILD else victim
    pid = drill.stack.pids.get(name)
    if pid is None:
        return False
    if victim is Victim.CODE_CHILD:
        with suppress(psutil.NoSuchProcess):
            servers = [child for child in psutil.Process(pid).children() if "grpc" in " ".join(child.cmdline())]
            pid = servers[0].pid if servers else None
    if pid is None or not kill(pid):
        return False
    drill.counts[f"killed: {victim}"] += 1
    return True


def _is(pid: int, born: float | None) -> bool:
    try:
        process = psutil.Process(pid)
        same = born is None or abs(process.create_time() - born) <= 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(pid: int, born: float | None = None) -> bool:
    """Whether it lived until now; `born` None: whoever has that number."""
    if not _is(pid, born):
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return True
