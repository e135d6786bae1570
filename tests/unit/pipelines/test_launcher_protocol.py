"""The talk between the launcher and its server: what is a request, what an answer, what a silence."""

from __future__ import annotations

import json
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from forwarder_pipelines.launching import protocol
from forwarder_pipelines.launching.protocol import Act, Refused, Request, ask

RUN = "0a47d6cf-7b87-4f54-a9d4-3f22bba8df73"


@contextmanager
def server_that_says(folder: Path, said: bytes) -> Iterator[list[bytes]]:
    """A far end that answers one client with these bytes; yields what it was asked."""
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        talk, _ = listener.accept()
        with closing(talk):
            asked.append(protocol.receive(talk))
            talk.sendall(said)

    with closing(protocol.listen(folder)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield asked
        thread.join(5)


def test_a_request_arrives_as_it_was_sent(tmp_path: Path) -> None:
    with server_that_says(tmp_path, b'{"pid": 7}\n') as asked:
        assert ask(tmp_path, Request(Act.LAUNCH, RUN)) == {"pid": 7}
    assert Request.parse(asked[0]) == Request(Act.LAUNCH, RUN)


def test_a_home_deeper_than_a_sockets_path_may_be_long_is_reached(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    with server_that_says(deep, b'{"running": []}\n'):
        assert ask(deep, Request(Act.STATUS)) == {"running": []}


def test_the_folder_of_the_socket_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "launcher"
    folder.mkdir(mode=0o755)
    with closing(protocol.listen(folder)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_socket_left_by_a_killed_server_is_replaced(tmp_path: Path) -> None:
    protocol.listen(tmp_path).close()
    with pytest.raises(ConnectionRefusedError):
        ask(tmp_path, Request(Act.STATUS))
    with server_that_says(tmp_path, b"{}\n"):
        assert ask(tmp_path, Request(Act.STATUS)) == {}


def test_an_error_of_the_server_is_told_in_its_words(tmp_path: Path) -> None:
    with server_that_says(tmp_path, b'{"error": "no process left"}\n'), pytest.raises(Refused, match="no process left"):
        ask(tmp_path, Request(Act.LAUNCH, RUN))


@pytest.mark.parametrize("said", [b"", b'{"pid"'])
def test_a_server_that_dies_before_it_answered_is_a_lost_connection(tmp_path: Path, said: bytes) -> None:
    with server_that_says(tmp_path, said), pytest.raises(ConnectionResetError):
        ask(tmp_path, Request(Act.LAUNCH, RUN))


def test_no_server_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ask(tmp_path, Request(Act.STATUS))
    with pytest.raises(FileNotFoundError):
        ask(tmp_path / "nothing here", Request(Act.STATUS))


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        "{}",
        '{"act": "launch"}',
        json.dumps({"act": "explode", "run_id": RUN}),
        json.dumps({"act": "launch", "run_id": ""}),
        json.dumps({"act": "launch", "run_id": "../../etc/passwd"}),
        json.dumps({"act": "status", "run_id": "a/b"}),
        json.dumps({"act": "launch", "run_id": 7}),
    ],
)
def test_what_is_not_a_request_is_not_taken_for_one(said: str) -> None:
    with pytest.raises(ValueError):
        Request.parse(said.encode())
