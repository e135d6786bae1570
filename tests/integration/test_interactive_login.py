"""Signing in with a person at hand: from the button to the working account, through the real client library.

The simulated Instagram sends the code 314159 by mail; the person of these tests types it in over the service.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forwarder_core.clock import ManualClock, SystemClock
from forwarder_core.db import accounts, connections
from forwarder_core.db.tables.people import audit_log
from forwarder_core.db.tables.system import log_events, settings
from forwarder_core.domain.accounts import Account, AccountStatus
from forwarder_core.domain.jobs import JobStatus, WaitReason
from forwarder_core.errors import AuthInvalid, ChallengeRequired, Conflict, Invalid
from forwarder_core.services import challenges, interactive_login, journal, notifying, resting, waiting
from forwarder_core.services.context import Core
from forwarder_core.services.interactive_login import SignIn, State
from forwarder_core.simulator.testing import Simulator, eventually
from forwarder_pipelines import keeper
from tests import factories

pytestmark = pytest.mark.slow
CODE = "314159"


@pytest.fixture
def core(database_url: str, tmp_path: Path, simulator: Simulator) -> Iterator[Core]:
    with factories.make_core(database_url, SystemClock(), tmp_path, **factories.through(simulator)) as core:
        yield core


@pytest.fixture
def still(database_url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Core]:
    """With a clock that stands, and no way out."""
    with factories.make_core(database_url, clock, tmp_path, outbound_proxy="http://127.0.0.1:9") as core:
        yield core


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rests that spare the real Instagram."""
    from forwarder_core.platforms.instagram import auth
    from forwarder_core.platforms.instagram.client import Pace

    monkeypatch.setattr(auth.InstagramAuthenticator.__init__, "__kwdefaults__", {"pace": Pace(0, None, 0)})
    monkeypatch.setattr(keeper, "_SIGN_IN_ROUND_S", 0.05)
    monkeypatch.setattr(waiting, "GOOD_FOR_S", 0.0)
    monkeypatch.setattr(interactive_login, "_LOOK_EVERY_S", 0.05)


@contextmanager
def keeping(core: Core) -> Iterator[None]:
    """The keeper's loop for sign-ins, as the keeper runs it."""
    stopping = threading.Event()
    thread = threading.Thread(target=keeper.sign_people_in, args=(core, stopping), daemon=True)
    thread.start()
    yield
    stopping.set()
    thread.join(10)
    assert not thread.is_alive()


def reached(core: Core, account: Account, *states: State, within_s: float = 20) -> SignIn:
    def look() -> SignIn | None:
        seen = interactive_login.look(core, account.id)
        return seen if seen and seen.state in states else None

    found = eventually(look, within_s=within_s)
    assert found is not None
    return found


def held_by_challenge(core: Core, simulator: Simulator) -> tuple[Account, int]:
    """An account Instagram wants a code for, its paused connection, and the job that met the challenge."""
    account, remote_id = factories.simulated_account(core, simulator, "instagram")
    simulator.call("PATCH", f"/accounts/instagram/{remote_id}", json={"challenge": "email_code"})
    connection = factories.add_connection(core, account)
    job_id = factories.add_job(core, connection, status="captcha")
    with core.begin() as tx:
        challenges.raise_on(tx, account, "Instagram wants to send a code.", core.clock.now())
    return account, job_id


def row_of(core: Core, account: Account) -> Account:
    with core.begin() as tx:
        found = accounts.get(tx, account.id)
    assert found is not None
    return found


def test_the_code_typed_in_here_ends_the_challenge(core: Core, simulator: Simulator) -> None:
    account, job_id = held_by_challenge(core, simulator)
    handler = journal.install(core)
    with keeping(core):
        assert interactive_login.request(core, account.id, who="admin").state is State.REQUESTED
        assert interactive_login.request(core, account.id, who="admin").is_under_way  # a double click
        waiting = reached(core, account, State.WAITING_FOR_CODE)
        assert waiting.asked == 1 and waiting.code_until is not None
        for _ in range(2):
            interactive_login.give_code(core, account.id, " 314-159 ", who="admin")
        reached(core, account, State.DONE)
    assert row_of(core, account).status is AccountStatus.ACTIVE
    assert factories.job_of(core, job_id).status is JobStatus.QUEUED
    with core.begin() as tx:
        (connection,) = connections.page(tx, after=0, limit=9)
        assert connection.status == "active" and accounts.on_probation(tx) == {account.id}
    audited = [row["what"] for row in factories.rows(core, audit_log)]
    assert audited == ["account_created", "sign_in_requested", "sign_in_code_given", "captcha_resolved"]
    kept = f"{factories.rows(core, settings)} {factories.rows(core, log_events)} {factories.rows(core, audit_log)}"
    assert CODE not in kept and handler.dropped == 0
    # The session won is the one the polls use: no further login.
    from forwarder_core.services import accounts as accounts_service

    assert accounts_service.test(core, account.id)


