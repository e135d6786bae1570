"""The golden texts: every format of the brief, with the facts the engine stores. What reads is compared, not markup."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from forwarder_core.alerts import digest, messages
from forwarder_core.alerts.facts import Frame
from forwarder_core.alerts.kinds import RULES, AlertKind
from forwarder_core.simulator.telegram_html import plain_text

FRAME = Frame("SnapcoreForwarder", "https://yourapp.com", ZoneInfo("Asia/Kolkata"))
JOB: dict[str, Any] = {
    "job_id": 1586,
    "connection_id": 42,
    "connection": "Travel_Insta_to_TechShorts",
    "source": {"alias": "TravelReels_Insta", "platform": "instagram", "id": 15},
    "destination": {"alias": "TechShorts_YT", "platform": "youtube", "id": 23},
    "account": "TechShorts_YT",
    "account_id": 23,
    "platform": "youtube",
    "source_post": "C2xYz12345_MmNnOo",
    "caption": "Sunset #travel",
    "at": "2025-10-17T05:20:00+00:00",
}
ENDS = """\
Connection: Insta→YouTube - "Travel_Insta_to_TechShorts"
Source: TravelReels_Insta (Instagram)
Destination: TechShorts_YT (YouTube)
"""


def text(kind: str, facts: dict[str, Any], frame: Frame = FRAME, **more: Any) -> str:
    """The plain text, which must be what Telegram shows of the HTML."""
    message = messages.render(kind, facts, frame, **more)
    assert plain_text(message.html) == message.plain
    return message.plain


def test_token_expired() -> None:
    facts = JOB | {"code": "token_expired", "token_type": "YouTube OAuth Access Token", "at": "2025-10-17T05:15:00Z"}
    expected = f"""\
🔴 [SnapcoreForwarder] 🚨 ALERT: ACCESS TOKEN EXPIRED

{ENDS}\
Time: 2025-10-17 10:45:00 IST
Token type: YouTube OAuth Access Token
Status: EXPIRED
Action: Re-authenticate in UI → Accounts → TechShorts_YT → Update Token

🔗 View in Dashboard: https://yourapp.com/accounts/23"""
    assert text("account", facts) == expected
    assert text("token_expired", facts) == expected


def test_job_failed_for_good() -> None:
    facts = JOB | {
        "code": "quota_exhausted",
        "error": "YouTube API quota exceeded. Daily limit: 10,000 units. Current usage: 10,100 units.",
        "action": "Wait 24 hours for quota reset",
        "retry": 3,
        "retries": 3,
    }
    assert (
        text("job_dead", facts)
        == f"""\
⚠️ [SnapcoreForwarder] 🚨 ALERT: JOB FAILED

{ENDS}\
Time: 2025-10-17 10:50:00 IST
Job ID: 1586
Error: API quota used up
Details: YouTube API quota exceeded. Daily limit: 10,000 units. Current usage: 10,100 units.

Suggested Solution:
- Wait 24 hours for quota reset
- OR upgrade the API quota
- OR distribute uploads across multiple accounts

Retry attempts: 3/3 (exhausted)
Status: MOVED TO DEAD-LETTER QUEUE

🔗 View Job Details: https://yourapp.com/jobs/1586
🔗 View Logs: https://yourapp.com/logs?job_id=1586"""
    )


def test_an_error_that_is_never_retried_says_so() -> None:
    facts = JOB | {"code": "media_rejected", "error": "Too long.", "action": "Shorten it.", "retry": 0, "retries": 3}
    assert "Retry attempts: 0/3 (this error is not retried)" in text("job_dead", facts)


def test_job_failed_and_is_retried() -> None:
    facts = JOB | {
        "code": "network_error",
        "error": "The connection failed (ReadTimeout).",
        "action": "Nothing yet: it is retried by itself.",
        "retry": 1,
        "retries": 3,
        "burns_retry": True,
        "wait_s": 10.0,
    }
    assert (
        text("job_retrying", facts)
        == f"""\
⚠️ [SnapcoreForwarder] ALERT: Job 1586 failed - retry 1/3

{ENDS}\
Time: 2025-10-17 10:50:00 IST
Job ID: 1586
Error: Network error
Details: The connection failed (ReadTimeout).
Next attempt: 2025-10-17 10:50:10 IST (in 10 s)
Action: Nothing yet: it is retried by itself.

🔗 View Job Details: https://yourapp.com/jobs/1586
🔗 View Logs: https://yourapp.com/logs?job_id=1586"""
    )


