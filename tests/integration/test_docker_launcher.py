"""A run as a container: the launcher as dagster.yaml configures it, against an engine that only answers as one."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import launcher_jobs
import pytest
import yaml
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import WorkerStatus

from forwarder_core.embedded.dagster_home import render
from forwarder_core.settings import Launcher, Settings

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
ID = "c0ffee" * 10 + "abcd"


class Engine(ThreadingHTTPServer):
    """Speaks the few paths of the Docker Engine API that a run needs; `asked` is what came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, Any]] = []
        self.state = "created"


class _Handler(BaseHTTPRequestHandler):
    server: Engine

    def do_GET(self) -> None:
        path = self._path()
        if path == "/version":
            return self._answer(200, {"ApiVersion": "1.47", "Version": "28"})
        if path == f"/containers/{ID}/json" and self.server.state != "gone":
            state = {"Status": self.server.state, "ExitCode": 137}
            return self._answer(200, {"Id": ID, "State": state, "Config": {}, "Name": "/run"})
        return self._answer(404, {"message": "No such container"})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or "null")
        path = self._path()
        self.server.asked.append(("POST", path + self._query(), body))
        if path == "/containers/create":
            return self._answer(201, {"Id": ID, "Warnings": []})
        self.server.state = {"start": "running", "stop": "exited"}[path.rpartition("/")[2]]
        return self._answer(204, None)

    def _path(self) -> str:
        return re.sub(r"^/v[\d.]+", "", self.path.partition("?")[0])

    def _query(self) -> str:
        return "?" + self.path.partition("?")[2] if "?" in self.path else ""

    def _answer(self, status: int, body: Any) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    made = Engine()
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    given = {
        "DOCKER_HOST": f"tcp://127.0.0.1:{made.server_port}",
        "DAGSTER_RUN_IMAGE": "snapcore-forwarder",
        "DAGSTER_RUN_NETWORK": "snapcore-forwarder_default",
        "DAGSTER_PG_URL": "postgresql+psycopg2://f:hush@postgres/forwarder_dagster",
        "DAGSTER_HOME": "/data/dagster",
        "FORWARDER_DATABASE_URL": "postgresql://f:hush@postgres/forwarder",
        "FORWARDER_HOME": "/data",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def instance(tmp_path: Path, engine: Engine) -> Iterator[dg.DagsterInstance]:
    """One whose launcher is what the product writes into dagster.yaml; its rows lie in a file."""
    folder = render(Settings(home=tmp_path, launcher=Launcher.DOCKER), 4000)
    written = yaml.safe_load((folder / "dagster.yaml").read_text("utf-8"))
    assert "hush" not in json.dumps(written), "the file holds names of variables, no secret"
    (tmp_path / "instance").mkdir()
    told = yaml.safe_dump({"run_launcher": written["run_launcher"]})
    (tmp_path / "instance" / "dagster.yaml").write_text(told, "utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path / "instance")) as made:
        yield made


def test_a_run_is_a_container_that_is_started_watched_and_stopped(instance: dg.DagsterInstance, engine: Engine) -> None:
    origin = ReconstructableRepository.for_file(launcher_jobs.__file__, "definitions", str(ROOT))
    code = origin.get_reconstructable_job("wait_job").get_python_origin()
    run = instance.create_run_for_job(launcher_jobs.wait_job, job_code_origin=code)
    launcher = instance.run_launcher
    launcher.launch_run(SimpleNamespace(dagster_run=run, job_code_origin=code))  # type: ignore[arg-type]

    (_, _, made), (_, started, _) = engine.asked
    assert started == f"/containers/{ID}/start"
    assert made["Image"] == "snapcore-forwarder" and made["HostConfig"]["NetworkMode"] == "snapcore-forwarder_default"
    assert made["HostConfig"]["Binds"] == ["snapcore-forwarder_data:/data"]
    assert made["HostConfig"]["CapDrop"] == ["ALL"]
    assert made["Cmd"][0] == "dagster", "the image's entry point takes a module and its arguments"
    env = dict(entry.split("=", 1) for entry in made["Env"])
    assert env["FORWARDER_HOME"] == "/data" and "hush" in env["FORWARDER_DATABASE_URL"]
    assert not [word for word in made["Cmd"] if "hush" in word], "no secret on the command line"

    def health() -> WorkerStatus:
        known = instance.get_run_by_id(run.run_id)
        assert known is not None
        return launcher.check_run_worker_health(known).status

    assert health() is WorkerStatus.RUNNING
    assert launcher.terminate(run.run_id)
    assert engine.asked[-1][1] == f"/containers/{ID}/stop?t=600", "as long as an upload step may take"
    assert health() is WorkerStatus.FAILED
    engine.state = "gone"
    assert health() is WorkerStatus.NOT_FOUND