def test_a_wrong_code_fails_and_leaves_the_challenge(core: Core, simulator: Simulator) -> None:
    account, job_id = held_by_challenge(core, simulator)
    with keeping(core):
        interactive_login.request(core, account.id, who="admin")
        reached(core, account, State.WAITING_FOR_CODE)
        interactive_login.give_code(core, account.id, "000000", who="admin")
        failed = reached(core, account, State.FAILED)
        assert failed.reason and failed.action
    assert row_of(core, account).status is AccountStatus.CAPTCHA_DETECTED
    assert factories.job_of(core, job_id).status is JobStatus.CAPTCHA


def test_giving_up_ends_the_wait(core: Core, simulator: Simulator) -> None:
    account, _ = held_by_challenge(core, simulator)
    with keeping(core):
        interactive_login.request(core, account.id, who="admin")
        reached(core, account, State.WAITING_FOR_CODE)
        for _ in range(2):
            ended = interactive_login.give_up(core, account.id, who="admin")
            assert ended is not None and ended.reason == "Given up by admin."
        with pytest.raises(Conflict, match="waits for a code"):
            interactive_login.give_code(core, account.id, CODE, who="admin")
        # A new one begins although the old one's thread may still be on its way out.
        interactive_login.request(core, account.id, who="admin")
        reached(core, account, State.WAITING_FOR_CODE)


def test_an_account_held_for_its_password_is_free_after_the_sign_in(core: Core, simulator: Simulator) -> None:
    account, _ = factories.simulated_account(core, simulator, "instagram")
    job_id = factories.add_job(
        core, factories.add_connection(core, account), status="paused", wait_reason=WaitReason.ACCOUNT
    )
    with core.begin() as tx:
        resting.lay_to_rest(tx, account, AuthInvalid("Instagram refused the password."), core.clock.now())
    assert row_of(core, account).status is AccountStatus.REQUIRES_REAUTH
    with keeping(core):
        interactive_login.request(core, account.id, who="admin")
        reached(core, account, State.DONE)
    assert row_of(core, account).status is AccountStatus.ACTIVE
    assert factories.job_of(core, job_id).status is JobStatus.QUEUED
    with core.begin() as tx:
        assert [c.status for c in connections.page(tx, after=0, limit=9)] == ["active"]
    assert "token_refreshed" in {n.alert.kind for n in notifying.notifications(core)}


def test_nobody_types_for_ten_minutes(still: Core, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    account = factories.add_account(still)
    interactive_login.request(still, account.id, who="admin")
    (held,) = interactive_login.take(still, 5)
    assert interactive_login.take(still, 5) == []

    def login(self: object, ask_code: object) -> None:
        assert callable(ask_code) and ask_code() == ""
        raise ChallengeRequired("The code was not entered.")

    from forwarder_core.platforms.instagram.auth import InstagramAuthenticator

    monkeypatch.setattr(InstagramAuthenticator, "sign_in", login)
    monkeypatch.setattr("time.sleep", lambda seconds: clock.move(60))
    interactive_login.sign_in(still, held)
    ended = interactive_login.look(still, account.id)
    assert ended and ended.state is State.FAILED and ended.reason == "No code was entered within 10 minutes."


def test_a_sign_in_whose_keeper_died_is_ended_and_not_repeated(still: Core, clock: ManualClock) -> None:
    account = factories.add_account(still)
    interactive_login.request(still, account.id, who="admin")
    held = interactive_login.take(still, 5)
    clock.move(15)
    interactive_login.keep(still, held)
    clock.move(15)
    interactive_login.end_lost(still)
    assert interactive_login.look(still, account.id).is_under_way  # type: ignore[union-attr]
    clock.move(10)
    interactive_login.end_lost(still)
    ended = interactive_login.look(still, account.id)
    assert ended and ended.state is State.FAILED and "interrupted" in (ended.reason or "")
    assert interactive_login.take(still, 5) == []


def test_what_cannot_be_asked_for_says_why(still: Core) -> None:
    youtube = factories.add_account(still, "youtube", auth_method="oauth")
    with pytest.raises(Conflict, match="no sign-in"):
        interactive_login.request(still, youtube.id, who="admin")
    for code in ("", "12", "1234567890123", "12 34;", "١٢٣٤"):
        with pytest.raises(Invalid):
            interactive_login.give_code(still, youtube.id, code, who="admin")
