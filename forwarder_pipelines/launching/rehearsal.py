"""What the server asks of both databases, and of this machine's ffmpeg, before its first fork, so that no run has to.

A session's first questions (the server's version, its schema, its types) are the engine's: a run that inherits the
engine asks them no more, and finds what was compiled here. The fact to know: the sessions are closed again before this
returns, because a session that a fork inherits has two ends. A database that is away is no reason not to start.
"""

from __future__ import annotations

import logging
from contextlib import suppress

import dagster as dg
from dagster._core.instance import InstanceRef
from sqlalchemy.exc import NoResultFound, SQLAlchemyError

from forwarder_core.errors import ForwarderError
from forwarder_core.services import transforming
from forwarder_core.services.carrying import Carrier, Outset
from forwarder_core.services.credentials import StoredCredentials
from forwarder_pipelines import storage
from forwarder_pipelines.assets.forward import CHAIN
from forwarder_pipelines.opening import this_core
from forwarder_pipelines.partitions import posts

NOBODY = 0  # no row's id
log = logging.getLogger("forwarder.launcher")


def rehearse(ref: InstanceRef) -> None:
    """Leaves a core and an engine of Dagster's for forks to take, both without a session."""
    for part in (_ask_ours, lambda: _ask_dagsters(ref), lambda: transforming.make_ready(this_core())):
        try:
            part()
        except (SQLAlchemyError, dg.DagsterError, ForwarderError) as e:
            log.warning("Not rehearsed, so runs take longer: %s", type(e).__name__)


def _ask_ours() -> None:
    """What each run reads, of a job and an account that are not there. Nothing here passes a crash point."""
    core = this_core()
    try:
        core.clock.now()
        Carrier(core, NOBODY, 0, "rehearsal").why_not()
        with suppress(NoResultFound):
            StoredCredentials(core, NOBODY).read()
        with suppress(NoResultFound), core.begin() as tx:
            Outset.read(tx, NOBODY)
    finally:
        core.engine.dispose()


def _ask_dagsters(ref: InstanceRef) -> None:
    """What each run asks, of nothing that is there."""
    try:
        with dg.DagsterInstance.from_ref(ref) as instance:
            instance.get_run_by_id("rehearsal")
            instance.has_dynamic_partition(posts.name or "", "rehearsal")
            instance.get_asset_records([dg.AssetKey(CHAIN[0])])
    finally:
        storage.hand_down()
