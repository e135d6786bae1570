"""Rules on the screens: set on a connection with a preview, the next posts with their times, limits, quotas, pace."""

from __future__ import annotations

import pytest

from admin_app.ui import rule_fields
from admin_app.ui.screens import accounts, settings
from admin_app.ui.screens import connections as screen
from forwarder_core.db import posts
from forwarder_core.domain.filters import Filters, HashtagRule
from forwarder_core.domain.posts import Decision, Verdict
from forwarder_core.services import connections, editing, forwarding, limits
from forwarder_core.services.context import Core
from tests import factories
from tests.integration.screens.kit import Opening, press, told
from tests.unit.admin_app.doorway import HOSTILE

pytestmark = pytest.mark.slow


def test_rules_are_changed_on_the_connections_page_and_nothing_else_of_it(core: Core, opened: Opening) -> None:
    stored = {"include_old_posts": True, "old_posts": {"per_day": 3}, "hashtags": {"any": ["travel"]}}
    id_ = factories.add_connection(core, filters=stored, publish_options={"privacy": "unlisted"}).id
    page = opened(lambda: rule_fields.edit(connections.get(core, id_)))
    (excluded,) = (field for field in page.text_input if field.label == "Not with these words")
    excluded.set_value("ad, promo")
    (credit,) = (field for field in page.text_input if field.label == "Credit line")
    credit.set_value("From {source_handle}")
    press(page, "Save")
    changed = connections.get(core, id_)
    assert changed.filters == Filters(
        excluded_keywords=("ad", "promo"),
        hashtags=HashtagRule(any_of=("travel",)),
        include_old_posts=True,
        old_per_day=3,
    )
    assert changed.publish["privacy"] == "unlisted" and changed.publish["credit_line"] == "From {source_handle}"


def test_a_caption_is_tried_before_it_is_saved(core: Core, opened: Opening) -> None:
    id_ = factories.add_connection(core).id
    page = opened(lambda: rule_fields.edit(connections.get(core, id_)))
    (tried,) = (area for area in page.text_area if area.label == "Try a caption")
    tried.set_value(HOSTILE)
    page = press(page, "Preview")
    assert page.code[0].value and not page.error


def test_a_rule_that_makes_no_sense_is_said_and_not_stored(core: Core, opened: Opening) -> None:
    id_ = factories.add_connection(core).id
    page = opened(lambda: rule_fields.edit(connections.get(core, id_)))
    (pattern,) = (field for field in page.text_input if field.label == "Not where the caption matches")
    pattern.set_value("((")
    page = press(page, "Save")
    assert "no regular expression" in told(page).replace("\\", "")
    assert connections.get(core, id_).filters == Filters()


def test_the_next_posts_say_when_they_go_and_why_not_now(core: Core, opened: Opening) -> None:
    window = {"type": "windows", "windows": [{"start": "03:00", "end": "03:30"}], "timezone": "Asia/Kolkata"}
    connection = factories.add_connection(core, schedule=window)
    factories.add_job(core, connection)
    assert forwarding.dispatchable(core) == []
    shown = told(opened(screen.show, id=str(connection.id)))
    assert "until its connection publishes again" in shown and "21:30:00 UTC" in shown


def test_a_post_is_dropped_from_the_list(core: Core, opened: Opening) -> None:
    connection = factories.add_connection(core)
    post = factories.add_post(core, connection.source_account_id)
    with core.begin() as tx:
        posts.decide(tx, connection.id, {post: Decision(Verdict.TOO_LATE, "max_age_h")}, core.clock.now())
    on_posts = ("connection-tab", "Posts and why")
    page = press(opened(screen.show, id=str(connection.id), view=on_posts), "Drop for ever")
    assert "Drop for ever" not in [button.label for button in page.button]


def test_limits_and_quotas_stand_in_settings_and_a_limit_is_changed_there(core: Core, opened: Opening) -> None:
    factories.add_connection(core)
    page = opened(settings.show)
    page.session_state["settings-view"] = "Limits"
    page.run()
    assert page.dataframe and not page.exception
    page.selectbox(key="limits-platform").set_value("youtube").run()
    page.number_input(key="limit-youtube-text.title_chars").set_value(60)
    press(page, "Save")
    assert limits.of_platform(core, "youtube").text.title_chars == 60


def test_the_pace_of_an_account_is_set_on_its_page(core: Core, opened: Opening) -> None:
    account = factories.add_account(core, "youtube", auth_method="oauth")
    page = opened(accounts.show, id=str(account.id))
    (ramp,) = (field for field in page.text_input if field.label.startswith("A new account"))
    ramp.set_value("2, 3")
    press(page, "Save pace")
    assert editing.pace_of(core, account.id)["ramp"] == [2, 3]
