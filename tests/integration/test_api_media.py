"""A job's files over the API: the player's pieces, the plan and the receipt, the comparison on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder_core.media.store import MediaStore
from forwarder_core.services import steps
from forwarder_core.services.context import Core
from tests import factories
from tests.integration.services.test_media_road import Shelf, fetched
from tests.unit.admin_app.doorway import api_client
from tests.unit.media.samples import make_clip

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


@pytest.fixture
def job(core: Core, tmp_path: Path) -> int:
    """One whose file was fetched and transformed."""
    wide = make_clip(tmp_path / "wide.mp4", size="320x180", seconds=1.2)
    carrier = fetched(core, Shelf([wide]), fit="blur", normalize_loudness=True)
    steps.transform_video(carrier)
    carrier.let_go()
    return carrier.lease.job_id


async def test_the_job_says_what_was_planned_and_what_came_of_it(core: Core, job: int) -> None:
    async with api_client(core) as client:
        told = (await client.get(f"/api/jobs/{job}")).json()
    assert "1080x1920" in told["plan"]["words"] and "-14 LUFS" in told["plan"]["words"]
    assert any("out of focus" in reason for reason in told["plan"]["reasons"])
    assert told["receipt"]["input"]["width"] == 320 and told["receipt"]["output"]["height"] == 1920
    assert told["receipt"]["bytes_out"] > 0 and "receipt" not in told["plan"]
    assert set(told["media"]) == {"source", "rendition", "cover"}


async def test_a_player_gets_the_pieces_it_asks_for(core: Core, job: int) -> None:
    whole = MediaStore(core.media_root).folder(job).rendition.read_bytes()
    async with api_client(core) as client:
        address = f"/api/jobs/{job}/media/rendition"
        answer = await client.get(address)
        assert (answer.status_code, answer.content) == (200, whole)
        assert answer.headers["content-type"] == "video/mp4" and answer.headers["accept-ranges"] == "bytes"
        piece = await client.get(address, headers={"Range": "bytes=100-199"})
        assert (piece.status_code, piece.content) == (206, whole[100:200])
        assert piece.headers["content-range"] == f"bytes 100-199/{len(whole)}"
        last = await client.get(address, headers={"Range": "bytes=-50"})
        assert last.content == whole[-50:]
        assert (await client.get(address, headers={"Range": f"bytes={len(whole)}-"})).status_code == 416
        cover = await client.get(f"/api/jobs/{job}/media/cover")
        assert cover.headers["content-type"] == "image/jpeg" and cover.content[:3] == b"\xff\xd8\xff"


async def test_nobody_else_sees_them_and_nothing_else_is_seen(core: Core, job: int) -> None:
    async with api_client(core, signed_in=False) as client:
        assert (await client.get(f"/api/jobs/{job}/media/source")).status_code == 401
        assert (await client.post(f"/api/jobs/{job}/quality")).status_code == 401
    async with api_client(core) as client:
        for part in ("plan", "source.mp4", "%2e%2e%2fsource"):
            assert (await client.get(f"/api/jobs/{job}/media/{part}")).status_code in (404, 422)
        assert (await client.get("/api/jobs/999999/media/source")).status_code == 404


async def test_quality_is_measured_on_request_and_kept(core: Core, job: int) -> None:
    async with api_client(core) as client:
        asked = await client.post(f"/api/jobs/{job}/quality")
        assert asked.status_code == 200, asked.text
        quality = asked.json()["receipt"]["quality"]
        assert 0.9 < quality["ssim"] <= 1.0
        assert quality["vmaf"] is not None or "not available" in quality["note"]
        assert (await client.get(f"/api/jobs/{job}")).json()["receipt"]["quality"] == quality


async def test_once_retention_took_the_files_the_plan_is_left(core: Core, job: int) -> None:
    MediaStore(core.media_root).remove(job)
    async with api_client(core) as client:
        told = (await client.get(f"/api/jobs/{job}")).json()
        assert told["media"] == {} and told["plan"] and told["receipt"]
        gone = await client.get(f"/api/jobs/{job}/media/source")
        assert gone.status_code == 404 and "retention.media_days" in gone.json()["action"]
        assert (await client.post(f"/api/jobs/{job}/quality")).status_code == 409
    fresh = factories.add_job(core, factories.add_connection(core))
    async with api_client(core) as client:
        assert (await client.get(f"/api/jobs/{fresh}")).json()["plan"] == {}
