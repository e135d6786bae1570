"""The dashboard in numbers, and the health of the installation."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response

from admin_app.api.deps import CoreDep
from admin_app.api.schemas.base import Out
from admin_app.api.schemas.system import CensusOut, FirstStepsOut, HealthOut, SummaryOut
from forwarder_core.services import census, health, overview

router = APIRouter(prefix="/api", tags=["System"])


class Alive(Out):
    status: Literal["ok"] = "ok"


@router.get("/dashboard/summary")
def dashboard_summary(core: CoreDep) -> SummaryOut:
    return SummaryOut.of(overview.summary(core))


@router.get("/dashboard/first-steps")
def show_first_steps(core: CoreDep) -> FirstStepsOut:
    """How far a new installation is."""
    return FirstStepsOut.of(overview.first_steps(core))


@router.get("/health/simple")
async def simple_health() -> Alive:
    """This process answers; no sign-in needed, nothing else said."""
    return Alive()


@router.get("/health", responses={503: {"model": HealthOut}})
def full_health(core: CoreDep, response: Response) -> HealthOut:
    """Every part with what was found; 503 when one is failing."""
    found = health.look(core)
    if found.state is health.State.FAILING:
        response.status_code = 503
    return HealthOut.of(found)


@router.get("/census")
def take_census(core: CoreDep) -> CensusOut:
    """Posts nobody decided about and jobs nobody moves: both must be 0. A part of the health check too."""
    return CensusOut.of(census.take(core))
