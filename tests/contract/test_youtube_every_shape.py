"""Every request that leaves for the Data API in the whole life of an account, against the vendor's own description.

Recorded inside the vendor's library while our roles work with the simulated YouTube; the description is the discovery
document in the library's package, so neither our client nor our simulator can excuse the other.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from googleapiclient.http import HttpRequest

from forwarder_core.connectors.base import Draft, MediaFile
from forwarder_core.platforms.youtube.auth import YouTubeAuthenticator
from forwarder_core.platforms.youtube.shorts import Forms
from forwarder_core.platforms.youtube.source import YouTubeSource
from tests.contract.test_youtube_kit import Channel, Hooks, channel, draft, video
from tests.contract.test_youtube_shapes import DOCUMENT, check, oddities

__all__ = ["channel", "draft", "video"]

CALLS = {"youtube.channels.list", "youtube.playlistItems.list", "youtube.videos.list", "youtube.videos.insert"}
SCHEMAS = {"channels": "Channel", "playlistItems": "PlaylistItem", "videos": "Video"}
UPLOAD = "/upload/youtube/v3/videos"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[HttpRequest]:
    """The library's own requests, as they are sent."""
    seen: list[HttpRequest] = []
    for name in ("execute", "next_chunk"):
        real = getattr(HttpRequest, name)

        def noted(request: HttpRequest, *args: object, real: Callable[..., object] = real, **more: object) -> object:
            seen.append(request)
            return real(request, *args, **more)

        monkeypatch.setattr(HttpRequest, name, noted)
    return seen


@pytest.mark.slow
def test_every_request_of_every_role_is_as_described(
    channel: Channel, draft: Draft, video: Callable[[int], MediaFile], sent: list[HttpRequest]
) -> None:
    media = video(2_000_000)
    channel.simulator.add_post("youtube", channel.id, "By hand", file=str(media.path))
    YouTubeAuthenticator(channel.account, channel.box, channel.simulator.exit).identify()
    session = channel.destination().open(draft, media)
    made = channel.destination().send(session, draft, media, Hooks())
    channel.destination().verify(made.remote_id)
    channel.destination().reconcile(channel.evidence(draft, media, None))
    source = YouTubeSource(channel.account, channel.box, channel.simulator.exit, forms=Forms())
    source.list_posts()
    source.list_posts("list")

    assert {request.methodId for request in sent} == CALLS
    for request in sent:
        _, resource, method = request.methodId.split(".")
        query = check(request, resource, method)
        known = set(DOCUMENT["schemas"][SCHEMAS[resource]]["properties"])
        assert set(query["part"][0].split(",")) <= known, f"{request.methodId} asks for a part there is not"
        if request.body:
            assert oddities(json.loads(request.body), SCHEMAS[resource]) == []
    paths = {(each["method"], each["path"]) for each in channel.simulator.requests() if each["account"] == channel.id}
    described = {("GET", urlsplit(r.uri).path) for r in sent if r.method == "GET"}
    pages = {("GET", "/feeds/videos.xml"), ("POST", "/token")}
    assert paths - pages == described | {("POST", UPLOAD), ("PUT", UPLOAD)}, "nothing leaves beside the library"
    assert channel.failures() == []


def test_the_upload_address_is_the_described_one() -> None:
    upload = DOCUMENT["resources"]["videos"]["methods"]["insert"]["mediaUpload"]["protocols"]
    assert {protocol["path"] for protocol in upload.values()} <= {UPLOAD, f"/resumable{UPLOAD}"}
