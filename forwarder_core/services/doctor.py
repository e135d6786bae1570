"""The doctor's look at what the product knows: its health, accounts, proxies, Telegram, backups.

What lives here: what needs the database and the platforms. What does not: the machine around it (embedded.machine).
The fact to know: nothing is changed at any platform; each account costs one read-only call, and `offline` none at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.db import accounts as account_rows
from forwarder_core.db import proxies
from forwarder_core.domain import findings
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.findings import Finding, State
from forwarder_core.domain.proxies import Health
from forwarder_core.errors import ForwarderError
from forwarder_core.services import accounts, health, keeping, telegram_settings
from forwarder_core.services.context import Core

_MANY = 1_000
_ACTIONS = {
    "database": "Check FORWARDER_DATABASE_URL and the database's log.",
    "migrations": "Run ./run migrate.",
    "keeper": "Start the product; if it runs, read <home>/logs/keeper.log.",
    "detection": "Read <home>/logs/daemon.log; restart the product.",
    "census": "Open Jobs, filter by status; the log of each job says what it waits for.",
    "disk": "Free space, or lower retention.media_days.",
    "redis": "Set REDIS_BROKER and REDIS_BACKEND on every machine, and look at Redis and the way to it.",
    "ffmpeg": "Install ffmpeg, or set FORWARDER_FFMPEG.",
}
_STATES = {
    health.State.OK: State.OK,
    health.State.WARNING: State.WARNING,
    health.State.FAILING: State.FAILING,
    health.State.NOT_USED: State.OK,
}


def examine(core: Core, *, is_running: bool, offline: bool = False) -> Iterator[Finding]:
    """Everything, as it is found. `is_running`: whether the product should show signs of life."""
    for name, check in health.look(core).checks.items():
        state = _STATES[check.state]
        if name in ("keeper", "detection") and state is State.FAILING and not is_running:
            yield Finding(name, State.SKIPPED, "The product is not running.", "Start it and look again.")
        else:
            yield Finding(name, state, check.detail, "" if state is State.OK else _ACTIONS.get(name, ""))
    try:
        yield _clock(core)
        yield findings.of_backup(keeping.last_backup_at(core), core.clock.now())
        yield _telegram(core)
        yield from _proxies(core)
        yield from _accounts(core, offline=offline)
    except SQLAlchemyError:
        yield Finding("accounts", State.SKIPPED, "The database does not answer.", _ACTIONS["database"])


def _clock(core: Core) -> Finding:
    """The product's clock is the database's."""
    return findings.of_clock(core.clock.now().timestamp() - time.time())


def _telegram(core: Core) -> Finding:
    known = telegram_settings.get(core)
    if not known.is_configured:
        words, action = "No alert reaches anybody.", "Enter bot and chat under Settings, Telegram, and send a test."
        return Finding("telegram", State.WARNING, words, action)
    if known.problem is not None:
        return Finding("telegram", State.FAILING, known.problem.text, "Mend it under Settings, Telegram.")
    if known.is_ping_failing:
        return Finding("telegram", State.WARNING, "The dead-man's watch cannot be reached.", "Check its address.")
    return Finding("telegram", State.OK, f"Alerts go to {known.channel_id} by the bot {known.bot}.")


def _proxies(core: Core) -> Iterator[Finding]:
    with core.begin() as tx:
        known = proxies.page(tx)
    for proxy in known:
        words = f"{proxy.health}, {proxy.consecutive_failures} failures in a row"
        if proxy.health is Health.UNHEALTHY:
            action = "Mend or replace it under Proxies; connections that use it wait."
            yield Finding("proxy", State.FAILING, words, action, proxy.alias)
        elif proxy.health is Health.UNCHECKED:
            yield Finding("proxy", State.WARNING, "It was never checked.", "Press Test under Proxies.", proxy.alias)
        else:
            yield Finding("proxy", State.OK, words, "", proxy.alias)


def _accounts(core: Core, *, offline: bool) -> Iterator[Finding]:
    with core.begin() as tx:
        known = account_rows.page(tx, after=0, limit=_MANY)
    for account in known:
        if not account.status.is_usable:
            words = f"It is {account.status}: {account.status_reason or 'no reason was kept'}"
            yield Finding("account", State.FAILING, words, "Open the account and do what it says.", account.alias)
        elif offline:
            yield Finding("account", State.SKIPPED, "Not asked.", "Run ./run doctor without --offline.", account.alias)
        else:
            yield _asked(core, account)


def _asked(core: Core, account: Account) -> Finding:
    try:
        return Finding("account", State.OK, f"It answers: {accounts.test(core, account.id)}.", "", account.alias)
    except ForwarderError as e:
        return Finding("account", State.FAILING, f"{e.code}: {e.message}", e.action, account.alias)


FIRST_DAY = (
    "An Instagram account signs in from this server's address without a challenge, or its challenge is solved here.",
    "A Google app out of testing: in testing its refresh tokens end after seven days.",
    "A YouTube upload stays public: an app that is not audited has its uploads locked private.",
    "A reel crosses once on a real pair of accounts, and the alert of it reaches the real Telegram chat.",
    "The certificate comes from the real authority and its renewal timer runs (certbot renew --dry-run).",
    "A proxy of yours reaches Instagram and Google (Proxies, Test).",
    "A restore of your own backup on another machine, with the key file from its other place.",
)
