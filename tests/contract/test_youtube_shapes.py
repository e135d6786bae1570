"""Our calls against the vendor's own description: the discovery document inside google-api-python-client.

The simulator is ours and could share our mistakes; this description is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from googleapiclient.http import HttpRequest, MediaFileUpload

from forwarder_core.connectors.base import Draft
from forwarder_core.connectors.registry import limits
from forwarder_core.egress import Exit
from forwarder_core.platforms.youtube import fake_api, visibility
from forwarder_core.platforms.youtube.client import YouTubeClient
from forwarder_core.platforms.youtube.metadata import body
from tests.contract.test_youtube_kit import MemoryBox

DOCUMENT: Mapping[str, Any] = json.loads(
    resources.files("googleapiclient.discovery_cache.documents").joinpath("youtube.v3.json").read_text("utf-8")
)

EVERYTHING = Draft(
    title="A title",
    caption="A caption",
    tags=("one",),
    marker="fw-0123456789",
    privacy="unlisted",
    options={
        "category_id": "24",
        "language": "en",
        "made_for_kids": "true",
        "contains_synthetic_media": "true",
        "notify_subscribers": "false",
    },
)


class Recorder(YouTubeClient):
    """Builds every request with the real library and sends none."""

    def __init__(self) -> None:
        super().__init__(MemoryBox({}), Exit())
        self.sent: list[HttpRequest] = []

    def _execute(self, request: HttpRequest) -> dict[str, Any]:
        self.sent.append(request)
        return {"kind": "youtube#response", "items": [{"id": "id0", "contentDetails": {"videoId": "id0"}}]}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def check(request: HttpRequest, resource: str, method: str) -> dict[str, list[str]]:
    """Every query parameter is described, of its type, and within its bounds. Returns them."""
    described = DOCUMENT["resources"][resource]["methods"][method]
    query = parse_qs(urlsplit(request.uri).query, strict_parsing=True)
    for name, values in query.items():
        if name in DOCUMENT["parameters"] or name == "uploadType":
            continue
        rule = described["parameters"][name]
        for value in values:
            if rule["type"] == "boolean":
                assert value in ("true", "false")
            if rule["type"] == "integer":
                assert int(rule["minimum"]) <= int(value) <= int(rule["maximum"])
    for name, rule in described["parameters"].items():
        assert not rule.get("required") or name in query
    assert request.method == described["httpMethod"]
    return query


def check_fields(value: Any, schema: Mapping[str, Any], path: str, odd: list[str]) -> None:
    """Collect into `odd` what the schema does not know or types otherwise."""
    if ref := schema.get("$ref"):
        schema = DOCUMENT["schemas"][ref]
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": float}
    if not isinstance(value, kinds[schema.get("type", "object")]):
        odd.append(f"{path} is no {schema.get('type')}")
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in schema.get("properties", {}):
                check_fields(inner, schema["properties"][name], f"{path}.{name}", odd)
            else:
                odd.append(f"{path}.{name} is unknown")
    elif isinstance(value, list):
        for inner in value:
            check_fields(inner, schema["items"], f"{path}[]", odd)
    elif "enum" in schema and value not in schema["enum"]:
        odd.append(f"{path} is none of {schema['enum']}")


def oddities(value: Any, schema: str) -> list[str]:
    odd: list[str] = []
    check_fields(value, {"$ref": schema}, schema, odd)
    return odd


def test_the_insert_is_as_described(recorder: Recorder, tmp_path: Any) -> None:
    file = tmp_path / "v.mp4"
    file.write_bytes(b"x")
    media = MediaFileUpload(str(file), mimetype="video/mp4", resumable=True)
    request = recorder.insert_request(EVERYTHING, media)
    query = check(request, "videos", "insert")
    upload = DOCUMENT["resources"]["videos"]["methods"]["insert"]["mediaUpload"]["protocols"]["simple"]["path"]
    assert request.uri.startswith(DOCUMENT["rootUrl"].rstrip("/") + upload + "?")
    assert query["uploadType"] == ["resumable"]
    assert query["notifySubscribers"] == ["false"]
    video = json.loads(request.body)
    assert oddities(video, "Video") == []
    assert set(video) == set(query["part"][0].split(","))
    assert video["status"]["containsSyntheticMedia"] is True


@pytest.mark.parametrize("privacy", ["public", "unlisted", "private"])
def test_each_privacy_is_one_youtube_knows(privacy: str) -> None:
    assert oddities(body(replace(EVERYTHING, privacy=privacy)), "Video") == []


def test_each_reading_call_is_as_described(recorder: Recorder) -> None:
    recorder.own_channel("contentDetails")
    recorder.playlist_page("UUx", None)
    recorder.playlist_page("UUx", "next")
    recorder.videos([f"id{n}" for n in range(50)], "status,snippet")
    channels, first, second, videos = recorder.sent
    assert check(channels, "channels", "list") == {"part": ["contentDetails"], "mine": ["true"], "alt": ["json"]}
    assert "pageToken" not in check(first, "playlistItems", "list")
    assert check(second, "playlistItems", "list")["pageToken"] == ["next"]
    assert len(check(videos, "videos", "list")["id"][0].split(",")) == 50


def test_every_reason_a_video_can_be_refused_for_is_known() -> None:
    described = DOCUMENT["schemas"]["VideoStatus"]["properties"]
    assert set(visibility.FAILURE_WORDS) == set(described["failureReason"]["enum"])
    assert set(visibility.REJECTIONS) == set(described["rejectionReason"]["enum"])


def test_the_size_limit_is_the_vendors() -> None:
    described = DOCUMENT["resources"]["videos"]["methods"]["insert"]["mediaUpload"]["maxSize"]
    assert limits("youtube").media.max_bytes == int(described)


def test_the_fakes_answers_are_as_described() -> None:
    """What our tests are told must be what YouTube could say."""
    for resource, schema in _fake_resources():
        assert oddities(resource, schema) == []


def _fake_resources() -> Iterable[tuple[dict[str, Any], str]]:
    post = SimpleNamespace(
        account_id="UCx", title="T", caption="C", tags=("a",), privacy="public",
        duration_ms=2000, width=720, height=1280, published_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    world: Any = SimpleNamespace(
        now=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        notes=lambda platform: {"video:refused": _REFUSED},
        post=lambda platform, id_: post if id_ == "there" else None,
    )
    for id_ in ("there", "refused"):
        video = fake_api.video_of(world, id_)
        assert video
        yield video, "Video"
        yield fake_api.playlist_item(video, "UUx"), "PlaylistItem"
    yield fake_api.channel(SimpleNamespace(id="UCx", username="x")), "Channel"  # type: ignore[arg-type]


_REFUSED = {
    "account": "UCx",
    "title": "T",
    "at": "2026-01-01T00:00:00+00:00",
    "refused": {"uploadStatus": "rejected", "rejectionReason": "duplicate"},
}
