"""The simulator for tests: `running(home)` starts it as a process on free ports and stops it again.

The process is a real one, so that what is tested is what the demo runs. The fact to know: it dies with the thread
that started it; start it from a fixture, not from a short-lived thread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.simulator.client import ControlClient
from forwarder_core.simulator.client import ControlFailed as ControlFailed

_STOP_S = 10.0
_ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """A simulated world, and what a test wants to do to it. One that runs elsewhere may be anybody's: only the calls of
    `add_account`, `add_post`, `publications` and `disarm` are asked of it."""

    gateway_url: str
    control_url: str
    ca_path: Path

    @property
    def exit(self) -> Exit:
        """The way out through the main proxy, trusting the simulator's CA."""
        return Exit(proxy=ProxyAddress.parse(self.gateway_url), ca_bundle=self.ca_path)

    def exit_through(self, proxy_url: str) -> Exit:
        return Exit(proxy=ProxyAddress.parse(proxy_url), ca_bundle=self.ca_path)

    def call(self, method: str, path: str, **options: Any) -> Any:
        """One call of the control API, its JSON. Raises ControlFailed with the problem's text."""
        return ControlClient(self.control_url).call(method, path, **options)

    def add_account(self, platform: str, username: str, **more: Any) -> dict[str, Any]:
        """`{id, credentials, …}`"""
        return dict(self.call("POST", "/accounts", json={"platform": platform, "username": username, **more}))

    def add_post(self, platform: str, account: str, caption: str = "", **more: Any) -> dict[str, Any]:
        """`{id, url, sha256}`; `file=` or `seconds= width= height= …` of a clip to be made."""
        return ControlClient(self.control_url).add_post(platform, account, caption, **more)

    def publications(self, platform: str | None = None, account: str | None = None) -> list[dict[str, Any]]:
        return ControlClient(self.control_url).publications(platform, account)

    def arm(self, fault: str, *, count: int | None = 1, match: dict[str, str] | None = None, **value: Any) -> int:
        """The fault's id."""
        body = {"fault": fault, "count": count, "match": match or {}, **value}
        return int(self.call("POST", "/faults", json=body)["id"])

    def disarm(self) -> None:
        self.call("DELETE", "/faults")

    def open_proxy(self, **wanted: Any) -> dict[str, Any]:
        """`{id, url, host, port, exit_ip}`; `username= password= port=`"""
        return dict(self.call("POST", "/proxies", json=wanted))

    def requests(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "/requests"))

    def failures(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "/failures"))

    def telegram(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "/telegram/messages"))

    def reset(self) -> None:
        self.call("POST", "/reset")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSimulator(Simulator):
    """Ours, run for the test alone."""

    home: Path
    process: subprocess.Popen[str]


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[OwnSimulator]:
    """A simulator with its state under `home`, for as long as the block runs."""
    command = [sys.executable, "-m", "forwarder_core.simulator", "--home", str(home), "--die-with-parent", *arguments]
    # A bare environment: the settings of whoever runs the tests are not the simulated installation's.
    with subprocess.Popen(command, cwd=_ROOT, env={"PATH": os.defpath}, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise ControlFailed(f"the simulator did not start (exit code {process.wait(_STOP_S)})")
            ready = json.loads(line)
            yield OwnSimulator(
                home=home,
                gateway_url=ready["gateway"],
                control_url=ready["control"],
                ca_path=Path(ready["ca"]),
                process=process,
            )
        finally:
            _stop(process)


running_simulator = running  # the name tests outside this package ask for


def eventually(look: Callable[[], T], *, within_s: float = 5.0) -> T:
    """What `look` returns as soon as it is true. Raises AssertionError after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {found!r} after {within_s} s")
        time.sleep(0.02)
    return found


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
