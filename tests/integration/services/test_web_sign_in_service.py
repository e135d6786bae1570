"""Signing in on a platform's own page, against the simulated ones: there, back, and every way it is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import tokens as tables
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.tokens import TokenState
from forwarder_core.errors import Conflict, Forbidden, Invalid, StepFailed
from forwarder_core.services import exits, tokens, web_sign_in
from forwarder_core.services.context import Core
from forwarder_core.services.proving import AnotherIdentity
from forwarder_core.services.web_sign_in import SignInExpired, SignInForeign, SignInUnknown, SignInUsed
from forwarder_core.simulator.testing import Simulator
from tests.factories import rows
from tests.integration.services.signed_accounts import (
    SESSION,
    agree,
    begin,
    made,
    made_meta,
    secret,
    status,
    told,
)

pytestmark = pytest.mark.slow


def test_an_account_without_a_token_waits_for_its_sign_in_and_works_after_it(
    real_core: Core, simulator: Simulator
) -> None:
    account = made(real_core, simulator, token=False, secrets={"app_status": "testing"})
    assert account.status is AccountStatus.REQUIRES_REAUTH and "Authorise" in (account.status_reason or "")
    started = begin(real_core, account)
    assert started.redirect_uri == "http://127.0.0.1:8080/oauth2callback"
    assert started.redirect_uri in (started.warning or "")
    finished = web_sign_in.finish(real_core, "youtube", agree(simulator, started.url), session=SESSION)
    assert finished.identity.remote_id == account.handle
    assert finished.account.status is AccountStatus.ACTIVE and finished.account.remote_id == account.handle
    view = tokens.look(real_core, account.id)
    assert view.state is TokenState.VALID and view.facts.scopes
    assert view.next_action_at is not None
    left = view.next_action_at - real_core.clock.now()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    assert finished.account.token_expiry == view.facts.access_expires_at
    (message,) = told(real_core, "token_refreshed")
    assert message["how"] == "oauth"


def test_what_is_stored_of_a_sign_in_under_way_is_not_enough_to_finish_it(
    real_core: Core, simulator: Simulator
) -> None:
    account = made(real_core, simulator, token=False)
    started = begin(real_core, account)
    query = agree(simulator, started.url)
    (row,) = rows(real_core, tables.oauth_states)
    text = repr(row)
    assert query["state"] not in text and SESSION not in text
    opened = real_core.vault.unseal(row["pending"])
    assert opened["code_verifier"] and opened["code_verifier"] not in text


def test_an_answer_counts_once_in_its_own_session_and_in_time(
    real_core: Core, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = made(real_core, simulator, token=False)
    query = agree(simulator, begin(real_core, account).url)
    before = len(simulator.requests())
    with pytest.raises(SignInUnknown):
        web_sign_in.finish(real_core, "youtube", query | {"state": "guessed"}, session=SESSION)
    with pytest.raises(SignInUnknown):
        web_sign_in.finish(real_core, "meta", query, session=SESSION)
    with pytest.raises(SignInForeign):
        web_sign_in.finish(real_core, "youtube", query, session="another session")
    assert len(simulator.requests()) == before
    web_sign_in.finish(real_core, "youtube", query, session=SESSION)
    with pytest.raises(SignInUsed):
        web_sign_in.finish(real_core, "youtube", query, session=SESSION)
    late = agree(simulator, begin(real_core, account).url)
    assert isinstance(real_core.clock, ManualClock)
    real_core.clock.move(601)
    with pytest.raises(SignInExpired):
        web_sign_in.finish(real_core, "youtube", late, session=SESSION)


def test_a_declined_sign_in_says_so_and_keeps_what_there_was(real_core: Core, simulator: Simulator) -> None:
    account = made(real_core, simulator, secrets={"consent": "denied"})
    token = secret(real_core, account, "refresh_token")
    query = agree(simulator, begin(real_core, account).url)
    assert "error" in query
    with pytest.raises(Invalid, match="declined"):
        web_sign_in.finish(real_core, "youtube", query, session=SESSION)
    assert secret(real_core, account, "refresh_token") == token
    assert status(real_core, account) is AccountStatus.ACTIVE


def test_somebody_elses_channel_is_refused_and_the_present_token_kept(real_core: Core, simulator: Simulator) -> None:
    project = "one project for two channels"
    account = made(real_core, simulator, secrets={"project": project})
    other = made(real_core, simulator, secrets={"project": project})
    token = secret(real_core, account, "refresh_token")
    started = begin(real_core, account)
    query = agree(simulator, f"{started.url}&login_hint={other.handle}")
    with pytest.raises(AnotherIdentity, match=other.handle):
        web_sign_in.finish(real_core, "youtube", query, session=SESSION)
    assert secret(real_core, account, "refresh_token") == token
    assert told(real_core, "token_refreshed") == []


@pytest.mark.parametrize("variant", ["instagram", "facebook"])
def test_both_logins_of_meta_lead_to_a_token_of_sixty_days(real_core: Core, simulator: Simulator, variant: str) -> None:
    told_before = len(simulator.failures())  # of other tests, in the same world
    account = made_meta(real_core, simulator, variant)
    assert account.status is AccountStatus.REQUIRES_REAUTH
    started = begin(real_core, account, "meta")
    assert started.redirect_uri.endswith("/oauth2callback/meta")
    finished = web_sign_in.finish(real_core, "meta", agree(simulator, started.url), session=SESSION)
    assert finished.identity.handle == account.handle and finished.account.status is AccountStatus.ACTIVE
    view = tokens.look(real_core, account.id)
    assert view.facts.kind == f"meta_{variant}_login" and view.next_action_at is not None
    assert timedelta(days=59) < view.next_action_at - real_core.clock.now() < timedelta(days=60, minutes=1)
    assert exits.authenticator(real_core, finished.account, simulator.exit).identify().handle == account.handle
    assert simulator.failures()[told_before:] == []


def test_meta_declined_and_another_person_are_refused(real_core: Core, simulator: Simulator) -> None:
    denied = made_meta(real_core, simulator, "instagram", secrets={"consent": "denied"})
    with pytest.raises(Invalid, match="declined"):
        query = agree(simulator, begin(real_core, denied, "meta").url)
        web_sign_in.finish(real_core, "meta", query, session=SESSION)
    app = {"meta_app": "one app for two people"}
    account = made_meta(real_core, simulator, "instagram", secrets=app)
    made_meta(real_core, simulator, "instagram", secrets={**app, "in_browser": "yes"})
    with pytest.raises((AnotherIdentity, StepFailed)):
        query = agree(simulator, begin(real_core, account, "meta").url)
        web_sign_in.finish(real_core, "meta", query, session=SESSION)
    assert secret(real_core, account, "access_token") is None
    assert status(real_core, account) is AccountStatus.REQUIRES_REAUTH


def test_an_account_is_signed_in_only_on_the_page_it_has(real_core: Core, simulator: Simulator) -> None:
    account = made(real_core, simulator, token=False)
    with pytest.raises(Conflict):
        begin(real_core, account, "meta")
    no_app = made_meta(real_core, simulator, "instagram", fields=("access_token",))
    with pytest.raises(Invalid) as refused:
        begin(real_core, no_app, "meta")
    assert [field.field for field in refused.value.fields] == ["credentials.app_id"]


def test_a_state_is_refused_where_the_platform_is_not_asked(real_core: Core, simulator: Simulator) -> None:
    account = made(real_core, simulator, token=False)
    query = agree(simulator, begin(real_core, account).url)
    before = len(simulator.requests())
    with pytest.raises((Forbidden, SignInUnknown)):
        web_sign_in.finish(real_core, "youtube", {"code": query["code"]}, session=SESSION)
    assert len(simulator.requests()) == before
