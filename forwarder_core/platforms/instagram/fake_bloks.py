"""Bloks, as far as a login needs it: reading a call's parameters, writing the parts of a program the client reads.

What lives here: the form of the messages. What does not: what a step of the login does.
The fact to know: the client finds the next step by an app's name in quotes followed by a map `(f4i (dkc keys…)
(dkc values…))`, and a finished login by quoted JSON with `login_response` in it; the rest of a program is ignored.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.instagram.fake_wire import (
    PLATFORM,
    Refused,
    fail,
    form_of,
    need,
    ok,
    open_session,
    parse_json,
)

ACTION = "/api/v1/bloks/async_action/com.bloks.www."
SCREEN = "/api/v1/bloks/apps/com.bloks.www."


async def bloks_params(request: Request) -> Mapping[str, Any]:
    """The `params` of a Bloks call, which must also name its version."""
    (params, _) = need(await form_of(request), "params", "bloks_versioning_id")
    return parse_json(params, "params")


def nothing_more() -> Response:
    return ok(layout={"bloks_payload": {"data": []}})


def next_step(world: World, account: WorldAccount, app: str, key: str) -> Response:
    """Lead the client to `app` with a fresh context under `key`; `account_at` takes it back."""
    context = secrets.token_urlsafe(24)
    world.notes(PLATFORM)[f"step/{app}/{context}"] = account.id
    parameters = f"(f4i (dkc {json.dumps(key)}) (dkc {json.dumps(context)}))"
    action = f"(bk.action.navigation.OpenUrlV2 {json.dumps(app)} {parameters})"
    return ok(layout={"bloks_payload": {"data": [], "action": action}})


def account_at(world: World, params: Mapping[str, Any], app: str, key: str) -> WorldAccount:
    """Whose context the call carries, given out for `app`; anything else is refused."""
    (context,) = need(params.get("server_params", {}), key)
    account = world.account(PLATFORM, str(world.notes(PLATFORM).get(f"step/{app}/{context}")))
    if account is None:
        raise Refused(fail(400, f"unknown {key}"))
    world.saw(PLATFORM, account.id)
    return account


def logged_in(world: World, account: WorldAccount) -> Response:
    """What the client takes as a successful login: JSON quoted inside the program, with the session in headers."""
    session_id = open_session(world, account)
    token = base64.b64encode(json.dumps({"ds_user_id": account.id, "sessionid": session_id}).encode()).decode()
    inner = {
        "login_response": json.dumps({"logged_in_user": {"pk": int(account.id), "username": account.username}}),
        "headers": json.dumps({"IG-Set-Authorization": f"Bearer IGT:2:{token}"}),
        "cookies": "",
    }
    action = f"(bk.action.caa.HandleLoginResponse {json.dumps(json.dumps(inner))})"
    return ok(layout={"bloks_payload": {"data": [], "action": action}})
