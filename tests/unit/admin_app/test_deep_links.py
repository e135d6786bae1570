"""The addresses alerts hold lead to the screen, the row and the act they mean, and to nothing else."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from admin_app.door.pages import Pages
from forwarder_core.clock import ManualClock
from tests.factories import make_core

pytestmark = pytest.mark.anyio
NOWHERE = "postgresql+psycopg://forwarder:x@127.0.0.1:9/forwarder"


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/accounts/7", "/accounts?id=7"),
        ("/accounts/7/captcha-resolve", "/accounts?id=7&do=captcha-resolve"),
        ("/jobs/9", "/jobs?id=9"),
        ("/jobs/9?confirm=live", "/jobs?id=9&confirm=live"),
        ("/jobs/9?confirm=a%26id%3D1&next=https://evil.example", "/jobs?id=9&confirm=a%26id%3D1"),
        ("/connections/3", "/connections?id=3"),
        ("/dashboard", "/"),
        ("/overview", "/"),
    ],
)
async def test_a_link_opens_the_record_it_names(path: str, leads_to: str, tmp_path: Path) -> None:
    with make_core(NOWHERE, ManualClock(), tmp_path) as core:
        transport = httpx.ASGITransport(Starlette(routes=Pages(core).routes()))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            answer = await client.get(path)
    assert answer.status_code == 302 and answer.headers["location"] == leads_to
