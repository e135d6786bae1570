"""What the launcher and the stems import before their first fork, so that no run and no service has to.

What lives here: the lists. The fact to know: nothing here may start a thread or open a connection, because every fork
would inherit it; `prove_forkable` is asked at the start, and a library that begins to do so must leave the list.
"""

from __future__ import annotations

import gc
import importlib
import pkgutil
from collections.abc import Iterator

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Role
from forwarder_core.domain import schedule_rules
from forwarder_core.embedded.forking import prove_forkable

DEFINITIONS = "forwarder_pipelines.definitions"
# What a run would import by itself otherwise; found by comparing a run's modules with the server's.
_LATE = (
    "dagster._core.execution.plan.active",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.secrets.env_file",
    "dagster._core.storage.noop_compute_log_manager",
    "dagster._core.storage.root",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.system_config.composite_descent",
    "dagster._core.workspace.autodiscovery",
    "dagster._utils.test.definitions",
    "ffmpeg",
    "httpcore",
    "psycopg",
    "psycopg2.extras",
    "upath.implementations.local",
)
# Python's 700 has a run collect hundreds of times in its seconds; so many unreachable ones are a few megabytes.
_NEW_OBJECTS_BEFORE_A_COLLECTION = 50_000


def warm(definitions: str = DEFINITIONS) -> None:
    """Import everything and resolve every job. Raises NotForkable."""
    repository = importlib.import_module(definitions).definitions.get_repository_def()
    for job in repository.get_all_jobs():
        repository.get_maybe_subset_job_def(job.name)
    for module in (*platform_modules(), *_LATE):
        getattr(importlib.import_module(module), "warm", _nothing)()
    for spec in registry.specs().values():
        if Role.DESTINATION in spec.roles:
            registry.limits(spec.platform)
    schedule_rules.zones()  # every one is looked at, by each process once
    prove_forkable()
    gc.collect()
    gc.freeze()  # what a collection would touch later stays shared with the children
    gc.set_threshold(_NEW_OBJECTS_BEFORE_A_COLLECTION)


def _nothing() -> None:
    """For a module that has nothing to do once for all runs."""


def warm_services() -> None:
    """Import what the door and the keeper share, and Dagster's processes with them: the services, and no Dagster."""
    for module in (*_below("forwarder_core.services"), "psycopg", "forwarder_pipelines.opening"):
        importlib.import_module(module)


def _below(package: str) -> Iterator[str]:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        yield module.name


def platform_modules() -> Iterator[str]:
    """All of them, because a role may be a fork in the road that imports either way when it is taken; but no fakes, and
    no programs that a run starts."""
    for platform in registry.specs():
        package = importlib.import_module(f"forwarder_core.platforms.{platform}")
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("fake") and not module.name.endswith("_child"):
                yield f"{package.__name__}.{module.name}"
