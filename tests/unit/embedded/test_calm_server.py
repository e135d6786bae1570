"""A web server at rest looks twice a second whether it shall end, renews its Date every second, and ends when told."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
import uvicorn
from uvicorn.server import Server

from forwarder_core.embedded import calm_server


class Counting(Server):
    def __init__(self, config: uvicorn.Config, last: int) -> None:
        super().__init__(config)
        self.looks: list[int] = []
        self._last = last

    async def on_tick(self, counter: int) -> bool:
        self.looks.append(counter)
        return await super().on_tick(counter) or len(self.looks) == self._last


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> uvicorn.Config:
    monkeypatch.setattr(Server, "main_loop", Server.main_loop)  # put back at the end
    calm_server.look_less_often()
    return uvicorn.Config(lambda scope: None, port=0, log_level="error", lifespan="off")


def test_it_looks_twice_a_second_and_each_second_look_renews_the_date(
    config: uvicorn.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    server = Counting(config, last=5)
    asyncio.run(server.main_loop())
    assert server.looks == [0, 5, 0, 5, 0] and slept == [0.5] * 4
    assert [name for name, _ in server.server_state.default_headers][:1] == [b"date"]


def test_it_ends_within_a_second_of_being_told(config: uvicorn.Config) -> None:
    server = Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    told_at = time.monotonic()
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive() and time.monotonic() - told_at < 10
