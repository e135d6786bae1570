"""What the Graph API contract tests share: an account of the simulated Instagram connected with Meta.

No tests here. The fact to know: one simulator serves a whole module, each test makes accounts of its own.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from forwarder_core.clock import Clock, ManualClock
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.platforms.instagram.auth import secrets_from_form
from forwarder_core.platforms.instagram.graph_auth import FIELDS, GraphAuthenticator
from forwarder_core.platforms.instagram.graph_destination import GraphDestination
from forwarder_core.platforms.instagram.graph_source import GraphSource
from forwarder_core.platforms.instagram.graph_uploads import Patience
from forwarder_core.simulator.testing import Simulator
from tests.contract.test_instagram_kit import Box, clip, nothing_unknown, sim

IMPATIENT = Patience(looks_s=(0.05, 0.1, 0.2, 0.3))
_numbers = itertools.count()


@dataclass(frozen=True)
class Graph:
    """One account of the simulated Instagram, seen by our side through the Graph API."""

    sim: Simulator
    account: Account
    box: Box
    exit: Exit
    remote_id: str
    since: str
    clock: Clock | None = None

    @property
    def source(self) -> GraphSource:
        return GraphSource(self.account, self.box, self.exit, clock=self.clock)

    @property
    def authenticator(self) -> GraphAuthenticator:
        return GraphAuthenticator(self.account, self.box, self.exit, clock=self.clock)

    @property
    def destination(self) -> GraphDestination:
        return GraphDestination(self.account, self.box, self.exit, clock=self.clock, patience=IMPATIENT)

    @property
    def listing(self) -> str:
        return f"/v25.0/{self.remote_id}/media"

    @property
    def publish(self) -> str:
        return f"/v25.0/{self.remote_id}/media_publish"

    def at(self, now: datetime) -> Graph:
        clock = ManualClock(now)
        return Graph(self.sim, self.account, self.box, self.exit, self.remote_id, self.since, clock)

    def arm(self, fault: str, route: str, *, count: int | None = 1, **value: Any) -> int:
        return self.sim.arm(fault, count=count, match={"platform": "instagram", "route": route}, **value)

    def calls(self, path: str, method: str | None = None) -> list[dict[str, Any]]:
        """What the simulator saw under paths that begin so, of this account or of nobody, since it was made."""
        seen = [r for r in self.sim.requests() if r["at"] >= self.since and r["account"] in (None, self.remote_id)]
        return [r for r in seen if r["path"].startswith(path) and method in (None, r["method"])]

    def statuses(self, path: str, method: str | None = None) -> Counter[int]:
        return Counter(call["status"] for call in self.calls(path, method))

    def secrets(self, **secrets: str) -> None:
        self.sim.call("PATCH", f"/accounts/instagram/{self.remote_id}", json={"secrets": secrets})

    def publications(self) -> list[dict[str, Any]]:
        return self.sim.publications("instagram", self.account.handle)


@pytest.fixture
def connect(sim: Simulator, request: pytest.FixtureRequest) -> Callable[..., Graph]:
    """An account by its simulated secrets; `only` = which fields of the form are filled in."""

    def connect(*, only: tuple[str, ...] = FIELDS, way_out: Exit | None = None, **secrets: str) -> Graph:
        name = f"{request.node.name.partition('[')[0][-24:]}_g{next(_numbers)}"
        shown = sim.add_account("instagram", name, secrets=secrets)
        account = Account(id=1, platform="instagram", alias=name, handle=name, auth_method="graph_api")
        typed = {field: value for field, value in shown["credentials"].items() if field in only}
        since = datetime.now(UTC).isoformat()
        return Graph(sim, account, Box(secrets_from_form(typed)), way_out or sim.exit, shown["id"], since)

    return connect


@pytest.fixture
def graph(connect: Callable[..., Graph]) -> Graph:
    return connect()


__all__ = ["IMPATIENT", "Box", "Graph", "clip", "connect", "graph", "nothing_unknown", "sim"]
