"""A connection's own page: its buttons, what became of every post and why, its dry runs with pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from admin_app.ui.screens import connections as screen
from forwarder_core.clock import ManualClock
from forwarder_core.db import requests as rows
from forwarder_core.domain import dry_runs
from forwarder_core.domain.dry_runs import Issue, TriedPost
from forwarder_core.domain.requests import RequestState
from forwarder_core.services import connections, dry_running, trying
from forwarder_core.services.context import Core
from tests import factories
from tests.integration.screens.kit import Opening, audited, press, told
from tests.integration.services.far_ends import Feed
from tests.unit.admin_app.doorway import HOSTILE

pytestmark = pytest.mark.slow


def test_it_is_started_rehearsed_run_and_stopped_from_its_page(
    core: Core, opened: Opening, feed: Feed, clock: ManualClock
) -> None:
    id_ = factories.add_connection(core, status="stopped", started_at=None, name="Harbour").id
    feed.posts = [factories.seen_post(factories.later(core, -60), caption="Before the start")]
    page = press(opened(screen.show, id=str(id_)), "Rehearse")
    assert "Nothing is in the way of a start." in told(page)
    press(opened(screen.show, id=str(id_)), "Start")
    clock.move(60)
    feed.posts.append(factories.seen_post(clock.now(), caption=HOSTILE))
    press(opened(screen.show, id=str(id_)), "Confirm run")
    shown = told(on_tab(opened, id_, "Posts and why")).replace("\\", "")
    assert "It passes every rule of this connection." in shown
    assert "old posts were not asked for" in shown
    page = press(opened(screen.show, id=str(id_)), "Stop")
    assert connections.get(core, id_).status == "stopped"
    assert audited(core) == ["connection_started", "connection_run", "connection_stopped"]


def test_a_press_on_a_card_is_shown_by_the_card_and_a_double_click_is_one_press(
    core: Core, opened: Opening, feed: Feed, clock: ManualClock
) -> None:
    id_ = factories.add_connection(core, name="Harbour").id
    page = press(opened(screen.show), "Pause")
    assert "Paused" in told(page) and "Harbour" in page.toast[0].value
    press(page, "Resume")  # it stands where Pause was
    assert connections.get(core, id_).status == "paused"
    clock.move(2)
    assert "Active" in told(press(page, "Resume"))
    assert audited(core) == ["connection_paused", "connection_resumed"]


def test_what_is_in_a_popover_of_a_card_is_drawn_once_it_is_open(core: Core, opened: Opening, feed: Feed) -> None:
    id_ = factories.add_connection(core).id
    assert "Confirm run" not in {button.label for button in opened(screen.show).button}
    press(opened(screen.show, view=(f"list-Run now-{id_}", True)), "Confirm run")
    press(opened(screen.show, view=(f"list-Delete-{id_}", True)), "Delete it")
    assert audited(core) == ["connection_run", "connection_stopped", "connection_removed"]


def test_a_refused_start_says_everything_that_is_missing(core: Core, opened: Opening) -> None:
    source = factories.add_account(core, rights="undeclared")
    destination = factories.add_account(core, "youtube", status="disabled", status_reason="Suspended")
    id_ = factories.add_connection(core, source, destination, status="stopped", started_at=None).id
    shown = told(press(opened(screen.show, id=str(id_)), "Start")).replace("\\", "")
    assert "Cannot start: " in shown and "Suspended" in shown and "rights to the posts" in shown


def test_a_dry_run_is_asked_for_cancelled_and_shown_with_its_pictures(core: Core, opened: Opening) -> None:
    id_ = factories.add_connection(core).id
    press(opened(screen.show, id=str(id_)), "Confirm dry run")
    (asked,) = dry_running.page(core, connection_id=id_)
    press(on_tab(opened, id_, "Dry runs"), "Cancel")
    assert dry_running.get(core, asked.id).state is RequestState.CANCELLED
    again = dry_running.ask(core, id_, who="admin", patience_s=0)
    _finish(core, again.id)
    page = on_tab(opened, id_, "Dry runs")
    shown = told(page).replace("\\", "")
    assert "Upscaled to 1080x1920" in shown and "has this post already" in shown
    assert "Deleted with the media." not in shown, "the picture is there"


def test_old_posts_are_asked_for_by_form(core: Core, opened: Opening, feed: Feed, clock: ManualClock) -> None:
    feed.posts = [factories.seen_post(factories.later(core, -86_400 * n)) for n in range(1, 4)]
    id_ = connections.start(core, factories.add_connection(core, status="stopped", started_at=None).id).id
    clock.move(60)
    press(on_tab(opened, id_, "Old posts"), "Forward them")
    assert len(connections.seen_posts(core, id_)) == 3
    assert {d.rule for _, d in connections.seen_posts(core, id_)} == {"backfill"}


def test_one_that_is_not_there_says_so(core: Core, opened: Opening) -> None:
    assert "There is no connection 99" in told(opened(screen.show, id="99"))
    assert "There is no connection here yet." in told(opened(screen.show))


def on_tab(opened: Opening, connection_id: int, tab: str) -> AppTest:
    return opened(screen.show, view=("connection-tab", tab), id=str(connection_id))


def _finish(core: Core, dry_run_id: int) -> None:
    folder = trying.store_of(core).open(f"{dry_run_id}-1")
    picture = Path(__file__).resolve().parents[3] / "admin_app" / "ui" / "icon.png"
    (folder.path / "before.jpg").write_bytes(picture.read_bytes())
    issue = Issue(code="duplicate", text="The channel has this post already.", action="Nothing.", is_fatal=False)
    post = TriedPost(
        source_id="7",
        source_url="https://x.example/7",
        caption="Sunset",
        size_bytes=5_000_000,
        result="Upscaled to 1080x1920",
        payload={"title": "Sunset", "caption": "Sunset #travel", "tags": ["travel"], "privacy": "public"},
        frames=("before",),
        issues=(issue,),
    )
    report = dry_runs.results(found=1, tested=[post], checks=[], issues=[], quota={})
    now = core.clock.now()
    with core.begin() as tx:
        hold = rows.claim(tx, dry_run_id, now=now, until=now, worker={})
        assert hold is not None
        assert rows.close(tx, hold, RequestState.DONE, now=now, report=report)
