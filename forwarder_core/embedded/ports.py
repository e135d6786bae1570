"""Free TCP ports on this machine.

A default port that is taken gives way to the next free one; a port set by hand is obeyed or refused, never changed.
The fact to know: between looking and listening another program may take the port. Whoever listens must still fail
with a clear message.
"""

from __future__ import annotations

import socket
from contextlib import closing

from forwarder_core.errors import PortTaken

LOOPBACK = "127.0.0.1"
_NEXT_TRIES = 100


def is_free(port: int, host: str = LOOPBACK) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        # As servers do: a port in TIME_WAIT is free, one that is listened on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError:
            return False
    return True


def free_port(host: str = LOOPBACK) -> int:
    """Any free port."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def free_ports(count: int, host: str = LOOPBACK) -> list[int]:
    """That many different free ports: all are held until the last is found."""
    probes = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((host, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def choose(preferred: int, *, explicit: bool, host: str = LOOPBACK) -> int:
    """`preferred`, or the next free one after it where it was only a default. Raises PortTaken."""
    if is_free(preferred, host):
        return preferred
    if explicit:
        raise PortTaken(f"Port {preferred} on {host} is taken or not allowed.")
    for port in range(preferred + 1, min(preferred + _NEXT_TRIES, 65536)):
        if is_free(port, host):
            return port
    return free_port(host)
