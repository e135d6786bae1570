"""Live: a WebSocket and a stream of events tell of jobs as they move, resume, and end with their session."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from forwarder_core.clock import ManualClock
from forwarder_core.db import events, jobs
from forwarder_core.domain.jobs import Step
from forwarder_core.embedded.postgres import Server
from forwarder_core.services import live
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import PASSWORD, USER, running_door

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database(postgres: Server, migrated: str) -> Iterator[str]:
    postgres.address.clone(migrated, "api_live")
    yield postgres.url("api_live")
    postgres.address.drop("api_live")


@pytest.fixture(scope="module")
def base(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_door(database, tmp_path_factory.mktemp("live"), "http://127.0.0.1:9/dagster") as base:
        yield base


@pytest.fixture
def core(database: str, tmp_path: Path) -> Iterator[Core]:
    with factories.make_core(database, ManualClock(datetime.now(UTC)), tmp_path) as core:
        yield core


@pytest.fixture
def token(base: str) -> str:
    answer = httpx.post(f"{base}/api/login", json={"username": USER, "password": PASSWORD}, trust_env=False)
    return str(answer.json()["token"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def socket(base: str, token: str) -> ClientConnection:
    return connect(f"{base.replace('http', 'ws')}/ws/jobs", additional_headers=bearer(token), proxy=None)


def heard(socket: ClientConnection, job_id: int) -> dict[str, Any]:
    """The next message about this job."""
    deadline = time.monotonic() + 15
    while True:
        message = json.loads(socket.recv(timeout=deadline - time.monotonic()))
        if message["job"]["job_id"] == job_id:
            return message  # type: ignore[no-any-return]


def report(core: Core, lease: Any, progress: float, note: str) -> None:
    with core.begin() as tx:
        assert jobs.report(tx, lease, step=Step.PUBLISH, progress=progress, note=note, now=core.clock.now())


def test_a_socket_hears_a_job_move_in_the_shape_the_client_wrote_down(base: str, core: Core, token: str) -> None:
    connection = factories.add_connection(core)
    with socket(base, token) as listener:
        job_id = factories.add_job(core, connection)
        queued = heard(listener, job_id)
        assert queued["event"] == "job_status_update" and queued["timestamp"].endswith("Z")
        assert queued["job"]["status"] == "queued" and queued["job"]["connection_id"] == connection.id
        lease = factories.claimed(core, job_id)
        assert heard(listener, job_id)["job"]["status"] == "running"
        report(core, lease, 0.25, "10 MB / 42 MB")
        first = heard(listener, job_id)["job"]
        core.clock.move(3)  # type: ignore[attr-defined]
        report(core, lease, 0.75, "32 MB / 42 MB")
        moved = heard(listener, job_id)["job"]
    assert first["current_step"] == "uploading" and first["progress_percent"] == 25
    assert first["estimated_completion"] is None, "one look tells no speed"
    assert moved["progress_percent"] == 75 and moved["message"] == "32 MB / 42 MB"
    left = datetime.fromisoformat(moved["estimated_completion"]) - core.clock.now()
    assert abs(left.total_seconds() - 1.5) < 0.5
    assert set(moved) == {
        *("job_id", "connection_id", "status", "current_step", "progress_percent", "message", "estimated_completion")
    }


def test_a_socket_may_ask_for_one_connection(base: str, core: Core, token: str) -> None:
    wanted, other = factories.add_connection(core), factories.add_connection(core)
    with socket(base, token) as listener:
        listener.send(json.dumps({"subscribe": wanted.id}))
        listener.send("nonsense")
        while (said := json.loads(listener.recv(timeout=15)))["event"] != "error":
            pass
        assert said["code"] == "invalid"
        factories.add_job(core, other)
        mine = factories.add_job(core, wanted)
        told = json.loads(listener.recv(timeout=15))
        assert told["job"]["job_id"] == mine


def test_whoever_signs_out_is_cut_off_at_once(base: str, token: str) -> None:
    with (
        socket(base, token) as listener,
        httpx.Client(base_url=base, trust_env=False, timeout=20, headers=bearer(token)) as client,
        client.stream("GET", "/api/events") as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines) == "retry: 3000"
        begun = time.monotonic()
        assert client.post("/api/logout").status_code == 200
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                listener.recv(timeout=15)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
        list(lines)  # the stream ends
        assert time.monotonic() - begun < 2.9, "sooner than the look every three seconds"
    with pytest.raises(InvalidStatus):
        socket(base, token)


def line(core: Core, text: str) -> None:
    with core.begin() as tx:
        row = {"at": core.clock.now(), "level": "info", "text": text, "job_id": 1, "connection_id": None}
        events.log(tx, [{**row, "account_id": None, "code": None}])


def stories(lines: Iterator[str], n: int) -> list[tuple[str, str]]:
    """The next `n` log lines: id and text."""
    found: list[tuple[str, str]] = []
    last, deadline = "", time.monotonic() + 30
    for text in lines:  # a sign of life comes each 15 s
        assert time.monotonic() < deadline, found
        if text.startswith("id: "):
            last = text[4:]
        elif text.startswith("data: ") and (said := json.loads(text[6:]))["event"] == "log":
            found.append((last, said["log"]["text"]))
            if len(found) == n:
                return found
    raise AssertionError(f"the stream ended after {found}")


def test_what_was_told_before_a_break_is_not_told_again_by_an_ear_that_hears_it_late(core: Core) -> None:
    for text in ("one", "two", "three"):
        line(core, text)
    newest = live.newest_line(core)
    moments, seen = live.missed(core, newest - 1)
    assert [moment.line_id for moment in moments] == [newest]
    assert {newest - 2, newest - 1, newest} <= seen


def test_a_stream_of_events_resumes_where_it_was_left(base: str, core: Core, token: str) -> None:
    with httpx.Client(base_url=base, trust_env=False, timeout=20, headers=bearer(token)) as client:
        with client.stream("GET", "/api/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            line(core, "one")
            line(core, "two")
            (first, one), (_, two) = stories(stream.iter_lines(), 2)
        assert (one, two) == ("one", "two")
        line(core, "three")
        with client.stream("GET", "/api/events", headers={"Last-Event-ID": first}) as stream:
            lines = stream.iter_lines()
            assert [text for _, text in stories(lines, 2)] == ["two", "three"]
            line(core, "four")
            assert [text for _, text in stories(lines, 1)] == ["four"]
        assert client.get("/api/events", headers={"Last-Event-ID": "x"}).status_code == 422
    assert httpx.get(f"{base}/api/events", trust_env=False).status_code == 401


def test_the_feed_is_an_ear_and_no_more(base: str, core: Core, token: str) -> None:
    """Two hundred listeners are one connection of the database."""
    with socket(base, token), socket(base, token):
        deadline = time.monotonic() + 10
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%%'"
        while time.monotonic() < deadline:
            with core.engine.connect() as tx:
                if tx.exec_driver_sql(query).scalar_one() == 1:
                    return
        raise AssertionError("not one connection listens")
