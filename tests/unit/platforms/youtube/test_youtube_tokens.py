"""Access tokens: used while they live, renewed once however many ask, and never guessed at."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import google.auth.exceptions
import pytest

from forwarder_core.clock import SystemClock
from forwarder_core.connectors.base import Secrets
from forwarder_core.errors import AuthExpired, PlatformTransient
from forwarder_core.platforms.youtube.tokens import TOKEN_URI, BoxedToken

LOGIN = {"client_id": "c", "client_secret": "s", "refresh_token": "r"}


class Box:
    def __init__(self, **secrets: str) -> None:
        self.secrets: Secrets = LOGIN | secrets
        self._lock = threading.Lock()

    def read(self) -> Secrets:
        return dict(self.secrets)

    def change(self, renew: Callable[[Secrets], Secrets]) -> Secrets:
        with self._lock:
            self.secrets = dict(renew(dict(self.secrets)))
            return dict(self.secrets)


class Google:
    """The token endpoint as google-auth calls it."""

    def __init__(self, status: int = 200, **answer: Any) -> None:
        self.calls: list[bytes] = []
        self._status = status
        self._answer = answer or {"expires_in": 3599}

    def __call__(self, url: str, method: str, body: bytes, headers: dict[str, str], **kwargs: Any) -> Any:
        assert (url, method) == (TOKEN_URI, "POST")
        self.calls.append(body)
        answer = {"access_token": f"new-{len(self.calls)}"} | self._answer if self._status == 200 else self._answer
        raw = answer.pop("raw", None) if "raw" in answer else None
        return SimpleNamespace(status=self._status, data=(raw or json.dumps(answer)).encode())


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def token_for(box: Box) -> BoxedToken:
    return BoxedToken(box, SystemClock())


def test_a_living_token_is_used_as_it_is() -> None:
    credentials = token_for(Box(access_token="old", access_token_expiry=in_seconds(3000))).credentials()
    assert (credentials.valid, credentials.token) == (True, "old")


@pytest.mark.parametrize(
    "secrets",
    [
        {},
        {"access_token": "old"},
        {"access_token": "old", "access_token_expiry": "soon"},
        {"access_token": "old", "access_token_expiry": in_seconds(-10)},
        {"access_token": "old", "access_token_expiry": in_seconds(60)},
    ],
)
def test_any_other_is_renewed_and_kept(secrets: dict[str, str]) -> None:
    box, google = Box(**secrets), Google(refresh_token="r2", expires_in=3599)
    credentials = token_for(box).credentials()
    assert not credentials.valid
    credentials.refresh(google)
    assert (credentials.valid, credentials.token) == (True, "new-1")
    assert (box.secrets["access_token"], box.secrets["refresh_token"]) == ("new-1", "r2")
    ends_in = datetime.fromisoformat(box.secrets["access_token_expiry"]) - datetime.now(UTC)
    assert timedelta(seconds=3500) < ends_in < timedelta(seconds=3600)
    assert token_for(box).credentials().valid


def test_a_token_refused_before_its_end_is_renewed() -> None:
    box, google = Box(access_token="old", access_token_expiry=in_seconds(3000)), Google()
    credentials = token_for(box).credentials()
    credentials.refresh(google)
    assert (credentials.token, len(google.calls)) == ("new-1", 1)


def test_fifteen_that_ask_at_once_cost_one_call() -> None:
    box, google = Box(access_token="old", access_token_expiry=in_seconds(-1)), Google()
    waiting = [token_for(box).credentials() for _ in range(15)]
    with ThreadPoolExecutor(15) as pool:
        list(pool.map(lambda each: each.refresh(google), waiting))
    assert len(google.calls) == 1
    assert {each.token for each in waiting} == {"new-1"}


def test_a_token_without_a_told_life_lives_an_hour() -> None:
    box = Box()
    token_for(box).credentials().refresh(Google(expires_in=None))
    assert datetime.fromisoformat(box.secrets["access_token_expiry"]) > datetime.now(UTC) + timedelta(minutes=59)


def test_without_a_sign_in_nothing_is_asked() -> None:
    box, google = Box(refresh_token=""), Google()
    with pytest.raises(AuthExpired, match="refresh_token missing"):
        token_for(box).credentials().refresh(google)
    assert google.calls == []


@pytest.mark.parametrize(
    "raw", ["<html>sorry</html>", "[]", '"words"', "null", '{"access_token": 1, "expires_in": "x"}']
)
def test_a_200_in_an_unknown_form_is_a_passing_trouble(raw: str) -> None:
    box = Box()
    with pytest.raises(PlatformTransient):
        token_for(box).credentials().refresh(Google(raw=raw))
    assert box.secrets == LOGIN


def test_a_refusal_changes_nothing_in_the_box() -> None:
    box = Box()
    with pytest.raises(google.auth.exceptions.RefreshError):
        token_for(box).credentials().refresh(Google(400, error="invalid_grant", error_description="revoked"))
    assert box.secrets == LOGIN
