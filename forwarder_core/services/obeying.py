"""Obeying: each command a person may give from a chat, done through the same services as the UI and the API.

Nothing is decided here that the services do not decide. Everything that changes something is audited under the name
given (`telegram:<user>`). The fact to know: names come from people too, so every answer is built through `Page`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from forwarder_core.alerts.text import Page
from forwarder_core.db import jobs as job_rows
from forwarder_core.db import posts as post_rows
from forwarder_core.db.overviews import JobView
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.commands import USAGE, Command, Verb
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.posts import Verdict
from forwarder_core.errors import NotFound
from forwarder_core.services import (
    accounts,
    approving,
    challenges,
    connections,
    interactive_login,
    jobs,
    notifying,
    overview,
    telegram_settings,
)
from forwarder_core.services.context import Core
from forwarder_core.services.jobs import Answer

_MOST_ROWS = 100_000
_MOST_TOLD = 10
_CHECK = "Look at /help for the way it is written."
Named = TypeVar("Named")


def obey(core: Core, command: Command, who: str) -> Page:
    """What came of it. Raises a RequestError that says why it cannot be done."""
    act = _ACTS.get(command.verb)
    if act is None or not command.is_whole:
        return _help(command)
    return act(core, command, who)


def _help(command: Command) -> Page:
    page = Page()
    if command.verb in USAGE:
        return page.line(f"Say it like this: {USAGE[command.verb]}")
    page.line("What I understand:")
    for usage in USAGE.values():
        page.line(usage)
    return page


def _status(core: Core, command: Command, who: str) -> Page:
    seen, alerts = overview.summary(core), notifying.undelivered(core)
    page = Page().head(core.settings.app_name)
    page.field("Connections", ", ".join(f"{n} {status}" for status, n in seen.connections.items() if n) or "none")
    page.field("Jobs of the last 24 h", ", ".join(f"{n} {s}" for s, n in sorted(seen.jobs_24h.items())) or "none")
    if seen.success_rate is not None:
        page.field("Success rate", f"{seen.success_rate:g} %")
    page.field("Running", f"{seen.running} of {seen.most_running}").field("Waiting", seen.waiting)
    asking, held = len(approving.waiting(core)), len(challenges.open_challenges(core))
    for name, n in (("Questions for you", asking), ("CAPTCHAs open", held), ("Alerts not sent", alerts.failed)):
        page.field(name, n or None)
    return page


def _why(core: Core, command: Command, who: str) -> Page:
    if command.rest.isdecimal() and len(command.rest) <= 18:
        try:
            return _job_story(core, jobs.get(core, int(command.rest)))
        except NotFound:
            pass
    return _post_story(core, command.rest)


def _job_story(core: Core, view: JobView) -> Page:
    job = view.job
    page = Page().line(f"Job {job.id}: {job.status}" + (f" ({job.wait_reason})" if job.wait_reason else ""))
    page.field("Connection", view.connection_name).field("Step", job.step)
    if job.failure:
        page.detail("Error", job.failure.message).detail("Action", job.failure.action)
    if job.next_attempt_at:
        page.field("Next attempt", telegram_settings.frame(core).time(job.next_attempt_at))
    return page.link("Destination", job.destination_url, sign="") if job.destination_url else page


def _post_story(core: Core, words: str) -> Page:
    """Every connection's decision about the post, and what became of it."""
    page = Page()
    with core.begin() as tx:
        found = post_rows.find_anywhere(tx, words)
        decided = post_rows.decisions_about(tx, [post.id for post in found])
        for name, connection_id, post_id, decision in decided[:_MOST_TOLD]:
            value = f" ({decision.value})" if decision.value else ""
            page.field(name, f"{decision.verdict}: {decision.rule}{value}", 250)
            job = job_rows.of_post(tx, connection_id, post_id) if decision.verdict is Verdict.FORWARD else None
            if job is not None:
                page.line(f"Job {job.id}: {job.status}")
    if not found:
        raise NotFound("No job and no post of that number or address was seen.", action=_CHECK)
    return page if decided else page.line("The post was seen; no connection has decided about it yet.")


