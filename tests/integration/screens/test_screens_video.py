"""The screens of video, run without a browser: templates, a connection's options, a job's before and after."""

from __future__ import annotations

from pathlib import Path

import pytest

from admin_app.ui import video_options
from admin_app.ui.screens import connections, jobs, templates
from forwarder_core.services import connections as connections_service
from forwarder_core.services import steps
from forwarder_core.services.context import Core
from tests import factories
from tests.integration.screens.kit import Opening, press, told
from tests.integration.services.test_media_road import Shelf, fetched
from tests.unit.media.samples import make_clip

pytestmark = pytest.mark.slow


def test_the_templates_are_shown_with_where_they_came_from(core: Core, opened: Opening) -> None:
    factories.add_connection(core, name="Shows it", transform_options={"greenscreen": True})
    shown = told(opened(templates.show)).replace("\\", "")
    for words in ("bg_travel.png", "frame_brand.png", "Came with the product", "1080×1920", "Used by Shows it"):
        assert words in shown, words


def test_a_connections_video_is_changed_after_a_preview(core: Core, opened: Opening) -> None:
    connection = factories.add_connection(core)
    listed = opened(connections.show, view=(f"list-Edit-{connection.id}", True))
    assert press(listed, "Video").button(key=f"save-video-{connection.id}")
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
