"""What waits to be done, as those ask who would do it. Pure."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ForSensors:
    """`shards` of the sources that have a due one; whether a job may have to be started, cancelled or asked about;
    whether a dry run is to be started; whether a run carries anything that its end would have to be told of."""

    shards: Set[int]
    jobs: bool
    dry_runs: bool
    carried: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ForKeeper:
    """Messages for Telegram that are due, deliveries over the other roads, sign-ins under way, dry runs whose worker
    fell silent, backfills that are not at their end."""

    messages: bool
    deliveries: bool
    sign_ins: bool
    silent_dry_runs: bool
    backfills: bool
