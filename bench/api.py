"""The API before a million jobs: 50 requests a second of every kind of reading, beside 15 running jobs; two encode.

Each request is due at a time of its own and its answer is timed from then, so a server that falls behind is not spared.
The baselines are the limits we set ourselves: 100 ms for the 99th percentile, 5 % of a core for 200 idle listeners; and
for deep pages the first pages of the same run. The fact to know: the encodes run as a job's do, the running jobs
are rows that report their progress every second, and the client shares the machine.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
from sqlalchemy import text
from websockets.asyncio.client import connect

from bench import door, history
from bench.door import Door
from bench.figures import percentile, row
from bench.history import CONNECTIONS, JOBS
from forwarder_core.clock import SystemClock
from forwarder_core.db import events, jobs
from forwarder_core.domain.jobs import Lease, Step
from forwarder_core.media.process import Child
from forwarder_core.services.context import Core
from forwarder_core.services.transforming import ffmpeg_of

_RATE = 50.0
_ROUND_S = 30.0
_WARM_S = 5.0
_RUNNING = 15
_ENCODES = 2
_LISTENERS = 200
_IDLE_S = 20.0
_MOST_MS = 100.0
_MOST_PERCENT = 5.0
_ENCODE = "-f lavfi -i testsrc2=size=1080x1920:rate=30 -c:v libx264 -preset medium -f null -"


def measure(rounds: int = 3) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; a round is half a minute."""
    now = datetime.now(UTC)
    with history.core(now=now, clock=SystemClock()) as core, door.running(core) as opened:
        base, token = opened.base, opened.token()
        with _running_jobs(core, now), _encodes(core):
            asyncio.run(_asked(base, token, Random(1), _WARM_S))
            before = opened.cpu_s()
            times = [asyncio.run(_asked(base, token, Random(n), _ROUND_S)) for n in range(rounds)]
            spent = 1000 * (opened.cpu_s() - before) / (rounds * _ROUND_S * _RATE)
        idle = [asyncio.run(_idle(opened, token)) for _ in range(rounds)]
    found = {
        f"{kind}_p{share}": row([1000 * percentile(one[kind], share / 100) for one in times], [_MOST_MS], "ms")
        for kind in _KINDS
        for share in (50, 95, 99)
    }
    deep, first = ([1000 * percentile(one[kind], 0.5) for one in times] for kind in ("deep_page", "list"))
    found["deep_pages_beside_first_p50"] = row(deep, first, "ms")
    found["door_cpu_per_request_beside_a_whole_core"] = row([spent], [1000 / _RATE], "ms")
    found["idle_listeners_200"] = row(idle, [_MOST_PERCENT], "% of a core")
    return found


# ---- what is asked ----------------------------------------------------------------------------------------------


def _filter(random: Random) -> str:
    day = datetime.now(UTC) - timedelta(days=random.randrange(1, 360))
    return random.choice(
        (
            "status=dead",
            "status=running,queued,retrying",
            f"connection={random.randint(1, CONNECTIONS)}",
            f"connection={random.randint(1, CONNECTIONS)}&status=dead",
            f"account={random.randint(1, 2 * CONNECTIONS)}&status=failed",
            f"error=error_{random.randrange(9)}",
            f"from={day:%Y-%m-%d}&to={day + timedelta(days=1):%Y-%m-%d}",
        )
    )


def _search(random: Random) -> str:
    return random.choice(
        (
            "travel",
            f"word{random.randrange(100, 1000)}",
            f"sunset{random.randrange(40)} word{random.randrange(100, 1000)}",
            f"tag{random.randint(1, JOBS)}",
            "nothing",
        )
    )


_KINDS: Mapping[str, Callable[[Random], str]] = {
    "list": lambda random: "/api/jobs",
    "deep_page": lambda random: f"/api/jobs?cursor={random.randrange(100, JOBS)}",
    "filter": lambda random: f"/api/jobs?{_filter(random)}",
    "search": lambda random: f"/api/jobs?q={_search(random)}",
    "exact_id": lambda random: f"/api/jobs?q={random.randint(1, JOBS)}",
    "get": lambda random: f"/api/jobs/{random.randint(1, JOBS)}",
}


