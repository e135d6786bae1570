"""Template images and layouts over the API: every picture checked, every name a plain one, a frame in seconds."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from forwarder_core.media import shipped
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import api_client
from tests.unit.media.samples import run_ffmpeg

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
# As the functional specification writes it (4.9.2).
EXAMPLE = {
    "enabled": True,
    "template": "split_screen",
    "background_image": "/templates/bg_travel.png",
    "position": "center",
    "border_color": "#000000",
    "border_width": 2,
}


@pytest.fixture(scope="module")
def png(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("picture") / "x.png"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x560", "-frames:v", "1", str(path))
    return path.read_bytes()


def form(name: str, data: bytes) -> dict[str, Any]:
    return {"file": (name, data, "application/octet-stream")}


async def new_connection(client: httpx.AsyncClient, core: Core, **transform: Any) -> httpx.Response:
    ends = factories.add_account(core), factories.add_account(core, "youtube", auth_method="oauth")
    body = {"name": "With a layout", "source_account_id": ends[0].id, "destination_account_id": ends[1].id}
    return await client.post("/api/connections", json={**body, "transform_options": transform})


async def test_the_shipped_pictures_are_listed_and_served(core: Core) -> None:
    async with api_client(core) as client:
        listed = (await client.get("/api/templates")).json()["items"]
        assert {image["name"] for image in listed} == set(shipped.ALL) and len(listed) >= 3
        assert all(image["is_shipped"] and (image["width"], image["height"]) == (1080, 1920) for image in listed)
        picture = await client.get(listed[0]["address"])
        assert picture.headers["content-type"] == "image/png" and picture.content.startswith(b"\x89PNG")
        assert (await client.delete(listed[0]["address"])).status_code == 409
        assert (await client.put(listed[0]["address"], files=form("x.png", picture.content))).status_code == 409


async def test_one_is_uploaded_used_replaced_and_deleted(core: Core, png: bytes) -> None:
    async with api_client(core) as client:
        made = await client.post("/api/templates", files=form("My-Brand.png", png))
        assert made.status_code == 201, made.text
        assert made.json()["template"]["background_image"] == "/templates/My-Brand.png"
        assert (await client.post("/api/templates", files=form("My-Brand.png", png))).status_code == 409
        named = await client.post("/api/templates", files=form("ignored.png", png), data={"name": "other.png"})
        assert named.json()["template"]["name"] == "other.png"

        layout = {**EXAMPLE, "background_image": "/templates/My-Brand.png"}
        connection = (await new_connection(client, core, greenscreen=layout)).json()["connection"]
        (used,) = (i for i in (await client.get("/api/templates")).json()["items"] if i["used_by"])
        assert (used["name"], used["used_by"]) == ("My-Brand.png", ["With a layout"])
        assert (await client.delete("/api/templates/My-Brand.png")).status_code == 409
        replaced = await client.put("/api/templates/My-Brand.png", files=form("x.png", shipped.bg_gradient()))
        assert replaced.json()["template"]["width"] == 1080

        change = {"transform_options": {"greenscreen": False}}
        assert (await client.put(f"/api/connections/{connection['id']}", json=change)).status_code == 200
        assert (await client.delete("/api/templates/My-Brand.png")).status_code == 200
        assert (await client.get("/api/templates/My-Brand.png")).status_code == 404


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("x.png", b""),
        ("x.gif", b"GIF89a" + bytes(100)),
        ("x.mp4", b"\0\0\0\x18ftypisom" + bytes(100)),
        ("x.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x7f\xff\0\0\x7f\xff" + bytes(50)),
    ],
)
async def test_what_is_no_picture_is_refused(core: Core, name: str, data: bytes) -> None:
    async with api_client(core) as client:
        answer = await client.post("/api/templates", files=form(name, data))
        assert answer.status_code == 422 and answer.json()["errors"] and answer.json()["action"], answer.text
        assert len((await client.get("/api/templates")).json()["items"]) == len(shipped.ALL)


@pytest.mark.parametrize("name", ["../x.png", "..%2fx.png", "a/b.png", ".x.png", "-x.png", "x.png%0a", "%00.png"])
async def test_no_name_leads_out_of_the_folder(core: Core, png: bytes, name: str) -> None:
    async with api_client(core) as client:
        assert (await client.get(f"/api/templates/{name}")).status_code in (404, 422)
        assert (await client.delete(f"/api/templates/{name}")).status_code in (404, 405, 422)
        answer = await client.post("/api/templates", files=form("x.png", png), data={"name": name.replace("%2f", "/")})
        assert answer.status_code == 422
    assert not list(core.settings.home.rglob("*x.png")) and not list(core.settings.home.rglob("b.png"))


async def test_a_picture_may_have_five_megabytes_and_nothing_else_may(core: Core, png: bytes) -> None:
    async with api_client(core) as client:
        padded = png[:-12] + b"\0\x2d\xc6\xc0juNK" + bytes(3_000_004) + png[-12:]
        assert (await client.post("/api/templates", files=form("large.png", padded))).status_code in (201, 422)
        assert (await client.post("/api/templates", files=form("huge.png", bytes(5_200_000)))).status_code == 413
        assert (await client.post("/api/proxies", content=bytes(2_000_000))).status_code == 413


async def test_a_preview_is_one_picture_of_the_layout(core: Core) -> None:
    async with api_client(core) as client:
        body = {"platform": "youtube", "greenscreen": {**EXAMPLE, "template": "picture_in_picture", "size": 60}}
        frame = await client.post("/api/templates/preview", json=body)
        assert frame.status_code == 200, frame.text
        assert frame.headers["content-type"] == "image/jpeg" and frame.content[:3] == b"\xff\xd8\xff"
        wrong = {"platform": "youtube", "greenscreen": {**EXAMPLE, "background_image": "/templates/gone.png"}}
        assert (await client.post("/api/templates/preview", json=wrong)).status_code == 404
        assert (await client.post("/api/templates/preview", json={"greenscreen": False})).status_code == 422
        assert (await client.post("/api/templates/preview", json={"platform": "nowhere"})).status_code in (404, 422)


async def test_the_specifications_example_is_accepted_and_comes_back(core: Core) -> None:
    async with api_client(core) as client:
        stored = (await new_connection(client, core, upscale=True, greenscreen=EXAMPLE)).json()["connection"]
        shown = stored["transform_options"]["greenscreen"]
        assert {name: shown[name] for name in EXAMPLE} == EXAMPLE
        plain = {"transform_options": {"greenscreen": True, "fit": "blur", "too_long": "ask", "upscale": "4k"}}
        changed = await client.put(f"/api/connections/{stored['id']}", json=plain)
        options = changed.json()["connection"]["transform_options"]
        assert (options["greenscreen"]["enabled"], options["fit"], options["too_long"]) == (True, "blur", "ask")
        assert (options["upscale_to_4k"], options["normalize_loudness"], options["measure_quality"]) == (
            True,
            False,
            False,
        )


@pytest.mark.parametrize("image", ["/templates/gone.png", "/etc/passwd", "../../secret.png", "/templates/../x.png"])
async def test_a_connection_with_a_picture_that_is_not_there_is_refused_by_its_field(core: Core, image: str) -> None:
    async with api_client(core) as client:
        answer = await new_connection(client, core, greenscreen={**EXAMPLE, "background_image": image})
        assert answer.status_code == 422
        assert any(error["field"].startswith("transform_options") for error in answer.json()["errors"])
        known = (await new_connection(client, core)).json()["connection"]["id"]
        change = {"transform_options": {"greenscreen": {**EXAMPLE, "background_image": image}}}
        assert (await client.put(f"/api/connections/{known}", json=change)).status_code == 422
