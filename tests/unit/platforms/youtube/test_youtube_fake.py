"""The fake itself, without our client: strict where YouTube is strict, honest about bytes, and it forgets nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors.base import WorldAccount
from forwarder_core.platforms.youtube import fake
from forwarder_core.simulator import clips
from forwarder_core.simulator.faults import Place
from forwarder_core.simulator.world import SimulatedWorld

STEP = 256 * 1024
API = "https://youtube.googleapis.com/youtube/v3"
INSERT = "https://youtube.googleapis.com/upload/youtube/v3/videos?uploadType=resumable&part=snippet,status"
METADATA = {"snippet": {"title": "T", "tags": ["fw-1"]}, "status": {"privacyStatus": "public"}}


class Person:
    """Someone who owns one channel and speaks plain HTTP."""

    def __init__(self, home: Path, clock: ManualClock) -> None:
        self.world = SimulatedWorld(home, clock=clock)
        known = self.world.account("youtube", "chan")
        self.account: WorldAccount = known or self.world.add_account("youtube", "chan")
        self._app = httpx.ASGITransport(fake.app(self.world), raise_app_exceptions=False)
        self.token = json.loads(fake.credentials(self.world, self.account)["token"])
        self.headers = {"authorization": f"Bearer {self.sign_in().json()['access_token']}"}

    def http(self, method: str, url: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._app) as client:
                return await client.request(method, url, **options)

        return asyncio.run(ask())

    def sign_in(self, **change: str) -> Any:
        form = {"grant_type": "refresh_token"} | {
            name: self.token[name] for name in ("client_id", "client_secret", "refresh_token")
        }
        return self.http("POST", "https://oauth2.googleapis.com/token", data=form | change)

    def open(self, size: int, metadata: Any = METADATA, url: str = INSERT, **headers: str) -> Any:
        announced = {"x-upload-content-type": "video/mp4", "x-upload-content-length": str(size)}
        return self.http("POST", url, json=metadata, headers=self.headers | announced | headers)

    def put(self, session: str, range_: str, body: bytes = b"") -> Any:
        return self.http("PUT", session, content=body, headers={**self.headers, "content-range": f"bytes {range_}"})

    def get(self, path: str, **query: str) -> Any:
        return self.http("GET", f"{API}/{path}", params=query, headers=self.headers)

    def upload(self, data: bytes) -> str:
        session = self.open(len(data)).headers["location"]
        return str(self.put(session, f"0-{len(data) - 1}/{len(data)}", data).json()["id"])


@pytest.fixture
def person(tmp_path: Path, clock: ManualClock) -> Iterator[Person]:
    someone = Person(tmp_path, clock)
    yield someone
    someone.world.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video a little over three steps long: padded with a box that players skip."""
    file = clips.make(clips.Clip(seed=7, seconds=1, width=180, height=320), tmp_path_factory.mktemp("clip") / "c.mp4")
    data = file.read_bytes()
    padding = 3 * STEP + 1000 - len(data)
    return data + padding.to_bytes(4, "big") + b"free" + bytes(padding - 8)


