"""Redis on the health page: asked where runs go by it, and never fine where nobody knows."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from forwarder_core.services import health
from forwarder_core.services.context import Core
from forwarder_core.services.health import State
from forwarder_core.settings import Launcher


@contextmanager
def redis(answer: bytes | None) -> Iterator[str]:
    """Something that answers every line of a command with `answer`, and PING with PONG; None = never anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve(line: socket.socket) -> None:
            with line, suppress(OSError):
                while said := line.recv(65_536):
                    for command in said.split(b"*")[1:]:
                        if answer is not None:
                            line.sendall(b"+PONG\r\n" if b"PING" in command else answer)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"redis://:s3cr3t-pw@127.0.0.1:{listening.getsockname()[1]}/0"
        listening.shutdown(socket.SHUT_RDWR)


def looked(launcher: Launcher) -> health.Check:
    return health._redis(cast(Core, SimpleNamespace(settings=SimpleNamespace(launcher=launcher))))


def test_where_runs_stay_here_it_is_not_used() -> None:
    assert looked(Launcher.LOCAL).state is State.NOT_USED


def test_one_that_answers_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    with redis(b"+OK\r\n") as url:
        monkeypatch.setenv("REDIS_BROKER", url)
        monkeypatch.setenv("REDIS_BACKEND", url)
        assert looked(Launcher.CELERY) == health.Check(State.OK, "It answers.")


@pytest.mark.parametrize("broken", ["unset", "refused", "silent", "wants a login", "no such kind"])
def test_whatever_does_not_answer_is_failing_in_time_and_no_password_is_told(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr(health, "_REDIS_PATIENCE_S", 0.3)
    answer = None if broken == "silent" else b"-NOAUTH Authentication required.\r\n"
    with redis(b"+OK\r\n") as fine, redis(answer) as bad, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        urls: dict[str, Any] = {
            "unset": "",
            "refused": f"redis://:s3cr3t-pw@127.0.0.1:{deaf.getsockname()[1]}/0",
            "no such kind": "rädis://:s3cr3t-pw@127.0.0.1/0",
        }
        monkeypatch.setenv("REDIS_BROKER", fine)
        monkeypatch.setenv("REDIS_BACKEND", urls.get(broken, bad))
        found = looked(Launcher.CELERY)
    assert found.state is State.FAILING and found.detail.startswith("REDIS_BACKEND: ")
    assert "REDIS_BROKER" not in found.detail and "s3cr3t" not in found.detail
