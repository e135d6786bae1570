"""Choosing ports: a default gives way, a port set by hand does not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from forwarder_core.embedded.ports import choose, free_port, free_ports, is_free
from forwarder_core.errors import PortTaken


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def test_a_free_port_is_taken_as_asked() -> None:
    port = free_port()
    assert choose(port, explicit=True) == port
    assert choose(port, explicit=False) == port


def test_a_taken_default_gives_way_to_the_next_free_one(taken: int) -> None:
    chosen = choose(taken, explicit=False)
    assert chosen != taken and is_free(chosen)


def test_a_taken_port_set_by_hand_is_refused(taken: int) -> None:
    with pytest.raises(PortTaken, match=f"Port {taken} on 127.0.0.1"):
        choose(taken, explicit=True)


def test_free_ports_differ() -> None:
    assert len(set(free_ports(8))) == 8
