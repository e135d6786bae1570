"""The client is built for one way out, waits for nothing for ever, and stores only what belongs to the account."""

from __future__ import annotations

import json
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import ChallengeRequired
from forwarder_core.platforms.instagram.client import Pace, build, device_of, session_id_of, settings_of
from forwarder_core.platforms.instagram.patience import Bounded, Impatient

EXIT = Exit(proxy=ProxyAddress("socks5h", "10.0.0.1", 1080, "u@x", "p:w"), ca_bundle=Path("/ca.pem"))
FAST = Pace(between_calls_s=0)


def test_both_sessions_go_one_way_and_ignore_the_environment() -> None:
    client = build(EXIT, {}, pace=FAST)
    for session in (client.private, client.public):
        assert set(session.proxies.values()) == {"socks5h://u%40x:p%3Aw@10.0.0.1:1080"}
        assert (session.trust_env, session.verify) == (False, "/ca.pem")
    assert (client.private_transport, client.session_retry_total) == ("curl", 0)


def test_every_request_has_a_limit_and_an_upload_one_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    client = build(EXIT, {}, pace=FAST)
    seen: list[Any] = []
    for session in (client.private, client.public):
        monkeypatch.setattr(session, "send", lambda request, **options: seen.append(options["timeout"]))
        with pytest.raises(AttributeError):  # there is no answer to go on with
            session.get("https://i.instagram.com/").text  # noqa: B018
        session.post("https://i.instagram.com/", data=b"x" * 1_000_000)
    assert seen == [(15.0, 120.0), (15.0, 130.0)] * 2


def test_it_rests_between_two_calls_and_not_before_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("private", "public"):
        client = build(Exit(pace=2.0), {}, pace=Pace(between_calls_s=30))
        assert client.request_timeout == 0
        session = getattr(client, name)
        monkeypatch.setattr(session, "send", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):  # a call that fails is one, too
            session.get("https://i.instagram.com/")
        assert 0 < client.request_timeout <= 60
        client.set_retry_config(request_timeout=5)  # as the library does with what it has stored
        assert 30 < client.request_timeout <= 60
    assert build(Exit(), {}).rest.seconds == 1.0


def test_stored_settings_name_no_machine_and_survive_the_round_trip() -> None:
    client = build(EXIT, {}, pace=FAST)
    client.authorization_data = {"ds_user_id": "7", "sessionid": "7%3Aabc"}
    stored = settings_of(client)
    assert not {"tls_verify", "private_transport", "proxy", "request_timeout", "session_retry_total"} & set(stored)
    assert "/ca.pem" not in json.dumps(stored)
    again = build(Exit(), stored)
    assert again.uuid == client.uuid
    assert (again.private.verify, again.private.proxies, again.rest.seconds) == (True, {}, 1.0)
    assert session_id_of(stored) == "7%3Aabc"


def test_a_device_without_its_session_is_still_the_device() -> None:
    client = build(EXIT, {}, pace=FAST)
    client.authorization_data = {"ds_user_id": "7", "sessionid": "7%3Aabc"}
    device = device_of(settings_of(client))
    assert session_id_of(device) is None
    assert build(EXIT, device).android_device_id == client.android_device_id


def test_nobody_is_asked_on_standard_input() -> None:
    client = build(EXIT, {}, pace=FAST)
    assert client.with_challenge_flow is False
    assert client.handle_exception is None
    assert client.challenge_code_handler("me") == ""
    for ask in (client.change_password_handler, client.challenge_resolve_contact_form):
        with pytest.raises(ChallengeRequired):
            ask("me")
    with pytest.raises(ChallengeRequired):
        client.bloks_caa_resolve_two_step_verification({}, "123456")


def test_the_library_logs_nothing_of_its_own() -> None:
    client = build(EXIT, {}, pace=FAST)
    assert client.logger.isEnabledFor(50) is False


def test_a_client_let_go_keeps_no_socket() -> None:
    client = build(EXIT, {}, pace=FAST)
    left = [
        weakref.ref(client),
        weakref.ref(client.private),
        weakref.ref(client.private.get_adapter("https://").client),
    ]
    del client
    assert [each() for each in left] == [None] * 3


@pytest.mark.parametrize(("pace", "rest_s"), [(1.0, 1.0), (0.0, 0.0), (2.5, 2.5)])
def test_its_rests_are_scaled_by_the_exit(pace: float, rest_s: float) -> None:
    made = build(Exit(pace=pace), {}, pace=Pace(random_s=(1, 3)))
    assert made.rest.seconds == rest_s and made.delay_range == [pace, 3 * pace]


def test_every_answer_is_bounded_in_time_and_size() -> None:
    made = build(Exit(answer_s=7), {})
    for session in (made.private, made.public):
        assert isinstance(session, Impatient) and session.answer_s == 7
        assert isinstance(session.get_adapter("https://i.instagram.com/"), Bounded)


def test_a_device_signs_once_an_hour_however_many_clients_are_made_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def device_header(settings: dict[str, Any]) -> str:
        return str(build(EXIT, settings, pace=FAST).usdid_header())

    def new_device() -> dict[str, Any]:
        client = build(EXIT, {}, pace=FAST)
        client.usdid_generate()
        return settings_of(client)

    first, other = new_device(), new_device()
    signed = device_header(first)
    assert device_header(first) == signed and device_header(other).split(".")[0] != signed.split(".")[0]
    renewed = time.time() + 3_600 - 299  # the library signs anew five minutes before the end
    monkeypatch.setattr(time, "time", lambda: renewed)
    assert device_header(first) != signed
