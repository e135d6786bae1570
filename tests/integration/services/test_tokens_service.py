"""Credentials over their life against the simulated platforms: renewed, warned of, lost, handed in.

The judge is what the simulated platforms were asked, and what lies in the database.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import accounts as account_tables
from forwarder_core.db.tables import flow
from forwarder_core.db.tables import tokens as tables
from forwarder_core.domain.accounts import Account, AccountStatus
from forwarder_core.domain.jobs import JobStatus, WaitReason
from forwarder_core.domain.tokens import TokenState
from forwarder_core.errors import AuthExpired, Conflict, Invalid
from forwarder_core.services import accounts, editing, exits, token_watch, tokens, web_sign_in
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.services.proving import AnotherIdentity
from forwarder_core.simulator.testing import Simulator
from tests.factories import add_connection, add_job, change_row, job_of, rows
from tests.integration.services.signed_accounts import (
    SESSION,
    agree,
    begin,
    calls,
    made,
    made_meta,
    secret,
    status,
    token_of,
    told,
)

pytestmark = pytest.mark.slow


# ---- renewing ---------------------------------------------------------------------------------------------------


def test_what_ends_soon_is_renewed_by_the_hourly_look_and_the_account_shows_its_new_end(
    real_core: Core, simulator: Simulator
) -> None:
    account = made(real_core, simulator)
    assert account.token_expiry is None
    (looked,) = token_watch.refresh_due(real_core)
    assert "refreshed" in looked.words
    first = accounts.get(real_core, account.id).token_expiry
    assert first is not None and first > real_core.clock.now()
    (row,) = rows(real_core, tables.tokens)
    assert (row["id"], row["access_expires_at"], row["failures"]) == (account.id, first, 0)
    assert row["refreshed_at"] is not None
    assert told(real_core, "token_refreshed") == []  # routine is a line of the log


def test_many_that_ask_at_once_cost_one_renewal(real_core: Core, simulator: Simulator) -> None:
    account = made(real_core, simulator)
    token_watch.refresh_due(real_core)
    accounts.test(real_core, account.id)
    account = accounts.get(real_core, account.id)
    before = calls(simulator, "/token", account)
    boxes = [exits.authenticator(real_core, account, simulator.exit) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda box: box.renew(), boxes))
    assert calls(simulator, "/token", account) == before + 1


def test_meta_is_renewed_on_day_fifty_and_not_before(real_core: Core, simulator: Simulator) -> None:
    fields = ("access_token", "ig_user_id", "token_expiry")
    young = made_meta_aged(real_core, simulator, 10)
    old = made_meta_aged(real_core, simulator, 51)
    before = {account.id: secret(real_core, account, "access_token") for account in (young, old)}
    token_watch.refresh_due(real_core)
    assert secret(real_core, young, "access_token") == before[young.id]
    assert secret(real_core, old, "access_token") != before[old.id]
    left = tokens.look(real_core, old.id).facts.expires_at
    assert left is not None and left - real_core.clock.now() > timedelta(days=59), fields


def made_meta_aged(core: Core, simulator: Simulator, age_days: int) -> Account:
    """Settled: what is known of its token was asked for already."""
    secrets = {"token_age_days": str(age_days)}
    account = made_meta(core, simulator, "instagram", secrets=secrets, fields=("access_token",))
    accounts.test(core, account.id)
    now = core.clock.now()
    dates = {
        "issued_at": (now - timedelta(days=age_days)).isoformat(),
        "access_token_expiry": (now + timedelta(days=60 - age_days)).isoformat(),
    }
    StoredCredentials(core, account.id).change(lambda known: {**known, **dates})
    return account


def test_a_sign_in_google_took_back_pauses_the_account_and_a_new_one_releases_what_waited(
    real_core: Core, simulator: Simulator
) -> None:
    account = made(real_core, simulator)
    connection = add_connection(real_core, destination=account)
    job = add_job(real_core, connection, status=JobStatus.PAUSED, wait_reason=WaitReason.ACCOUNT)
    simulator.arm("invalid_grant", count=1, match={"platform": "youtube", "route": "/token"})
    (looked,) = token_watch.refresh_due(real_core)
    assert "not refreshed" in looked.words
    now = accounts.get(real_core, account.id)
    assert now.status is AccountStatus.REQUIRES_REAUTH and "Token refresh failed" in (now.status_reason or "")
    (paused,) = rows(real_core, flow.connections)
    assert paused["status"] == "paused" and account.alias in paused["status_reason"]
    (alert,) = told(real_core, "refresh_failed")
    assert alert["token_type"] == "YouTube OAuth Access Token"
    assert tokens.look(real_core, account.id).state is TokenState.REFRESH_FAILED
    assert token_watch.refresh_due(real_core) == []  # a person must come; nobody asks in vain
    assert len(told(real_core, "refresh_failed")) == 1
    query = agree(simulator, begin(real_core, account).url)
    web_sign_in.finish(real_core, "youtube", query, session=SESSION)
    assert status(real_core, account) is AccountStatus.ACTIVE
    assert rows(real_core, flow.connections)[0]["status"] == "active"
    assert job_of(real_core, job).status is JobStatus.QUEUED
    assert len(told(real_core, "token_refreshed")) == 1
    assert tokens.look(real_core, account.id).state is TokenState.VALID


def test_trouble_that_passes_pauses_only_a_token_that_has_ended_and_mends_itself(
    real_core: Core, simulator: Simulator
) -> None:
    account = made(real_core, simulator)
    token_watch.refresh_due(real_core)
    simulator.arm("http_5xx", count=None, match={"platform": "youtube", "route": "/token"})
    for _ in range(3):
        token_watch.refresh_due(real_core)
    assert status(real_core, account) is AccountStatus.ACTIVE  # its token still works
    assert tokens.look(real_core, account.id).state is TokenState.REFRESH_FAILED
    assert isinstance(real_core.clock, ManualClock)
    real_core.clock.move(2 * 3600)
    token_watch.refresh_due(real_core)
    assert status(real_core, account) is AccountStatus.REFRESH_FAILED
    assert len(told(real_core, "refresh_failed")) == 1
    simulator.disarm()
    token_watch.refresh_due(real_core)
    assert status(real_core, account) is AccountStatus.ACTIVE
    assert len(told(real_core, "token_refreshed")) == 1


def test_refreshing_by_hand_proves_the_account_and_says_what_cannot_be(real_core: Core, simulator: Simulator) -> None:
    account = made(real_core, simulator)
    with real_core.begin() as tx:
        change_row(tx, account_tables.accounts, account.id, status="requires_reauth", status_reason="x: y")
    view = tokens.refresh(real_core, account.id, who="admin")
    assert view.state is TokenState.VALID and status(real_core, account) is AccountStatus.ACTIVE
    person = accounts.create(
        real_core,
        NewAccount(
            platform="instagram", alias="p", handle="p", auth_method="private", credentials={"password": "long-enough"}
        ),
    )
    with pytest.raises(Conflict):
        tokens.refresh(real_core, person.id, who="admin")


# ---- warning ----------------------------------------------------------------------------------------------------


def ending_in(core: Core, account: Account, days: float) -> None:
    ends = (core.clock.now() + timedelta(days=days)).isoformat()
    StoredCredentials(core, account.id).change(lambda known: {**known, "refresh_token_expiry": ends})


def test_an_end_in_sight_is_told_once_for_each_threshold_and_an_hour_never(
    real_core: Core, simulator: Simulator
) -> None:
    account = made(real_core, simulator)
    editing.change_account(real_core, account.id, {"alerts": {"before_days": [3, 1]}}, who="admin")
    token_watch.refresh_due(real_core)
    assert token_watch.watch_expiry(real_core) == []  # the access token ends within the hour: nobody cares
    ending_in(real_core, account, 2.5)
    for _ in range(2):
        token_watch.watch_expiry(real_core)
    assert status(real_core, account) is AccountStatus.EXPIRY_WARNING
    assert [alert["days"] for alert in told(real_core, "token_expiring")] == [3]
    token_watch.refresh_due(real_core)
    assert status(real_core, account) is AccountStatus.EXPIRY_WARNING  # an access token more changes nothing
    assert isinstance(real_core.clock, ManualClock)
    real_core.clock.move(1.6 * 86_400)
    for _ in range(2):
        token_watch.watch_expiry(real_core)
    assert [alert["days"] for alert in told(real_core, "token_expiring")] == [3, 1]
    assert [view.account.id for view in tokens.ending(real_core, within_days=7)] == [account.id]
    real_core.clock.move(86_400)
    for _ in range(2):
        token_watch.watch_expiry(real_core)
    assert status(real_core, account) is AccountStatus.TOKEN_EXPIRED
    assert len(told(real_core, "token_expired")) == 1
    assert tokens.look(real_core, account.id).state is TokenState.EXPIRED


def test_an_account_that_wants_no_warnings_shows_them_all_the_same(real_core: Core, simulator: Simulator) -> None:
    account = made(real_core, simulator)
    editing.change_account(real_core, account.id, {"alerts": {"enabled": False}}, who="admin")
    ending_in(real_core, account, 1)
    token_watch.watch_expiry(real_core)
    assert status(real_core, account) is AccountStatus.EXPIRY_WARNING and told(real_core, "token_expiring") == []
    ending_in(real_core, account, 30)
    token_watch.watch_expiry(real_core)
    assert status(real_core, account) is AccountStatus.ACTIVE
    assert {days: len(found) for days, found in tokens.calendar(real_core).items()} == {7: 0, 30: 1}


def test_a_google_app_in_testing_ends_its_sign_in_after_seven_days(real_core: Core, simulator: Simulator) -> None:
    account = made(real_core, simulator)
    issued = real_core.clock.now().isoformat()
    said = {"issued_at": issued, "app_status": "testing"}
    StoredCredentials(real_core, account.id).change(lambda known: {**known, **said})
    assert tokens.look(real_core, account.id).next_action_at == real_core.clock.now() + timedelta(days=7)


# ---- handing in, and further credentials ------------------------------------------------------------------------


def test_a_token_handed_in_is_asked_whose_it_is_before_it_is_kept(real_core: Core, simulator: Simulator) -> None:
    account = made(real_core, simulator, token=False)
    client = token_of(made(real_core, simulator))
    with pytest.raises(AnotherIdentity):
        tokens.upload(real_core, account.id, client, who="admin")
    assert secret(real_core, account, "refresh_token") is None
    with pytest.raises(Invalid):
        tokens.upload(real_core, account.id, {"token": "PK\x03\x04"}, who="admin")
    with pytest.raises(Invalid):
        tokens.upload(real_core, account.id, {}, who="admin")
    view, _ = tokens.upload(real_core, account.id, token_of(account), who="admin")
    assert view.state is TokenState.VALID and status(real_core, account) is AccountStatus.ACTIVE


def test_another_client_ends_the_token_made_for_the_old_one(real_core: Core, simulator: Simulator) -> None:
    account = made(real_core, simulator)
    client = {"web": {"client_id": "7-other.apps.googleusercontent.com", "client_secret": "GOCSPX-other"}}
    view, warning = tokens.upload(real_core, account.id, {"oauth_client": json.dumps(client)}, who="admin")
    assert view.state is TokenState.NOT_SIGNED_IN and "/oauth2callback" in (warning or "")
    assert status(real_core, account) is AccountStatus.REQUIRES_REAUTH
    assert secret(real_core, account, "refresh_token") is None


def test_a_connection_publishes_with_the_credential_it_names(real_core: Core, simulator: Simulator) -> None:
    account = made(real_core, simulator)
    files = token_of(account)
    view, _ = tokens.upload(real_core, account.id, files, who="admin", label="second project")
    assert view.token.id != account.id and not view.token.is_own
    connection = add_connection(real_core, destination=account)
    with pytest.raises(Invalid):
        editing.change_connection(real_core, connection.id, {"token_ref": 10**9}, who="admin")
    changed = editing.change_connection(real_core, connection.id, {"token_ref": view.token.id}, who="admin")
    assert changed.token_ref == view.token.id
    with pytest.raises(Conflict):
        tokens.remove(real_core, view.token.id, who="admin")
    StoredCredentials(real_core, account.id).change(lambda known: {**known, "refresh_token": "1//dead"})
    video = str(simulator.add_post("youtube", account.handle, seconds=1, width=90, height=160)["id"])
    named = exits.destination(real_core, account, simulator.exit, token_id=changed.token_ref)
    assert named.verify(video).is_live
    with pytest.raises(AuthExpired):
        exits.destination(real_core, account, simulator.exit).verify(video)
    back = editing.change_connection(real_core, connection.id, {"token_ref": account.id}, who="admin")
    assert back.token_ref is None
    tokens.remove(real_core, view.token.id, who="admin")
    assert len(tokens.of_account(real_core, account.id)) == 1


def test_a_further_credential_in_trouble_pauses_only_the_connections_that_name_it(
    real_core: Core, simulator: Simulator
) -> None:
    account = made(real_core, simulator)
    files = token_of(account)
    view, _ = tokens.upload(real_core, account.id, files, who="admin", label="second")
    plain = add_connection(real_core, destination=account)
    naming = add_connection(real_core, destination=account, token_ref=view.token.id)
    ends = (real_core.clock.now() - timedelta(days=1)).isoformat()
    box = StoredCredentials(real_core, account.id, view.token.id)
    box.change(lambda known: {**known, "refresh_token_expiry": ends})
    token_watch.watch_expiry(real_core)
    statuses = {row["id"]: row["status"] for row in rows(real_core, flow.connections)}
    assert statuses == {plain.id: "active", naming.id: "paused"}
    assert status(real_core, account) is AccountStatus.ACTIVE
    assert "second" in told(real_core, "token_expired")[0]["token_type"]
    tokens.upload(real_core, account.id, files, who="admin", label="second")
    assert {row["status"] for row in rows(real_core, flow.connections)} == {"active"}


def test_secrets_of_a_token_are_in_nothing_that_is_shown_of_it(real_core: Core, simulator: Simulator) -> None:
    account = made(real_core, simulator)
    token_watch.refresh_due(real_core)
    secrets = StoredCredentials(real_core, account.id).read()
    shown = repr(tokens.look(real_core, account.id)) + repr(rows(real_core, tables.tokens))
    for name in ("client_secret", "refresh_token", "access_token"):
        assert secrets[name] not in shown
