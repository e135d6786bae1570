"""Signing in at the platform in a real browser: from the account's button to Google's page and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from forwarder_core.clock import SystemClock
from forwarder_core.db import accounts as account_rows
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.embedded.postgres import Server
from forwarder_core.services import accounts, token_watch
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.unit.admin_app.doorway import PASSWORD, USER, fake_dagster, running_door

pytestmark = [pytest.mark.slow, pytest.mark.browser]
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]


@pytest.fixture(scope="module")
def core(
    postgres: Server, migrated: str, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Core]:
    home = tmp_path_factory.mktemp("sign-in-door")
    postgres.address.clone(migrated, "sign_in_browser")
    options = factories.through(simulator)
    with factories.make_core(postgres.url("sign_in_browser"), SystemClock(), home, **options) as core:
        yield core
    postgres.address.drop("sign_in_browser")


@pytest.fixture(scope="module")
def base(core: Core, simulator: Simulator) -> Iterator[str]:
    url = core.settings.database_url
    assert url is not None
    with (
        fake_dagster() as dagster,
        running_door(url, core.settings.home, dagster.url, **factories.through(simulator)) as base,
    ):
        yield base


@pytest.fixture
def context(browser_program: Path, simulator: Simulator) -> Iterator[BrowserContext]:
    """A browser for which the platforms' pages are the simulated ones; the door it reaches directly."""
    with sync_playwright() as p:
        chromium = p.chromium.launch(
            executable_path=str(browser_program),
            args=FLAGS,
            proxy={"server": simulator.gateway_url, "bypass": "127.0.0.1"},
        )
        yield chromium.new_context(viewport={"width": 1280, "height": 1000}, ignore_https_errors=True)
        chromium.close()


def simulated(core: Core, simulator: Simulator, name: str) -> int:
    known = simulator.add_account("youtube", name, secrets={"app_status": "testing"})
    return accounts.create(
        core,
        NewAccount(
            platform="youtube",
            alias=name,
            handle=known["id"],
            auth_method="oauth",
            credentials={"oauth_client": known["credentials"]["oauth_client"]},
        ),
    ).id


def opened(context: BrowserContext, base: str, path: str) -> Page:
    page = context.new_page()
    page.goto(base + path)
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Login").click()
    return page


def test_from_the_account_to_google_and_back(
    core: Core, base: str, context: BrowserContext, simulator: Simulator
) -> None:
    account_id = simulated(core, simulator, "TechShorts_YT")
    page = opened(context, base, f"/accounts/{account_id}")
    expect(page.get_by_text("Not signed in yet")).to_be_visible(timeout=30_000)
    with context.expect_page() as came:
        page.get_by_role("link", name="Authorise").click()
    tab = came.value
    expect(tab.get_by_text("/oauth2callback")).to_be_visible()
    tab.get_by_role("link", name="go on").click()
    expect(tab.get_by_text("authorized successfully")).to_be_visible(timeout=15_000)
    tab.get_by_role("link", name="Open the account").click()
    expect(tab.get_by_text("renewed by itself")).to_be_visible(timeout=30_000)
    tab.get_by_role("button", name="Refresh now").click()
    expect(tab.get_by_text("refreshed").first).to_be_visible(timeout=15_000)
    assert accounts.get(core, account_id).status is AccountStatus.ACTIVE


def test_a_sign_in_that_ends_soon_is_shown_on_its_card_and_its_warnings_are_set_there(
    core: Core, base: str, context: BrowserContext, simulator: Simulator
) -> None:
    account_id = simulated(core, simulator, "EndsSoon_YT")
    ends = (core.clock.now() + timedelta(days=1, hours=12)).isoformat()
    lasting = {"refresh_token": "1//x", "refresh_token_expiry": ends}
    StoredCredentials(core, account_id).change(lambda known: {**known, **lasting})
    with core.begin() as tx:
        account_rows.change(tx, account_id, {"status": "active", "status_reason": None})
    token_watch.watch_expiry(core)
    page = opened(context, base, "/accounts")
    card = page.locator(f".st-key-account-{account_id}")
    expect(card.get_by_text("Expiry warning")).to_be_visible(timeout=30_000)
    expect(card.get_by_text("The sign-in ends in 2 days.")).to_be_visible()
    expect(card.get_by_role("link", name="Authorise")).to_be_visible()
    page.goto(f"{base}/accounts?id={account_id}")
    page.get_by_role("button", name="Alert settings").click()
    days = page.get_by_label("Days before, one number or several")
    days.fill("7, 2")
    page.get_by_test_id("stPopoverBody").get_by_role("button", name="Save").click()
    expect(page.get_by_text("Alert settings saved")).to_be_visible(timeout=15_000)
    assert accounts.get(core, account_id).alerts["before_days"] == [2, 7]
