"""Signing in: who gets a session, how long it lives, what guessing costs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bcrypt
import pytest
from sqlalchemy import select

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables.people import audit_log, login_failures, sessions, users
from forwarder_core.errors import Invalid, NotSignedIn, TooManyRequests
from forwarder_core.services import guessing, signing_in, tunables
from forwarder_core.services.context import Core
from tests.factories import make_core
from tests.unit.admin_app.doorway import PASSWORD, USER, core_with_admin

pytestmark = pytest.mark.slow


@pytest.fixture
def core(url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Core]:
    with core_with_admin(url, clock, tmp_path) as core:
        yield core


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often bcrypt was asked; it refuses everything, at once."""
    asked: list[int] = []

    def refuse(password: bytes, _: bytes) -> bool:
        asked.append(len(password))
        return False

    monkeypatch.setattr(bcrypt, "checkpw", refuse)
    return asked


def sign_in(core: Core, **more: object) -> signing_in.Opened:
    return signing_in.sign_in(core, USER, PASSWORD, address="10.0.0.1", **more)  # type: ignore[arg-type]


def test_the_token_opens_and_only_its_hash_is_kept(core: Core) -> None:
    opened = sign_in(core)
    found = signing_in.session_of(core, opened.token)
    assert found is not None and found.username == USER
    with core.begin() as tx:
        stored = [bytes(value) for row in tx.execute(select(sessions)) for value in row if isinstance(value, bytes)]
        log = [row.what for row in tx.execute(select(audit_log).order_by(audit_log.c.id))]
    assert all(opened.token.encode() not in value for value in stored)
    assert log == ["signed_in"]
    assert opened.token not in repr(opened)


def test_a_foreign_token_opens_nothing(core: Core) -> None:
    for token in (None, "", "x", "ü" * 20, "a" * 5_000, "\x00"):
        assert signing_in.session_of(core, token) is None


def test_signing_out_ends_the_session(core: Core) -> None:
    opened = sign_in(core)
    signing_in.sign_out(core, opened.token)
    assert signing_in.session_of(core, opened.token) is None


def test_signing_in_again_replaces_the_session_of_the_browser(core: Core) -> None:
    first = sign_in(core)
    second = sign_in(core, replaces=first.token)
    assert second.token != first.token
    assert signing_in.session_of(core, first.token) is None
    assert signing_in.session_of(core, second.token) is not None


def test_an_unused_session_ends_and_a_look_does_not_keep_it(core: Core, clock: ManualClock) -> None:
    tunables.change(core, {"session.idle_minutes": 30})
    opened = sign_in(core)
    for _ in range(3):
        clock.move(20 * 60)
        assert signing_in.session_of(core, opened.token) is not None
    clock.move(20 * 60)
    assert signing_in.session_of(core, opened.token, is_use=False) is not None
    clock.move(11 * 60)
    assert signing_in.session_of(core, opened.token) is None


def test_a_remembered_session_lives_for_days_but_not_for_ever(core: Core, clock: ManualClock) -> None:
    opened = sign_in(core, remember=True)
    for _ in range(4):
        clock.move(20 * 86_400)
        assert signing_in.session_of(core, opened.token) is not None
    clock.move(11 * 86_400)
    assert signing_in.session_of(core, opened.token) is None


def test_a_wrong_name_and_a_wrong_password_are_told_the_same(core: Core) -> None:
    told = []
    for name, password in ((USER, "wrong"), ("nobody", PASSWORD), ("a\x00b\ud800", "x\x00")):
        with pytest.raises(NotSignedIn) as refused:
            signing_in.sign_in(core, name, password, address="10.0.0.1")
        told.append((refused.value.message, refused.value.action))
    assert len(set(told)) == 1


def test_at_most_ten_guesses_reach_the_costly_check_however_many_ask_at_once(core: Core, checks: list[int]) -> None:
    def guess(n: int) -> type[Exception]:
        try:
            signing_in.sign_in(core, USER, f"guess {n}", address=f"10.0.{n}.1")
        except (NotSignedIn, TooManyRequests) as e:
            return type(e)
        raise AssertionError("a guess was right")

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(guess, range(40)))
    assert len(checks) == told.count(NotSignedIn) == guessing.MOST_ATTEMPTS
    assert told.count(TooManyRequests) == 30


def test_the_limit_counts_addresses_too_and_passes_with_time(core: Core, clock: ManualClock, checks: list[int]) -> None:
    for n in range(guessing.MOST_ATTEMPTS):
        with pytest.raises(NotSignedIn):
            signing_in.sign_in(core, f"name {n}", "x", address="10.0.0.9")
        clock.move(1)
    with pytest.raises(TooManyRequests) as refused:
        signing_in.sign_in(core, "one more", "x", address="10.0.0.9")
    assert 880 < refused.value.retry_after_s <= 900
    clock.move(refused.value.retry_after_s)
    with pytest.raises(NotSignedIn):
        signing_in.sign_in(core, "one more", "x", address="10.0.0.9")


def test_a_password_longer_than_bcrypt_reads_is_refused_and_counted(core: Core, checks: list[int]) -> None:
    with pytest.raises(NotSignedIn):
        signing_in.sign_in(core, USER, "ü" * 37, address="10.0.0.1")
    assert checks == [72]


def test_a_right_password_forgives_own_slips_only(core: Core) -> None:
    for address in ("10.0.0.1", "10.9.9.9"):
        with pytest.raises(NotSignedIn):
            signing_in.sign_in(core, USER, "wrong", address=address)
    sign_in(core)
    with core.begin() as tx:
        left = [row.address for row in tx.execute(select(login_failures))]
    assert left == ["10.9.9.9"]


def test_a_new_password_ends_every_session(core: Core) -> None:
    first, second = sign_in(core), sign_in(core)
    new = "Another-Password-2"
    signing_in.change_password(core, USER, current=PASSWORD, new=new, confirm=new, address="10.0.0.1")
    assert signing_in.session_of(core, first.token) is None
    assert signing_in.session_of(core, second.token) is None
    with pytest.raises(NotSignedIn):
        sign_in(core)
    assert signing_in.sign_in(core, USER, new, address="10.0.0.1").token


def test_a_new_password_that_will_not_do_names_every_reason(core: Core) -> None:
    with pytest.raises(Invalid) as refused:
        signing_in.change_password(core, USER, current=PASSWORD, new="short", confirm="other", address="10.0.0.1")
    assert {f.field for f in refused.value.fields} == {"new_password", "confirm_password"}
    assert len(refused.value.fields) == 5
    with pytest.raises(Invalid) as refused:
        signing_in.change_password(core, USER, current="no", new="x", confirm="x", address="10.0.0.1")
    assert [f.field for f in refused.value.fields] == ["current_password"]


def test_the_first_user_is_made_once_with_a_hash_streamlit_authenticator_reads(
    database_url: str, clock: ManualClock, tmp_path: Path
) -> None:
    from streamlit_authenticator.utilities.hasher import Hasher

    with make_core(database_url, clock, tmp_path) as core:
        assert signing_in.needs_first_user(core)
        signing_in.add_first_user(core, USER, PASSWORD)
        signing_in.add_first_user(core, "another", "Another-Password-2")
        assert not signing_in.needs_first_user(core)
        with core.begin() as tx:
            ((name, hashed),) = tx.execute(select(users.c.username, users.c.password_hash)).all()
            assert [row.what for row in tx.execute(select(audit_log))] == ["user_added"]
    assert name == USER and hashed.startswith("$2b$12$")
    assert Hasher.is_hash(hashed) and Hasher.check_pw(PASSWORD, hashed)
