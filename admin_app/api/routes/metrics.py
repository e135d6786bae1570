"""GET /metrics, in Prometheus' text format. A token of scope read opens it; on this machine also a setting."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from admin_app.api.deps import CoreDep
from forwarder_core.services import metrics
from forwarder_core.services.metrics import Metric

router = APIRouter(tags=["System"])


class _Read:
    """What was read a moment ago, as prometheus_client collects it."""

    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for metric in self._found:
            family = GaugeMetricFamily(metric.name, metric.text, labels=metric.labels)
            for labels, value in metric.values.items():
                family.add_metric(labels, value)
            yield family


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text"}},
)
def read_metrics(core: CoreDep) -> Response:
    """Queue, outcomes, steps, proxies, tokens, alerts, sensors, disk, for Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Read(metrics.read(core)))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)
