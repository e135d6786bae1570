"""Hostile and overlong text: it arrives as text, whole characters only, within Telegram's length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.alerts import messages
from forwarder_core.alerts.facts import Frame
from forwarder_core.alerts.text import MOST_UNITS, Page, safe, units
from forwarder_core.simulator.telegram_html import plain_text

FRAME = Frame("App", "http://127.0.0.1:8080")
HOSTILE = [
    "<b>bold</b>",
    "<b",
    "</a><a href='https://evil.example'>click</a>",
    "&lt;b&gt; &amp;amp;",
    "x" * 5_000,
    "👨‍👩‍👧" * 2_000,
    "half \ud83d of an emoji",
    "right \u202eto left",
    "zero \x00 byte \x1b[31m",
    "two\nlines\r\nforged: yes",
    "\"quoted\" & 'so'",
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("kind", ["job_dead", "job_unconfirmed", "captcha", "gap", "unknown"])
def test_hostile_text_stays_text(kind: str, hostile: str) -> None:
    end = {"alias": hostile, "platform": hostile}
    facts = {"job_id": hostile, "connection": hostile, "source": end, "destination": end, "account": hostile}
    message = messages.render(kind, facts | {"error": hostile, "caption": hostile, "action": hostile}, FRAME)

    assert plain_text(message.html) == message.plain
    assert units(message.plain) <= MOST_UNITS
    message.plain.encode("utf-8")
    assert not set(message.plain) & {"\x00", "\x1b", "\u202e"}
    assert "\nforged" not in message.plain


def test_short_text_arrives_as_it_was_written() -> None:
    page = Page().head("x").field("Name", "<b>&lt; 👨‍👩‍👧 ok")
    assert page.message().plain == "x\n\nName: <b>&lt; 👨‍👩‍👧 ok"


def test_a_strangers_address_is_no_link() -> None:
    said = Page().field("Name", "win at https://evil.example").message().html
    assert said == "Name: <code>win at https://evil.example</code>"
    assert "<a" not in Page().link("Post", "javascript:alert(1)").message().html


@given(st.lists(st.text(max_size=3_000), max_size=6), st.text(max_size=6_000))
def test_whatever_is_written_fits_and_parses(bullets: list[str], detail: str) -> None:
    page = Page().head(detail or "x")
    for _ in range(3):
        page.bullets(*bullets).link("L", f"https://host/{safe(detail, 90)}").line(detail.replace("\n", " "))
    message = page.message()

    assert units(message.plain) <= MOST_UNITS
    assert plain_text(message.html) == message.plain
