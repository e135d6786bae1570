"""The rules over a credential's life, and the status machine of an account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forwarder_core.domain import tokens
from forwarder_core.domain.accounts import MOVES, AccountEvent, AccountStatus, after
from forwarder_core.domain.tokens import TokenFacts, TokenState, alert_settings

NOW = datetime(2025, 10, 17, 10, tzinfo=UTC)
S, E = AccountStatus, AccountEvent


def days(n: float) -> datetime:
    return NOW + timedelta(days=n)


@pytest.mark.parametrize(
    ("ends", "thresholds", "reached"),
    [
        (days(2), (2,), 2),
        (days(2.01), (2,), None),
        (days(0.5), (2,), 2),
        (days(0.5), (7, 3, 2, 1), 1),
        (days(2.5), (7, 3, 2, 1), 3),
        (days(0), (2,), None),
        (days(-1), (2,), None),
        (None, (2,), None),
    ],
)
def test_the_nearest_threshold_reached_counts_and_none_after_the_end(
    ends: datetime | None, thresholds: tuple[int, ...], reached: int | None
) -> None:
    assert tokens.threshold_at(ends, NOW, thresholds) == reached


def test_days_left_count_a_day_that_has_begun() -> None:
    assert [tokens.days_left(days(n), NOW) for n in (2, 1.5, 1, 0.1, -3)] == [2, 2, 1, 1, 0]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({}, (True, (2,), ())),
        ({"enabled": False, "before_days": 3, "channels": ["telegram"]}, (False, (3,), ("telegram",))),
        ({"before_days": [7, 1, 7]}, (True, (1, 7), ())),
        ({"before_days": [], "channels": None}, (True, (2,), ())),
        ({"before_days": [True, "x", -1]}, (True, (2,), ())),
    ],
)
def test_what_an_account_says_of_its_alerts_is_read_without_trust(stored: dict[str, Any], expected: Any) -> None:
    said = alert_settings(stored)
    assert (said.enabled, said.before_days, said.channels) == expected


def test_a_refresh_is_due_from_its_time_on_and_never_after_the_last_day() -> None:
    def facts(**values: Any) -> TokenFacts:
        return TokenFacts(kind="k", title="t", is_signed_in=True, **values)

    assert tokens.is_refresh_due(facts(refresh_from=NOW), NOW)
    assert not tokens.is_refresh_due(facts(refresh_from=days(0.01)), NOW)
    assert not tokens.is_refresh_due(facts(), NOW)
    assert not tokens.is_refresh_due(facts(refresh_from=days(-9), expires_at=NOW), NOW)


def test_failures_that_pass_count_only_when_the_token_has_ended_too() -> None:
    assert not tokens.is_failing(9, days(1), NOW)
    assert not tokens.is_failing(2, days(-1), NOW)
    assert tokens.is_failing(3, days(-1), NOW)
    assert not tokens.is_failing(9, None, NOW)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"is_signed_in": False}, TokenState.NOT_SIGNED_IN),
        ({"expires_at": days(-1), "has_failed": True}, TokenState.EXPIRED),
        ({"expires_at": days(1), "has_failed": True}, TokenState.REFRESH_FAILED),
        ({"expires_at": days(1)}, TokenState.EXPIRING),
        ({"expires_at": days(9)}, TokenState.VALID),
        ({}, TokenState.VALID),
    ],
)
def test_a_token_stands_in_one_named_state(facts: dict[str, Any], state: TokenState) -> None:
    said = {"is_signed_in": True, "expires_at": None, "has_failed": False, **facts}
    assert tokens.state_of(now=NOW, before_days=(2,), **said) == state


@pytest.mark.parametrize(
    ("status", "event", "expected"),
    [
        (S.ACTIVE, E.EXPIRY_NEAR, S.EXPIRY_WARNING),
        (S.EXPIRY_WARNING, E.EXPIRED, S.TOKEN_EXPIRED),
        (S.ACTIVE, E.EXPIRED, S.TOKEN_EXPIRED),
        (S.ACTIVE, E.REFRESH_FAILED, S.REFRESH_FAILED),
        (S.REFRESH_FAILED, E.RENEWED, S.ACTIVE),
        (S.REFRESH_FAILED, E.SIGN_IN_LOST, S.REQUIRES_REAUTH),
        (S.REQUIRES_REAUTH, E.SIGNED_IN, S.ACTIVE),
        (S.TOKEN_EXPIRED, E.SIGNED_IN, S.ACTIVE),
        (S.CAPTCHA_DETECTED, E.CHALLENGE_SOLVED, S.ACTIVE),
        # what means nothing to a state leaves it
        (S.REQUIRES_REAUTH, E.RENEWED, S.REQUIRES_REAUTH),
        (S.TOKEN_EXPIRED, E.EXPIRY_NEAR, S.TOKEN_EXPIRED),
        (S.CAPTCHA_DETECTED, E.SIGNED_IN, S.CAPTCHA_DETECTED),
        (S.CAPTCHA_DETECTED, E.EXPIRED, S.CAPTCHA_DETECTED),
        (S.PAUSED, E.EXPIRED, S.PAUSED),
        (S.DISABLED, E.SIGNED_IN, S.DISABLED),
        (S.ACTIVE, E.CHALLENGE_SOLVED, S.ACTIVE),
    ],
)
def test_an_account_moves_as_its_table_says_and_no_other_way(
    status: AccountStatus, event: AccountEvent, expected: AccountStatus
) -> None:
    assert after(status, event) is expected


def test_every_event_leads_out_of_another_status_and_repeating_it_changes_nothing() -> None:
    assert set(MOVES) == set(AccountEvent)
    for event, move in MOVES.items():
        assert move.to not in move.among, event
        for status in AccountStatus:
            assert after(after(status, event), event) is after(status, event)
