"""The desk's screens, run without a browser: what they show, what their buttons do, and words that stay words."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from admin_app.ui.screens import accounts, jobs, notifications, overview, settings
from forwarder_core.errors import MediaRejected
from forwarder_core.services import accounts as accounts_service
from forwarder_core.services import challenges, failing, interactive_login, telegram_settings
from forwarder_core.services import overview as overviews
from forwarder_core.services.context import Core
from forwarder_core.services.interactive_login import State
from tests import factories
from tests.integration.alerts.outgoing import CHANNEL, TOKEN, tell
from tests.integration.screens.kit import Opening, audited, challenged, in_view, press, told
from tests.unit.admin_app.doorway import HOSTILE, PASSWORD

pytestmark = pytest.mark.slow


def code_of(test: AppTest) -> Any:
    (field,) = (f for f in test.text_input if f.label == "Code")
    return field


def test_the_banner_says_what_is_known_and_what_to_do(core: Core, opened: Opening) -> None:
    challenged(core)
    shown = told(opened(overview.show)).replace("\\", "")
    for words in (
        "CAPTCHA detected on TravelReels_Insta. Action required.",
        "Affected connections: **1 (paused)**",
        "Pending jobs: **1**",
        "Log in to account: travel_reels_official",
        "UTC",
    ):
        assert words in shown, words


def test_solved_is_said_once_with_its_notes(core: Core, opened: Opening) -> None:
    account = challenged(core)
    test = opened(accounts.show, id=str(account.id), do="captcha-resolve")
    test.text_input[0].set_value("Solved in the browser")
    press(test, "Mark CAPTCHA Solved")
    assert challenges.open_challenges(core) == [] and audited(core) == ["captcha_resolved"]
    assert "has been solved" in told(opened(accounts.show, id=str(account.id), do="captcha-resolve"))


def test_the_code_is_typed_in_on_the_account(core: Core, opened: Opening) -> None:
    account = factories.add_account(core)
    test = press(opened(accounts.show, id=str(account.id)), "Sign in again")
    (held,) = interactive_login.take(core, 5)
    interactive_login._Prompt(core, held, lambda: True).ask()
    test = opened(accounts.show, id=str(account.id))
    code_of(test).set_value("31")
    assert "not a code" in told(press(test, "Send code"))
    code_of(test).set_value("314159")
    press(test, "Send code")
    assert audited(core) == ["sign_in_requested", "sign_in_code_given"]
    press(opened(accounts.show, id=str(account.id)), "Give up")
    ended = interactive_login.look(core, account.id)
    assert ended and ended.state is State.FAILED
    assert "Given up by admin" in told(opened(accounts.show, id=str(account.id)))


@pytest.mark.parametrize(
    ("button", "status"), [("Yes, it is live", "success"), ("It is not there: publish again", "queued")]
)
def test_an_unconfirmed_job_has_two_answers(core: Core, opened: Opening, button: str, status: str) -> None:
    job_id = factories.add_job(core, factories.add_connection(core), status="unconfirmed")
    factories.add_publication(core, job_id, state="unconfirmed")
    press(opened(jobs.show, id=str(job_id)), button)
    assert factories.job_of(core, job_id).status == status


def test_dead_letters_are_retried_by_cause_and_deleted_one_by_one(core: Core, opened: Opening) -> None:
    connection = factories.add_connection(core)
    made = [factories.add_job(core, connection) for _ in range(3)]
    for job_id in made:
        failing.fail(core, factories.claimed(core, job_id), MediaRejected(HOSTILE))
    press(opened(jobs.show, id=str(made[0])), "Delete it")
    test = opened(jobs.show)
    test.session_state["jobs-view"] = "Dead letter"
    test.run()
    assert "2 jobs" in told(test)
    press(test, "Retry them")
    assert [factories.job_of(core, job_id).status for job_id in made] == ["dead", "queued", "queued"]
    assert audited(core) == ["job_deleted", "jobs_retried"]


def test_notifications_say_that_nothing_can_be_sent(core: Core, opened: Opening) -> None:
    tell(core, 2)
    shown = opened(notifications.show)
    assert "Telegram is not set up: 2 alerts wait here" in told(shown)
    assert len(shown.dataframe[0].value) == 2
    shown = in_view(opened, notifications.show, "notifications-tab", "Telegram")
    fields = {f.label: f for f in shown.text_input}
    fields["Bot token"].set_value(TOKEN)
    fields["Channel ID"].set_value(CHANNEL)
    (box,) = (c for c in shown.checkbox if c.label == "Send alerts")
    box.check()
    next(b for b in shown.button if b.label == "Save").click().run()
    assert telegram_settings.get(core).is_configured and TOKEN not in told(shown)
    shown = in_view(opened, notifications.show, "notifications-tab", "Kinds of alerts")
    off = next(c for c in shown.checkbox if c.label == "CAPTCHA detected")
    off.uncheck()
    [b for b in shown.button if b.label == "Save"][-1].click().run()
    assert telegram_settings.get(core).kinds == {"captcha": False}


def test_the_password_and_the_session_timeout_are_changed(core: Core, opened: Opening) -> None:
    test = opened(settings.show)
    idle = next(n for n in test.number_input if n.label.startswith("A session unused"))
    idle.set_value(60.0)
    press(test, "Save")
    assert overviews.tuned(core).number("session.idle_minutes") == 60 and audited(core) == ["settings_changed"]
    typed = {f.label: f for f in test.text_input}
    typed["Current password"].set_value(PASSWORD)
    typed["New password"].set_value("Another-Password-2")
    typed["Confirm new password"].set_value("Another-Password-3")
    assert "not the same" in told(press(test, "Update password"))


def test_accounts_are_imported_from_the_sheet_that_was_looked_at(core: Core, opened: Opening) -> None:
    test = opened(accounts.show)
    rows = f"instagram,one,{HOSTILE.replace(chr(34), chr(39))},own,swordfish\n"
    sheet = f"platform,username,alias,rights,credentials.password\n{rows}"
    test.file_uploader[0].set_value([("accounts.csv", sheet.encode(), "text/csv")]).run()
    assert not test.exception, test.exception
    assert list(test.dataframe[0].value["does"]) == ["new"] and accounts_service.page(core) == []
    press(test, "Import")
    assert [account.handle for account in accounts_service.page(core)] == ["one"]
    assert "swordfish" not in told(press(opened(accounts.show), "Make the export"))


def test_an_incident_stands_on_the_first_screen_and_is_retried_with_one_button(core: Core, opened: Opening) -> None:
    connection = factories.add_connection(core)
    made = [factories.add_job(core, connection) for _ in range(3)]
    for job_id in made:
        failing.fail(core, factories.claimed(core, job_id), MediaRejected(HOSTILE))
    test = opened(overview.show)
    assert "3 jobs: 3 failed for good, 0 waiting" in told(test)
    press(test, "Retry all")
    assert [factories.job_of(core, job_id).status for job_id in made] == ["queued"] * 3
    assert "Retry all" not in [button.label for button in opened(overview.show).button], "nothing is left to retry"


def test_the_jobs_of_one_error_are_shown_by_the_address(core: Core, opened: Opening) -> None:
    connection = factories.add_connection(core)
    dead, _ = (factories.add_job(core, connection) for _ in range(2))
    failing.fail(core, factories.claimed(core, dead), MediaRejected("Too long."))
    test = opened(jobs.show, error="media_rejected")
    assert list(test.dataframe[0].value["Job"]) == [dead]
    assert len(press(test, "Show all errors").dataframe[0].value) == 2


def test_retries_of_one_error_are_set_in_their_table(core: Core, opened: Opening) -> None:
    test = opened(settings.show)
    test.session_state["settings-view"] = "Retry policy"
    test.run()
    assert not test.exception, test.exception
    fields = {f.key: f for f in test.text_input}
    fields["retry-count-network_error"].set_value("5")
    fields["retry-waits-network_error"].set_value("1, 2.5")
    press(test, "Save the table")
    tuned = overviews.tuned(core)
    assert tuned.mapping("retry.per_class") == {"network_error": {"max_attempts": 5, "delays_seconds": [1, 2.5]}}
    test.session_state["settings-view"] = "Retry policy"
    test.run()
    {f.key: f for f in test.text_input}["retry-count-proxy_error"].set_value("many")
    assert "proxy_error" in told(press(test, "Save the table"))
    strategy = next(s for s in test.selectbox if s.key == "retry.strategy")
    strategy.set_value("fixed")
    press(test, "Save")
    assert overviews.tuned(core).word("retry.strategy") == "fixed"
    assert overviews.tuned(core).mapping("retry.per_class").keys() == {"network_error"}
