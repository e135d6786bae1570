"""Free TCP ports on this machine.

A default port that is taken gives way to the next free one; a port set by hand is obeyed or refused, never changed.
The fact to know: a stack listens seconds after it looked, and another may look meanwhile. So what it chose is claimed
until it ends, which other stacks of ours see (on Linux); another program may still take it, and whoever listens must
then fail with a clear message.
"""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import closing

from forwarder_core.errors import PortTaken

LOOPBACK = "127.0.0.1"
_NEXT_TRIES = 100


class Claims:
    """Ports that other stacks on this machine leave alone, from the claim to `close` or to the end of this process.

    A claim is a socket with a name of no folder: the kernel knows it in exactly the network the port is of, whoever
    asks, and forgets it with its holder, however that died. Elsewhere than on Linux nothing is claimed.
    """

    def __init__(self) -> None:
        self._held: dict[str, socket.socket] = {}

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for held in self._held.values():
            held.close()
        self._held.clear()

    def take(self, port: int, host: str = LOOPBACK) -> bool:
        """Whether it is ours now: claimed by nobody else, and free."""
        name = f"{host}:{port}"
        if name in self._held:
            return True
        if not self._claim(name):
            return False
        if not is_free(port, host):
            self._held.pop(name).close()
            return False
        return True

    def _claim(self, name: str) -> bool:
        held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._held[name] = held
        if sys.platform != "linux":
            return True
        try:
            held.bind(f"\0snapcore-forwarder/{name}")
        except OSError as e:
            self._held.pop(name).close()
            if e.errno != errno.EADDRINUSE:
                raise
            return False
        return True


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


def choose(claims: Claims, preferred: int, *, explicit: bool, host: str = LOOPBACK) -> int:
    """`preferred`, or the next free one after it where it was only a default; claimed. Raises PortTaken."""
    if claims.take(preferred, host):
        return preferred
    if explicit:
        raise PortTaken(f"Port {preferred} on {host} is taken or not allowed.")
    for port in range(preferred + 1, min(preferred + _NEXT_TRIES, 65536)):
        if claims.take(port, host):
            return port
    return choose_any(claims, 1, host)[0]


def choose_any(claims: Claims, count: int, host: str = LOOPBACK) -> list[int]:
    """That many different free ports, claimed."""
    chosen: list[int] = []
    while len(chosen) < count:
        chosen += [port for port in free_ports(count - len(chosen), host) if claims.take(port, host)]
    return chosen
