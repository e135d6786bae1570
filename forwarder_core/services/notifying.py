"""Notifying: what lies in the outbox goes to Telegram, in order, not too fast, and surely.

One message at a time: take it (a lease on its rows), send it, mark it sent. A crash in between repeats that one
message and no other. The fact to know: nothing is ever given up. What cannot be sent waits with its last error, and
`undelivered` shows it; while Telegram is not set up, what is due is put off by a minute at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from forwarder_core.alerts import digest, grouping, messages
from forwarder_core.alerts.delivery import Address, ChatMoved, NotDelivered, Refused, Sender, SlowDown
from forwarder_core.alerts.facts import Frame
from forwarder_core.alerts.grouping import Due
from forwarder_core.alerts.kinds import is_wanted, rule_of
from forwarder_core.alerts.pace import Pace as Pace
from forwarder_core.alerts.pace import pause_s
from forwarder_core.alerts.ping import PingFailed, ping
from forwarder_core.alerts.text import Message
from forwarder_core.db import jobs, outbox
from forwarder_core.db import roads as road_rows
from forwarder_core.db.engine import Tx
from forwarder_core.db.outbox import Alert
from forwarder_core.db.outbox import MessageState as MessageState
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import alerting, roads, telegram_settings
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.telegram_settings import Problem, TelegramSettings

LEASE = timedelta(seconds=120)  # longer than every call of one message together
_PUT_OFF = timedelta(minutes=1)
_MOST_ROWS = 2_000
_HEARTBEAT_GRACE = timedelta(hours=1)  # a sign of life that is later than this says nothing any more
_SETTLED = timedelta(hours=20)  # alerts are on for so long before the first daily one
log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """Why a round ended."""

    DONE = "done"
    NOT_CONFIGURED = "not_configured"
    PAUSED = "paused"  # as Telegram's limits or its absence want it
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Round:
    outcome: Outcome
    sent: int = 0


@dataclass(frozen=True, slots=True)
class _Taken:
    """Rows that go out as one message, and the head of the thread they are the happy end of."""

    alerts: tuple[Alert, ...]
    head: Alert | None
    frame: Frame

    @property
    def ids(self) -> list[int]:
        return [alert.id for alert in self.alerts]

    @property
    def first(self) -> Alert:
        return self.alerts[0]

    def message(self) -> Message:
        if len(self.alerts) > 1:
            return digest.render_surely(self.first.kind, [alert.payload for alert in self.alerts], self.frame)
        return messages.render_surely(self.first.kind, self.first.payload, self.frame)


def send_due(core: Core, sender: Sender, pace: Pace, *, is_stopping: Callable[[], bool] = lambda: False) -> Round:
    """Send what is due, one message after the other, until nothing is left or Telegram wants a pause."""
    now = core.clock.now()
    with core.begin() as tx:
        to = telegram_settings.address(core, tx)
        if to is None:
            outbox.postpone_due(tx, now, now + _PUT_OFF)
            return Round(Outcome.NOT_CONFIGURED)
        is_mended = telegram_settings.read(core, tx).problem is None  # a test arrived, or the admin changed something
        unwanted = _unwanted(tx, now)
        if unwanted:
            outbox.mute(tx, unwanted)
    pace.meet(to, is_mended=is_mended)
    sent = 0
    while not is_stopping():
        if not pace.may_send(core.clock.now()):
            return Round(Outcome.PAUSED, sent)
        taken = _take(core, to)
        if taken is None:
            return Round(Outcome.DONE, sent)
        delivered = _deliver(core, sender, pace, to, taken)
        if delivered is None:
            return Round(Outcome.FAILED, sent)
        sent += delivered
    return Round(Outcome.PAUSED, sent)


def _unwanted(tx: Tx, now: datetime) -> set[str]:
    said = alerting.wanted_kinds(tx)
    return {kind for kind in outbox.waiting_kinds(tx, now) if not is_wanted(kind, said)}


def _take(core: Core, to: Address) -> _Taken | None:
    """The next message, leased; None when there is none now, or another process is choosing."""
    now = core.clock.now()
    with core.begin() as tx:
        if not outbox.lock_sending(tx):
            return None
        due = {alert.id: alert for alert in outbox.due(tx, now, _MOST_ROWS)}
        recent = outbox.sent_by_cause(tx, now - grouping.WINDOW)
        parcels = grouping.parcels([Due(a.id, a.cause, a.created_at) for a in due.values()], recent, now)
        if not parcels:
            return None
        alerts = tuple(due[alert_id] for alert_id in parcels[0].ids)
        outbox.hold(tx, parcels[0].ids, now + LEASE)
        settings = telegram_settings.read(core, tx)
        head = outbox.first_of_trouble(tx, alerts[0], rule_of(alerts[0].kind).resolves)
    is_here = head is not None and head.chat_id == to.chat_id
    return _Taken(alerts, head if is_here else None, _frame(core, settings, alerts[0]))


def _frame(core: Core, settings: TelegramSettings, alert: Alert) -> Frame:
    """Nobody is called for good news."""
    is_trouble = not rule_of(alert.kind).resolves
    mention = settings.mention.get(alert.severity, "") if is_trouble else ""
    return telegram_settings.frame(core, mention, has_buttons=settings.hears)


# ---- one message ------------------------------------------------------------------------------------------------


def _deliver(core: Core, sender: Sender, pace: Pace, to: Address, taken: _Taken) -> bool | None:
    """Send what was taken and mark it; False when it must wait, None when the whole round must."""
    try:
        message_id = _send(core, sender, pace, to, taken)
    except ChatMoved as e:
        with core.begin() as tx:
            telegram_settings.follow_chat(tx, to.chat_id, e.chat_id, core.clock.now())
            outbox.mark_failed(tx, taken.ids, e.message, core.clock.now())
        log.warning("The Telegram group has a new id, taken over")
        return None
    except NotDelivered as e:
        return _failed(core, pace, taken, e)
    pace.succeeded()
    with core.begin() as tx:
        outbox.mark_sent(
            tx,
            taken.ids,
            chat_id=to.chat_id,
            sent_message_id=str(message_id),
            now=core.clock.now(),
            in_digest=len(taken.alerts) > 1,
        )
        telegram_settings.note_problem(tx, None, core.clock.now())
    return True


def _send(core: Core, sender: Sender, pace: Pace, to: Address, taken: _Taken) -> int:
    """The message's id. The head is edited first: that may be repeated, a message may not."""
    reply_to = None
    if taken.head is not None and taken.head.sent_message_id:
        reply_to = int(taken.head.sent_message_id)
        _mark_head(core, sender, pace, to, taken.head)
    pace.count(core.clock.now())
    try:
        return sender.send(to, taken.message(), reply_to=reply_to)
    except Refused:
        log.warning("Telegram refused the text of alert %s; it goes without", taken.first.id)
        pace.count(core.clock.now())
        return sender.send(to, messages.bare(taken.first.kind, taken.frame), reply_to=reply_to)


