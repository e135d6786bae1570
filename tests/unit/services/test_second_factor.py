"""The second factor: switched on with a code, asked for at every sign-in, each code good once, tries counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables.people import users
from forwarder_core.errors import Conflict, Invalid, NotSignedIn, TooManyRequests
from forwarder_core.services import guessing, second_factor, signing_in
from forwarder_core.services.context import Core
from forwarder_core.services.refusals import SecondFactorNeeded
from forwarder_core.services.second_factor import STEP_S
from tests import factories
from tests.unit.admin_app.doorway import PASSWORD, USER, core_with_admin

pytestmark = pytest.mark.slow
HERE = "10.0.0.1"


@pytest.fixture
def core(url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Core]:
    with core_with_admin(url, clock, tmp_path) as core:
        yield core


class Phone:
    """An authenticator app with the secret of this user in it, switched on."""

    def __init__(self, core: Core, clock: ManualClock) -> None:
        self._clock = clock
        proposal = second_factor.propose(core, USER)
        self._app = pyotp.parse_uri(proposal.uri)
        self.recovery = second_factor.confirm(core, USER, self.code, address=HERE)
        clock.move(STEP_S)

    @property
    def code(self) -> str:
        assert isinstance(self._app, pyotp.TOTP)
        return self._app.at(self._clock.now())


def ticket_of(core: Core) -> str:
    with pytest.raises(SecondFactorNeeded) as refused:
        signing_in.sign_in(core, USER, PASSWORD, address=HERE)
    return refused.value.ticket


def test_a_password_alone_opens_nothing_any_more(core: Core, clock: ManualClock) -> None:
    phone = Phone(core, clock)
    ticket = ticket_of(core)
    assert PASSWORD not in ticket and USER not in ticket
    opened = signing_in.sign_in_with_code(core, ticket, phone.code, address=HERE)
    assert signing_in.session_of(core, opened.token) is not None
    clock.move(STEP_S)
    assert signing_in.sign_in(core, USER, PASSWORD, address=HERE, code=phone.code)


def test_no_code_is_taken_twice_and_a_clock_may_be_off_by_one(core: Core, clock: ManualClock) -> None:
    phone = Phone(core, clock)
    code, ticket = phone.code, ticket_of(core)
    clock.move(STEP_S)
    signing_in.sign_in_with_code(core, ticket, code, address=HERE)
    with pytest.raises(NotSignedIn, match="not right"):
        signing_in.sign_in_with_code(core, ticket_of(core), code, address=HERE)
    clock.move(5 * STEP_S)
    old = phone.code
    clock.move(2 * STEP_S)
    with pytest.raises(NotSignedIn, match="not right"):
        signing_in.sign_in_with_code(core, ticket_of(core), old, address=HERE)


def test_a_recovery_code_works_once_and_only_its_hash_is_kept(core: Core, clock: ManualClock) -> None:
    phone = Phone(core, clock)
    first = phone.recovery[0]
    assert first not in str(factories.rows(core, users)) and len(set(phone.recovery)) == 10
    signing_in.sign_in_with_code(core, ticket_of(core), first.lower(), address=HERE)
    assert second_factor.standing(core, USER).codes_left == 9
    with pytest.raises(NotSignedIn):
        signing_in.sign_in_with_code(core, ticket_of(core), first, address=HERE)


def test_tries_at_the_code_count_like_tries_at_the_password(core: Core, clock: ManualClock) -> None:
    phone = Phone(core, clock)
    ticket = ticket_of(core)
    for _ in range(guessing.MOST_ATTEMPTS - 1):
        with pytest.raises(NotSignedIn):
            signing_in.sign_in_with_code(core, ticket, "000000", address=HERE)
    for act in (
        lambda: signing_in.sign_in_with_code(core, ticket, phone.code, address=HERE),
        lambda: signing_in.sign_in(core, USER, PASSWORD, address="10.9.9.9"),
        lambda: second_factor.end(core, USER, phone.code, address=HERE),
    ):
        with pytest.raises(TooManyRequests):
            act()


def test_a_ticket_ends_after_minutes_with_the_password_and_if_it_is_forged(core: Core, clock: ManualClock) -> None:
    phone = Phone(core, clock)
    ticket = ticket_of(core)
    clock.move(301)
    for bad in (ticket, "x", "", core.vault.seal({"user": USER}).decode()):
        with pytest.raises(NotSignedIn, match="too long"):
            signing_in.sign_in_with_code(core, bad, phone.code, address=HERE)
    ticket, new = ticket_of(core), "Another-Password-2"
    signing_in.change_password(core, USER, current=PASSWORD, new=new, confirm=new, address=HERE)
    with pytest.raises(NotSignedIn, match="too long"):
        signing_in.sign_in_with_code(core, ticket, phone.code, address=HERE)


def test_it_is_switched_on_with_a_code_and_off_with_one(core: Core, clock: ManualClock) -> None:
    with pytest.raises(Invalid):
        second_factor.confirm(core, USER, "123456", address=HERE)
    phone = Phone(core, clock)
    assert second_factor.standing(core, USER).is_on
    with pytest.raises(Conflict):
        second_factor.propose(core, USER)
    with pytest.raises(Invalid):
        second_factor.end(core, USER, "", address=HERE)
    second_factor.end(core, USER, phone.code, address=HERE)
    assert not second_factor.standing(core, USER).is_on
    assert signing_in.sign_in(core, USER, PASSWORD, address=HERE)