def _pause(core: Core, command: Command, who: str) -> Page:
    chosen = connection_called(core, command.rest)
    connections.pause(core, chosen.id, f"Paused by {who}", who=who)
    return Page().field("Paused", chosen.name)


def _resume(core: Core, command: Command, who: str) -> Page:
    chosen = connection_called(core, command.rest)
    connections.resume(core, chosen.id, who=who)
    return Page().field("Resumed", chosen.name)


def _retry(core: Core, command: Command, who: str) -> Page:
    job_id = _number(command.words[0])
    jobs.retry(core, job_id, who=who)
    return Page().line(f"Job {job_id} is queued for retry.")


def _solved(core: Core, command: Command, who: str) -> Page:
    account, notes = account_called(core, command.words)
    if challenges.challenge_of(core, account.id) is None:
        return Page().field("No CAPTCHA is open for", account.alias)
    done = challenges.resolve(core, account.id, notes=" ".join(notes), who=who)
    page = Page().field("CAPTCHA marked as solved", account.alias)
    return page.field("Connections resumed", len(done.connections_resumed)).field("Jobs", len(done.jobs_requeued))


def _code(core: Core, command: Command, who: str) -> Page:
    account, left = account_called(core, command.words[:-1])
    if left:
        raise NotFound("There is no account of that name.", action=_CHECK)
    interactive_login.give_code(core, account.id, command.words[-1], who=who)
    return Page().field("The code was handed to the sign-in of", account.alias)


def _approve(core: Core, command: Command, who: str) -> Page:
    job_id, answer = _number(command.words[0]), " ".join(command.words[1:]) or "approve"
    approving.answer(core, job_id, answer, who)
    return Page().field(f"Job {job_id}", answer)


def _confirm(core: Core, command: Command, who: str) -> Page:
    job_id = _number(command.words[0])
    if command.words[1] not in list(Answer):
        return _help(command)
    moved = jobs.confirm(core, job_id, Answer(command.words[1]), who=who)
    return Page().line(f"Job {job_id}: {moved.job.status}")


# ---- what a name means ------------------------------------------------------------------------------------------


def connection_called(core: Core, words: str) -> Connection:
    """By number, by name, or by a part of a name that only one has. Raises NotFound."""
    every = connections.page(core, limit=_MOST_ROWS)
    return _called(every, words, lambda c: c.id, lambda c: c.name, "connection")


def account_called(core: Core, words: Sequence[str]) -> tuple[Account, tuple[str, ...]]:
    """The account the first words name, as many of them as do, and the words after. Raises NotFound."""
    every = accounts.page(core, limit=_MOST_ROWS)
    for n in range(len(words), 0, -1):
        named = " ".join(words[:n])
        for account in every:
            if named.lower() == account.alias.lower() or (n == 1 and named == str(account.id)):
                return account, tuple(words[n:])
    found = _called(every, " ".join(words[:1]), lambda a: a.id, lambda a: a.alias, "account")
    return found, tuple(words[1:])


def _called(
    every: Iterable[Named], words: str, id_of: Callable[[Named], int], name_of: Callable[[Named], str], noun: str
) -> Named:
    wanted, known = words.lower(), list(every)
    for found in (
        [one for one in known if name_of(one).lower() == wanted],
        [one for one in known if str(id_of(one)) == wanted],
        [one for one in known if wanted in name_of(one).lower()],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise NotFound(f"More than one {noun} is called so.", action="Say its whole name or its number.")
    raise NotFound(f"There is no {noun} of that name or number.", action=_CHECK)


def _number(word: str) -> int:
    if not word.isdecimal() or len(word) > 18:
        raise NotFound("A job is named by its number.", action=_CHECK)
    return int(word)


_ACTS: dict[Verb, Callable[[Core, Command, str], Page]] = {
    Verb.STATUS: _status,
    Verb.WHY: _why,
    Verb.PAUSE: _pause,
    Verb.RESUME: _resume,
    Verb.RETRY: _retry,
    Verb.SOLVED: _solved,
    Verb.CODE: _code,
    Verb.APPROVE: _approve,
    Verb.ANSWER: _approve,
    Verb.CONFIRM: _confirm,
}
