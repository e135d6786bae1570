"""Webhooks: signed, retried, never to a private address; what they were told is what the outbox was."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables.roads import deliveries
from forwarder_core.errors import Conflict, Invalid, NotFound, Unavailable
from forwarder_core.services import alerting, delivering, webhooks
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from tests import factories
from tests.integration.alerts.outgoing import tell
from tests.integration.alerts.receivers import Receiver, receiver

pytestmark = pytest.mark.slow
# What an attacker writes to reach this machine or its neighbours, all of it leading to no public address.
SPELLINGS = (
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://0x7f000001:{port}/",
    "http://2130706433:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://localhost:{port}/",
    "http://forwarder.internal:{port}/",
    "http://10.0.0.7/",
    "http://user:secret@127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "http://127.0.0.1\\@example.com:{port}/",
)


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def strict(database_url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Core]:
    """An installation that may reach no private network."""
    with factories.make_core(database_url, clock, tmp_path) as core:
        yield core


@pytest.fixture
def open_core(strict: Core) -> Core:
    """One that may reach this machine."""
    allowed = strict.settings.model_copy(update={"allow_private_networks": ("127.0.0.0/8",)})
    return Core(allowed, strict.engine, strict.vault, strict.clock)


@pytest.fixture
def knocks() -> Iterator[tuple[int, list[int]]]:
    """A port of this machine, and one entry for each connection made to it."""
    came: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        stopping = threading.Event()

        def listen() -> None:
            while not stopping.is_set():
                try:
                    server.accept()[0].close()
                except TimeoutError:
                    continue
                came.append(1)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield server.getsockname()[1], came
        stopping.set()
        thread.join(5)


def hook(core: Core, url: str, **more: Any) -> webhooks.Made:
    return webhooks.create(core, {"name": "desk", "url": url, **more}, who="admin")


def states(core: Core) -> list[tuple[str, int, int | None]]:
    return [(row["state"], row["attempts"], row["status_code"]) for row in factories.rows(core, deliveries)]


def test_an_alert_arrives_signed_so_that_only_the_secrets_holder_can_have_sent_it(
    open_core: Core, there: Receiver
) -> None:
    made = hook(open_core, there.url)
    tell(open_core)
    assert delivering.send_due(open_core) == 1

    ((headers, body),) = there.came
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(made.secret.removeprefix("whsec_"))
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{right}"
    said = json.loads(body)
    assert (said["type"], said["severity"], said["data"]["stuck_jobs"]) == ("census", "high", 0)
    assert "CENSUS NOT CLEAN" in said["text"] and said["timestamp"] == open_core.clock.now().isoformat()
    assert states(open_core) == [("sent", 1, 204)]


def test_a_receiver_that_is_away_is_asked_again_later_and_in_the_end_no_more(
    open_core: Core, there: Receiver, clock: ManualClock
) -> None:
    hook(open_core, there.url)
    tell(open_core, 3)
    there.answers += [(503, {})] * 100
    waits = []
    for wait_s in (*delivering.WAITS_S, 1.0):
        before = len(there.came)
        delivering.send_due(open_core)
        waits.append(len(there.came) - before)
        clock.move(wait_s - 1)
        assert delivering.send_due(open_core) == 0
        clock.move(1)
    assert waits[0] == 1, "three deliveries, one receiver, one knock"
    assert states(open_core)[0] == ("dropped", len(delivering.WAITS_S) + 1, 503)

    there.answers.clear()
    clock.move(delivering.WAITS_S[-1])
    assert delivering.send_due(open_core) == 2
    ids = [headers["webhook-id"] for headers, _ in there.came]
    assert len(set(ids)) == 3, "an attempt and its repetition have the same id"


def test_an_alert_made_meanwhile_does_not_knock_at_a_receiver_that_is_away(
    open_core: Core, there: Receiver, clock: ManualClock
) -> None:
    hook(open_core, there.url)
    there.answers += [(503, {})]
    for kind in (AlertKind.CENSUS, AlertKind.DISK, AlertKind.QUOTA):
        tell(open_core, kind=kind)
        delivering.send_due(open_core)
        clock.move(1)
    assert len(there.came) == 1
    clock.move(10)
    assert delivering.send_due(open_core) == 3
    assert [json.loads(body)["type"] for _, body in there.came] == ["census", "census", "disk", "quota"]


def test_kinds_choose_and_what_is_off_by_default_comes_when_it_is_named(open_core: Core, there: Receiver) -> None:
    hook(open_core, there.url, kinds=["job_succeeded"])
    tell(open_core)
    job = factories.add_job(open_core, factories.add_connection(open_core))
    with open_core.begin() as tx:
        errand = factories.jobs.errand(tx, job)
        alerting.about_job(tx, AlertKind.JOB_SUCCEEDED, errand, now=open_core.clock.now(), url="https://example.com/x")
    delivering.send_due(open_core)
    assert [json.loads(body)["type"] for _, body in there.came] == ["job_succeeded"]


def test_a_switched_off_webhook_gets_nothing_and_a_deleted_one_takes_its_deliveries_along(
    open_core: Core, there: Receiver
) -> None:
    made = hook(open_core, there.url, enabled=False)
    tell(open_core)
    assert delivering.send_due(open_core) == 0 and factories.rows(open_core, deliveries) == []
    webhooks.change(open_core, made.webhook.id, {"enabled": True}, who="admin")
    with pytest.raises(Conflict):
        hook(open_core, there.url)
    tell(open_core, kind=AlertKind.DISK)
    assert [d.kind for d in webhooks.deliveries(open_core, made.webhook.id)] == ["disk"]
    webhooks.remove(open_core, made.webhook.id, who="admin")
    assert factories.rows(open_core, deliveries) == []
    with pytest.raises(NotFound):
        webhooks.get(open_core, made.webhook.id)


def test_a_test_call_says_what_the_receiver_answered(open_core: Core, there: Receiver) -> None:
    made = hook(open_core, there.url)
    assert webhooks.test(open_core, made.webhook.id) == 204
    there.answers.append((500, {}))
    with pytest.raises(Unavailable, match="HTTP 500"):
        webhooks.test(open_core, made.webhook.id)
    assert json.loads(there.came[0][1])["type"] == "test"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_private_address_is_taken_or_called(
    strict: Core, knocks: tuple[int, list[int]], spelling: str
) -> None:
    port, came = knocks
    with pytest.raises(Invalid) as refused:
        hook(strict, spelling.format(port=port))
    assert refused.value.fields[0].field == "url" and refused.value.action
    assert webhooks.page(strict) == [] and came == []


def test_an_address_that_was_public_when_it_was_written_is_checked_at_every_call(
    strict: Core, knocks: tuple[int, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is told to be public first and this machine afterwards."""
    port, came = knocks
    answers = [["93.184.216.34"], ["127.0.0.1"], ["93.184.216.34", "127.0.0.1"]]

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr("forwarder_core.addresses.socket.getaddrinfo", resolve)
    made = hook(strict, f"http://rebinding.example:{port}/")
    for _ in range(2):
        with pytest.raises(Unavailable, match="private network"):
            webhooks.test(strict, made.webhook.id)
    assert came == []


