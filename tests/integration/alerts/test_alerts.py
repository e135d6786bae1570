"""Alerts that arrive: from the engine's rows, by the real client library over real sockets, to the fake Telegram."""

from __future__ import annotations

import random
import threading

import pytest

from forwarder_core.alerts.delivery import Address
from forwarder_core.alerts.pace import GROUP_PER_MINUTE, Pace
from forwarder_core.alerts.telegram import TelegramSender
from forwarder_core.alerts.text import Message
from forwarder_core.clock import ManualClock
from forwarder_core.db.tables.system import outbox
from forwarder_core.errors import AuthExpired, ChallengeRequired, NetworkFailed
from forwarder_core.services import alerting, failing, forwarding, notifying
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.notifying import Outcome
from forwarder_core.simulator.testing import Simulator, eventually
from forwarder_pipelines import keeper
from tests import factories
from tests.integration.alerts.outgoing import CHANNEL, tell, texts, waiting

pytestmark = pytest.mark.slow


def fail(core: Core, job_id: int) -> None:
    """The job's present attempt ends with a network error."""
    failing.fail(core, factories.claimed(core, job_id), NetworkFailed("The connection failed (ReadTimeout)."))


def test_a_job_fails_twice_and_recovers_in_one_thread(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, pace: Pace
) -> None:
    job = factories.add_job(ready, factories.add_connection(ready))
    for wait_s in (10, 60):
        fail(ready, job)
        clock.move(wait_s)
        notifying.send_due(ready, sender, pace)
    forwarding.succeed(ready, factories.claimed(ready, job))
    notifying.send_due(ready, sender, pace)

    first, second, third = sim.telegram()
    assert first["text"].startswith(f"✅ [SnapcoreForwarder] ALERT: Job {job} failed - retry 1/3 — RESOLVED\n")
    assert first["edited_at"] and first["chat_id"] == int(CHANNEL)
    assert f"Job {job} failed - retry 2/3" in second["text"] and second["edited_at"] is None
    assert f"Job {job} succeeded after 3 attempts" in third["text"]
    assert "Initial Failure: The connection failed (ReadTimeout)." in third["text"]
    assert third["reply_to"] == first["message_id"]
    assert waiting(ready) == 0


def test_a_success_without_trouble_is_no_message(
    ready: Core, sim: Simulator, sender: TelegramSender, pace: Pace
) -> None:
    job = factories.add_job(ready, factories.add_connection(ready))
    forwarding.succeed(ready, factories.claimed(ready, job))

    assert notifying.send_due(ready, sender, pace).outcome is Outcome.DONE
    assert sim.telegram() == []


def test_hostile_names_arrive_as_text(ready: Core, sim: Simulator, sender: TelegramSender, pace: Pace) -> None:
    hostile = ["<b>bold</b> &lt;i&gt;", "</b><a href='https://evil.example'>x</a>", "y" * 5_000, "right \u202e left"]
    for name in hostile:
        account = factories.add_account(ready, alias=name)
        connection = factories.add_connection(ready, source=account, name=f"to {name}")
        job = factories.add_job(ready, connection, factories.add_post(ready, account.id, caption=f"{name} 👨‍👩‍👧"))
        fail(ready, job)
    notifying.send_due(ready, sender, pace)
    assert isinstance(ready.clock, ManualClock)
    ready.clock.move(10)
    notifying.send_due(ready, sender, pace)

    said = sim.telegram()
    assert len(said) == len(hostile) and all(message["parse_mode"] == "HTML" for message in said)
    assert "Source: <b>bold</b> &lt;i&gt; (Instagram)" in said[0]["text"]
    assert "https://evil.example'>x</a>" in said[1]["text"]
    assert "\u202e" not in said[3]["text"]


def test_two_hours_without_telegram_lose_no_alert_and_keep_their_order(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, pace: Pace
) -> None:
    job = factories.add_job(ready, factories.add_connection(ready))
    sim.arm("http_5xx", count=None, match={"platform": "telegram"})
    for wait_s in (10, 60, 300):
        fail(ready, job)
        clock.move(wait_s)
        notifying.send_due(ready, sender, pace)
    fail(ready, job)
    for _ in range(24):
        clock.move(300)
        notifying.send_due(ready, sender, pace)
    state = notifying.undelivered(ready)
    assert state.waiting == 4 and state.failed >= 1 and state.is_trouble
    assert state.problem is not None and state.problem.code == "telegram_unreachable"
    assert len(sim.requests()) <= 24, "it keeps knocking only now and then"

    sim.disarm()
    sim.arm("http_429", match={"platform": "telegram"}, retry_after=33)
    sim.arm("http_5xx", match={"platform": "telegram"}, status=400, description="Bad Request: can't parse entities: x")
    clock.move(600)
    assert notifying.send_due(ready, sender, pace).outcome is Outcome.FAILED
    clock.move(32)
    assert notifying.send_due(ready, sender, pace).outcome is Outcome.PAUSED
    for _ in range(3):
        clock.move(60)
        notifying.send_due(ready, sender, pace)

    said = sim.telegram()
    assert [line["text"].splitlines()[0].rpartition("] ")[2] for line in said] == [
        f"ALERT: Job {job} failed - retry 1/3",
        f"ALERT: Job {job} failed - retry 2/3",
        f"ALERT: Job {job} failed - retry 3/3",
        "🚨 ALERT: JOB FAILED",
    ]
    assert [line["parse_mode"] for line in said] == [None, "HTML", "HTML", "HTML"]
    state = notifying.undelivered(ready)
    assert (state.waiting, state.is_trouble) == (0, False)


