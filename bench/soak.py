"""What a forward costs and how soon it comes while platforms, proxies and workers fail, beside the same when none does.

Ours: three simulated hours of `./run soak` with a fault for every fifth post and workers that die. Baseline: the same
posts with neither, in turn with ours. The fact to know: a forward that begins again after a fault is fetched or sent
twice, and that is paid for; what may not happen is that the others pay with it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from bench.figures import row
from forwarder_core.cli import soak
from forwarder_core.settings import Settings
from forwarder_core.simulator.soak import SoakPlan, SoakResult

HOURS = 3.0
POSTS = 30
_WAITS = ("median", "p95")


def measure(rounds: int = 1) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; a round is three minutes or so."""
    troubled, calm = list[dict[str, Any]](), list[dict[str, Any]]()
    for seed in range(1, rounds + 1):
        troubled.append(_live(seed, is_calm=False))
        calm.append(_live(seed, is_calm=True))
    found = {"cpu_of_a_forward": row(_all(troubled, "cpu_s_per_forward"), _all(calm, "cpu_s_per_forward"), "CPU-s")}
    for name in ("known_to_begun", "known_to_live"):
        for share in _WAITS:
            ours, baseline = ([each[share] for each in _all(of, f"{name}_s")] for of in (troubled, calm))
            found[f"{name}_{share}"] = row(ours, baseline, "simulated s")
    for name in ("faults_and_deaths", "lost", "duplicated", "stuck"):
        found[name] = row(_all(troubled, name), _all(calm, name), "")
    return found


def _live(seed: int, *, is_calm: bool) -> dict[str, Any]:
    plan = SoakPlan(seed=seed, hours=HOURS, posts=POSTS, is_calm=is_calm)
    with tempfile.TemporaryDirectory(prefix="forwarder-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as an unprivileged user
        result: SoakResult = soak.run(Settings(home=Path(folder)), plan, lambda line: None)
    faults = sum(count for name, count in result.counts.items() if name.startswith("fault"))
    return result.as_dict() | {"faults_and_deaths": faults + result.deaths}


def _all(of: list[dict[str, Any]], name: str) -> list[Any]:
    return [each[name] for each in of]
