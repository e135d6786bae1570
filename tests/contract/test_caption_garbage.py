"""Captions nobody would write: through the caption rules and each destination's own request, posted within the rules or
refused with a class of ours, and never a crash.

The requests are built by the real client libraries and sent nowhere.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Draft
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import MetadataRejected
from forwarder_core.platforms.archive import names, shelf
from forwarder_core.platforms.instagram.client import build
from forwarder_core.platforms.instagram.graph_client import GraphClient, Json, Variant
from forwarder_core.platforms.instagram.graph_uploads import open_container
from forwarder_core.platforms.youtube import metadata
from forwarder_core.services import drafting

DESTINATIONS = ("youtube", "instagram", "archive")
WILD = st.text(
    st.characters(codec=None, categories=("L", "N", "P", "S", "Z", "Cc", "Cf", "Cs", "Co", "Mn")), max_size=300
)
KNOWN_BAD = st.sampled_from(
    [
        "\0" * 10 + "NUL in front",
        "lone \ud800 surrogate \udfff pair \udc00\ud800",
        "x" * 100_000,
        "é" * 100_000,
        "👩‍👩‍👧‍👦" * 20_000,
        " ".join(f"#tag{n}" for n in range(500)),
        "#" * 10_000,
        "\u202eevil\u202c \u2066isolate\u2069 \u200f",
        "<script>alert(1)</script> & <b>",
        "{title} {{caption}} {caption",
        "\r\n\r\n\t\x0b\x0c\x1b[31m",
        "",
        "   \n ",
        "a" * 99 + "🇩🇪",
    ]
)
CAPTIONS = st.one_of(KNOWN_BAD, WILD, st.tuples(KNOWN_BAD, WILD).map("".join))


class Recorder(GraphClient):
    """Builds each request and sends none."""

    def __init__(self) -> None:
        super().__init__(Exit(), Variant.FACEBOOK, "EAAtoken")
        self.sent: list[httpx.Request] = []

    def _exchange(self, request: httpx.Request) -> Json:
        self.sent.append(request)
        return {"id": "1", "uri": "https://rupload.facebook.com/ig-api-upload/v25.0/1"}


def drafted(platform: str, caption: str, **options: object) -> Draft:
    account = Account(id=1, platform=platform, alias="Harbour clips", handle="harbour", auth_method="x")
    post: Any = SimpleNamespace(
        connection_name="Harbour",
        source=replace(account, platform="instagram"),
        destination=account,
        source_url="https://www.instagram.com/reel/abc/",
        caption=caption,
        posted_at=datetime(2026, 11, 20, tzinfo=UTC),
        publish_options=options,
    )
    return drafting.draft_of(post, "fw-0123456789")


def is_clean(text: str) -> bool:
    return not any(
        unicodedata.category(c) == "Cs" or (c < " " and c not in "\n\t") or "\u202a" <= c <= "\u202e" for c in text
    )


@pytest.mark.parametrize("platform", DESTINATIONS)
@given(caption=CAPTIONS)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_words_are_within_the_rules_of_the_destination(platform: str, caption: str) -> None:
    limits, draft = registry.limits(platform).text, drafted(platform, caption)
    assert len(draft.title) <= limits.title_chars and len(draft.caption) <= limits.caption_chars
    assert not limits.caption_bytes or len(draft.caption.encode()) <= limits.caption_bytes
    assert not set(limits.forbidden) & set(draft.title + draft.caption)
    assert is_clean(draft.title) and is_clean(draft.caption) and all(map(is_clean, draft.tags))
    tagged = sum(1 for word in draft.caption.split() if word.startswith("#") and len(word) > 1 and word[1].isalnum())
    assert not limits.hashtags or tagged <= limits.hashtags


@given(caption=CAPTIONS, is_drafted=st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_youtube_s_request_is_built_or_refused(caption: str, is_drafted: bool) -> None:
    draft = drafted("youtube", caption) if is_drafted else Draft(title=caption[:100], caption=caption, tags=(caption,))
    try:
        body = metadata.body(draft)
    except MetadataRejected as e:
        assert not is_drafted, f"what the rules made is refused: {e}"
        return
    sent = json.loads(json.dumps(body).encode("ascii"))["snippet"]
    assert 0 < len(sent["title"]) <= metadata.TITLE_CHARS
    assert len(sent["description"].encode()) <= metadata.DESCRIPTION_BYTES
    assert not set(metadata.FORBIDDEN) & set(sent["title"] + sent["description"] + "".join(sent["tags"]))


@given(caption=CAPTIONS, is_drafted=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_meta_s_request_is_built(caption: str, is_drafted: bool) -> None:
    draft = drafted("instagram", caption) if is_drafted else Draft(title="", caption=caption)
    with Recorder() as client:
        open_container(client, "178", draft)
    form = parse_qs(client.sent[0].content.decode("ascii"), keep_blank_values=True)
    if is_drafted:
        assert form["caption"] == [draft.caption]


@given(caption=CAPTIONS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_app_s_request_is_built(caption: str) -> None:
    """The step the library makes of a caption: a signed body, form-encoded by its session."""
    client, draft = build(Exit(), {}), drafted("instagram", caption)
    sent: dict[str, Any] = {}
    client.photo_rupload = lambda *args, **kwargs: None
    client.private_request = lambda endpoint, data, **more: sent.update({"data": client.with_default_data(data)})
    client.clip_configure("1", Path("cover.jpg"), 720, 1280, 3, draft.caption)
    body = json.dumps(sent["data"], default=str).encode("ascii")
    assert json.loads(body)["caption"] == draft.caption


@given(caption=CAPTIONS)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
def test_the_archive_s_name_and_card_are_made(caption: str, tmp_path: Path) -> None:
    for draft in (drafted("archive", caption), Draft(title=caption, caption=caption, marker=caption[:8])):
        name = names.relative_name(datetime(2026, 11, 20, tzinfo=UTC).date(), draft.title, draft.marker)
        assert names.is_relative_name(name)
        (tmp_path / ".parts").mkdir(exist_ok=True)
        video = tmp_path / "clip.mp4"
        shelf.write_card(shelf.new_part(tmp_path), video, {"marker": draft.marker, "caption": draft.caption})
        assert shelf.read_card(video) is not None