def test_a_wait_that_costs_no_retry_is_called_a_wait() -> None:
    facts = JOB | {"code": "quota_exhausted", "retry": 0, "retries": 3, "burns_retry": False, "wait_s": 7_200.0}

    said = text("job_retrying", facts)

    assert said.startswith("⏳ [SnapcoreForwarder] ALERT: Job 1586 waiting until 2025-10-17 12:50:00 IST\n")
    assert "Status: WAITING (no retry used)" in said and "0/3" not in said


def test_job_recovered() -> None:
    facts = JOB | {
        "job_id": 1588,
        "attempts": 3,
        "first_error": "Network timeout (proxy connection lost)",
        "url": "https://youtube.com/shorts/xYz9AbCdEfG",
        "at": "2025-10-17T05:50:00Z",
    }
    assert (
        text("job_recovered", facts)
        == """\
✅ [SnapcoreForwarder] 🎉 RESOLVED: JOB SUCCEEDED AFTER RETRY

Connection: Insta→YouTube - "Travel_Insta_to_TechShorts"
Job ID: 1588
Time: 2025-10-17 11:20:00 IST
Initial Failure: Network timeout (proxy connection lost)
Retry Attempts: 2
Final Status: SUCCESS

Details: Job 1588 succeeded after 3 attempts

Source Post: C2xYz12345_MmNnOo
Destination: https://youtube.com/shorts/xYz9AbCdEfG

🔗 View Job: https://yourapp.com/jobs/1588"""
    )


def test_a_job_that_arrived_by_another_proxy_says_which() -> None:
    said = text("job_recovered", JOB | {"job_id": 1588, "attempts": 3, "failover": "US_Proxy_02"})
    assert "Details: Job 1588 succeeded after 3 attempts, after proxy failover to US_Proxy_02\n" in said


CAPTCHA = JOB | {"account": "TravelReels_Insta", "account_id": 15, "platform": "instagram", "job_id": 1587}


def test_captcha_detected() -> None:
    facts = CAPTCHA | {
        "code": "captcha_detected",
        "error": "CAPTCHA challenge encountered during Instagram login.",
        "at": "2025-10-17T05:30:00Z",
    }
    assert (
        text("captcha", facts)
        == """\
🤖 [SnapcoreForwarder] 🚨 CAPTCHA DETECTED (Manual Action Required)

Account: TravelReels_Insta (Instagram)
Connection: Insta→YouTube - "Travel_Insta_to_TechShorts"
Job ID: 1587
Time: 2025-10-17 11:00:00 IST
Description: CAPTCHA challenge encountered during Instagram login. Automated solving not available.

Action Required:
1. Open Instagram account manually in browser
2. Complete CAPTCHA challenge
3. Return to admin UI → Accounts → TravelReels_Insta
4. Click "Mark CAPTCHA Solved" button
5. Connection will resume automatically

⚠️ Connection paused until CAPTCHA is resolved.

🔗 Mark as Solved: https://yourapp.com/accounts/15/captcha-resolve
🔗 View Job: https://yourapp.com/jobs/1587"""
    )


def test_captcha_solved() -> None:
    facts = CAPTCHA | {"url": "https://youtube.com/shorts/dQw4w9WgXcQ", "at": "2025-10-17T05:45:00Z"}
    assert (
        text("captcha_resolved", facts)
        == """\
✅ [SnapcoreForwarder] ✨ RESOLVED: CAPTCHA SOLVED

Account: TravelReels_Insta (Instagram)
Connection: Insta→YouTube - "Travel_Insta_to_TechShorts"
Job ID: 1587
Resolved Time: 2025-10-17 11:15:00 IST
Resolution: Admin manually resolved CAPTCHA

Status: Job resumed and completed successfully
Destination Post: https://youtube.com/shorts/dQw4w9WgXcQ

Connection status: ACTIVE (monitoring resumed)"""
    )


