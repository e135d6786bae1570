"""The feed as bytes from outside: what is read from it, and everything that is refused instead of being empty."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from forwarder_core.errors import ContractChanged
from forwarder_core.platforms.youtube import feed

CHANNEL = "UCabcdefghijklmnopqrstuv"
SPACES = (
    'xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns:media="http://search.yahoo.com/mrss/"'
    ' xmlns="http://www.w3.org/2005/Atom"'
)
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def entry(id_: str = "dQw4w9WgXcQ", at: str = "2026-11-20T10:00:00+00:00", kind: str = "shorts/", **more: str) -> str:
    return (
        f"<entry><yt:videoId>{id_}</yt:videoId><yt:channelId>{more.get('channel', CHANNEL)}</yt:channelId>"
        f'<title>Rain &amp; light</title><link rel="alternate" href="https://www.youtube.com/{kind}{id_}"/>'
        f"<published>{at}</published><media:group><media:description>मानसून</media:description><media:community>"
        f'<media:starRating count="{more.get("likes", "5")}"/><media:statistics views="{more.get("views", "70")}"/>'
        "</media:community></media:group></entry>"
    )


def document(*entries: str, channel: str = CHANNEL[2:], head: str = HEAD) -> bytes:
    return f"{head}<feed {SPACES}><yt:channelId>{channel}</yt:channelId>{''.join(entries)}</feed>".encode()


def test_an_entry_is_read_whole() -> None:
    (found,) = feed.parse(document(entry()), CHANNEL)
    assert found == feed.Entry(
        id="dQw4w9WgXcQ",
        title="Rain & light",
        description="मानसून",
        published_at=datetime(2026, 11, 20, 10, tzinfo=UTC),
        is_short=True,
        views=70,
        likes=5,
    )


def test_what_is_not_told_is_not_made_up() -> None:
    bare = entry(kind="watch?v=", views="many", likes="")
    (found,) = feed.parse(document(bare), CHANNEL)
    assert (found.is_short, found.views, found.likes) == (None, None, None)


def test_the_newest_comes_first_and_equal_times_keep_their_order() -> None:
    older, one, two = (
        entry("older_older", "2026-11-19T10:00:00+00:00"),
        entry("one_one_one"),
        entry("two_two_two", "2026-11-20T12:00:00+02:00"),
    )
    assert [each.id for each in feed.parse(document(older, one, two), CHANNEL)] == [
        "one_one_one",
        "two_two_two",
        "older_older",
    ]


def test_a_channel_without_videos_has_an_empty_feed_of_its_own() -> None:
    assert feed.parse(document(), CHANNEL) == []
    assert feed.parse(document(channel=CHANNEL), CHANNEL) == []
    assert feed.parse(document(channel="UCcdefghijklmnopqrstuv"), "UCUCcdefghijklmnopqrstuv") == []


BOMB = '<!DOCTYPE feed [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE feed SYSTEM "file:///etc/passwd">'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"<!DOCTYPE html><title>YouTube</title>",
        document()[:-10],
        document(channel="someoneelse"),
        document(entry(channel="UCsomeoneelse")),
        document(entry("../../etc")),
        document(entry(at="yesterday")),
        document(entry(at="2026-11-20T10:00:00")),
        document(head=HEAD + BOMB),
        document(head=BOMB),
        document(head=HEAD + OUTSIDE),
        document(head='<?xml version="1.0" encoding="UTF-16"?>').decode().encode("utf-16"),
        b"<feed/>",
        b"\xff\xfe\x00",
        HEAD.encode() + b"<rss><feed></feed></rss>",
    ],
)
def test_anything_else_raises(content: bytes) -> None:
    with pytest.raises(ContractChanged):
        feed.parse(content, CHANNEL)
