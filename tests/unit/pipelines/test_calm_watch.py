"""The daemon and the web server ask after their code server every five seconds, and whoever waits for gRPC wakes once a
second."""

import importlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from dagster._daemon import cli as daemon
from dagster._grpc import server_watcher
from dagster._grpc.client import DagsterGrpcClient

from forwarder_pipelines import calm_watch

ASKED = 3
_common: Any = importlib.import_module("grpc._common")  # it has no types


@pytest.fixture
def interval(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(server_watcher, "WATCH_INTERVAL", 1)
    monkeypatch.setattr(_common, "MAXIMUM_WAIT_TIMEOUT", 0.1)
    assert daemon.__name__ in calm_watch._WATCHERS, "loaded, as in the daemon"
    yield


def test_the_daemon_asks_every_five_seconds(interval: None) -> None:
    calm_watch.ask_less_often()
    assert server_watcher.WATCH_INTERVAL == calm_watch.EVERY_S == 5
    assert _common.MAXIMUM_WAIT_TIMEOUT == calm_watch.LONGEST_WAIT_S == 1


def test_a_signal_ends_a_wait_for_grpc_however_seldom_that_wakes(
    interval: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_common, "MAXIMUM_WAIT_TIMEOUT", 60.0)

    class Told(Exception): ...

    def tell(*_: object) -> None:
        raise Told

    before = signal.signal(signal.SIGALRM, tell)
    began = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Told):
            _common.wait(threading.Event().wait, lambda: False)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 30


def test_dagster_goes_by_the_interval_that_is_set_when_it_begins(
    interval: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calm_watch, "EVERY_S", 0.01)
    calm_watch.ask_less_often()
    asked, enough = [], threading.Event()

    class Client(DagsterGrpcClient):
        def get_server_id(self, timeout: int = 0) -> str:
            asked.append(timeout)
            if len(asked) == ASKED:
                enough.set()
            return "the same"

    ended, thread = server_watcher.create_grpc_watch_thread(
        "here",
        Client(port=1, host="127.0.0.1"),
        get_location_entry=lambda name: None,
        refresh_code_location=lambda name: None,
        on_disconnect=lambda name: None,
        on_reconnected=lambda name: None,
        on_updated=lambda name, server_id: None,
        on_error=lambda name: None,
    )
    thread.start()
    try:
        assert enough.wait(10), "at Dagster's own pace this takes three seconds, and the other test holds the figure"
    finally:
        ended.set()
        thread.join(10)