def reason(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


def test_bytes_are_counted_in_steps_and_overlaps_are_skipped(person: Person, clip: bytes) -> None:
    size = len(clip)
    session = person.open(size).headers["location"]
    assert "range" not in person.put(session, f"*/{size}").headers
    first = person.put(session, f"0-{2 * STEP - 1}/{size}", clip[: 2 * STEP])
    assert (first.status_code, first.headers["range"]) == (308, f"bytes=0-{2 * STEP - 1}")
    again = person.put(session, f"{STEP}-{3 * STEP - 1}/{size}", clip[STEP : 3 * STEP])
    assert again.headers["range"] == f"bytes=0-{3 * STEP - 1}"
    done = person.put(session, f"{3 * STEP}-{size - 1}/{size}", clip[3 * STEP :])
    assert done.status_code == 200
    post = person.world.post("youtube", done.json()["id"])
    assert post and post.path.read_bytes() == clip
    assert person.put(session, f"*/{size}").json()["id"] == post.id
    assert person.put(session, "*/*").json()["id"] == post.id
    assert len(person.world.posts("youtube", person.account.id)) == 1


@pytest.mark.parametrize(
    ("range_", "length"),
    [
        (f"{STEP}-{2 * STEP - 1}/{{size}}", STEP),  # a gap
        (f"0-{STEP}/{{size}}", STEP + 1),  # not a whole step
        (f"0-{STEP - 1}/{{size}}", STEP - 1),  # shorter than said
        ("0-9/10", 10),  # another total
        (f"0-{STEP - 1}", STEP),  # no total
        ("{size}-{size}/{size}", 1),  # behind the end
        ("nonsense", 0),
    ],
)
def test_wrong_arithmetic_is_refused_and_keeps_nothing(person: Person, clip: bytes, range_: str, length: int) -> None:
    session = person.open(len(clip)).headers["location"]
    refused = person.put(session, range_.format(size=len(clip)), clip[:length])
    assert reason(refused) == (400, "badContentRange")
    assert "range" not in person.put(session, f"*/{len(clip)}").headers


def test_a_half_upload_survives_a_restart(person: Person, clip: bytes, tmp_path: Path, clock: ManualClock) -> None:
    session = person.open(len(clip)).headers["location"]
    person.put(session, f"0-{STEP - 1}/{len(clip)}", clip[:STEP])
    half = next(person.world.upload_dir().glob("*.part"))
    half.write_bytes(clip[: STEP + 77])  # as a kill in the middle of the next step leaves it
    person.world.close()
    later = Person(tmp_path, clock)
    assert later.put(session, f"*/{len(clip)}").headers["range"] == f"bytes=0-{STEP - 1}"
    assert later.put(session, f"{STEP}-{len(clip) - 1}/{len(clip)}", clip[STEP:]).status_code == 200
    assert [post.sha256 for post in later.world.posts("youtube", later.account.id)]
    later.world.close()


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"snippet": {"title": ""}}, "invalidTitle"),
        ({"snippet": {"title": "x" * 101}}, "invalidTitle"),
        ({"snippet": {"title": "<b>"}}, "invalidTitle"),
        ({"snippet": {"title": "T", "description": "ह" * 1667}}, "invalidDescription"),
        ({"snippet": {"title": "T", "tags": ["x" * 501]}}, "invalidTags"),
        ({"snippet": {"title": "T", "categoryId": "news"}}, "invalidCategoryId"),
        ({"snippet": {"title": "T"}, "status": {"privacyStatus": "secret"}}, "invalidVideoMetadata"),
        ({"snippet": {"title": "T", "colour": "red"}}, "badRequest"),
        ({"snippet": {"title": "T"}, "statistics": {}}, "badRequest"),
        ({}, "invalidVideoMetadata"),
        ([], "invalidVideoMetadata"),
    ],
)
def test_metadata_youtube_refuses_is_refused(person: Person, metadata: Any, expected: str) -> None:
    assert reason(person.open(10, metadata)) == (400, expected)


def test_sizes_parts_and_kinds_are_checked_before_a_session_opens(person: Person) -> None:
    assert reason(person.open(0)) == (400, "invalidContentLength")
    assert reason(person.open(10, **{"x-upload-content-type": "text/html"})) == (400, "mediaBodyRequired")
    assert reason(person.open(10, url=INSERT.replace("status", "statuses"))) == (400, "unknownPart")
    assert reason(person.open(10, authorization="Bearer ya29.nobody.x")) == (401, "authError")
    assert reason(person.get("videos", id="x")) == (400, "missingRequiredParameter")
    assert person.http("GET", "https://youtube.googleapis.com/youtube/v3/search").status_code == 404
    assert person.http("GET", "https://oauth2.googleapis.com/youtube/v3/videos").status_code == 404


def test_a_video_is_processed_after_a_moment_of_the_worlds_time(
    person: Person, clip: bytes, clock: ManualClock
) -> None:
    id_ = person.upload(clip)
    parts = "status,contentDetails,processingDetails"
    young = person.get("videos", part=parts, id=id_).json()["items"][0]
    assert (young["status"]["uploadStatus"], young["contentDetails"]["duration"]) == ("uploaded", "P0D")
    clock.move(1.5)
    ready = person.get("videos", part=parts, id=id_).json()["items"][0]
    assert (ready["status"]["uploadStatus"], ready["contentDetails"]["duration"]) == ("processed", "PT1S")
    assert ready["processingDetails"] == {"processingStatus": "succeeded"}
    assert "snippet" not in ready
    assert person.http("GET", f"https://www.youtube.com/shorts/{id_}").status_code == 200
    assert person.http("GET", "https://www.youtube.com/watch?v=none").status_code == 404


