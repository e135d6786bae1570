"""What somebody wrote is read without trust: an update of any shape is heard or passed over, never an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.alerts.heard import Heard, heard_of, update_id_of

SAID = {
    "update_id": 7,
    "message": {
        "text": "/status",
        "from": {"id": 42, "username": "ada", "is_bot": False},
        "chat": {"id": -100, "username": "Desk", "type": "supergroup"},
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(SAID["message"])), inner),  # type: ignore[arg-type]
    max_leaves=8,
)


def test_a_message_and_a_pressed_button_are_heard() -> None:
    assert heard_of(SAID) == Heard(
        update_id=7, chat_id="-100", chat_name="@Desk", user_id=42, user_name="ada", text="/status"
    )
    button = {"id": "99", "from": {"id": 42, "first_name": "Ada"}, "data": "solved:1", "message": SAID["message"]}
    found = heard_of({"update_id": 8, "callback_query": button})
    assert found is not None and (found.data, found.callback_id, found.text) == ("solved:1", "99", "")


def test_what_is_stored_of_it_can_be_read_again() -> None:
    heard = heard_of(SAID)
    assert heard is not None and Heard.stored(7, heard.facts()) == heard and heard.who == "telegram:42"


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"update_id": 1},
        {"update_id": 1, "channel_post": SAID["message"]},
        {"update_id": 1, "edited_message": SAID["message"]},
        {"update_id": True, "message": SAID["message"]},
        {"update_id": 1, "message": {**SAID["message"], "from": {"id": 1, "is_bot": True}}},  # type: ignore[dict-item]
        {"update_id": 1, "message": {**SAID["message"], "from": {"id": "42"}}},  # type: ignore[dict-item]
        {"update_id": 1, "message": {"text": "/status", "chat": {"id": 1}}},
    ],
)
def test_what_no_person_said_is_passed_over(odd: dict[str, Any]) -> None:
    assert heard_of(odd) is None


@given(st.dictionaries(st.sampled_from(["update_id", "message", "callback_query"]), JSON))
def test_no_shape_breaks_the_reading(update: dict[str, Any]) -> None:
    update_id_of(update)
    found = heard_of(update)
    assert found is None or isinstance(found.user_id, int)


def test_long_and_unstorable_words_are_cut() -> None:
    message = {**SAID["message"], "text": "/solved \x00" + "x" * 5_000}  # type: ignore[dict-item]
    found = heard_of({"update_id": 1, "message": message})
    assert found is not None and len(found.text) <= 1_000 and "\x00" not in found.text
