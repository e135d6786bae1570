"""Proxies: making, changing and removing them, and testing whether they are up."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, status

from admin_app.api.deps import CoreDep, Who
from admin_app.api.schemas.base import Done, Page, RowId
from admin_app.api.schemas.proxies import (
    AllChecked,
    ProxyChange,
    ProxyChecked,
    ProxyDone,
    ProxyIn,
    ProxyOut,
    ProxyQuery,
    Targets,
)
from forwarder_core.services import proxies, proxy_health

router = APIRouter(prefix="/api/proxies", tags=["Proxies"])


@router.get("")
def list_proxies(query: Annotated[ProxyQuery, Query()], core: CoreDep) -> Page[ProxyOut]:
    """By id upwards."""
    found = proxies.page(core, after=query.after, limit=query.limit + 1)
    shown = found[: query.limit]
    more = str(shown[-1].id) if len(found) > query.limit else None
    return Page(items=[ProxyOut.of(proxy) for proxy in shown], next_cursor=more)


@router.post("", status_code=status.HTTP_201_CREATED)
def create_proxy(body: ProxyIn, core: CoreDep, who: Who) -> ProxyDone:
    """Store a proxy and test it at once. It is kept when the test fails; `message` says which."""
    made = proxies.create(core, body.new(), who=who)
    if not body.test:
        return ProxyDone(proxy=ProxyOut.of(made), message=f"Proxy '{made.alias}' added successfully")
    checked = proxy_health.check(core, made.id)
    return ProxyDone(proxy=ProxyOut.of(checked.proxy), message=checked.said_after("added"))


@router.post("/test-all")
def test_all(core: CoreDep) -> AllChecked:
    """Test every proxy; answers when all are known."""
    return AllChecked.of(proxy_health.check_all(core))


@router.get("/targets")
def get_targets(core: CoreDep) -> Targets:
    """What a health check asks for."""
    targets, echo = proxy_health.read_targets(core)
    return Targets(targets=list(targets), echo=echo)


@router.put("/targets")
def change_targets(body: Targets, core: CoreDep, who: Who) -> Done:
    proxy_health.change_targets(core, body.targets, body.echo, who=who)
    return Done(message="Targets of the health checks changed")


@router.get("/{proxy_id}")
def get_proxy(proxy_id: RowId, core: CoreDep) -> ProxyOut:
    """With the accounts and connections that name it."""
    shown = ProxyOut.of(proxies.get(core, proxy_id))
    return shown.model_copy(update={"used_by": proxies.used_by(core, proxy_id)})


@router.put("/{proxy_id}")
def change_proxy(proxy_id: RowId, body: ProxyChange, core: CoreDep, who: Who) -> ProxyDone:
    """With another address or login it is tested at once."""
    values = body.values()
    changed = proxies.change(core, proxy_id, values, who=who)
    if values.keys() & proxies.ADDRESS_FIELDS:
        checked = proxy_health.check(core, proxy_id)
        return ProxyDone(proxy=ProxyOut.of(checked.proxy), message=checked.said_after("changed"))
    return ProxyDone(proxy=ProxyOut.of(changed), message=f"Proxy '{changed.alias}' changed")


@router.delete("/{proxy_id}")
def delete_proxy(proxy_id: RowId, core: CoreDep, who: Who) -> Done:
    """Refused while an account or a connection uses it."""
    gone = proxies.remove(core, proxy_id, who=who)
    return Done(message=f"Proxy '{gone.alias}' deleted")


@router.post("/{proxy_id}/health-check")
def health_check(proxy_id: RowId, core: CoreDep) -> ProxyChecked:
    """Test one proxy now, with each target's latency, and whose trouble a failure is."""
    return ProxyChecked.of(proxy_health.check(core, proxy_id))
