"""Analytics: how reliable is the forwarding, and what should be mended first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from admin_app.api.deps import CoreDep
from admin_app.api.schemas.analytics import (
    AccountAnalyticsOut,
    AnalyticsSummaryOut,
    ConnectionAnalyticsOut,
    ExportIn,
    SpanQuery,
)
from admin_app.api.schemas.analytics_story import DiagnosisOut, EventsOut, HoursQuery
from admin_app.api.schemas.base import RowId
from admin_app.api.schemas.system_analytics import SystemAnalyticsOut
from forwarder_core.domain.analytics import Period
from forwarder_core.services import analytics, analytics_tables, diagnosing, happenings, tokens
from forwarder_core.services.context import Core

router = APIRouter(prefix="/api", tags=["Analytics"])
Span = Annotated[SpanQuery, Query()]
_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "The table, with a head line"}
}


@router.get("/analytics/summary")
def analytics_summary(span: Span, core: CoreDep) -> AnalyticsSummaryOut:
    """The whole in one answer; docs/analytics.md defines each figure."""
    return AnalyticsSummaryOut.of(analytics.view(core, _period(core, span)))


@router.get("/analytics/connection/{connection_id}")
@router.get("/analytics/connection/{connection_id}/metrics")
def connection_analytics(connection_id: RowId, span: Span, core: CoreDep) -> ConnectionAnalyticsOut:
    """A deleted connection keeps its figures."""
    chosen = _period(core, span)
    return ConnectionAnalyticsOut.of(analytics.connection(core, connection_id, chosen), chosen)


@router.get("/analytics/account/{account_id}")
@router.get("/analytics/account/{account_id}/metrics")
@router.get("/accounts/{account_id}/analytics")
def account_analytics(account_id: RowId, span: Span, core: CoreDep) -> AccountAnalyticsOut:
    chosen = _period(core, span)
    line, using = analytics.account(core, account_id, chosen)
    return AccountAnalyticsOut.of(line, using, chosen, core.clock.now())


@router.get("/analytics/system")
def system_analytics(span: Span, core: CoreDep) -> SystemAnalyticsOut:
    """Load, latency, proxies, dead letters, credentials that end soon."""
    return SystemAnalyticsOut.of(analytics.view(core, _period(core, span)), tokens.calendar(core))


@router.get("/analytics/events")
def analytics_events(span: Span, core: CoreDep) -> EventsOut:
    """What happened in these days, and how much failures have to do with it."""
    return EventsOut.of(happenings.story(core, _period(core, span)))


@router.get("/analytics/diagnosis")
def analytics_diagnosis(span: Annotated[HoursQuery, Query()], core: CoreDep) -> DiagnosisOut:
    """Proxy, account or platform? From the runs of the last hours, or that nobody can tell."""
    return DiagnosisOut.of(diagnosing.recent(core, span.hours))


@router.post("/analytics/export", response_class=Response, responses=_CSV)
def export_analytics(body: ExportIn, core: CoreDep) -> Response:
    """One table as CSV; text that a spreadsheet would calculate has an apostrophe in front."""
    chosen = _period(core, body)
    name = f"analytics-{body.table}-{chosen.first}-{chosen.last}.csv"
    head = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(analytics_tables.csv(core, body.table, chosen), media_type="text/csv", headers=head)


def _period(core: Core, span: SpanQuery | ExportIn) -> Period:
    return analytics.period(core, span.period, span.first, span.last)
