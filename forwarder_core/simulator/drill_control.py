"""The control API over one kept connection: a drill asks thousands of times, and a fresh client each time is slow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from forwarder_core.simulator.client import ControlClient, ControlFailed

_TIMEOUT_S = 120.0


def _client() -> httpx.Client:
    return httpx.Client(trust_env=False, timeout=_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class KeptControl(ControlClient):
    """Not to be shared by threads that ask at once; `close` at the end."""

    client: httpx.Client = field(default_factory=_client, repr=False)

    def call(self, method: str, path: str, **options: Any) -> Any:
        answer = self.client.request(method, self.url + path, **options)
        if answer.is_error:
            raise ControlFailed(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None

    def arm(self, fault: str, *, count: int | None = 1, match: dict[str, str] | None = None, **value: Any) -> int:
        """The fault's id."""
        body = {"fault": fault, "count": count, "match": match or {}, **value}
        return int(self.call("POST", "/faults", json=body)["id"])

    def disarm(self) -> None:
        self.call("DELETE", "/faults")

    def close(self) -> None:
        self.client.close()
