"""Signing in to Instagram with the unmodified client library, over real sockets and real hostnames."""

# ruff: noqa: F401, F811 - fixtures arrive by import, and are named again by the tests that take them
from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from forwarder_core.domain.accounts import Account
from forwarder_core.errors import AuthExpired, AuthInvalid, ChallengeRequired, RateLimited, StepFailed
from forwarder_core.platforms.instagram.source import InstagramSource
from forwarder_core.simulator.testing import running
from tests.contract.test_instagram_kit import (
    FAST,
    LISTING,
    LOGIN,
    Box,
    Insta,
    insta,
    make,
    nothing_unknown,
    sim,
)

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_one_login_serves_every_later_client(insta: Insta) -> None:
    assert insta.authenticator.identify().handle == insta.account.handle
    insta.source.list_posts()
    insta.source.list_posts()
    assert insta.statuses(LOGIN) == {200: 1}
    assert insta.box.secrets["login_tries"] == "1"


def test_what_is_stored_holds_the_device_and_nothing_of_this_machine(insta: Insta) -> None:
    insta.authenticator.identify()
    settings = insta.box.settings
    assert settings["authorization_data"]["ds_user_id"] == insta.remote_id
    assert settings["uuids"]["uuid"]
    assert not {"tls_verify", "private_transport", "proxy", "request_timeout"} & set(settings)
    assert str(insta.sim.ca_path) not in str(insta.box.secrets)


def test_every_call_goes_through_the_proxy_whatever_the_environment_says(
    insta: Insta, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "/nonexistent.pem")
    before = len(insta.sim.requests())
    insta.authenticator.identify()
    seen = insta.sim.requests()[before:]
    assert len(seen) >= 9
    assert all(" via " in call["client"] for call in seen)


def test_a_session_id_signs_in_without_the_password(insta: Insta) -> None:
    insta.authenticator.identify()
    session_id = insta.box.settings["authorization_data"]["sessionid"]
    other = insta.with_box(Box({"session_id": session_id}))
    assert other.authenticator.identify().remote_id == insta.remote_id
    other.source.list_posts()
    assert other.statuses(LOGIN) == {200: 1}, "only the first one used a password"


def test_an_unknown_session_id_alone_ends_as_expired(insta: Insta) -> None:
    insta.box.secrets = {"session_id": f"{insta.remote_id}%3Aunknownunknownunknown%3A7"}
    with pytest.raises(AuthExpired):
        insta.source.list_posts()
    assert insta.statuses(LOGIN) == {}


def test_a_dead_session_id_falls_back_to_the_password(insta: Insta) -> None:
    insta.box.secrets = {**insta.box.secrets, "session_id": f"{insta.remote_id}%3Aunknownunknownunknown%3A7"}
    insta.source.list_posts()
    assert insta.statuses(LOGIN) == {200: 1}
    assert "session_id" not in insta.box.secrets


def test_two_factor_by_the_stored_secret(make: Callable[..., Insta]) -> None:
    account = make(secrets={"totp_seed": SEED})
    assert account.box.secrets["totp_seed"] == SEED
    assert account.authenticator.identify().remote_id == account.remote_id


def test_a_wrong_two_factor_secret_is_a_refused_login(make: Callable[..., Insta]) -> None:
    account = make(secrets={"totp_seed": SEED})
    account.box.secrets = {**account.box.secrets, "totp_seed": "GEZDGNBVGY3TQOJQ"}
    with pytest.raises(AuthInvalid, match="two-factor"):
        account.source.list_posts()


def test_a_missing_two_factor_secret_asks_for_a_person(make: Callable[..., Insta]) -> None:
    account = make(secrets={"totp_seed": SEED})
    account.box.secrets = {"password": account.box.secrets["password"]}
    with pytest.raises(ChallengeRequired, match="two-factor"):
        account.source.list_posts()


def test_a_wrong_password_is_refused_and_keeps_the_device(insta: Insta) -> None:
    insta.box.secrets = {"password": "wrong"}
    with pytest.raises(AuthInvalid):
        insta.source.list_posts()
    device = insta.box.settings["uuids"]
    with pytest.raises(AuthInvalid):
        insta.source.list_posts()
    assert insta.box.settings["uuids"] == device
    assert insta.statuses(LOGIN) == {400: 2}


def test_a_changed_password_means_a_new_login_with_the_same_device(insta: Insta) -> None:
    insta.source.list_posts()
    device = insta.box.settings["uuids"]
    insta.sim.call("PATCH", f"/accounts/instagram/{insta.remote_id}", json={"password": "the new one"})
    insta.box.secrets = {**insta.box.secrets, "password": "the new one"}
    insta.source.list_posts()
    assert insta.statuses(LOGIN) == {200: 2}
    assert insta.box.settings["uuids"] == device


def test_an_ended_session_is_renewed_once_and_the_question_asked_again(insta: Insta) -> None:
    insta.source.list_posts()
    device = insta.box.settings["uuids"]
    insta.arm("token_expired", LISTING)
    insta.source.list_posts()
    assert insta.statuses(LISTING) == {200: 2, 403: 1}
    assert insta.statuses(LOGIN) == {200: 2}
    assert insta.box.settings["uuids"] == device


