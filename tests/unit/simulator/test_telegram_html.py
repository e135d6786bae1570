"""Telegram's HTML, as strict as Telegram."""

from __future__ import annotations

import pytest

from forwarder_core.simulator.telegram_html import BrokenHtml, plain_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("<b>bold <i>both</i></b> &lt;3 &amp; &#33;", "bold both <3 & !"),
        ('<a href="https://x.example/?a=1&amp;b=2">link</a>', "link"),
        ('<span class="tg-spoiler">s</span>', "s"),
        ('<pre><code class="language-python">x = 1</code></pre>', "x = 1"),
        ("a > b", "a > b"),
        ("AT&T &nbsp;", "AT&T &nbsp;"),
        ("<B>upper</B>", "upper"),
    ],
)
def test_a_good_text_shows_as_read(text: str, shown: str) -> None:
    assert plain_text(text) == shown


@pytest.mark.parametrize(
    "text", ["<b>open", "</b>", "<b><i>x</b></i>", "<p>no such tag</p>", "1 < 2", "<", "<br/>", "<span>x</span>"]
)
def test_a_broken_text_is_refused(text: str) -> None:
    with pytest.raises(BrokenHtml):
        plain_text(text)
