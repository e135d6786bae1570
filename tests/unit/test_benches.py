"""Every bench that can be asked for is there, and takes what the command hands it."""

from __future__ import annotations

import importlib
import inspect
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench import pooler, worker
from bench.__main__ import _OF_ANY_LENGTH, BENCHES
from bench.figures import percentile, row
from forwarder_core.cli.worker_hosts import HostsImpossible


@pytest.mark.parametrize("name", BENCHES)
def test_a_bench_takes_rounds_and_the_length_of_its_history(name: str) -> None:
    takes = inspect.signature(importlib.import_module(f"bench.{BENCHES[name]}").measure)
    takes.bind(3, **({"jobs": 10} if name in _OF_ANY_LENGTH else {}))


def test_a_row_is_of_medians_and_their_ratio() -> None:
    assert row([3, 1, 2], [4.0], "s") == {"ours": 2, "baseline": 4.0, "ratio": 0.5, "unit": "s", "rounds": 3}
    assert percentile(range(1, 101), 0.95) == 96


@pytest.mark.parametrize(("needs", "program"), [(worker.site, "redis-server"), (pooler.before, "pgbouncer")])
def test_a_bench_says_which_program_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    needs: Callable[[Path], AbstractContextManager[object]],
    program: str,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(HostsImpossible, match=f"no {program}") as told, needs(tmp_path):
        pass
    assert f"apt-get install {program}" in told.value.action
