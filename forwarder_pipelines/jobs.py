"""Dagster jobs. (`job` elsewhere in this product is the forward job of the client; Dagster's end in `_job`.)"""

import dagster as dg

from forwarder_pipelines.assets.forward import chain
from forwarder_pipelines.hooks import close_attempt_hook

# One process per run: the multiprocess executor starts a fresh interpreter per op, at five times the cost.
forward_job = dg.define_asset_job(
    "forward_job",
    selection=dg.AssetSelection.assets(chain),
    executor_def=dg.in_process_executor,
    hooks={close_attempt_hook},
    description="Carry one post over one connection.",
)
