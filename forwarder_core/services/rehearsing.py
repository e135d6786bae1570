"""Rehearsing: everything a connection needs, looked at before it starts, without writing anything at any platform.

What lives here: the checks that need no network, their order, and the refusal. What does not: asking the two accounts'
platforms (`rehearsing_ends`). The fact to know: an account that needs a person is not asked anything: a sign-in tried
against a challenge makes it worse.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from forwarder_core.connectors.base import Role
from forwarder_core.db import accounts, connections
from forwarder_core.domain.accounts import Account, Rights
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.limits import Limits
from forwarder_core.domain.rehearsals import Check, Outcome, Rehearsal, way_back
from forwarder_core.errors import Conflict, ForwarderError, NotFound
from forwarder_core.media.store import KEEP_FREE_BYTES
from forwarder_core.media.tools import find_ffmpeg
from forwarder_core.services import limits, quotas, rehearsing_ends, templates
from forwarder_core.services.context import Core
from forwarder_core.services.quotas import QuotaView

_FEW_FREE_BYTES = 2_000_000_000


class NotReady(Conflict):
    """A connection that may not start yet. `reasons`: everything that is in its way, each with what to do."""

    code = "not_ready"
    action = "Do what each reason names, then start again; Rehearse on the connection shows every check."

    def __init__(self, message: str, *reasons: str, action: str) -> None:
        super().__init__(message, action=action)
        self.reasons = reasons or (f"{message} {action}",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the checks look at, read in one transaction that is over before any of them begins."""

    connection: Connection
    source: Account
    destination: Account
    roads: tuple[tuple[int, int], ...]
    names: dict[int, str]
    limits: Limits


def rehearse(core: Core, wanted: int | Connection) -> Rehearsal:
    """The whole report: every check, whatever the others found. `wanted`: an id, or a connection not stored yet."""
    ground = _ground(core, wanted)
    at_home = _at_home(core, ground)
    ends = _usable_ends(ground)
    return Rehearsal((*at_home, *rehearsing_ends.look(core, ground.connection, ends, reads_source=True)))


def require(core: Core, connection_id: int) -> None:
    """Raises NotReady with every reason where the connection may not start.

    The platforms are asked only where nothing at home is in the way; whether the source can be read, the start's own
    baseline finds out.
    """
    ground = _ground(core, connection_id)
    _refuse(_at_home(core, ground))
    _refuse(rehearsing_ends.look(core, ground.connection, _usable_ends(ground), reads_source=False))


def _refuse(checks: Sequence[Check]) -> None:
    if failed := Rehearsal(tuple(checks)).failed:
        reasons = (f"{check.text} {check.action}" for check in failed)
        raise NotReady(f"Cannot start: {failed[0].text}", *reasons, action=failed[0].action)


def warnings(core: Core, connection_id: int) -> list[str]:
    """What is allowed and still worth saying when the connection is made, changed or started: a circle."""
    check = _loop(core, _ground(core, connection_id))
    return [f"{check.text} {check.action}"] if check.outcome is Outcome.WARNING else []


def _ground(core: Core, wanted: int | Connection) -> Ground:
    with core.begin() as tx:
        known = connections.get(tx, wanted) if isinstance(wanted, int) else wanted
        if known is None:
            raise NotFound(f"There is no connection {wanted}.")
        source, destination = accounts.get(tx, known.source_account_id), accounts.get(tx, known.destination_account_id)
        if source is None or destination is None:
            raise NotFound(f"An account of connection “{known.name}” is not there any more.")
        every = connections.page(tx, after=0, limit=100_000)
        return Ground(
            connection=known,
            source=source,
            destination=destination,
            roads=tuple((c.source_account_id, c.destination_account_id) for c in every if c.id != known.id),
            names={account.id: account.alias for account in accounts.page(tx, after=0, limit=100_000)},
            limits=limits.in_force(tx, destination.platform),
        )


def _usable_ends(ground: Ground) -> list[tuple[Role, Account]]:
    ends = ((Role.SOURCE, ground.source), (Role.DESTINATION, ground.destination))
    return [(role, account) for role, account in ends if account.status.is_usable]