def _mark_head(core: Core, sender: Sender, pace: Pace, to: Address, head: Alert) -> None:
    """✅ on the message the trouble began with; one that told of many troubles stays as it is."""
    if head.in_digest:
        return
    with core.begin() as tx:
        frame = _frame(core, telegram_settings.read(core, tx), head)
    marked = messages.render_surely(head.kind, head.payload, frame, is_resolved=True)
    pace.count(core.clock.now())
    try:
        sender.edit(to, int(head.sent_message_id or 0), marked)
    except Refused as e:
        log.info("The first message of a thread could not be marked: %s", e.message)


def _failed(core: Core, pace: Pace, taken: _Taken, error: NotDelivered) -> bool | None:
    """Keep the rows with the reason. What only this message meets delays no other; all else pauses the sender."""
    now = core.clock.now()
    if isinstance(error, SlowDown):
        again_at = pace.wait(now + timedelta(seconds=error.retry_after_s))
    elif isinstance(error, Refused):
        again_at = now + timedelta(seconds=pause_s(taken.first.attempts))
    else:
        again_at = pace.failed(now)
    with core.begin() as tx:
        outbox.mark_failed(tx, taken.ids, error.message, again_at)
        if not isinstance(error, SlowDown | Refused):
            telegram_settings.note_problem(tx, error, now)
    log.warning("An alert was not delivered (%s); again at %s", error.code, again_at.isoformat(timespec="seconds"))
    return False if isinstance(error, Refused) else None


# ---- the sign of life -------------------------------------------------------------------------------------------


