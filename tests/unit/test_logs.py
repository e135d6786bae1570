"""Whatever leaves the process as text has passed the redactor: secrets of known shapes, and live ones, are masked."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core import logs
from forwarder_core.logs import MASK, JsonFormatter, redact, remember_secret

TOKEN = "Zk9_q-3xY4tR7" + "w" * 12


@pytest.fixture
def own_secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A memory of this test alone: what one test remembers must not mask another's texts."""
    monkeypatch.setattr(logs, "_live", set())
    yield


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {TOKEN}", TOKEN),
        (f"authorization: bearer {TOKEN}", TOKEN),
        (f"sent with Bearer {TOKEN} to the platform", TOKEN),
        (f"GET https://api.example/x?access_token={TOKEN}&part=id", TOKEN),
        (f"POST https://www.googleapis.com/upload?uploadType=resumable&upload_id={TOKEN}", TOKEN),
        (f'{{"access_token": "{TOKEN}", "expires_in": 3599}}', TOKEN),
        (f'{{"refresh_token":"{TOKEN}"}}', TOKEN),
        (f"{{'client_secret': '{TOKEN}'}}", TOKEN),
        (f"password={TOKEN}", TOKEN),
        (f"sessionid={TOKEN};", TOKEN),
        ("proxy http://user:hunter22@10.0.0.1:8080 refused", "hunter22"),
        ("postgresql+psycopg://forwarder:s3cr3t-pw@db:5432/forwarder", "s3cr3t-pw"),
        (f"https://api.telegram.org/bot123456789:{TOKEN}/sendMessage", TOKEN),
        (f"token ya29.{TOKEN} was refused", TOKEN),
        (f"client GOCSPX-{TOKEN}", TOKEN),
        (f"refresh with 1//{TOKEN}", TOKEN),
        (f"code_verifier={TOKEN}", TOKEN),
        (f"totp_seed: {TOKEN}", TOKEN),
        ('{"password": "correct horse battery"}', "horse"),
        ('{"password": "a \\"quoted\\" horse"}', "horse"),
        ("{'password': 'correct horse battery'}", "horse"),
        ("redis://:hunter22@cache:6379/0", "hunter22"),
        (f"api-key={TOKEN}", TOKEN),
        (f"X-Api-Key: {TOKEN}", TOKEN),
        (f"client-secret={TOKEN}", TOKEN),
    ],
)
def test_a_secret_of_a_known_shape_is_masked(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert MASK in redact(text)


def test_what_stands_around_a_secret_stays_readable() -> None:
    line = redact(f"GET /videos?access_token={TOKEN}&part=id from http://user:hunter22@10.0.0.1:8080 failed")
    assert line == f"GET /videos?access_token={MASK}&part=id from http://user:{MASK}@10.0.0.1:8080 failed"


@pytest.mark.parametrize(
    "sentence",
    [
        "Job 17: Download complete (12.4 MB, 31 seconds)",
        "Looked at @harbour_clips: 24 posts, 3 new, 3 jobs",
        "The proxy refused the login (HTTP 407).",
        "Found at the destination: https://www.youtube.com/shorts/dQw4w9WgXcQ (marker, length, time agree)",
        "The token was renewed; the account keeps its session.",
        "Re-authenticate in Accounts → the account → Update token.",
        "Applying transformations: scale to 1080×1920, 30 fps, AAC 128 kbit/s",
        "Bearing north, 1/2 of the path // or less",
        "",
    ],
)
def test_a_normal_sentence_stays_as_it_is(sentence: str) -> None:
    assert redact(sentence) == sentence


@pytest.mark.usefixtures("own_secrets")
def test_a_remembered_secret_is_masked_plain_and_percent_encoded() -> None:
    remember_secret("p@ss/w ord&1")
    assert redact("login with p@ss/w ord&1 failed") == f"login with {MASK} failed"
    assert redact("GET /?pw=p%40ss%2Fw%20ord%261") == f"GET /?pw={MASK}"


@pytest.mark.usefixtures("own_secrets")
def test_the_longer_of_two_remembered_secrets_is_masked_whole() -> None:
    remember_secret("swordfish", "swordfish-and-more")
    assert redact("it is swordfish-and-more") == f"it is {MASK}"


@pytest.mark.usefixtures("own_secrets")
def test_a_secret_too_short_to_be_one_is_not_hunted_through_every_text() -> None:
    remember_secret("abc", "", None)
    assert redact("the abc of forwarding") == "the abc of forwarding"


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text)) == redact(text)


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger("forwarder.test").makeRecord(
        "forwarder.test", logging.ERROR, __file__, 1, message, args, sys.exc_info(), extra=extra
    )


def test_a_line_is_json_with_its_context_and_only_what_is_known_of_it() -> None:
    line = json.loads(JsonFormatter().format(record("Job %s failed", 7, job_id=7, code="network_error", password="x")))
    assert (line["message"], line["job_id"], line["code"]) == ("Job 7 failed", 7, "network_error")
    assert line["level"] == "error" and line["at"].endswith("+00:00")
    assert "password" not in line and "step" not in line


def test_an_exception_is_logged_without_the_secret_in_it_or_in_its_cause() -> None:
    try:
        try:
            raise ValueError(f"bad answer for access_token={TOKEN}")
        except ValueError as e:
            raise RuntimeError("http://user:hunter22@10.0.0.1:8080 failed") from e
    except RuntimeError:
        line = JsonFormatter().format(record("It failed: %s", f"Bearer {TOKEN}"))
    assert TOKEN not in line and "hunter22" not in line
    assert "RuntimeError" in json.loads(line)["exception"]


def test_configure_replaces_the_handlers_and_quiets_libraries_that_print_tokens() -> None:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    try:
        logs.configure("WARNING")
        logs.configure("INFO")
        assert len(root.handlers) == 1 and isinstance(root.handlers[0].formatter, JsonFormatter)
        assert root.level == logging.INFO
        assert logging.getLogger("httpx").level == logging.WARNING
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
