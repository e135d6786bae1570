"""The door as it is started for people, over a database of a bench, with an administrator of its own."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from forwarder_core.embedded.ports import free_port
from forwarder_core.services.context import Core

_ROOT = Path(__file__).resolve().parents[1]
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Door:
    base: str
    user: str
    process: psutil.Process
    password: str = field(repr=False)

    def token(self) -> str:
        body = {"username": self.user, "password": self.password}
        answer = httpx.post(f"{self.base}/api/login", json=body, trust_env=False)
        answer.raise_for_status()
        return str(answer.json()["token"])

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> tuple[int, int]:
        """Bytes it holds, and its share of them where pages are shared (RSS and PSS)."""
        held = self.process.memory_full_info()
        return int(held.rss), int(held.pss)


@contextmanager
def running(core: Core) -> Iterator[Door]:
    """Raises RuntimeError with the end of its log when it does not come up."""
    port, password = free_port(), f"Bench-1-{secrets.token_urlsafe(16)}"
    settings = core.settings.model_copy(update={"bind": f"127.0.0.1:{port}", "admin_password": password})
    env = {"PATH": os.defpath, "PYTHONPATH": str(_ROOT), **settings.environment()}
    patient = ["--no-access-log", "--timeout-keep-alive", "60"]  # a pause of the client's is no reason to hang up
    argv = [sys.executable, "-m", "uvicorn", "admin_app.asgi:app", "--port", str(port), *patient]
    base, told = f"http://127.0.0.1:{port}", core.settings.home / "door.log"
    with told.open("wb") as log:
        door = subprocess.Popen(argv, cwd=core.settings.home, env=env, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + _PATIENCE_S
            while not _answers(base):
                if door.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(told.read_text()[-2_000:])
                time.sleep(0.1)
            yield Door(base, settings.admin_username, psutil.Process(door.pid), password)
        finally:
            door.terminate()
            door.wait(30)


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/api/health/simple", trust_env=False, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