def keep_pulse(core: Core, pace: Pace) -> None:
    """Once a day a message, as often as wished a ping: silence then means that all is well."""
    now = core.clock.now()
    with core.begin() as tx:
        settings = telegram_settings.read(core, tx)
        if _is_heartbeat_due(core, settings, now):
            _post_heartbeat(core, tx, now)
    if settings.ping_url and (
        pace.pinged_at is None or now - pace.pinged_at >= timedelta(seconds=settings.ping_every_s)
    ):
        pace.pinged_at = now
        error = None
        try:
            ping(core.settings.default_exit, settings.ping_url, core.settings.allow_private_networks)
        except PingFailed as e:
            error = e.message
            log.warning("%s", e.message)
        with core.begin() as tx:
            telegram_settings.note_ping(tx, error, now)


def _is_heartbeat_due(core: Core, settings: TelegramSettings, now: datetime) -> bool:
    if not settings.is_configured or not settings.daily_at or not settings.enabled_since:
        return False
    hour, _, minute = settings.daily_at.partition(":")
    local = now.astimezone(core.settings.zone)
    at = local.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    is_settled = now - datetime.fromisoformat(settings.enabled_since) >= _SETTLED
    return is_settled and at <= local < at + _HEARTBEAT_GRACE


def _post_heartbeat(core: Core, tx: Tx, now: datetime) -> None:
    day, total = jobs.count_by_status(tx, since=now - timedelta(hours=24)), jobs.count_by_status(tx)
    alerting.about_system(
        tx,
        AlertKind.HEARTBEAT,
        now=now,
        once=f"{now.astimezone(core.settings.zone):%Y-%m-%d}",
        forwarded=day.get(JobStatus.SUCCESS, 0),
        failed=day.get(JobStatus.DEAD, 0),
        waiting=sum(n for status, n in total.items() if not JobStatus(status).is_terminal),
    )


# ---- looking ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """An alert as the history shows it. `delivery`: sent, digest, waiting, failed, muted, not_configured."""

    alert: Alert
    title: str
    text: str
    delivery: str


@dataclass(frozen=True, slots=True)
class UndeliveredState:
    """`reason` None while nothing is wrong, and then nothing is to be shown."""

    waiting: int
    failed: int
    oldest_at: datetime | None
    is_configured: bool
    problem: Problem | None
    undelivered_elsewhere: int = 0  # tried and not taken by a webhook or the mail server
    has_other_roads: bool = False
    is_ping_failing: bool = False

    @property
    def is_trouble(self) -> bool:
        return bool(self.problem or self.failed or self.undelivered_elsewhere or self.is_ping_failing)


def notifications(
    core: Core, *, before: int = 2**62, limit: int = 50, kinds: tuple[str, ...] = (), states: tuple[str, ...] = ()
) -> list[Notification]:
    """Alerts newest first, with their text and what became of them; `before` is the id of the last one seen."""
    with core.begin() as tx:
        found = outbox.page(tx, before_id=before, limit=limit, kinds=kinds, states=states)
        settings = telegram_settings.read(core, tx)
    return [
        Notification(
            alert=alert,
            title=rule_of(alert.kind).title,
            text=messages.render_surely(alert.kind, alert.payload, telegram_settings.frame(core)).plain,
            delivery=_delivery(alert, settings),
        )
        for alert in found
    ]


def _delivery(alert: Alert, settings: TelegramSettings) -> str:
    if alert.state is not MessageState.WAITING:
        return "digest" if alert.in_digest else alert.state.value
    if not settings.is_configured:
        return "not_configured"
    return "failed" if alert.last_error else "waiting"


def undelivered(core: Core) -> UndeliveredState:
    """Do alerts arrive? For the banner that says so when they do not."""
    with core.begin() as tx:
        counted = outbox.undelivered(tx)
        settings = telegram_settings.read(core, tx)
        elsewhere, has_others = road_rows.count_waiting(tx, failed_only=True), roads.has_any(tx)
    return UndeliveredState(
        counted.waiting,
        counted.failed,
        counted.oldest_at,
        settings.is_configured,
        settings.problem,
        undelivered_elsewhere=elsewhere,
        has_other_roads=has_others,
        is_ping_failing=settings.is_ping_failing,
    )
