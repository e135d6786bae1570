"""Who came through the gateway: the connections it holds open to the app, by the address they come from.

Gateway and app live in one process and share this table; that is how the request log knows the proxy and user of a
request inside TLS, and how a lost answer becomes a broken connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    proxy: str
    proxy_address: str
    user: str | None
    client_ip: str
    exit_ip: str
    abort: Callable[[], None]

    @property
    def label(self) -> str:
        via = f"{self.client_ip} via {self.proxy_address}"
        return f"{via} as {self.user}" if self.user else via


class Passages:
    def __init__(self) -> None:
        self._open: dict[Address, Passage] = {}

    def add(self, address: Address, passage: Passage) -> None:
        self._open[address] = passage

    def remove(self, address: Address) -> None:
        self._open.pop(address, None)

    def find(self, address: Address) -> Passage | None:
        return self._open.get(address)
