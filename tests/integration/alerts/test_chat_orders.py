"""Commands and buttons: from a person in the simulated Telegram, by the real client library, to what they change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import events
from forwarder_core.db.tables.people import audit_log
from forwarder_core.db.tables.roads import telegram_strangers, telegram_updates
from forwarder_core.db.tables.system import outbox
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.publications import PublicationState
from forwarder_core.errors import AwaitingAnswer, ChallengeRequired, Forbidden, MediaRejected
from forwarder_core.services import approving, commanding, failing, listening, notifying, telegram_settings
from forwarder_core.services.context import Core
from forwarder_core.services.listening import Patience
from forwarder_core.services.notifying import Pace
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.integration.alerts.outgoing import CHANNEL, TOKEN

pytestmark = pytest.mark.slow
ADMIN, STRANGER = 4242, 666
WHO = f"telegram:{ADMIN}"


class Listener:
    """The keeper's thread that listens, one round at a time."""

    def __init__(self, core: Core, sim: Simulator, ears: listening.Ears, mouth: commanding.Mouth) -> None:
        self.core, self.sim, self.ears, self.mouth, self.patience = core, sim, ears, mouth, Patience()

    def round(self) -> int:
        if not listening.has_work(self.core):
            return 0
        listening.listen(self.core, self.ears, self.patience, wait_s=0)
        return commanding.act_on_waiting(self.core, self.mouth)

    def inject(self, *, text: str | None = None, **said: Any) -> dict[str, Any]:
        update = {"chat_id": int(CHANNEL), "chat_type": "supergroup", "from_id": ADMIN, **said}
        update |= {"text": text} if text is not None else {}
        made: dict[str, Any] = self.sim.call("POST", "/telegram/updates", json=update)
        return made

    def say(self, text: str, **said: Any) -> str:
        """What the bot answers; empty where it says nothing."""
        before = len(self.sim.telegram())
        self.inject(text=text, **said)
        self.round()
        return "\n".join(message["text"] for message in self.sim.telegram()[before:])

    def press(self, data: str, **said: Any) -> None:
        self.inject(data=data, message_id=1, **said)
        self.round()


@pytest.fixture
def listener(ready: Core, sim: Simulator) -> Iterator[Listener]:
    telegram_settings.change(ready, {"commands": "polling", "users": [ADMIN]}, who="admin")
    with listening.open_ears(ready) as (ears, mouth):
        yield Listener(ready, sim, ears, mouth)


def dead(core: Core, **values: Any) -> int:
    job = factories.add_job(core, factories.add_connection(core, **values))
    failing.fail(core, factories.claimed(core, job), MediaRejected("The file holds no picture."))
    return job


def audits(core: Core) -> list[tuple[str, str]]:
    return [(row["who"], row["what"]) for row in factories.rows(core, audit_log) if row["who"] != "admin"]


def test_status_why_and_help_answer_and_change_nothing(ready: Core, listener: Listener) -> None:
    job = dead(ready, name="Travel <b>")
    assert "Connections: 1 active" in listener.say("/status") and "dead" in listener.say("/status@sim_bot")
    why = listener.say(f"/why {job}")
    assert f"Job {job}: dead" in why and "Error: The file holds no picture." in why and "Connection: Travel <b>" in why
    assert "/solved <account> [notes]" in listener.say("/nonsense")
    assert listener.say("/why") == "Say it like this: /why <post or job>"
    assert "No job and no post" in listener.say("/why 999999")
    assert listener.say("good morning") == "" and audits(ready) == []


def test_why_finds_a_post_by_its_address_and_tells_every_decision(ready: Core, listener: Listener) -> None:
    connection = factories.add_connection(ready, name="Travel")
    post = factories.add_post(ready, connection.source_account_id, "C123", url="https://www.instagram.com/reel/C123/")
    assert "no connection has decided" in listener.say("/why https://www.instagram.com/reel/C123/?igsh=x")
    with ready.begin() as tx:
        decision = factories.posts.Decision(factories.posts.Verdict.FILTERED, "caption_keywords", "no #forward")
        factories.posts.decide(tx, connection.id, {post: decision}, ready.clock.now())
    assert listener.say("/why C123") == "Travel: filtered: caption_keywords (no #forward)"


