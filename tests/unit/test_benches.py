"""Every bench that can be asked for is there, and takes what the command hands it."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from bench import worker
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


def test_a_bench_by_celery_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostsImpossible, match="no redis-server") as told, worker.site(tmp_path):
        pass
    assert "apt-get install redis-server" in told.value.action
