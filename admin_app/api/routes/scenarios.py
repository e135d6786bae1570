"""Scenarios: trouble made on purpose at the simulated platforms of ./run demo. 409 `no_simulator` anywhere else."""

from __future__ import annotations

from fastapi import APIRouter, status

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.proxies import ProxyDone, ProxyOut
from admin_app.api.schemas.scenarios import (
    ArmedOut,
    ScenarioDone,
    ScenarioIn,
    ScenarioPosted,
    ScenarioPostIn,
    ScenarioProxyIn,
    ScenariosOut,
)
from forwarder_core.services import scenarios
from forwarder_core.services.context import Core
from forwarder_core.services.scenarios import Trouble

router = APIRouter(prefix="/api/scenarios", tags=["Scenarios"])


@router.get("")
def list_scenarios(core: CoreDep) -> ScenariosOut:
    """What can be made to happen, and what is armed now."""
    return ScenariosOut(troubles=list(Trouble), armed=_armed(core))


@router.post("", status_code=status.HTTP_201_CREATED)
def make_trouble(body: ScenarioIn, core: CoreDep, who: Who) -> ScenarioDone:
    """A challenge, an expired token, a storm of 429, or a proxy that is dead until all trouble is ended."""
    if body.account_id is not None:
        scenarios.strike_account(core, body.account_id, body.trouble, who=who)
    elif body.proxy_id is not None:
        scenarios.strike_proxy(core, body.proxy_id, who=who)
    return ScenarioDone(message=f"{body.trouble} is armed", armed=_armed(core))


@router.delete("")
def end_trouble(core: CoreDep, who: Who) -> ScenarioDone:
    """All of it."""
    ended = scenarios.end_all(core, who=who)
    return ScenarioDone(message=f"{ended} ended", armed=_armed(core))


@router.post("/posts", status_code=status.HTTP_201_CREATED)
def make_post(body: ScenarioPostIn, core: CoreDep, who: Who) -> ScenarioPosted:
    """A new post at an account of a simulated platform."""
    url = scenarios.post(core, body.account_id, body.caption, who=who)
    return ScenarioPosted(message="Posted", url=url)


@router.post("/proxies", status_code=status.HTTP_201_CREATED)
def make_simulated_proxy(body: ScenarioProxyIn, core: CoreDep, who: Who) -> ProxyDone:
    """A simulated proxy, opened and added."""
    made = scenarios.make_proxy(core, body.alias, who=who)
    return ProxyDone(proxy=ProxyOut.of(made), message=f"Proxy '{made.alias}' added")


def _armed(core: Core) -> list[ArmedOut]:
    return [ArmedOut.of(fault) for fault in scenarios.armed(core)]
