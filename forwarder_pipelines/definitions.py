"""What Dagster loads."""

from forwarder_pipelines.build import build_definitions

definitions = build_definitions()
