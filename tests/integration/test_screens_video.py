"""The screens of video, run without a browser: templates, a connection's options, a job's before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from admin_app import process
from admin_app.ui import access, video_options
from admin_app.ui.screens import connections, jobs, overview, templates
from forwarder_core.clock import ManualClock
from forwarder_core.embedded.postgres import Server
from forwarder_core.services import connections as connections_service
from forwarder_core.services import steps
from forwarder_core.services.context import Core
from forwarder_core.services.signing_in import SignedIn
from tests import factories
from tests.integration.services.test_media_road import Shelf, fetched
from tests.integration.test_screens import APP, press, told
from tests.unit.admin_app.doorway import USER, core_with_admin, own_database
from tests.unit.media.samples import make_clip

pytestmark = pytest.mark.slow
Opening = Callable[..., AppTest]


@pytest.fixture(scope="module")
def url(postgres: Server, migrated: str) -> Iterator[str]:
    with own_database(postgres, migrated, "screens_video") as url:
        yield url


@pytest.fixture
def core(url: str, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    with core_with_admin(url, clock, tmp_path) as core:
        until = clock.now() + timedelta(days=1)
        user = SignedIn(user_id=1, username=USER, csrf_token="", is_remembered=False, expires_at=until)
        process.use(core)
        monkeypatch.setattr(access, "require_user", lambda **_: user)
        yield core
        process._held.clear()


@pytest.fixture
def opened(core: Core, monkeypatch: pytest.MonkeyPatch) -> Opening:
    def opened(screen: Callable[[], None], **query: str) -> AppTest:
        monkeypatch.setattr(overview, "show", screen)
        test = AppTest.from_file(str(APP), default_timeout=60)
        for name, value in query.items():
            test.query_params[name] = value
        test.run()
        assert not test.exception, test.exception
        return test

    return opened


def test_the_templates_are_shown_with_where_they_came_from(core: Core, opened: Opening) -> None:
    factories.add_connection(core, name="Shows it", transform_options={"greenscreen": True})
    shown = told(opened(templates.show)).replace("\\", "")
    for words in ("bg_travel.png", "frame_brand.png", "Came with the product", "1080×1920", "Used by Shows it"):
        assert words in shown, words


def test_a_connections_video_is_changed_after_a_preview(core: Core, opened: Opening) -> None:
    connection = factories.add_connection(core)
    assert press(opened(connections.show), "Video").button(key=f"save-video-{connection.id}")
    test = opened(lambda: video_options.edit(connection, "youtube"))  # a test's click runs the whole page again
    key = f"video-{connection.id}"
    assert "processor time a minute" in " ".join(test.selectbox(key=f"{key}-size").options)
    test.selectbox(key=f"{key}-template").select("picture_in_picture")
    test.radio(key=f"{key}-image").set_value("bg_gradient.png")
    test.selectbox(key=f"{key}-fit").select("blur")
    test.selectbox(key=f"{key}-too-long").select("ask")
    press(test, "Preview")
    (frame,) = (i for i in test.get("image") if "One frame, as youtube would be given it" in str(i.proto))
    assert frame and not test.error
    press(test, "Save")
    changed = connections_service.get(core, connection.id).transform
    assert (changed.layout.template, changed.layout.image) == ("picture_in_picture", "bg_gradient.png")
    assert (changed.fit, changed.too_long, changed.quality) == ("blur", "ask", "optimized")


def test_a_jobs_video_is_told_in_words_and_shown_before_and_after(core: Core, opened: Opening, tmp_path: Path) -> None:
    carrier = fetched(core, Shelf([make_clip(tmp_path / "wide.mp4", size="320x180")]))
    steps.transform_video(carrier)
    carrier.let_go()
    job = carrier.lease.job_id
    test = opened(jobs.show, id=str(job))
    shown = told(test)
    assert "Picture encoded to 1080x1920" in shown and "bars are added" in shown
    (receipt,) = (table.value for table in test.table if "Before" in table.value.columns)
    assert receipt["Before"].iloc[0].startswith("320×180") and receipt["After"].iloc[0].startswith("1080×1920")
    players = [element.proto.body for element in test.get("html")]
    assert any(f'src="/api/jobs/{job}/media/source"' in body for body in players)
    assert any(f'poster="/api/jobs/{job}/media/cover"' in body for body in players)
    press(test, "Measure the quality")
    assert "SSIM 0.9" in told(opened(jobs.show, id=str(job)))
