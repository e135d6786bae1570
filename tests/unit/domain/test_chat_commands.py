"""How a line or a pressed button is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.domain.commands import USAGE, Command, Verb, pressed, typed


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/status", Command(Verb.STATUS)),
        ("/why@our_bot  12 ", Command(Verb.WHY, ("12",))),
        ("/SOLVED Travel Insta done", Command(Verb.SOLVED, ("Travel", "Insta", "done"))),
        ("/answer 1 approve", Command(Verb.HELP, ("1", "approve"))),
        ("/start", Command(Verb.HELP)),
        ("hello /status", None),
        ("/", None),
        ("", None),
    ],
)
def test_a_line_is_a_command_or_none(text: str, command: Command | None) -> None:
    assert typed(text) == command


@pytest.mark.parametrize("data", ["", "answer", "answer:1", "pause:1", "solved", "drop:table:jobs", "ANSWER:1:x"])
def test_a_button_that_is_not_ours_is_nothing(data: str) -> None:
    assert pressed(data) is None


def test_our_buttons_are_read() -> None:
    assert pressed("answer:12:approve") == Command(Verb.ANSWER, ("12", "approve"))
    assert pressed("solved:7") == Command(Verb.SOLVED, ("7",))


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    for command in (typed(text), pressed(text)):
        assert command is None or isinstance(command.is_whole, bool)


def test_every_command_has_a_usage_that_names_it() -> None:
    assert all(usage.startswith(f"/{verb}") for verb, usage in USAGE.items())