def test_a_dead_proxy_is_waited_for(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, pace: Pace
) -> None:
    sim.arm("proxy_refuse")
    tell(ready)

    assert notifying.send_due(ready, sender, pace).outcome is Outcome.FAILED
    clock.move(5)
    assert notifying.send_due(ready, sender, pace).sent == 1
    assert len(sim.telegram()) == 1


class DiesAfter:
    """The process dies between Telegram's answer and our row, once."""

    def __init__(self, sender: TelegramSender) -> None:
        self._sender, self._is_dead = sender, False

    def send(self, to: Address, message: Message, *, reply_to: int | None = None) -> int:
        message_id = self._sender.send(to, message, reply_to=reply_to)
        if not self._is_dead:
            self._is_dead = True
            raise KeyboardInterrupt
        return message_id

    def edit(self, to: Address, message_id: int, message: Message) -> None:
        self._sender.edit(to, message_id, message)


def test_a_crash_after_sending_repeats_one_message_at_most(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender
) -> None:
    dying = DiesAfter(sender)
    tell(ready)
    tell(ready, kind=AlertKind.DISK)
    with pytest.raises(KeyboardInterrupt):
        notifying.send_due(ready, dying, Pace())

    assert notifying.send_due(ready, dying, Pace()).sent == 1, "another thread's message does not wait"
    clock.move(notifying.LEASE.total_seconds())
    notifying.send_due(ready, dying, Pace())

    heads = [said.splitlines()[0].rpartition("ALERT: ")[2] for said in texts(sim)]
    assert heads == ["CENSUS NOT CLEAN", "DISK NEARLY FULL", "CENSUS NOT CLEAN"]
    assert waiting(ready) == 0


def test_three_hundred_failures_of_one_cause_are_three_messages_at_most(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, pace: Pace
) -> None:
    connection = factories.add_connection(ready)
    for number in range(300):
        job = factories.add_job(ready, connection, status="queued")
        with ready.begin() as tx:
            errand = factories.jobs.errand(tx, job)
            failure = failing.Failure("network_error", "No route to host.", "Look at the network.")
            alerting.about_job(tx, AlertKind.JOB_DEAD, errand, now=clock.now(), failure=failure, retry=3)
        if number % 25 == 0:
            clock.move(5)
            notifying.send_due(ready, sender, pace)
    for _ in range(10):
        clock.move(20)
        notifying.send_due(ready, sender, pace)

    said = texts(sim)
    assert 1 < len(said) <= 3 and waiting(ready) == 0
    assert "299 JOBS FAILED" in said[-1] and "Cause: Network error (network_error)" in said[-1]
    together = [row for row in factories.rows(ready, outbox) if row["in_digest"]]
    assert len(together) == 299 and len({row["sent_message_id"] for row in together}) == 1


def test_a_channel_is_not_flooded(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, pace: Pace
) -> None:
    for number in range(GROUP_PER_MINUTE + 4):
        with ready.begin() as tx:
            alerting.about_system(tx, AlertKind.QUOTA, now=clock.now(), once=str(number), code=f"cause {number}")

    first = notifying.send_due(ready, sender, pace)
    clock.move(60)
    second = notifying.send_due(ready, sender, pace)

    assert (first.outcome, first.sent) == (Outcome.PAUSED, GROUP_PER_MINUTE)
    assert (second.outcome, second.sent) == (Outcome.DONE, 4)
    assert len(sim.telegram()) == GROUP_PER_MINUTE + 4


def test_a_solved_challenge_answers_its_own_alert(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, pace: Pace
) -> None:
    account = factories.add_account(ready)
    for name in ("first", "second"):
        with ready.begin() as tx:
            alerting.about_account(
                tx,
                AlertKind.CAPTCHA,
                account,
                now=clock.now(),
                once=name,
                code="captcha_detected",
                error=name,
                action="",
            )
            alerting.outbox.post(
                tx,
                dedupe_key=f"solved {name}",
                kind="captcha_resolved",
                thread=f"account:{account.id}",
                payload={"account": account.alias, "at": clock.now().isoformat()},
                now=clock.now(),
            )
        notifying.send_due(ready, sender, pace)

    said = sim.telegram()
    assert [message["reply_to"] for message in said] == [None, said[0]["message_id"], None, said[2]["message_id"]]
    assert all("RESOLVED" in message["text"] for message in said)


def test_the_keeper_sends_in_a_thread_of_its_own_and_stops(ready: Core, sim: Simulator) -> None:
    tell(ready)
    stopping = threading.Event()
    thread = threading.Thread(target=keeper.send_alerts, args=(ready, stopping), daemon=True)
    thread.start()
    eventually(sim.telegram, within_s=10)
    stopping.set()
    thread.join(10)

    assert not thread.is_alive() and waiting(ready) == 0