def _at_home(core: Core, ground: Ground) -> list[Check]:
    looks: tuple[Callable[[Core, Ground], Check], ...] = (
        _source_account,
        _destination_account,
        _rights,
        _options,
        _files,
        _loop,
        _quota,
        _disk,
    )
    return [look(core, ground) for look in looks]


def _source_account(core: Core, ground: Ground) -> Check:
    return _account("source_account", ground.source)


def _destination_account(core: Core, ground: Ground) -> Check:
    return _account("destination_account", ground.destination)


def _account(name: str, account: Account) -> Check:
    if account.status.is_usable:
        return Check.ok(name, f"Account {account.alias} is {account.status}.")
    return Check.failed(
        name,
        f"Account {account.alias} is {account.status}. {account.status_reason or ''}".strip(),
        f"Mend the account under Accounts → {account.alias}, then start again.",
    )


def _rights(core: Core, ground: Ground) -> Check:
    alias = ground.source.alias
    if ground.source.rights is Rights.UNDECLARED:
        return Check.failed(
            "rights",
            f"Nothing is said about the rights to the posts of {alias}.",
            f"Declare under Accounts → {alias} whether its posts are your own or licensed.",
        )
    return Check.ok("rights", f"The posts of {alias} are declared as {ground.source.rights}.")


def _options(core: Core, ground: Ground) -> Check:
    most, transform = ground.limits.media, ground.connection.transform
    width, height = 2 * most.target_width, 2 * most.target_height
    if transform.upscale_to_4k and (width > most.max_width or height > most.max_height):
        return Check.warning(
            "options",
            f"4K is on, but {ground.destination.platform} takes {most.max_width}x{most.max_height} at most: "
            f"{most.target_width}x{most.target_height} is made.",
            "Switch 4K off in the connection's video options.",
        )
    return Check.ok("options", f"The destination takes what is made: up to {most.max_duration_s:g} s of video.")


def _files(core: Core, ground: Ground) -> Check:
    layout = ground.connection.transform.layout
    try:
        ffmpeg = find_ffmpeg(core.settings.ffmpeg)
        if layout.is_on:
            templates.layout_image(core, layout.image)
    except ForwarderError as e:
        return Check.failed("files", e.message, e.action)
    return Check.ok("files", f"ffmpeg {ffmpeg.version}" + (f", layout {layout.image}." if layout.is_on else "."))


def _loop(core: Core, ground: Ground) -> Check:
    way = way_back(ground.roads, ground.source.id, ground.destination.id)
    if not way:
        return Check.ok("loop", "No other connection leads back to the source.")
    named = " → ".join(ground.names.get(account, str(account)) for account in (ground.source.id, *way))
    return Check.warning(
        "loop",
        f"Connections make a circle: {named}.",
        "Nothing has to be done: a post goes to each account once and is never taken for a new one there.",
    )


def _quota(core: Core, ground: Ground) -> Check:
    """Everything that limits the destination today, what it shares with others included."""
    there = quotas_of(core, ground.destination)
    if full := next((view for view in there if view.is_used_up), None):
        until = f"{full.closed_until or full.resets_at:%Y-%m-%d %H:%M} UTC"
        return Check.warning(
            "quota",
            f"{full.title}: {full.used + full.reserved} of {full.limit} are used up.",
            f"Nothing has to be done: posts wait until {until}.",
        )
    words = "; ".join(f"{view.title}: {view.limit - view.used - view.reserved} of {view.limit} left" for view in there)
    return Check.ok("quota", f"{words or 'Nothing limits it'}.")


def quotas_of(core: Core, destination: Account) -> list[QuotaView]:
    """The counters of today this account's posts count on."""
    every = quotas.views(core)
    return [view for view in every if view.platform == destination.platform and destination.alias in view.accounts]


def _disk(core: Core, ground: Ground) -> Check:
    home = next(path for path in (core.media_root, *core.media_root.parents) if path.exists())
    free = shutil.disk_usage(home).free
    words = f"{free / 1e9:.1f} GB are free for videos."
    action = "Free space on the disk that holds FORWARDER_HOME, or keep media for fewer days."
    if free < KEEP_FREE_BYTES:
        return Check.failed("disk", words, action)
    return Check.warning("disk", words, action) if free < _FEW_FREE_BYTES else Check.ok("disk", words)