def test_pause_resume_and_retry_are_done_and_audited_under_the_persons_name(ready: Core, listener: Listener) -> None:
    job = dead(ready, name="Travel to Shorts")
    assert listener.say("/pause travel") == "Paused: Travel to Shorts"
    assert "connection_paused" in [what for who, what in audits(ready) if who == WHO]
    assert "Only an active" not in listener.say("/pause nothing like it")
    assert listener.say(f"/retry {job}") == f"Job {job} is queued for retry."
    assert factories.job_of(ready, job).status is JobStatus.QUEUED
    assert "there is nothing to retry" in listener.say(f"/retry {job}")
    assert "A job is named by its number." in listener.say("/retry ²")
    assert (WHO, "job_retried") in audits(ready)


def test_solved_takes_an_alias_with_spaces_and_the_notes_after_it(ready: Core, listener: Listener) -> None:
    account = factories.add_account(ready, alias="Travel Insta")
    job = factories.add_job(ready, factories.add_connection(ready, destination=account))
    failing.fail(ready, factories.claimed(ready, job), ChallengeRequired("Instagram wants to see a person."))
    assert "CAPTCHA marked as solved: Travel Insta" in listener.say("/solved travel insta done on my phone")
    (resolved,) = [row for row in factories.rows(ready, audit_log) if row["what"] == "captcha_resolved"]
    assert (resolved["who"], resolved["details"]["notes"]) == (WHO, "done on my phone")
    assert listener.say("/solved Travel Insta") == "No CAPTCHA is open for: Travel Insta"


def test_a_code_without_a_sign_in_is_refused_and_never_stays_in_a_row(ready: Core, listener: Listener) -> None:
    factories.add_account(ready, alias="Travel Insta")
    answer = listener.say("/code Travel Insta 918273")
    assert answer and "918273" not in answer
    assert all(row["payload"] == {} and row["handled_at"] for row in factories.rows(ready, telegram_updates))
    assert "918273" not in str(factories.rows(ready, audit_log))


def test_strangers_get_no_answer_and_are_written_down_once(ready: Core, listener: Listener, sim: Simulator) -> None:
    job = dead(ready)
    for text in ("/status", f"/retry {job}", "/help", "hello"):
        assert listener.say(text, from_id=STRANGER, username="mallory") == ""
    assert listener.say("/status", chat_id=STRANGER, chat_type="private") == "", "the right person in another chat"
    listener.press(f"confirm:{job}:again", from_id=STRANGER)

    assert factories.job_of(ready, job).status is JobStatus.DEAD
    assert [row["user_id"] for row in factories.rows(ready, telegram_strangers)] == [STRANGER, ADMIN]
    assert audits(ready).count((f"telegram:{STRANGER}", "telegram_stranger")) == 1
    assert [r for r in sim.requests() if r["path"].endswith(("/answerCallbackQuery", "/sendMessage"))] == []