def test_proxy_unhealthy() -> None:
    facts = {
        "proxy_id": 7,
        "proxy": "US_Proxy_01",
        "address": "192.168.1.100:8080",
        "failures": 3,
        "last_success_at": "2025-10-17T04:00:00Z",
        "error": "Connection timeout after 30 seconds",
        "connections": ["Travel_Insta_to_TechShorts (paused)", "FoodReels_to_CookingShorts (paused)"],
        "taken": ["Affected connections paused", "Future jobs will use fallback proxies"],
    }
    assert (
        text("proxy_unhealthy", facts)
        == """\
🔴 [SnapcoreForwarder] 🚨 ALERT: PROXY HEALTH CHECK FAILED

Proxy: US_Proxy_01 (192.168.1.100:8080)
Status: UNHEALTHY
Failed Checks: 3 consecutive
Last Success: 2025-10-17 09:30:00 IST
Error: Connection timeout after 30 seconds

Affected Connections:
- Travel_Insta_to_TechShorts (paused)
- FoodReels_to_CookingShorts (paused)

Action Taken:
- Proxy marked as unhealthy
- Affected connections paused
- Future jobs will use fallback proxies

Recommended Action:
1. Check proxy server status
2. Verify proxy credentials
3. Test proxy manually
4. Update or remove proxy from system

🔗 Proxy Settings: https://yourapp.com/proxies/7"""
    )


def test_unconfirmed_offers_the_two_answers() -> None:
    said = text("job_unconfirmed", JOB | {"code": "unconfirmed", "error": "The listing does not say."})

    assert said.startswith("❓ [SnapcoreForwarder] 🚨 ALERT: NOT KNOWN WHETHER IT WAS POSTED\n")
    assert "1. It is live: https://yourapp.com/jobs/1586?confirm=live\n" in said
    assert "2. Publish again: https://yourapp.com/jobs/1586?confirm=again\n" in said


def test_token_expiring_and_refreshed() -> None:
    facts = {"account": "TechShorts_YT", "account_id": 23, "platform": "youtube", "at": "2025-10-17T04:30:00Z"}

    warned = text("token_expiring", facts | {"days": 2, "expires_at": "2025-10-19T04:30:00Z"})
    assert "Action: YouTube token for 'TechShorts_YT' expires in 2 days. Please re-authorize." in warned
    assert "Expires: 2025-10-19 10:00:00 IST" in warned
    assert "Token auto-refreshed for 'TechShorts_YT'" in text("token_refreshed", facts)
    assert "YouTube token updated for account 'TechShorts_YT'" in text("token_refreshed", facts | {"how": "upload"})


def test_an_account_in_trouble_names_all_its_connections() -> None:
    facts = {
        "account": "A",
        "account_id": 3,
        "platform": "instagram",
        "connections": ["one", "two"],
        "code": "account_suspended",
        "error": "The account was suspended.",
        "action": "Appeal.",
        "at": "2025-10-17T05:20:00Z",
    }
    said = text("account", facts)

    assert said.startswith("🔴 [SnapcoreForwarder] 🚨 ALERT: ACCOUNT SUSPENDED\n")
    assert "Account: A (Instagram)\nConnections: one, two\n" in said


