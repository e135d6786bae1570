"""What the Instagram contract tests share: a running simulator, an account in it, a credential box in memory.

No tests here. The fact to know: one simulator serves a whole module; each test makes accounts of its own, and every
fault is disarmed and every unknown call reported after it.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.connectors.base import Secrets
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.platforms.instagram.auth import InstagramAuthenticator, secrets_from_form
from forwarder_core.platforms.instagram.client import Pace
from forwarder_core.platforms.instagram.destination import InstagramDestination
from forwarder_core.platforms.instagram.source import InstagramSource
from forwarder_core.simulator.testing import Simulator, running

FAST = Pace(between_calls_s=0, configure_s=0)
LOGIN = "/api/v1/bloks/async_action/com.bloks.www.bloks.caa.login.async.send_login_request/"
LISTING = "/api/v1/clips/user/"
CONFIGURE = "/api/v1/media/configure_to_clips/"
_numbers = itertools.count()


class Box:
    """A credential box in memory, whose lock is a thread lock."""

    def __init__(self, secrets: Secrets) -> None:
        self.secrets: Secrets = dict(secrets)
        self._lock = threading.Lock()

    def read(self) -> Secrets:
        return dict(self.secrets)

    def change(self, renew: Callable[[Secrets], Secrets]) -> Secrets:
        with self._lock:
            self.secrets = dict(renew(dict(self.secrets)))
            return dict(self.secrets)

    @property
    def settings(self) -> dict[str, Any]:
        return dict(json.loads(self.secrets["settings"]))


@dataclass(frozen=True)
class Insta:
    """One account of the simulated Instagram, seen by our side."""

    sim: Simulator
    account: Account
    box: Box
    exit: Exit
    remote_id: str
    since: str  # when it was made, as the simulator writes times

    @property
    def source(self) -> InstagramSource:
        return InstagramSource(self.account, self.box, self.exit, pace=FAST)

    @property
    def authenticator(self) -> InstagramAuthenticator:
        return InstagramAuthenticator(self.account, self.box, self.exit, pace=FAST)

    @property
    def destination(self) -> InstagramDestination:
        return InstagramDestination(self.account, self.box, self.exit, pace=FAST)

    def by(self, way_out: Exit) -> Insta:
        return Insta(self.sim, self.account, self.box, way_out, self.remote_id, self.since)

    def with_box(self, box: Box) -> Insta:
        return Insta(self.sim, self.account, box, self.exit, self.remote_id, self.since)

    def arm(self, fault: str, route: str, *, count: int | None = 1, **value: Any) -> int:
        return self.sim.arm(fault, count=count, match={"platform": "instagram", "route": route}, **value)

    def calls(self, path: str) -> list[dict[str, Any]]:
        """What the simulator saw of this account, or of nobody, under this path."""
        seen = [r for r in self.sim.requests() if r["at"] >= self.since]
        return [r for r in seen if r["path"] == path and r["account"] in (None, self.remote_id)]

    def statuses(self, path: str) -> Counter[int]:
        return Counter(call["status"] for call in self.calls(path))

    def post(self, clip: Path, caption: str) -> str:
        return str(self.sim.add_post("instagram", self.account.handle, caption, file=str(clip))["id"])


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running(tmp_path_factory.mktemp("simulator")) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def clip(sim: Simulator) -> Path:
    """A video file of 3 s."""
    sim.add_account("instagram", "clipmaker")
    sim.add_post("instagram", "clipmaker", seconds=3, width=720, height=1280)
    return next((sim.ca_path.parent / "media").glob("*.mp4"))


@pytest.fixture(autouse=True)
def nothing_unknown(sim: Simulator) -> Iterator[None]:
    """Every fault is gone, and nobody asked for what the simulated Instagram does not know."""
    before = len(sim.failures())
    yield
    sim.disarm()
    assert sim.failures()[before:] == []


@pytest.fixture
def make(sim: Simulator, request: pytest.FixtureRequest) -> Callable[..., Insta]:
    def make(way_out: Exit | None = None, **more: Any) -> Insta:
        name = f"{request.node.name.partition('[')[0][-24:]}_{next(_numbers)}"
        shown = sim.add_account("instagram", name, password="a päss: wörd", **more)
        account = Account(
            id=1, platform="instagram", alias=name, handle=name, auth_method="private", remote_id=shown["id"]
        )
        box = Box(secrets_from_form(shown["credentials"]))
        return Insta(sim, account, box, way_out or sim.exit, shown["id"], datetime.now(UTC).isoformat())

    return make


@pytest.fixture
def insta(make: Callable[..., Insta]) -> Insta:
    return make()


__all__ = ["CONFIGURE", "FAST", "LISTING", "LOGIN", "Box", "Insta", "clip", "insta", "make", "nothing_unknown", "sim"]
