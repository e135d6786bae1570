"""The platforms' fakes: found through the registry, mounted under the hosts of their specs.

A `platforms/<name>/fake.py` exports `app(world) -> ASGI app`, and may export `credentials(world, account) -> dict`
(what a person types into the account form), `account_of(request, world) -> str | None` (whose request this is, so
that HTTP faults can be aimed at one account) and `fault_response(name, value) -> Response | None` (an HTTP fault's
answer in the platform's own words). The fact to know: the simulator imports no fake by name.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from forwarder_core import platforms
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.domain.limits import Limits
from forwarder_core.simulator import telegram
from forwarder_core.simulator.world import SimulatedWorld

AccountOf = Callable[[Request, World], str | None]
FaultResponse = Callable[[str, Mapping[str, Any]], Response | None]
Credentials = Callable[[World, WorldAccount], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fake:
    platform: str
    hosts: tuple[str, ...]
    app: ASGIApp
    credentials: Credentials
    account_of: AccountOf
    fault_response: FaultResponse


def discover(world: SimulatedWorld) -> dict[str, Fake]:
    """Every platform that has a fake, and Telegram, by name."""
    found = {}
    for platform, spec in registry.specs().items():
        name = f"{platforms.__name__}.{platform}.fake"
        if importlib.util.find_spec(name) is not None:
            module = importlib.import_module(name)
            found[platform] = Fake(
                platform=platform,
                hosts=spec.hosts,
                app=module.app(world),
                credentials=getattr(module, "credentials", _login),
                account_of=getattr(module, "account_of", _nobody),
                fault_response=getattr(module, "fault_response", _no_words),
            )
    found[telegram.PLATFORM] = Fake(
        platform=telegram.PLATFORM,
        hosts=telegram.HOSTS,
        app=telegram.app(world),
        credentials=_login,
        account_of=_nobody,
        fault_response=telegram.fault_response,
    )
    return found


def limits_of(platform: str) -> Limits | None:
    """The platform's limits, or None where it keeps none."""
    if platform not in registry.specs():
        return None
    try:
        return registry.limits(platform)
    except FileNotFoundError:
        return None


def _login(world: World, account: WorldAccount) -> Mapping[str, str]:
    return {"username": account.username, "password": account.password}


def _nobody(request: Request, world: World) -> str | None:
    return None


def _no_words(name: str, value: Mapping[str, Any]) -> Response | None:
    return None
