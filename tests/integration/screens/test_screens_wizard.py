"""The wizard: seven steps to a connection, what each refuses, and what is stored at the end."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from admin_app.ui.screens import connections as screen
from forwarder_core.clock import ManualClock
from forwarder_core.services import connections
from forwarder_core.services.context import Core
from tests import factories
from tests.integration.screens.kit import Opening, audited, press, told
from tests.integration.services.far_ends import Feed

pytestmark = pytest.mark.slow
STEPS_TO_REVIEW = 6


def named(test: AppTest, name: str = "Travel_Insta_to_TechShorts") -> AppTest:
    next(field for field in test.text_input if field.label == "Connection name").set_value(name)
    return press(test, "Next")


def at_review(opened: Opening) -> AppTest:
    test = named(press(opened(screen.show), "New connection"))
    for _ in range(STEPS_TO_REVIEW - 1):
        test = press(test, "Next")
    assert "Step 7 of 7" in progress(test)
    return test


def progress(test: AppTest) -> str:
    return " ".join(str(bar.proto.text) for bar in test.get("progress"))


def add_ends(core: Core) -> None:
    factories.add_account(core, alias="TravelReels_Insta")
    factories.add_account(core, "youtube", alias="TechShorts_YT", auth_method="oauth")


def test_from_the_name_to_a_connection_that_runs(core: Core, opened: Opening, feed: Feed, clock: ManualClock) -> None:
    add_ends(core)
    feed.posts = [factories.seen_post(factories.later(core, -86_400), caption="Before the start")]
    test = named(press(opened(screen.show), "New connection"))
    for _ in range(2):
        test = press(test, "Next")
    next(box for box in test.checkbox if box.label.startswith("Also forward")).check()
    for _ in range(3):
        test = press(test, "Next")
    report = told(press(test, "Rehearse"))
    assert "Nothing is in the way of a start." in report and connections.page(core) == []
    press(test, "Save & Activate")
    (made,) = connections.page(core)
    assert (made.name, made.status, made.type) == ("Travel_Insta_to_TechShorts", "active", "instagram_to_youtube")
    assert made.filters.include_old_posts and connections.outcomes(core, [made.id]) == {made.id: {"queued": 1}}
    assert audited(core) == ["connection_created", "connection_started"]


def test_what_was_said_is_still_there_on_the_way_back_and_saved_inactive(core: Core, opened: Opening) -> None:
    add_ends(core)
    test = at_review(opened)
    for _ in range(STEPS_TO_REVIEW - 1):
        test = press(test, "Back")
    test = press(test, "Back")
    assert next(f for f in test.text_input if f.label == "Connection name").value == "Travel_Insta_to_TechShorts"
    for _ in range(STEPS_TO_REVIEW):
        test = press(test, "Next")
    press(test, "Save as Inactive")
    (made,) = connections.page(core)
    assert made.status == "stopped" and audited(core) == ["connection_created"]


def test_a_start_that_is_refused_leaves_it_stored(core: Core, opened: Opening) -> None:
    factories.add_account(core, rights="undeclared")
    factories.add_account(core, "youtube", auth_method="oauth")
    shown = told(press(at_review(opened), "Save & Activate")).replace("\\", "")
    assert "Cannot start" in shown and "rights to the posts" in shown and "stored and not active" in shown
    assert [c.status for c in connections.page(core)] == ["stopped"]


def test_each_step_refuses_what_it_cannot_leave_open(core: Core, opened: Opening) -> None:
    test = press(opened(screen.show), "New connection")
    assert "must not be empty" in told(press(test, "Next"))
    test = named(test)
    assert "there is no instagram account yet" in told(test)
    assert "must not be empty" in told(press(test, "Next"))
    add_ends(core)
    test = press(press(opened(screen.show, new="1"), "Cancel"), "New connection")
    test = press(press(named(test), "Next"), "Next")
    next(field for field in test.text_input if field.label == "… or the caption matches").set_value("(")
    assert "no regular expression" in told(press(test, "Next"))
    assert "Step 4 of 7" in progress(test)
