"""Choosing ports: a default gives way, a port set by hand does not."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from forwarder_core.embedded.ports import Claims, choose, free_port, free_ports, is_free
from forwarder_core.errors import PortTaken


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.fixture
def claims() -> Iterator[Claims]:
    with Claims() as claims:
        yield claims


def test_a_free_port_is_taken_as_asked(claims: Claims) -> None:
    port = free_port()
    assert choose(claims, port, explicit=True) == port
    assert choose(claims, port, explicit=False) == port


def test_a_taken_default_gives_way_to_the_next_free_one(claims: Claims, taken: int) -> None:
    chosen = choose(claims, taken, explicit=False)
    assert chosen != taken and is_free(chosen)


def test_a_taken_port_set_by_hand_is_refused(claims: Claims, taken: int) -> None:
    with pytest.raises(PortTaken, match=f"Port {taken} on 127.0.0.1"):
        choose(claims, taken, explicit=True)


def test_a_claim_is_seen_by_other_processes_and_ends_with_its_holder() -> None:
    port, ask = free_port(), "import sys; from forwarder_core.embedded.ports import Claims; c = Claims()"
    told = f"{ask}; print(c.take({port}), flush=True); sys.stdin.readline()"
    with subprocess.Popen([sys.executable, "-c", told], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"True\n"
        with Claims() as ours:
            assert is_free(port) and not ours.take(port), "claimed, though nobody listens yet"
        other.kill()
    with Claims() as ours:
        assert ours.take(port)


def test_free_ports_differ() -> None:
    assert len(set(free_ports(8))) == 8