def test_a_challenge_and_an_expired_token_are_told_once_with_their_connection(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, pace: Pace
) -> None:
    youtube = factories.add_account(ready, "youtube", auth_method="oauth", alias="TechShorts_YT")
    connection = factories.add_connection(ready, destination=youtube, name="Travel")
    job = factories.add_job(ready, connection)
    failing.fail(ready, factories.claimed(ready, job), ChallengeRequired("YouTube asks whether this is a robot."))
    other = factories.add_connection(ready, name="Other", destination=factories.add_account(ready, "youtube"))
    failing.fail(ready, factories.claimed(ready, factories.add_job(ready, other)), AuthExpired("The token is dead."))
    notifying.send_due(ready, sender, pace)

    challenge, expired = texts(sim)
    assert f'Connection: Insta→YouTube - "Travel"\nJob ID: {job}\n' in challenge
    assert "Account: TechShorts_YT (YouTube)" in challenge and "/captcha-resolve" in challenge
    assert "ALERT: ACCESS TOKEN EXPIRED" in expired and 'Connection: Insta→YouTube - "Other"\nSource: ' in expired


def test_two_senders_do_not_send_the_same_alert(
    ready: Core, sim: Simulator, sender: TelegramSender, pace: Pace
) -> None:
    class AnotherBetween:
        """While one sender is at Telegram, another process makes its round."""

        def send(self, to: Address, message: Message, *, reply_to: int | None = None) -> int:
            assert notifying.send_due(ready, sender, Pace()).sent == 0
            return sender.send(to, message, reply_to=reply_to)

        def edit(self, to: Address, message_id: int, message: Message) -> None:
            sender.edit(to, message_id, message)

    tell(ready)
    assert notifying.send_due(ready, AnotherBetween(), pace).sent == 1
    assert len(sim.telegram()) == 1


class DiesOften:
    """A process that dies twenty times in the middle of a message, before or after Telegram took it; and a Telegram
    that refuses the HTML of every one."""

    def __init__(self, sender: TelegramSender, sim: Simulator, seed: int) -> None:
        self._sender, self._sim, self._draw, self.deaths = sender, sim, random.Random(seed), 0

    def send(self, to: Address, message: Message, *, reply_to: int | None = None) -> int:
        is_last = self.deaths < 20 and self._draw.random() < 0.7
        if is_last and self._draw.random() < 0.5:
            self.deaths += 1
            raise KeyboardInterrupt
        refusal = {"status": 400, "description": "Bad Request: can't parse entities: unclosed"}
        self._sim.arm("http_5xx", match={"platform": "telegram"}, **refusal)
        message_id = self._sender.send(to, message, reply_to=reply_to)
        if is_last:
            self.deaths += 1
            raise KeyboardInterrupt
        return message_id

    def edit(self, to: Address, message_id: int, message: Message) -> None:
        self._sender.edit(to, message_id, message)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_hours_away_then_429_then_400_on_every_html_and_twenty_kills_lose_nothing_and_keep_every_jobs_order(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, seed: int
) -> None:
    """All of it together: each alert arrives at least once, a kill repeats at most one, each job's come in order."""
    connection = factories.add_connection(ready)
    lines = [factories.add_job(ready, connection) for _ in range(8)]
    for n in range(1, 6):
        for job in lines:
            with ready.begin() as tx:
                failure = failing.Failure(f"cause_{job}_{n}", f"alert {job}/{n}.", "Look.")
                factories.change_row(tx, factories.flow.jobs, job, attempts=n)
                errand = factories.jobs.errand(tx, job)
                alerting.about_job(tx, AlertKind.JOB_RETRYING, errand, now=clock.now(), failure=failure, retry=n)
    wanted = [f"alert {job}/{n}." for n in range(1, 6) for job in lines]
    sim.arm("http_5xx", count=None, match={"platform": "telegram"})
    pace = Pace()
    for _ in range(12):
        notifying.send_due(ready, sender, pace)
        clock.move(600)
    assert sim.telegram() == [] and waiting(ready) == len(wanted)
    sim.disarm()
    sim.arm("http_429", match={"platform": "telegram"}, retry_after=20)
    dying = DiesOften(sender, sim, seed)
    for _ in range(400):
        if not waiting(ready):
            break
        try:
            notifying.send_due(ready, dying, pace)
        except KeyboardInterrupt:
            pace = Pace()  # of the process that takes its place
        clock.move(30)

    said = [line.removeprefix("Details: ") for text in texts(sim) for line in text.splitlines() if "alert " in line]
    assert waiting(ready) == 0 and dying.deaths == 20
    assert set(said) == set(wanted) and len(said) - len(wanted) <= dying.deaths
    for job in lines:
        first_times = list(dict.fromkeys(one for one in said if one.startswith(f"alert {job}/")))
        assert first_times == [f"alert {job}/{n}." for n in range(1, 6)]
    assert all(message["parse_mode"] is None for message in sim.telegram())
