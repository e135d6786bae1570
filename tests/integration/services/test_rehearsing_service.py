"""A rehearsal names everything that is in the way of a start, and a start is refused with exactly that."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.db import quotas
from forwarder_core.db.tables.people import audit_log
from forwarder_core.domain.accounts import Account, AccountStatus, Rights
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.rehearsals import Outcome
from forwarder_core.domain.schedules import day_of
from forwarder_core.errors import AuthInvalid, ChallengeRequired, NetworkFailed, RateLimited
from forwarder_core.services import accounts as accounts_service
from forwarder_core.services import connections, rehearsing, rehearsing_ends
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import Core
from forwarder_core.services.rehearsing import NotReady
from tests.factories import add_account, add_connection, later, rows
from tests.integration.services.far_ends import Feed, Somebody

pytestmark = pytest.mark.slow
Ends = dict[int, Somebody]


@pytest.fixture
def ends(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> Ends:
    """What the platforms say of each account; made when it is first asked about."""
    made: Ends = {}
    monkeypatch.setattr(
        registry, "authenticator", lambda account, box, exit_: made.setdefault(account.id, Somebody(account))
    )
    return made


def stopped(core: Core, source: Account | None = None, destination: Account | None = None, **more: Any) -> Connection:
    values = {"status": ConnectionStatus.STOPPED, "started_at": None}
    return add_connection(core, source, destination, **(values | more))


def found(core: Core, connection: Connection) -> dict[str, Outcome]:
    return {check.name: check.outcome for check in rehearsing.rehearse(core, connection.id).checks}


def refusal(core: Core, connection: Connection) -> NotReady:
    with pytest.raises(NotReady) as refused:
        connections.start(core, connection.id)
    assert connections.get(core, connection.id).status is ConnectionStatus.STOPPED
    assert refused.value.message.startswith("Cannot start: ") and refused.value.action
    return refused.value


def test_a_connection_that_has_everything_passes_every_check_and_starts(core: Core, ends: Ends) -> None:
    connection = stopped(core)
    assert set(found(core, connection).values()) == {Outcome.OK}
    assert {"rights", "source_identity", "destination_scopes", "quota", "loop", "disk", "files"} <= set(
        found(core, connection)
    )
    assert connections.start(core, connection.id).status is ConnectionStatus.ACTIVE


def test_everything_that_is_missing_is_said_at_once(core: Core, ends: Ends) -> None:
    source = add_account(core, rights=Rights.UNDECLARED)
    destination = add_account(core, "youtube", status=AccountStatus.REQUIRES_REAUTH, status_reason="Token expired")
    connection = stopped(core, source, destination)
    refused = refusal(core, connection)
    assert len(refused.reasons) == 2
    assert destination.alias in refused.reasons[0] and "Token expired" in refused.reasons[0]
    assert "rights" in refused.reasons[1]
    assert ends == {}, "nobody is asked while something at home is missing"


def test_an_account_that_needs_a_person_is_never_asked_even_for_the_whole_report(core: Core, ends: Ends) -> None:
    source = add_account(core, status=AccountStatus.CAPTCHA_DETECTED)
    connection = stopped(core, source)
    assert found(core, connection)["source_account"] is Outcome.FAILED
    assert source.id not in ends and connection.destination_account_id in ends


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"missing": ("youtube.upload",)}, "lacks youtube.upload"),
        ({"error": AuthInvalid("The token was revoked.")}, "The token was revoked."),
        ({"error": NetworkFailed("The connection failed.")}, "The connection failed."),
        ({"remote_id": "UC-somebody-else"}, "belong to another account now"),
    ],
)
def test_a_destination_that_cannot_be_posted_to_refuses_the_start(
    core: Core, ends: Ends, change: dict[str, Any], words: str
) -> None:
    destination = add_account(core, "youtube", remote_id="UC-mine")
    connection = stopped(core, None, destination)
    ends[destination.id] = Somebody(destination, **({"remote_id": "UC-mine"} | change))
    refused = refusal(core, connection)
    assert words in refused.message and len(refused.reasons) == 1
    ends[destination.id] = Somebody(destination, remote_id="UC-mine")
    assert connections.start(core, connection.id).status is ConnectionStatus.ACTIVE


def test_a_platform_that_only_wants_us_to_wait_warns(core: Core, ends: Ends) -> None:
    destination = add_account(core, "youtube")
    connection = stopped(core, None, destination)
    ends[destination.id] = Somebody(destination, RateLimited("Slow down.", retry_after_s=60))
    assert found(core, connection)["destination_identity"] is Outcome.WARNING
    assert connections.start(core, connection.id).status is ConnectionStatus.ACTIVE


def test_a_source_that_shows_its_posts_to_anybody_needs_no_identity(core: Core, ends: Ends, feed: Feed) -> None:
    source = add_account(core)
    ends[source.id] = Somebody(source, AuthInvalid("There is no token."))
    connection = stopped(core, source)
    assert found(core, connection)["source_identity"] is Outcome.WARNING
    feed.error = NetworkFailed("The connection failed.")
    assert found(core, connection)["source_listing"] is Outcome.FAILED
    assert "could not be read" in refusal(core, connection).message


def test_a_challenge_met_in_a_rehearsal_is_the_accounts_trouble(core: Core, ends: Ends) -> None:
    source = add_account(core)
    ends[source.id] = Somebody(source, ChallengeRequired("A code was sent."))
    refusal(core, stopped(core, source))
    assert accounts_service.get(core, source.id).status is AccountStatus.CAPTCHA_DETECTED


def test_a_circle_and_a_full_day_and_4k_for_nothing_warn(core: Core, ends: Ends, clock: ManualClock) -> None:
    one, other = add_account(core), add_account(core)
    stopped(core, other, one)
    connection = stopped(core, one, other, transform_options={"upscale_to_4k": True})
    with core.begin() as tx:
        today = day_of(clock.now(), core.settings.timezone)
        quotas.tell(tx, f"account:{other.id}", today, full_until=later(core, 3_600))
    report = rehearsing.rehearse(core, connection.id)
    said = {check.name: check for check in report.checks if check.outcome is Outcome.WARNING}
    assert set(said) == {"loop", "quota", "options"} and not report.failed
    assert f"{one.alias} → {other.alias} → {one.alias}" in said["loop"].text


def test_a_layout_whose_picture_is_gone_refuses_the_start(core: Core, ends: Ends) -> None:
    layout = {"template": "split_screen", "background_image": "mine.png"}
    connection = stopped(core, transform_options={"greenscreen": layout})
    assert "mine.png" in refusal(core, connection).message


def test_a_platform_that_does_not_answer_holds_nobody_up(
    core: Core, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    class Mute(Somebody):
        def identify(self) -> Any:
            go_on.wait(10)
            raise NetworkFailed("Too late.")

    destination = add_account(core, "youtube")
    ends[destination.id] = Mute(destination)
    monkeypatch.setattr(rehearsing_ends, "PATIENCE_S", 0.2)
    assert found(core, stopped(core, None, destination))["destination_identity"] is Outcome.WARNING
    go_on.set()


def test_no_transaction_is_open_while_a_platform_is_asked(
    core: Core, ends: Ends, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_then: list[int] = []

    class Watching(Somebody):
        def identify(self) -> Any:
            open_then.append(core.engine.pool.checkedout())  # type: ignore[attr-defined]
            return super().identify()

    connection = stopped(core)
    for id_ in (connection.source_account_id, connection.destination_account_id):
        ends[id_] = Watching(accounts_service.get(core, id_))
    monkeypatch.setattr(
        rehearsing_ends, "ThreadPoolExecutor", lambda max_workers, **named: ThreadPoolExecutor(1, **named)
    )
    rehearsing.rehearse(core, connection.id)
    assert open_then == [0, 0]


def test_who_made_started_stopped_and_paused_is_kept(core: Core, ends: Ends) -> None:
    source, destination = add_account(core), add_account(core, "youtube")
    new = NewConnection(name="Audited", source_account_id=source.id, destination_account_id=destination.id)
    made = connections.create(core, new, who="anna")
    for act in (connections.start, connections.pause, connections.resume, connections.stop):
        act(core, made.id, who="anna")
    kept = [(row["who"], row["what"], row["target"]) for row in rows(core, audit_log)]
    words = ("created", "started", "paused", "resumed", "stopped")
    assert kept == [("anna", f"connection_{word}", f"connection:{made.id}") for word in words]