def _at_once(source: InstagramSource, gate: threading.Barrier) -> type[StepFailed] | None:
    gate.wait()
    try:
        source.list_posts()
    except StepFailed as e:
        return type(e)
    return None


def _eight_at_once(insta: Insta) -> list[type[StepFailed] | None]:
    gate = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda source: _at_once(source, gate), [insta.source for _ in range(8)]))


def test_eight_threads_with_an_ended_session_cause_one_login(insta: Insta) -> None:
    insta.source.list_posts()
    insta.arm("token_expired", LISTING)  # ends every session of the account, whoever asks first
    assert _eight_at_once(insta) == [None] * 8
    assert insta.statuses(LISTING)[403] >= 1
    assert insta.statuses(LOGIN) == {200: 2}


def test_eight_threads_with_a_wrong_password_try_it_once(insta: Insta) -> None:
    insta.box.secrets = {"password": "wrong"}
    assert _eight_at_once(insta) == [AuthInvalid] * 8
    assert insta.statuses(LOGIN) == {400: 1}


def test_a_challenge_at_login_waits_for_a_person_and_passes_after_it(make: Callable[..., Insta]) -> None:
    account = make(challenge="checkpoint")
    with pytest.raises(ChallengeRequired):
        account.source.list_posts()
    device = account.box.settings["uuids"]
    account.sim.call("PATCH", f"/accounts/instagram/{account.remote_id}", json={"challenge": None})
    account.source.list_posts()
    assert account.box.settings["uuids"] == device


def test_the_interactive_login_types_in_the_code_it_is_given(make: Callable[..., Insta]) -> None:
    account = make(challenge="checkpoint")
    assert account.authenticator.sign_in(lambda: "314159").remote_id == account.remote_id
    account.source.list_posts()


def test_the_interactive_login_given_up_is_still_a_challenge(make: Callable[..., Insta]) -> None:
    account = make(challenge="checkpoint")
    with pytest.raises(ChallengeRequired):
        account.authenticator.sign_in(lambda: "")
    device = account.box.settings["uuids"]
    account.authenticator.sign_in(lambda: "314159")
    assert account.box.settings["uuids"] == device


MAIL_SENT = "/api/v1/bloks/async_action/com.bloks.www.ap.two_step_verification.entrypoint_async/"


def test_a_login_nobody_waits_for_makes_instagram_send_no_mail(make: Callable[..., Insta]) -> None:
    account = make(challenge="email_code", secrets={"totp_seed": SEED})
    with pytest.raises(ChallengeRequired, match="code"):
        account.source.list_posts()
    assert account.calls(MAIL_SENT) == []


def test_the_interactive_login_types_in_the_code_of_the_mail(make: Callable[..., Insta]) -> None:
    account = make(challenge="email_code")
    assert account.authenticator.sign_in(lambda: "314159").remote_id == account.remote_id
    assert len(account.calls(MAIL_SENT)) == 1


def test_a_wrong_code_of_the_mail_is_still_a_challenge(make: Callable[..., Insta]) -> None:
    account = make(challenge="email_code")
    with pytest.raises(ChallengeRequired):
        account.authenticator.sign_in(lambda: "000000")


def test_a_challenge_while_signed_in_passes_without_a_new_login(insta: Insta) -> None:
    insta.source.list_posts()
    insta.sim.call("PATCH", f"/accounts/instagram/{insta.remote_id}", json={"challenge": "checkpoint"})
    with pytest.raises(ChallengeRequired):
        insta.source.list_posts()
    insta.sim.call("PATCH", f"/accounts/instagram/{insta.remote_id}", json={"challenge": None})
    insta.source.list_posts()
    assert insta.statuses(LOGIN) == {200: 1}


def test_a_failing_feed_after_the_login_does_not_cost_the_session(insta: Insta) -> None:
    insta.arm("http_429", "/api/v1/feed/")
    insta.source.list_posts()
    assert insta.statuses(LOGIN) == {200: 1}


@pytest.mark.parametrize("route", ["/api/v1/qe/sync/", "/graphql_www", LOGIN])
def test_a_throttled_login_is_not_taken_for_a_wrong_password(insta: Insta, route: str) -> None:
    insta.arm("http_429", route)
    with pytest.raises(RateLimited):
        insta.source.list_posts()
    insta.source.list_posts()


def test_a_session_outlives_a_restart_of_the_simulator(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("restarted")
    account = Account(id=1, platform="instagram", alias="a", handle="lasting", auth_method="private")
    with running(home) as first:
        box = Box(first.add_account("instagram", "lasting", password="secret")["credentials"])
        InstagramSource(account, box, first.exit, pace=FAST).list_posts()
    with running(home) as second:
        InstagramSource(account, box, second.exit, pace=FAST).list_posts()
        assert [r["status"] for r in second.requests() if r["path"] == LOGIN] == [200]
