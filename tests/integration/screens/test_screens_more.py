"""Calendar, library, utilities, and the settings for machines and audits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import insert

from admin_app import process
from admin_app.ui import words
from admin_app.ui.screens import accounts as accounts_screen
from admin_app.ui.screens import agenda, library, logs, settings, utilities
from forwarder_core.db.tables import flow
from forwarder_core.db.tables.people import users
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.proxies import Assignment, ProxyType
from forwarder_core.errors import Conflict
from forwarder_core.services import (
    accounts,
    api_tokens,
    journal,
    proxies,
    retention,
    scenarios,
    second_factor,
    tunables,
)
from forwarder_core.services import connections as connection_service
from forwarder_core.services import overview as overviews
from forwarder_core.services.context import Core
from forwarder_core.services.proxies import NewProxy
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.integration.screens.kit import Opening, audited, challenged, in_view, press, told
from tests.unit.admin_app.doorway import HOSTILE, USER

pytestmark = pytest.mark.slow


def brought(core: Core, connection: Connection, caption: str = "Sunset #travel") -> int:
    """A job that has arrived, with the row of its file."""
    post = factories.add_post(core, connection.source_account_id, caption=caption)
    job_id = factories.add_job(core, connection, post, status="success", completed_at=core.clock.now())
    file = {"job_id": job_id, "kind": "rendition", "path": "x.mp4", "size_bytes": 5_000_000, "sha256": "0" * 64}
    with core.begin() as tx:
        size = {"duration_ms": 8_000, "width": 1080, "height": 1920, "created_at": core.clock.now()}
        tx.execute(insert(flow.media_files).values(**file, **size))
    return job_id


def test_the_calendar_tells_what_arrived_what_failed_and_what_is_planned(core: Core, opened: Opening) -> None:
    assert "0 published · 0 failed · 0 planned" in told(opened(agenda.show))
    assert "nothing is planned" in told(in_view(opened, agenda.show, "calendar-kind", "Month"))
    travel, food = factories.add_connection(core, name=HOSTILE), factories.add_connection(core, name="Food")
    brought(core, travel)
    factories.add_job(core, food, status="dead", completed_at=core.clock.now())
    factories.add_job(core, food, status="retry_wait", next_attempt_at=core.clock.now() + timedelta(minutes=5))
    for _ in range(7):
        factories.add_job(core, travel)
    shown = told(opened(agenda.show))
    assert "1 published · 1 failed · 8 planned" in shown and "<img" not in shown.replace(r"\<img", "")
    table = in_view(opened, agenda.show, "calendar-kind", "Month").dataframe[0].value
    assert dict(zip(table["Connection"], table["Planned"], strict=True)) == {"Food": 1, HOSTILE: 7}
    later = press(opened(agenda.show), "Later")
    assert "0 published · 0 failed · 0 planned" in told(later)


def test_the_library_forwards_what_arrived_by_another_connection_of_its_source(core: Core, opened: Opening) -> None:
    assert "Nothing has arrived anywhere yet." in told(opened(library.show))
    first = factories.add_connection(core)
    job_id = brought(core, first, HOSTILE)
    test = opened(library.show)
    assert HOSTILE.split()[0] in told(test) and "No other connection has this source" in told(test)
    source = factories.rows(core, flow.connections, id=first.id)[0]["source_account_id"]
    other = factories.add_connection(core, accounts.get(core, source), name="Elsewhere")
    press(opened(library.show), "Forward it")
    made = factories.rows(core, flow.jobs, connection_id=other.id)
    assert [row["status"] for row in made] == ["queued"] and made[0]["id"] != job_id
    assert "has job" in told(press(opened(library.show), "Forward it")), "a second click makes no second job"
    assert "There is no library account yet" in told(in_view(opened, library.show, "library-view", "Handed in"))


def test_a_post_is_enqueued_by_its_address(core: Core, opened: Opening) -> None:
    assert "There is no connection yet" in told(in_view(opened, utilities.show, "utilities-view", "Enqueue by URL"))
    connection = factories.add_connection(core)
    factories.add_post(core, connection.source_account_id, "42")
    test = in_view(opened, utilities.show, "utilities-view", "Enqueue by URL")
    test.text_input[0].set_value("https://www.instagram.com/reel/nobody/")
    assert "has not shown such a post" in told(press(test, "Enqueue"))
    test.text_input[0].set_value("https://www.instagram.com/reel/42/")
    press(test, "Enqueue")
    assert audited(core) == ["post_queued"]


def test_open_challenges_and_tokens_stand_under_utilities(core: Core, opened: Opening) -> None:
    assert "No account waits for a CAPTCHA." in told(opened(utilities.show))
    challenged(core)
    assert "CAPTCHA detected on TravelReels" in told(opened(utilities.show)).replace("\\", "")
    assert "renewed by its platform" in told(in_view(opened, utilities.show, "utilities-view", "Force refresh"))


def test_scenarios_strike_the_simulated_platforms_and_end(core: Core, opened: Opening, simulator: Simulator) -> None:
    with pytest.raises(Conflict, match="no simulator"):
        scenarios.armed(core)
    values = {**factories.through(simulator), "simulator_url": simulator.control_url}
    values["allow_private_networks"] = ("127.0.0.0/8",)
    there = replace(core, settings=core.settings.model_copy(update=values))
    process.use(there)
    factories.simulated_account(there, simulator, "instagram", by="private")
    in_demo = in_view(opened, utilities.show, "utilities-view", "Scenarios")
    for label in ("Challenge", "429 storm", "Add a simulated proxy"):
        press(in_demo, label)
    press(in_demo, "Dead proxy")
    armed = {fault.fault for fault in scenarios.armed(there)}
    assert armed == {"challenge", "http_429", "proxy_refuse"}
    assert "Post it" in [button.label for button in in_demo.button]
    press(in_demo, "End all trouble")
    assert scenarios.armed(there) == []
    assert "scenario_challenge" in audited(there) and "scenario_end" in audited(there)


def test_a_token_of_a_program_is_made_shown_once_and_revoked(core: Core, opened: Opening) -> None:
    with core.begin() as tx:
        tx.execute(users.update().values(id=1))  # as who is taken for granted here
    test = in_view(opened, settings.show, "settings-view", "API tokens")
    assert "There is no API token yet." in told(test)
    next(field for field in test.text_input if field.label == "Name").set_value(HOSTILE[:40])
    test = press(test, "Make a token")
    (made,) = api_tokens.page(core, after=0, limit=5)
    assert test.code[0].value.endswith(made.hint) and made.expires_at is not None
    test = press(test, "Revoke it")
    assert api_tokens.page(core, after=0, limit=5) == []
    assert {"api_token_made", "api_token_revoked"} <= set(audited(core))


def test_the_audit_log_is_searched(core: Core, opened: Opening) -> None:
    assert "Nothing of that kind was done." in told(in_view(opened, settings.show, "settings-view", "Audit log"))
    connection = factories.add_connection(core)
    connection_service.pause(core, connection.id, who="anna")
    test = in_view(opened, settings.show, "settings-view", "Audit log")
    assert list(test.dataframe[0].value["Who"]) == ["anna"]
    next(field for field in test.text_input if field.label == "What or which").set_value("sign in").run()
    assert "Nothing of that kind was done." in told(test)


def test_the_next_clean_up_is_said_and_what_would_go(core: Core, opened: Opening) -> None:
    shown = told(press(in_view(opened, settings.show, "settings-view", "Retention"), "What would go now?"))
    due = words.clock_time(retention.next_sweep(core), core.settings.zone)
    assert f"The next clean-up runs at **{due}**" in shown
    assert "0 folders of jobs and 0 dry runs, 0 B in all." in shown
    tunables.change(core, {"retention.every_hours": 24}, who="admin")
    at = retention.next_sweep(core)
    assert (at.hour, at.minute) == (0, 17) and retention.is_due(core, at) and at > core.clock.now()
    assert not retention.is_due(core, at + timedelta(hours=1))


def test_the_second_factor_is_shown_as_a_picture_and_switched_on(core: Core, opened: Opening) -> None:
    test = press(opened(settings.show), "Set it up")
    secret, uri = (element.value for element in test.code[:2])
    assert uri.startswith("otpauth://totp/") and secret in uri
    assert any('src="data:image/svg+xml' in element.proto.body for element in test.get("html"))
    next(field for field in test.text_input if field.label == "Code").set_value(pyotp.TOTP(secret).at(core.clock.now()))
    test = press(test, "Switch it on")
    assert "Keep these recovery codes" in told(test) and second_factor.standing(core, USER).is_on


def test_a_line_about_a_job_is_one_about_its_connection(core: Core, opened: Opening) -> None:
    journal.install(core)
    connection = factories.add_connection(core, name=HOSTILE)
    job_id = factories.add_job(core, connection)
    journal.about(job_id=job_id).warning("Half of it has arrived")
    journal.about(account_id=connection.source_account_id).info("Signed in again")
    assert [row["text"] for row in overviews.logs(core, connection_id=connection.id)] == ["Half of it has arrived"]
    table = opened(logs.show).dataframe[0].value
    assert list(table["Connection"]) == ["", HOSTILE]
    assert [list(cell) for cell in table["Level"]] == [["Info"], ["Warning"]]
    assert "no such message" in told(opened(logs.show, error="quota_exhausted"))


def test_an_account_is_given_a_proxy_of_its_own_on_its_page(core: Core, opened: Opening) -> None:
    account = factories.add_account(core, alias="TravelReels_Insta")
    new = NewProxy(alias="Harbour", type=ProxyType.HTTP, host="8.8.4.4", port=8080, assignment=Assignment.PER_ACCOUNT)
    proxy = proxies.create(core, new, who="admin")
    test = opened(lambda: accounts_screen._edit(accounts.get(core, account.id)))
    next(field for field in test.selectbox if field.label == "Proxy").set_value(proxy.id)
    press(test, "Save")
    assert accounts.get(core, account.id).proxy_id == proxy.id
    assert "Harbour" in str(opened(accounts_screen.show, id=str(account.id)).table[0].value["Value"].tolist())
