"""Forwards without Dagster's data versions: what an asset was made from, asked for and written down at each step.

Six questions and four rows of a forward, to find out whether an asset is older than what it was made from; and all
four assets of a post are made by one run, one after the other. The fact to know: without them Dagster goes by the
times of the materializations, which says the same.
"""

from __future__ import annotations

from typing import Any

from dagster._core.execution.context.data_version_cache import DataVersionCache

FORWARDS = "forward_job"
_ask = DataVersionCache.fetch_external_input_asset_version_info


def leave_out() -> None:
    """In this process's runs. Once is enough."""
    dagsters: Any = DataVersionCache
    dagsters.fetch_external_input_asset_version_info = _unless_forwarding


def _unless_forwarding(cache: DataVersionCache) -> None:
    if cache._context.job_def.name != FORWARDS:
        _ask(cache)