def test_the_address_that_passed_is_the_one_connected_to(
    strict: Core, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resolved once: whoever resolved it again would be told another address."""
    open_core = Core(
        strict.settings.model_copy(update={"allow_private_networks": ("127.0.0.0/8",)}),
        strict.engine,
        strict.vault,
        strict.clock,
    )
    asked: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr("forwarder_core.addresses.socket.getaddrinfo", resolve)
    made = hook(open_core, there.url.replace("127.0.0.1", "hooks.example"))
    assert webhooks.test(open_core, made.webhook.id) == 204
    assert there.came[0][0]["host"].startswith("hooks.example:")
    assert [host for host in asked if host == "hooks.example"] == ["hooks.example"] * 2, "when written, and when called"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(
    open_core: Core, there: Receiver, knocks: tuple[int, list[int]], status: int
) -> None:
    port, came = knocks
    there.answers.append((status, {"location": f"http://127.0.0.1:{port}/"}))
    made = hook(open_core, there.url)
    with pytest.raises(Unavailable, match="redirects"):
        webhooks.test(open_core, made.webhook.id)
    assert came == []


def test_the_secret_is_sealed_and_can_be_replaced(open_core: Core, there: Receiver) -> None:
    made = hook(open_core, there.url)
    assert made.secret.encode() not in bytes(made.webhook.secret)
    other = webhooks.new_secret(open_core, made.webhook.id, who="admin")
    assert other.secret != made.secret
    assert webhooks.secret_of(open_core, webhooks.get(open_core, made.webhook.id)) == other.secret