async def _asked(base: str, token: str, random: Random, seconds: float) -> dict[str, list[float]]:
    """Seconds from due to answered, by kind. Raises RuntimeError for any answer but 200."""
    taken: dict[str, list[float]] = defaultdict(list)
    loop = asyncio.get_running_loop()

    async def ask(client: httpx.AsyncClient, kind: str, due: float) -> None:
        answer = await client.get(_KINDS[kind](random))
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.request.url}: {answer.status_code} {answer.text[:200]}")
        taken[kind].append(loop.time() - due)

    kinds = list(_KINDS)
    async with _client(base, token) as client, asyncio.TaskGroup() as asked:
        begun = loop.time()
        for n in range(int(seconds * _RATE)):
            due = begun + n / _RATE
            await asyncio.sleep(max(0.0, due - loop.time()))
            asked.create_task(ask(client, kinds[n % len(kinds)], due))
    return taken


@asynccontextmanager
async def _client(base: str, token: str) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=base, headers=headers, limits=limits, trust_env=False, timeout=60) as client:
        yield client


async def _idle(door: Door, token: str) -> float:
    """CPU of the door, in percent of a core, while 200 listen and nothing happens: half of them by each way."""
    base = door.base
    async with _client(base, token) as client, AsyncExitStack() as held:
        for _ in range(_LISTENERS // 2):
            headers = {"Authorization": f"Bearer {token}"}
            address = f"{base.replace('http', 'ws', 1)}/ws/jobs"
            await held.enter_async_context(connect(address, additional_headers=headers, proxy=None))
            stream = await held.enter_async_context(client.stream("GET", "/api/events"))
            if stream.status_code != 200:
                raise RuntimeError(f"a listener was refused: {stream.status_code}")
        await asyncio.sleep(2)
        begun, before = time.monotonic(), door.cpu_s()
        await asyncio.sleep(_IDLE_S)
        return 100 * (door.cpu_s() - before) / (time.monotonic() - begun)


# ---- what happens beside ----------------------------------------------------------------------------------------


@contextmanager
def _running_jobs(core: Core, now: datetime) -> Iterator[None]:
    """The newest 15, moved and logged every second as by their workers; listeners and triggers hear of it."""
    with core.begin() as tx:
        query = "UPDATE jobs SET status = 'running', completed_at = NULL WHERE id > :first RETURNING id, fence"
        found = tx.execute(text(query), {"first": JOBS - _RUNNING}).all()
    leases = [Lease(one.id, 0, one.fence, now) for one in found]
    over = threading.Event()

    def move() -> None:
        n = 0
        while not over.wait(1.0):
            n += 1
            for lease in leases:
                with core.begin() as tx:
                    at = core.clock.now()
                    held = replace(lease, until=at + timedelta(minutes=1))
                    jobs.renew(tx, held, held.until)
                    share = n % 100 / 100
                    jobs.report(tx, held, step=Step.TRANSFORM, progress=share, note=f"{n} of 100 s", now=at)
                    said = {"job_id": lease.job_id, "account_id": None, "connection_id": None, "code": None}
                    events.log(tx, [{"at": at, "level": "info", "text": f"transformed {n} s", **said}])

    mover = threading.Thread(target=move, daemon=True)
    mover.start()
    try:
        yield
    finally:
        over.set()
        mover.join()


@contextmanager
def _encodes(core: Core) -> Iterator[None]:
    argv = [str(ffmpeg_of(core.settings.ffmpeg).path), "-nostdin", "-v", "error", *_ENCODE.split()]
    started = [Child(argv) for _ in range(_ENCODES)]
    try:
        yield
    finally:
        for one in started:
            one.stop()
