"""The two players of a job's page in a real browser: before and after, each loaded and played in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from forwarder_core.clock import SystemClock
from forwarder_core.embedded.postgres import Server
from forwarder_core.services import steps
from tests import factories
from tests.e2e.person import FLAGS, PATIENCE_MS, Person
from tests.integration.services.test_media_road import Shelf, fetched
from tests.unit.admin_app.doorway import PASSWORD, USER, fake_dagster, running_door
from tests.unit.media.samples import make_clip

pytestmark = [pytest.mark.slow, pytest.mark.browser]
PLAYED = "async v => { v.muted = true; await v.play(); return [v.videoWidth, v.videoHeight, Math.round(v.duration)] }"


@pytest.fixture(scope="module")
def base(postgres: Server, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The door of an installation whose job 1 has its source and its rendition still on disk."""
    home = tmp_path_factory.mktemp("player")
    postgres.address.clone(migrated, "player_browser")
    url = postgres.url("player_browser")
    with factories.make_core(url, SystemClock(), home) as core:
        carrier = fetched(core, Shelf([make_clip(home / "wide.mp4", size="320x180", seconds=2.0)]))
        steps.transform_video(carrier)
        carrier.let_go()
    with fake_dagster() as dagster, running_door(url, home, dagster.url) as base:
        yield base
    postgres.address.drop("player_browser")


def test_before_and_after_are_played_side_by_side(base: str, browser_program: Path) -> None:
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(browser_program), args=FLAGS)
        person = Person(browser.new_page(viewport={"width": 1280, "height": 1000}), base)
        person.page.set_default_timeout(PATIENCE_MS)
        person.open("/jobs/1")
        person.sign_in(USER, PASSWORD)
        videos = person.page.locator("video")
        expect(videos).to_have_count(2, timeout=PATIENCE_MS)
        before, after = (videos.nth(n).evaluate(PLAYED) for n in range(2))
        assert (before, after) == ([320, 180, 2], [1080, 1920, 2])
        person.accounted()
        browser.close()
