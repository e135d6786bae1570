"""Which proxies a connection or an account goes out by, as fields of a form. What may be is decided by the services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from admin_app.ui import access
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.proxies import Mode, ProxyPolicy
from forwarder_core.services import proxies

_MODES = {
    Mode.STICKY: "The same for all its jobs",
    Mode.ROUND_ROBIN: "One after the other",
    Mode.RANDOM: "Any, job by job",
    Mode.LEAST_USED: "The least used of the last day",
}


def of_account(key: str, now: int | None = None) -> int | None:
    """The proxy an account goes out by; None where there is none to choose, or none is chosen."""
    known = {proxy.id: proxy for proxy in proxies.page(access.core())}
    if not known:
        return now
    options: list[int | None] = [None, *known]
    said: dict[int | None, str] = {None: "None of its own: the global ones, else directly"}
    said |= {id_: f"{proxy.alias} ({proxy.address})" for id_, proxy in known.items()}
    at = options.index(now) if now in options else 0
    return st.selectbox("Proxy", options, at, format_func=said.__getitem__, key=f"{key}-proxy")


def way_out(key: str, connection: Connection) -> dict[str, Any]:
    """`proxy_id` and `proxy_policy`, only those that were changed: an unchanged one is never judged anew."""
    known = {proxy.id: proxy for proxy in proxies.page(access.core())}
    if not known:
        st.caption("There is no proxy yet: calls go out the installation's own way.")
        return {}
    policy = ProxyPolicy.of(connection.proxy_policy)
    named = () if connection.proxy_id is None else (connection.proxy_id,)
    before = [member for member in dict.fromkeys((*named, *policy.pool)) if member in known]
    pool = st.multiselect("Proxies", list(known), before, key=f"{key}-pool",
                          format_func=lambda member: f"{known[member].alias} ({known[member].address})",
                          help="None: each account's own, else the global ones. "
                               "An Instagram account keeps one of them until it is down.")  # fmt: skip
    said = _rotation(key, policy) if len(pool) > 1 else {}
    direct = st.toggle("Go out directly when all of them are down", policy.fallback_to_direct, key=f"{key}-direct",
                       help="Shows the platforms this server's own address. Otherwise the connection waits.",
                       disabled=not pool)  # fmt: skip
    wanted = ProxyPolicy.of({**policy.as_dict(), **said, "pool": pool, "fallback_to_direct": bool(pool) and direct})
    changed: dict[str, Any] = {}
    if connection.proxy_id is not None and connection.proxy_id not in pool:
        changed["proxy_id"] = None
    if pool != before or wanted.as_dict() | {"pool": before} != policy.as_dict() | {"pool": before}:
        changed["proxy_policy"] = wanted.as_dict()
    return changed


def _rotation(key: str, policy: ProxyPolicy) -> Mapping[str, Any]:
    which, most = st.columns([2, 1])
    mode = which.selectbox("Taken in turn", list(_MODES), list(_MODES).index(policy.mode), key=f"{key}-mode",
                           format_func=_MODES.__getitem__)  # fmt: skip
    failures = most.number_input("Failed jobs before the next", 1, 20, policy.max_retry_per_proxy, key=f"{key}-most")
    return {"mode": mode, "max_retry_per_proxy": int(failures)}
