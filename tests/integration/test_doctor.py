"""The doctor: what can be wrong is found, named and given an action; what cannot be seen is not called well."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.domain import findings
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.findings import Finding, State, exit_code
from forwarder_core.embedded import machine, ports
from forwarder_core.services import doctor, keeping
from forwarder_core.services.context import Core
from forwarder_core.settings import Settings
from tests.factories import add_account, make_core

NOW = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (findings.of_certificate(NOW + timedelta(days=60), NOW), State.OK),
        (findings.of_certificate(NOW + timedelta(days=13), NOW), State.WARNING),
        (findings.of_certificate(NOW - timedelta(days=1), NOW), State.FAILING),
        (findings.of_backup(None, NOW), State.WARNING),
        (findings.of_backup(NOW - timedelta(days=1), NOW), State.OK),
        (findings.of_backup(NOW - timedelta(days=30), NOW), State.WARNING),
        (findings.of_clock(0.4), State.OK),
        (findings.of_clock(-31.0), State.FAILING),
    ],
)
def test_each_measure_has_its_mark(found: Finding, state: State) -> None:
    assert found.state is state and found.detail
    assert bool(found.action) == (state is not State.OK), "whoever reads it knows what to do"


def test_only_a_failure_is_a_failure() -> None:
    harmless = [Finding("a", State.WARNING, ""), Finding("b", State.SKIPPED, ""), Finding("c", State.OK, "")]
    assert exit_code(harmless) == 0
    assert exit_code([*harmless, Finding("d", State.FAILING, "")]) == 1


@pytest.mark.slow
def test_accounts_clock_and_backup_are_looked_at(database_url: str, tmp_path: Path) -> None:
    with make_core(database_url, ManualClock(NOW), tmp_path) as core:
        broken = add_account(core, status=AccountStatus.TOKEN_EXPIRED, status_reason="its token ended")
        well = add_account(core)
        keeping.note_backup(core, name="b", size_bytes=1, is_encrypted=True, taken_at=NOW)
        found = examined(core)
    assert found["account", broken.alias].state is State.FAILING
    assert "its token ended" in found["account", broken.alias].detail
    assert found["account", well.alias].state is State.SKIPPED, "asked nothing, so not well"
    assert found["clock", ""].state is State.FAILING, "the test's clock is not this machine's"
    assert found["backup", ""].state is State.OK
    assert found["migrations", ""].state is State.OK and found["keeper", ""].state is State.SKIPPED


def examined(core: Core) -> dict[tuple[str, str], Finding]:
    return {(f.code, f.subject): f for f in doctor.examine(core, is_running=False, offline=True)}


def test_the_machine_around_it_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "secret-keys").write_text("key\n", "utf-8")
    (tmp_path / "secret-keys").chmod(0o644)
    settings = Settings(home=tmp_path, bind=f"127.0.0.1:{ports.free_port()}")
    found = {finding.code: finding for finding in machine.examine(settings, is_running=True)}
    assert found["keys"].state is State.FAILING and "chmod 600" in found["keys"].action
    assert found["port"].state is State.FAILING, "nothing answers there"
    assert found["certificate"].state is State.SKIPPED and found["redirect"].state is State.SKIPPED


@pytest.fixture
def plain_http() -> Iterator[tuple[int, list[str]]]:
    """A server on port 80's side: where it leads to is the one thing in the list."""
    leads_to: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(301 if leads_to else 200)
            for target in leads_to:
                self.send_header("Location", target)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port, leads_to
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("target", "state"),
    [("https://here.example/", State.OK), ("http://here.example/", State.FAILING), ("", State.FAILING)],
)
def test_plain_http_must_lead_to_https(plain_http: tuple[int, list[str]], target: str, state: State) -> None:
    port, leads_to = plain_http
    leads_to.extend([target] if target else [])
    assert machine.redirect("127.0.0.1", port).state is state


def test_a_door_without_a_certificate_is_found(plain_http: tuple[int, list[str]]) -> None:
    assert machine.certificate("127.0.0.1", plain_http[0]).state is State.FAILING
