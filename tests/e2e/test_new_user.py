"""One new user, from the first sign-in to the sign-out: everything a person does, in a real browser on the real stack.

The tests are the chapters of one story and build on each other. Each ends with no error in the console and no request
to another host.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import stack as stacks
from tests.e2e.person import Person, person
from tests.e2e.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.slow]
TRAVEL, CHANNEL = "TravelReels_Insta", "TechShorts_YT"
CONNECTION = "Travel_Insta_to_TechShorts"
NEW_PASSWORD = "Sunset-over-2-harbours!"
STUBBORN = 3  # the third post of the story, and its job
BOT, CHAT = "1234567890:ABCdefGHIjklMNOpqrsTUVwxyz", "-1001234567890"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with stacks.new_home() as home:
        running = stacks.start(home, "--no-seed")
        yield running
        assert stacks.stop(running) == 0


@pytest.fixture(scope="module")
def world(stack: Stack) -> dict[str, Any]:
    """The two accounts, as their platforms know them."""
    return {
        "instagram": stack.control.ensure_account("instagram", "travel_reels_official"),
        "youtube": stack.control.ensure_account("youtube", "tech_shorts"),
    }


@pytest.fixture(scope="module")
def admin(stack: Stack, browser_program: Path) -> Iterator[Person]:
    with person(browser_program, stack.url) as admin:
        yield admin


@pytest.fixture(autouse=True)
def nothing_went_wrong(admin: Person) -> Iterator[None]:
    yield
    admin.accounted()


def until_published(stack: Stack, many: int, *, within_s: float = 90) -> None:
    deadline = time.monotonic() + within_s
    while len(stack.control.publications("youtube")) < many:
        assert time.monotonic() < deadline, "the reel did not arrive"
        time.sleep(0.2)


# The source's own look may have been a moment faster.
LOOKED = re.compile("Jobs queued for processing|No new posts found|The source is slow")


def run_now(admin: Person, answer: str | re.Pattern[str] = LOOKED) -> None:
    admin.open("/connections/1")
    admin.reads("Last run")
    admin.press("Run now")
    admin.press("Confirm run")
    admin.reads(answer)


def test_signing_in_leads_to_the_first_steps(admin: Person, stack: Stack) -> None:
    admin.open("/")
    admin.sign_in(stack.user, stack.password)
    admin.reads("First steps")
    admin.reads("Add the account whose posts are forwarded")


def test_two_accounts_are_added(admin: Person, world: dict[str, Any]) -> None:
    admin.go("Accounts")
    admin.press("Add account")
    admin.pick("Platform", "Instagram")
    admin.fill("Username", "travel_reels_official")  # first: only this platform's form has it
    admin.fill("Account alias", TRAVEL)
    admin.fill("Password (optional)", world["instagram"]["credentials"]["password"])
    admin.pick("Rights to its posts", "My own posts")
    admin.press("Save")
    admin.reads(TRAVEL)
    admin.press("Add account")
    admin.pick("Platform", "YouTube")
    admin.fill("Channel ID", world["youtube"]["id"])
    admin.fill("Account alias", CHANNEL)
    admin.hand_over(0, "client.json", world["youtube"]["credentials"]["oauth_client"])
    admin.hand_over(1, "token.json", world["youtube"]["credentials"]["token"])
    admin.press("Save")
    admin.reads(f"account '{CHANNEL}' added successfully")
    admin.show("YouTube (1)")
    admin.reads(CHANNEL)
    admin.go("Overview")
    admin.reads("2 of 6 done")
    admin.press("Test")
    admin.reads(f"{TRAVEL}: signed in as")


def test_the_wizard_leads_to_the_first_reel_that_crosses(admin: Person, stack: Stack) -> None:
    admin.go("Connections")
    admin.press("New connection")
    admin.fill("Connection name", CONNECTION)
    for step in range(1, 7):
        admin.reads(f"Step {step} of 7")
        admin.press("Next")
    admin.reads("Step 7 of 7")
    admin.press("Rehearse")
    admin.reads("Nothing is in the way of a start.")
    admin.press("Save & Activate")
    admin.reads("created and activated")
    stack.control.add_post("instagram", "travel_reels_official", "The first one #travel", seconds=4)
    run_now(admin)
    until_published(stack, 1)
    admin.go("Jobs")
    admin.show("History")
    admin.page.get_by_test_id("stDataFrame").first.wait_for()
    admin.open("/jobs/1")
    admin.reads("Published")
    admin.reads("The first one #travel")


def test_a_captcha_is_raised_and_solved(admin: Person, stack: Stack) -> None:
    admin.go("Utilities")
    admin.show("Scenarios")
    admin.press("Challenge")
    admin.reads("Challenge: done")
    run_now(admin, "asks for a confirmation of this account")
    admin.go("Overview")
    admin.reads(f"CAPTCHA detected on {TRAVEL}")
    admin.press("Mark CAPTCHA Solved")
    admin.fill("Notes", "Solved in the app")
    admin.page.get_by_test_id("stPopoverBody").get_by_role("button", name="Mark CAPTCHA Solved").click()
    admin.reads("CAPTCHA marked as solved")
    stack.control.add_post("instagram", "travel_reels_official", "After the CAPTCHA #travel", seconds=4)
    run_now(admin)
    until_published(stack, 2)


def test_a_proxy_breaks_and_is_mended(admin: Person) -> None:
    admin.go("Utilities")
    admin.show("Scenarios")
    admin.press("Add a simulated proxy")
    admin.reads("Proxy Simulated_01: done")
    for passed, trouble in ((1, "Dead proxy"), (0, "End all trouble"), (1, "")):
        admin.go("Proxies")
        admin.press("Test All")
        admin.reads(f"{passed} of 1 proxies passed the health check")
        if trouble:
            admin.go("Utilities")
            admin.show("Scenarios")
            admin.press(trouble)
            admin.reads("done")


def test_a_dead_letter_is_retried(admin: Person, stack: Stack) -> None:
    match = {"platform": "youtube", "route": "/upload/*"}
    stack.control.call("POST", "/faults", json={"match": match, "fault": "http_5xx", "count": None})
    stack.control.add_post("instagram", "travel_reels_official", "The stubborn one #travel", seconds=4)
    run_now(admin)
    admin.open(f"/jobs/{STUBBORN}")
    admin.reads("Retrying", within_s=60)
    admin.press("Give up")
    admin.fill("Why it is put into the dead-letter queue", "Not today")
    admin.press("Give it up")
    admin.reads(f"Job {STUBBORN} given up")
    stack.control.call("DELETE", "/faults")
    admin.press("All jobs")
    admin.show("Dead letter")
    admin.press("Retry all")
    admin.press("Retry them")
    admin.reads("1 job queued for retry")
    until_published(stack, STUBBORN)


def test_telegram_is_set_up_and_tested(admin: Person, stack: Stack) -> None:
    admin.go("Notifications")
    admin.show("Telegram")
    admin.fill("Bot token", BOT)
    admin.fill("Channel ID", CHAT)
    admin.press("Test Connection")
    admin.page.get_by_test_id("stAlertContentSuccess").first.wait_for()
    assert any(str(message["chat_id"]) == CHAT for message in stack.control.call("GET", "/telegram/messages"))


def test_the_analytics_are_exported(admin: Person) -> None:
    admin.go("Analytics")
    admin.show("Connections")
    admin.page.get_by_text("All connections as a table").click()
    with admin.page.expect_download() as coming:
        admin.press("All connections as CSV")
    assert CONNECTION in Path(coming.value.path()).read_text("utf-8")


def test_the_password_is_changed_and_the_session_ends(admin: Person, stack: Stack) -> None:
    admin.go("Settings")
    admin.fill("Current password", stack.password)
    admin.fill("New password", NEW_PASSWORD)
    admin.fill("Confirm new password", NEW_PASSWORD)
    admin.press("How strong is it?")
    admin.reads("Strength: strong")
    admin.button("Update password").click()
    admin.reads("Password updated successfully. Please login again.")
    admin.sign_in(stack.user, NEW_PASSWORD)
    admin.reads("Moving now")
    admin.page.get_by_role("link", name="Sign out").click()
    admin.page.get_by_role("button", name="Login").wait_for()
    admin.open("/jobs/1")
    assert admin.page.url.endswith("/login?next=/jobs/1")