def test_the_buttons_of_an_approval_answer_it_and_the_message_says_so(
    ready: Core, listener: Listener, sim: Simulator, clock: ManualClock
) -> None:
    job = factories.add_job(ready, factories.add_connection(ready, publish_options={"approval": True}))
    with pytest.raises(AwaitingAnswer):
        approving.ask_before_publishing(ready, factories.claimed(ready, job), factories.errand_of(ready, job))
    with telegram_settings.open_sender(ready) as sender:
        notifying.send_due(ready, sender, Pace())
        (question,) = sim.telegram()
        labels = [row[0]["text"] for row in question["reply_markup"]["inline_keyboard"]]
        yes = question["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        assert labels == ["Publish it", "Reject"] and f"Job {job} waits for your answer" in question["text"]

        listener.press(yes)
        assert factories.job_of(ready, job).status is JobStatus.QUEUED and (WHO, "job_answered") in audits(ready)
        clock.move(60)
        notifying.send_due(ready, sender, Pace())
    asked, answered = sim.telegram()
    assert "— RESOLVED" in asked["text"] and asked["reply_markup"] is None
    assert answered["reply_to"] == asked["message_id"] and "By: telegram:4242" in answered["text"]


def test_both_answers_to_an_unconfirmed_post_can_be_pressed(ready: Core, listener: Listener) -> None:
    for answer, ends_as in (("live", JobStatus.SUCCESS), ("again", JobStatus.QUEUED)):
        job = factories.add_job(ready, factories.add_connection(ready), status="unconfirmed")
        factories.add_publication(ready, job, state=PublicationState.UNCONFIRMED)
        listener.press(f"confirm:{job}:{answer}")
        assert factories.job_of(ready, job).status is ends_as
    told = [row["payload"]["answer"] for row in factories.rows(ready, outbox) if row["kind"] == "job_answered"]
    assert told == ["It is live", "Publish again"]
    listener.press("confirm:nonsense:live")
    listener.press("drop:table")


def test_an_update_counts_once_however_often_it_comes(ready: Core, listener: Listener) -> None:
    job = dead(ready)
    update = listener.inject(text=f"/retry {job}")
    assert sum(commanding.receive(ready, [update]) for _ in range(100)) == 1
    listener.round()
    listener.round()
    assert audits(ready).count((WHO, "job_retried")) == 1


def test_telegrams_call_needs_its_secret_and_polling_ends_while_an_address_is_registered(
    ready: Core, listener: Listener, sim: Simulator
) -> None:
    https = ready.settings.model_copy(update={"public_url": "https://forwarder.example"})
    core = Core(https, ready.engine, ready.vault, ready.clock)
    listener.core = core
    job = dead(core)
    update = {
        "update_id": 1,
        "message": {"text": f"/retry {job}", "from": {"id": ADMIN}, "chat": {"id": int(CHANNEL), "type": "group"}},
    }
    with pytest.raises(Forbidden):
        commanding.receive_call(core, update, "")
    telegram_settings.change(core, {"commands": "webhook"}, who="admin")
    listener.round()
    listener.round()
    paths = [r["path"].rpartition("/")[2] for r in sim.requests()]
    assert paths.count("setWebhook") == 1 and "getUpdates" not in paths[paths.index("setWebhook") :]
    with core.begin() as tx:
        sealed = events.setting_values(tx)[telegram_settings.WEBHOOK]["secret"]
    secret = core.vault.unseal(sealed.encode())["secret"]
    for wrong in ("", "guess", secret[:-1], secret.upper()):
        with pytest.raises(Forbidden):
            commanding.receive_call(core, update, wrong)
    assert [commanding.receive_call(core, update, secret) for _ in range(3)] == [1, 0, 0]
    listener.round()
    assert factories.job_of(core, job).status is JobStatus.QUEUED

    telegram_settings.change(core, {"commands": "polling"}, who="admin")
    assert "Connections" in listener.say("/status"), "the address is given back before polling begins"
    with pytest.raises(Forbidden):
        commanding.receive_call(core, update, secret)


def test_a_bot_somebody_else_registered_is_taken_back(ready: Core, listener: Listener, sim: Simulator) -> None:
    with listening.open_ears(ready) as (ears, _):
        ears.register(TOKEN, "https://elsewhere.example/hook", "theirs-and-not-ours")
    assert "Connections" in listener.say("/status")


def test_commands_that_cannot_be_heard_are_a_problem_to_be_seen(
    ready: Core, listener: Listener, sim: Simulator, clock: ManualClock
) -> None:
    sim.arm("http_401", count=None, match={"platform": "telegram"})
    listener.round()
    problem = listening.problem(ready)
    assert problem is not None and problem["code"] == "telegram_misconfigured"
    sim.disarm()
    listener.round()
    assert listening.problem(ready) is not None, "it waits a while before it knocks again"
    clock.move(10)
    listener.round()
    assert listening.problem(ready) is None