@pytest.mark.parametrize(
    ("kind", "facts", "line"),
    [
        ("job_succeeded", JOB | {"url": "https://y/s"}, "✅ [SnapcoreForwarder] FORWARDED: Job 1586 succeeded"),
        ("proxy_recovered", {"proxy_id": 7, "proxy": "P", "latency_ms": 145}, "Latency: 145 ms"),
        (
            "proxy_exit_changed",
            {"proxy_id": 7, "proxy": "P", "was": "8.8.8.8 (US)", "exit": "9.9.9.9 (DE)", "is_other_country": True},
            "Now: 9.9.9.9 (DE)",
        ),
        ("refresh_failed", {"account": "A", "account_id": 1}, "Status: RE-AUTHENTICATION REQUIRED"),
        ("gap", {"account": "A", "account_id": 1, "error": "It ended early."}, "Details: It ended early."),
        ("census", {"undecided_posts": 2, "stuck_jobs": 1}, "Posts without a decision: 2"),
        ("connection_paused", {"connection": "C", "error": "3 in a row"}, "Details: 3 in a row"),
        ("job_unconfirmed", {"job_id": 7}, "Nothing is posted again until you choose."),
        (
            "job_unconfirmed",
            {"job_id": 7, "again_after_s": 3600.0},
            "Meanwhile the destination is asked again; it is posted again only once that proves it absent.",
        ),
        ("quota", {"scope": "project-1", "used": 95, "cap": 100}, "Used: 95 of 100"),
        ("disk", {"free_bytes": 1_500_000_000}, "Free: 1.5 GB"),
        ("silence", {"account": "A", "account_id": 1, "usual": "6 h"}, "Usual Pause: 6 h"),
        ("threshold", {"metric": "success rate", "value": "62 %"}, "Value: 62 %"),
        ("disk", {"free_bytes": 5, "status": "Nothing is fetched."}, "Status: Nothing is fetched."),
        ("approval", JOB | {"question": "Publish?", "choices": [["approve", "Publish it"]]}, "1. Publish it"),
        ("job_answered", {"job_id": 7, "answer": "Reject", "by": "telegram:42"}, "By: telegram:42"),
        ("back_to_normal", {"metric": "queue"}, "✅ [SnapcoreForwarder] RESOLVED: QUEUE BACK TO NORMAL"),
        ("heartbeat", {"forwarded": 12, "failed": 1, "waiting": 0}, "Forwarded in the last 24 h: 12"),
        ("daily_summary", {"forwarded": 9, "success_rate": 90.0, "errors": ["Network error ×1"]}, "Success Rate: 90 %"),
        ("weekly_summary", {"period": "2025-W42"}, "📊 [SnapcoreForwarder] WEEKLY SUMMARY"),
        ("report", {"name": "weekly report", "uptime": 98.5, "fixes": ["Token expired: +3.1"]}, "Uptime: 98.5 %"),
        ("anomaly", {"what": "Success of Reels", "value": "40 %", "logs": ["Cut <off>"]}, "- Cut <off>"),
        ("test", {}, "Alerts of this installation arrive here."),
        ("kind_of_tomorrow", {"error": "new"}, "⚠️ [SnapcoreForwarder] ALERT: KIND OF TOMORROW"),
    ],
)
def test_the_other_formats(kind: str, facts: dict[str, Any], line: str) -> None:
    assert line in text(kind, facts).splitlines()


@pytest.mark.parametrize("kind", list(AlertKind))
def test_every_kind_can_be_told_from_nothing(kind: AlertKind) -> None:
    assert "[SnapcoreForwarder]" in text(kind, {})
    assert kind in RULES


def test_odd_facts_are_told_without_them() -> None:
    message = messages.render_surely("disk", {"free_bytes": float("nan"), "at": {}, "error": ["x"]}, FRAME)
    assert "[SnapcoreForwarder]" in message.plain
    assert "notifications" in messages.render_surely("census", {"stuck_jobs": float("inf")}, FRAME).plain


def test_the_resolved_head_line_keeps_its_words() -> None:
    said = text("job_dead", JOB, is_resolved=True)
    assert said.startswith("✅ [SnapcoreForwarder] 🚨 ALERT: JOB FAILED — RESOLVED\n")


def test_a_mention_ends_the_message() -> None:
    frame = Frame("SnapcoreForwarder", "https://yourapp.com", ZoneInfo("UTC"), "@ops_team")
    assert text("test", {}, frame).endswith("https://yourapp.com/\n\n@ops_team")


def test_a_digest_names_how_many_and_the_first() -> None:
    payloads = [
        JOB | {"job_id": n, "connection": f"c{n % 3}", "code": "network_error", "error": "No route.", "action": "Look."}
        for n in range(1, 301)
    ]
    message = digest.render("job_retrying", payloads, FRAME)

    assert plain_text(message.html) == message.plain
    assert message.plain.startswith(
        "⚠️ [SnapcoreForwarder] 🚨 ALERT: 300 JOBS FAILED AND ARE RETRIED\n\n"
        "Cause: Network error (network_error)\nPlatform: YouTube\n"
    )
    assert "Connections: c1 ×100, c2 ×100, c0 ×100\n" in message.plain
    assert "- Job 10: https://yourapp.com/jobs/10\n… and 290 more\n" in message.plain
    assert message.plain.endswith("🔗 View All: https://yourapp.com/jobs?error=network_error")