def test_the_faults_a_video_can_have(person: Person, clip: bytes, clock: ManualClock) -> None:
    here = Place(platform="youtube")
    playlist = f"UU{person.account.id[2:]}"
    assert reason(person.get("playlistItems", part="contentDetails", playlistId=playlist)) == (404, "playlistNotFound")
    person.world.faults.arm("listing_lag", here, value={"seconds": 60})
    person.world.faults.arm("never_finishes", here, value={})
    id_ = person.upload(clip)
    clock.move(30)
    assert person.get("videos", part="status", id=id_).json()["items"][0]["status"]["uploadStatus"] == "uploaded"
    assert person.get("playlistItems", part="contentDetails", playlistId=playlist).status_code == 404
    clock.move(31)
    listed = person.get("playlistItems", part="contentDetails", playlistId=playlist).json()
    assert [item["contentDetails"]["videoId"] for item in listed["items"]] == [id_]
    person.world.faults.arm("duplicate", here, value={})
    twin = person.upload(clip)
    clock.move(2)
    status = person.get("videos", part="status", id=twin).json()["items"][0]["status"]
    assert (status["uploadStatus"], status["rejectionReason"]) == ("rejected", "duplicate")
    broken = person.upload(b"no video" * 100)
    clock.move(2)
    status = person.get("videos", part="status", id=broken).json()["items"][0]["status"]
    assert (status["uploadStatus"], status["failureReason"]) == ("failed", "invalidFile")
    assert len(person.world.posts("youtube", person.account.id)) == 1


def test_tokens_end_after_an_hour_and_at_once_when_told(person: Person, clock: ManualClock) -> None:
    assert person.get("channels", part="id", mine="true").json()["items"][0]["id"] == person.account.id
    person.world.faults.arm("token_expired", Place(platform="youtube"), value={})
    assert reason(person.get("channels", part="id", mine="true")) == (401, "authError")
    person.headers["authorization"] = f"Bearer {person.sign_in().json()['access_token']}"
    assert person.get("channels", part="id", mine="true").status_code == 200
    clock.move(3600)
    assert reason(person.get("channels", part="id", mine="true")) == (401, "authError")
    assert person.sign_in(client_secret="wrong").json()["error"] == "invalid_client"
    assert person.sign_in(refresh_token="wrong").json()["error"] == "invalid_grant"
    person.world.faults.arm("invalid_grant", Place(platform="youtube"), value={})
    assert person.sign_in().status_code == 400
    assert person.sign_in().status_code == 200


def test_a_project_has_a_hundred_uploads_a_day(person: Person, clock: ManualClock) -> None:
    person.world.update_account("youtube", person.account.id, secrets={"uploads_per_day": "2"})
    assert [person.open(10).status_code for _ in range(3)] == [200, 200, 403]
    clock.move(24 * 3600)
    person.headers["authorization"] = f"Bearer {person.sign_in().json()['access_token']}"
    assert person.open(10).status_code == 200


def test_a_code_is_good_once_and_for_its_verifier_only(person: Person) -> None:
    web = json.loads(fake.credentials(person.world, person.account)["oauth_client"])["web"]
    query = {
        "client_id": web["client_id"],
        "redirect_uri": "https://app.example/oauth2callback",
        "response_type": "code",
        "scope": "x",
        "state": "s",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",  # RFC 7636, appendix B
        "code_challenge_method": "S256",
    }

    def code() -> str:
        answer = person.http("GET", web["auth_uri"], params=query)
        assert answer.status_code == 302
        location = answer.headers["location"]
        assert location.startswith("https://app.example/oauth2callback?")
        assert "state=s" in location
        return httpx.URL(location).params["code"]

    def redeem(code: str, verifier: str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") -> Any:
        form = {name: web[name] for name in ("client_id", "client_secret")}
        form |= {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        return person.http("POST", web["token_uri"], data=form | {"redirect_uri": query["redirect_uri"]})

    once = code()
    assert redeem(once).json()["refresh_token"] == person.token["refresh_token"]
    assert redeem(once).json()["error"] == "invalid_grant"
    assert redeem(code(), "another").json()["error"] == "invalid_grant"
