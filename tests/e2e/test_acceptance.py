"""The client's acceptance cases, one test each, on one running demo. Case 8, the days of posting without a break, is
`./run soak` and tests/integration/test_soak.py: three days of simulated time.

The tests build on each other and stand in the order of the cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from forwarder_core.simulator.demo import Road, post_reel
from tests.e2e import stack as stacks
from tests.e2e.stack import Stack
from tests.e2e.test_by_hand import Admin, newest_job_after, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ROAD = Road("instagram", "youtube")
BOT, CHAT = "1234567890:ABCdefGHIjklMNOpqrsTUVwxyz", "-1001234567890"  # the simulated Telegram's
# What the client asks, by case, and where more of it is shown; docs/test-plan.md has its table from here.
CASES: dict[int, tuple[str, tuple[str, ...]]] = {
    1: (
        "an Instagram and a YouTube account are added, the token file uploaded, its end shown",
        ("upload and web sign-in: `test_api_sign_in.py`, `test_sign_in_browser.py`",),
    ),
    2: ("a connection; *Run now* forwards a reel, which appears at its destination", ()),
    3: ("a new reel is forwarded by itself", ("`./run demo --once`",)),
    4: ("a proxy is uploaded, checked, and used by its connection's jobs", ("`test_proxies_road.py`",)),
    5: ("expired token, challenge, network failure: alerts, pause, resume, retries, the success told", ()),
    6: ("daily and weekly figures, successes and failures", ("`test_analytics_service.py`",)),
    7: ("upscaling and green screen change the video", ("`test_media_layouts.py`",)),
    8: (
        "three to four days of posting without a break, 3 to 5 connections",
        (
            "`./run soak --hours 72 --connections 5 --seed 1` ([reliability](reliability.md)): simulated time",
            "`test_soak.py`",
        ),
    ),
}
UPLOAD = {"platform": "youtube", "route": "/upload/*"}


class Desk:
    """What the admin does, and what the platforms show."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.admin, self.reels = stack, Admin(stack), 0

    def ask(self, method: str, path: str, *, expect: int = 200, **options: Any) -> Any:
        answer = self.admin.http.request(method, path, **options)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text[:600]}"
        return answer.json() if answer.content else None

    @property
    def connection(self) -> dict[str, Any]:
        return dict(self.ask("GET", "/api/connections")["items"][0])

    def post(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """A new reel, and its job as soon as there is one."""
        known = max((job["id"] for job in self.admin.jobs()), default=0)
        self.reels += 1
        reel = post_reel(self.stack.control, ROAD, number=self.reels)
        return dict(reel), dict(until(lambda: newest_job_after(self.admin, known), within_s=90))

    def ended(self, job: dict[str, Any], *status: str) -> dict[str, Any]:
        return dict(until(lambda: (j := self.admin.job(job["id"]))["status"] in status and j, within_s=150))

    def fault(self, match: dict[str, str], fault: str, count: int | None = 1) -> None:
        self.stack.control.call("POST", "/faults", json={"match": match, "fault": fault, "count": count})

    def mend(self) -> None:
        self.stack.control.call("DELETE", "/faults")

    def told(self, *words: str) -> str:
        """The text of a Telegram message that has all these words."""

        def look() -> str | None:
            texts = [str(m["text"]) for m in self.stack.control.call("GET", "/telegram/messages")]
            return next((text for text in texts if all(word.lower() in text.lower() for word in words)), None)

        return str(until(look, within_s=60))

    def published(self, job: dict[str, Any]) -> dict[str, Any]:
        done = self.ended(job, "success")
        return next(p for p in self.stack.control.publications("youtube") if p["id"] == done["destination_post_id"])


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with stacks.new_home() as home:
        running = stacks.start(home, "--no-seed")
        running.once()
        desk = Desk(running)
        desk.ask("PUT", "/api/settings/telegram", json={"bot_token": BOT, "channel_id": CHAT, "enabled": True})
        yield desk
        stacks.stop(running)


def test_case_1_accounts_are_added_and_the_life_of_their_credentials_is_shown(desk: Desk) -> None:
    known = desk.ask("GET", "/api/accounts")["items"]
    assert {"instagram", "youtube"} <= {account["type"] for account in known}
    channel = next(account for account in known if account["type"] == "youtube")
    shown = desk.ask("GET", f"/api/accounts/{channel['id']}")
    assert shown["token_expiry"], "the token's end is on the account"
    assert "refresh_token" not in str(shown), "and no secret is"


def test_case_2_run_now_forwards_a_reel(desk: Desk) -> None:
    known = max(job["id"] for job in desk.admin.jobs())
    desk.reels += 1
    post_reel(desk.stack.control, ROAD, number=desk.reels)
    answer = desk.admin.http.post(f"/api/connections/{desk.connection['id']}/run", json={})
    assert answer.status_code in (200, 202, 409), answer.text  # 409: the sensor is looking at this very moment
    job = until(lambda: newest_job_after(desk.admin, known))
    assert desk.published(job)["width"] > 0


def test_case_3_a_new_reel_is_forwarded_by_itself(desk: Desk) -> None:
    reel, job = desk.post()
    assert job["source_post_id"] == reel["id"] and desk.published(job)


def test_case_4_a_proxy_is_checked_and_used_by_its_connection(desk: Desk) -> None:
    gateway = urlsplit(desk.stack.gateway)
    new = {"alias": "mine", "type": "http", "host": gateway.hostname, "port": gateway.port}
    made = desk.ask("POST", "/api/proxies", json=new, expect=201)["proxy"]
    desk.ask("POST", f"/api/proxies/{made['id']}/health-check")
    assert desk.ask("GET", f"/api/proxies/{made['id']}")["health_status"] == "healthy"
    desk.ask("PUT", f"/api/connections/{desk.connection['id']}", json={"proxy_id": made["id"]})
    _, job = desk.post()
    desk.ended(job, "success")
    assert "mine" in str(desk.admin.job(job["id"])) or str(gateway.port) in str(desk.admin.job(job["id"])["attempts"])


def test_case_5_network_failures_are_retried_and_the_success_is_told(desk: Desk) -> None:
    desk.fault(UPLOAD, "http_5xx", None)
    _, job = desk.post()
    desk.ended(job, "retry_wait")
    desk.mend()
    desk.told(f"job {job['id']}", "alert")
    desk.ended(job, "success")
    desk.told("succeeded after retry", str(job["id"]))


def test_case_5_a_challenge_pauses_tells_and_goes_on_when_solved(desk: Desk) -> None:
    source = next(a for a in desk.ask("GET", "/api/accounts")["items"] if a["type"] == "instagram")
    desk.fault({"platform": "instagram"}, "challenge", None)
    until(lambda: desk.ask("GET", f"/api/accounts/{source['id']}")["status"] == "captcha_detected")
    desk.told("captcha")
    desk.mend()
    desk.ask("POST", f"/api/accounts/{source['id']}/captcha-resolve", json={"resolved": True})
    _, job = desk.post()
    desk.ended(job, "success")
    assert desk.ask("GET", f"/api/accounts/{source['id']}")["status"] == "active"


def test_case_6_the_figures_count_what_was_forwarded(desk: Desk) -> None:
    successes = sum(job["status"] == "success" for job in desk.admin.jobs())
    told = str(desk.ask("GET", "/api/analytics/summary", params={"period": "7days"}))
    assert str(successes) in told, told[:800]


def test_case_7_upscaling_and_green_screen_change_the_video(desk: Desk) -> None:
    plain = desk.published(desk.post()[1])
    change = {"transform_options": {"upscale": True, "greenscreen": True}}
    desk.ask("PUT", f"/api/connections/{desk.connection['id']}", json=change)
    changed = desk.published(desk.post()[1])
    assert (changed["width"], changed["height"]) == (1080, 1920)
    assert changed["sha256"] != plain["sha256"]


def test_case_5_an_expired_token_is_told_with_what_to_do(desk: Desk) -> None:
    desk.fault({"platform": "youtube"}, "invalid_grant", None)
    desk.fault({"platform": "youtube"}, "token_expired", None)
    _, job = desk.post()
    desk.told("token")
    assert desk.ended(job, "paused", "retry_wait", "dead", "captcha")["error"]["action"]
    desk.mend()
