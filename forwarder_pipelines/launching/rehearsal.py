"""What the server asks of both databases and of this machine's ffmpeg, and the run it goes through, before its first
fork, so that no run has to.

A session's first questions (the server's version, its schema, its types) are the engine's: a run that inherits the
engine asks them no more, and finds what was compiled here. The fact to know: the sessions are closed again before this
returns, because a session that a fork inherits has two ends. A database that is away is no reason not to start.
"""

from __future__ import annotations

import logging
from contextlib import suppress

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.instance import InstanceRef
from dagster._core.storage.tags import PARTITION_NAME_TAG
from dagster._grpc.impl import core_execute_run
from sqlalchemy.exc import NoResultFound, SQLAlchemyError

from forwarder_core.errors import ForwarderError
from forwarder_core.services import transforming
from forwarder_core.services.carrying import Carrier, Outset
from forwarder_core.services.credentials import StoredCredentials
from forwarder_pipelines import storage
from forwarder_pipelines.assets.forward import CHAIN
from forwarder_pipelines.jobs import forward_job
from forwarder_pipelines.launching.warm import DEFINITIONS
from forwarder_pipelines.opening import this_core
from forwarder_pipelines.partitions import posts
from forwarder_pipelines.resources import JOB_TAG

NOBODY = 0  # no row's id
_NAME = "rehearsal"
_TIMES = 3
_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
log = logging.getLogger("forwarder.launcher")


def rehearse(ref: InstanceRef) -> None:
    """Leaves a core and an engine of Dagster's for forks to take, both without a session."""
    for part in (_go_through_ours, lambda: _ask_dagsters(ref), lambda: transforming.make_ready(this_core())):
        try:
            part()
        except (SQLAlchemyError, dg.DagsterError, ForwarderError) as e:
            log.warning("Not rehearsed, so runs take longer: %s", type(e).__name__)


def _go_through_ours() -> None:
    _ask_ours()
    _run_nobodys_job()  # only where the database answers: an op that cannot ask it tries again after seconds


def _ask_ours() -> None:
    """What each run reads, of a job and an account that are not there. Nothing here passes a crash point."""
    core = this_core()
    try:
        core.clock.now()
        Carrier(core, NOBODY, 0, _NAME).why_not()
        with suppress(NoResultFound):
            StoredCredentials(core, NOBODY).read()
        with suppress(NoResultFound), core.begin() as tx:
            Outset.read(tx, NOBODY)
    finally:
        core.engine.dispose()


def _run_nobodys_job() -> None:
    """Dagster's way to the first op and from it to the end of a run, on an instance of its own in memory. Python makes
    quick what was called a few times, and a fork begins with that: a first run takes 0.03 CPU-s less. It is one that
    somebody re-executed, because the claim of those passes no crash point."""
    code = ReconstructableRepository(ModuleCodePointer(DEFINITIONS, "definitions", None))
    forward = code.get_reconstructable_job(forward_job.name)
    tags = {JOB_TAG: str(NOBODY), PARTITION_NAME_TAG: _NAME}
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions(posts.name or "", [_NAME])
            for _ in range(_TIMES):
                job = forward.get_definition()
                run = instance.create_run_for_job(
                    job, run_config=_SILENT, tags=tags, parent_run_id=_NAME, root_run_id=_NAME
                )
                for _ in core_execute_run(forward, run, instance, inject_env_vars=False):
                    pass
    finally:
        this_core().engine.dispose()


def _ask_dagsters(ref: InstanceRef) -> None:
    """What each run asks, of nothing that is there."""
    try:
        with dg.DagsterInstance.from_ref(ref) as instance:
            instance.get_run_by_id(_NAME)
            instance.has_dynamic_partition(posts.name or "", _NAME)
            instance.get_asset_records([dg.AssetKey(CHAIN[0])])
    finally:
        storage.hand_down()
