"""The screens in a real browser: sign in, see what moves, open a job by its address, and words that stay words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from forwarder_core.clock import SystemClock
from forwarder_core.embedded.postgres import Server
from forwarder_core.errors import MediaRejected
from forwarder_core.services import failing
from forwarder_core.settings import load
from forwarder_core.simulator import clips
from tests import factories
from tests.e2e.person import FLAGS, Person
from tests.unit.admin_app.doorway import HOSTILE, PASSWORD, USER, fake_dagster, running_door

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def base(postgres: Server, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("door")
    postgres.address.clone(migrated, "door_browser")
    url = postgres.url("door_browser")
    with factories.make_core(url, SystemClock(), home) as core:
        folder = home / "library" / "films"
        folder.mkdir(parents=True)
        sealed = core.vault.seal({"folder": str(folder)})
        factories.add_account(core, "library", handle="films", auth_method="folder", credentials=sealed)
        connection = factories.add_connection(core, name="Travel *to* <b>shorts</b>")
        for caption in (HOSTILE, "Plain"):
            factories.add_job(core, connection, factories.add_post(core, connection.source_account_id, caption=caption))
        failing.fail(core, factories.claimed(core, 1), MediaRejected("The file has no [video](http://evil) track."))
    with fake_dagster() as dagster, running_door(url, home, dagster.url) as base:
        yield base
    postgres.address.drop("door_browser")


@pytest.fixture
def page() -> Iterator[Page]:
    browser = load().browser
    with sync_playwright() as p:
        path = str(browser) if browser else next(filter(Path.exists, map(Path, ("/usr/bin/chromium",))), None)
        chromium = p.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium.new_page(viewport={"width": 1280, "height": 900})
        chromium.close()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clip = clips.Clip(seed=700, seconds=1, width=144, height=256)
    return clips.make(clip, tmp_path_factory.mktemp("video") / "harbour.mp4")


def sign_in(page: Page, base: str, path: str = "/") -> None:
    page.goto(base + path)
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Login").click()


def test_from_the_sign_in_to_the_overview_to_a_job_and_out(page: Page, base: str) -> None:
    page.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    sign_in(page, base)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_text(HOSTILE[:40]).first).to_be_visible()
    expect(page.get_by_text("Travel *to* <b>shorts</b>").first).to_be_visible()
    assert page.locator("img[src='x']").count() == 0 and page.title() == "SnapcoreForwarder"
    sidebar = page.get_by_test_id("stSidebar")
    assert sidebar.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(243, 244, 250)"
    page.goto(f"{base}/jobs/1")
    expect(page.get_by_role("heading", name="Job 1")).to_be_visible()
    assert page.url.endswith("/jobs?id=1")
    expect(page.get_by_text(HOSTILE, exact=True)).to_be_visible()
    expect(page.get_by_text("The file has no [video](http://evil) track.")).to_be_visible()
    expect(page.get_by_text("IST").first).to_be_visible()
    page.get_by_role("button", name="Retry now").click()
    expect(page.get_by_text("Job 1 queued for retry")).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    assert page.url.endswith("/jobs"), "the navigation leads back from a job to all of them"
    for screen in ("Connections", "Accounts", "Logs", "Jobs"):
        page.get_by_role("link", name=screen, exact=True).click()
        expect(page.get_by_role("heading", name=screen, exact=True)).to_be_visible()
    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_role("button", name="Login")).to_be_visible()
    page.goto(f"{base}/jobs/1")
    expect(page.get_by_role("button", name="Login")).to_be_visible()
    assert page.url.endswith("/login?next=/jobs/1")


def test_videos_are_handed_in_from_the_library_screen(page: Page, base: str, video: Path, tmp_path: Path) -> None:
    person = Person(page, base)
    page.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    sign_in(page, base, "/library")
    person.show("Handed in")
    form = page.locator("#hand-in")
    send = form.get_by_role("button", name="Hand in")
    send.click()
    expect(form.get_by_text("Choose one or more videos first.")).to_be_visible()
    form.get_by_label("Videos").set_input_files(video)
    send.click()
    expect(form.get_by_text("1 files added to the library")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    person.accounted()
    no_video = tmp_path / "words.mp4"
    no_video.write_text("no video at all")
    form.get_by_label("Videos").set_input_files(no_video)
    send.click()
    expect(form.get_by_text("files.words.mp4")).to_be_visible()
    assert any("422" in error for error in person.errors), "and that is the only thing that went wrong"
    assert len(person.errors) == 1 and person.foreign == []
