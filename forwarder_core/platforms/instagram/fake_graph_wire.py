"""How the fake Graph API reads requests and words its answers: tokens, fields, errors, usage headers.

What lives here: what every endpoint of it shares. What does not: any endpoint.
The fact to know: it is strict on purpose. A token in the query where the header belongs, a token of the other login,
an unknown version or an unknown field is refused as Meta refuses it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.instagram.fake_wire import PLATFORM, Refused, is_held_up

FACEBOOK, INSTAGRAM, UPLOADS = "graph.facebook.com", "graph.instagram.com", "rupload.facebook.com"
VERSIONS = ("v24.0", "v25.0", "v26.0")
LIFETIME = timedelta(days=60)
_KINDS = {"Bearer": (FACEBOOK, INSTAGRAM), "OAuth": (UPLOADS,)}
_USAGE = {"x-app-usage": json.dumps({"call_count": 3, "total_cputime": 1, "total_time": 2})}


def ok(body: Mapping[str, Any]) -> Response:
    return JSONResponse(dict(body), headers=_USAGE)


def error(code: int, message: str, *, subcode: int | None = None, status: int = 400, **more: Any) -> Response:
    said = {"message": message, "type": "OAuthException", "code": code, **more, "fbtrace_id": secrets.token_hex(8)}
    return JSONResponse({"error": said | ({"error_subcode": subcode} if subcode else {})}, status, headers=_USAGE)


def upload_error(kind: str, message: str, *, status: int = 400, retriable: bool = False) -> Response:
    """The upload host words its refusals in a form of its own."""
    return JSONResponse({"debug_info": {"retriable": retriable, "type": kind, "message": message}}, status)


def is_facebook(account: WorldAccount) -> bool:
    """The account's secret `graph_variant` says how it was connected; the Facebook login where it says nothing."""
    return account.secrets.get("graph_variant", "facebook") == "facebook"


def page_id(account: WorldAccount) -> str:
    return f"10{account.id}"


def token_of(world: World, account: WorldAccount) -> str:
    """The account's present token, a new one where there is none. The secret `token_age_days` makes it older."""
    notes = world.notes(PLATFORM)
    token = notes.get(f"graph/of/{account.id}")
    if token is None or f"graph/token/{token}" not in notes:
        age = timedelta(days=float(account.secrets.get("token_age_days", "0")))
        token = new_token(world, account, issued=world.now() - age)
    return str(token)


def new_token(world: World, account: WorldAccount, *, issued: datetime) -> str:
    token = ("EAA" if is_facebook(account) else "IGAA") + secrets.token_hex(40)
    notes = world.notes(PLATFORM)
    ends = issued + LIFETIME
    notes[f"graph/token/{token}"] = {
        "account": account.id,
        "issued": issued.isoformat(),
        "ends": ends.isoformat(),
        "host": FACEBOOK if is_facebook(account) else INSTAGRAM,
    }
    notes[f"graph/of/{account.id}"] = token
    return token


def held(world: World, token: str) -> dict[str, Any] | None:
    """What is known of a token, alive or not."""
    found = world.notes(PLATFORM).get(f"graph/token/{token}")
    return dict(found) if found else None


def presented(request: Request) -> str:
    """The token in the header, in the form this host takes; "" for none."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token if host_of(request) in _KINDS.get(kind, ()) else ""


def host_of(request: Request) -> str:
    return request.headers.get("host", "").partition(":")[0]


def caller(request: Request, world: World) -> WorldAccount | None:
    """Whose token the request carries, alive or not; for the request log and for aiming faults."""
    known = held(world, presented(request))
    return world.account(PLATFORM, known["account"]) if known else None


def guard(request: Request, world: World, token: str | None = None) -> WorldAccount:
    """The account a request is made as, or the refusal Meta would give. Acts out what is armed for it."""
    if request.path_params.get("version", VERSIONS[0]) not in VERSIONS:
        raise Refused(error(2635, "You are calling a deprecated version of the API."))
    token = token or presented(request)
    known = held(world, token)
    account = world.account(PLATFORM, known["account"]) if known else None
    if known is None or account is None or host_of(request) not in (known["host"], UPLOADS):
        raise Refused(error(190, "Invalid OAuth access token - Cannot parse access token", status=401))
    world.saw(PLATFORM, account.id)
    if world.take_fault(PLATFORM, request.url.path, account.id, "token_expired"):
        known["ends"] = world.now().isoformat()
        world.notes(PLATFORM)[f"graph/token/{token}"] = known
    if known["ends"] <= world.now().isoformat():
        raise Refused(error(190, "Error validating access token: Session has expired.", subcode=463, status=401))
    if is_held_up(account) or world.take_fault(PLATFORM, request.url.path, account.id, "challenge"):
        raise Refused(error(190, "The user is enrolled in a blocking checkpoint.", subcode=459, status=401))
    return account


def shaped(thing: Mapping[str, Any], request: Request, *always: str) -> dict[str, Any]:
    """The asked fields of `thing`. One it cannot have is refused; one it has as None is left out, as Meta does."""
    asked = [name.partition("{")[0] for name in split_fields(request.query_params.get("fields", "id"))]
    if unknown := [name for name in asked if name not in thing]:
        raise Refused(error(100, f"(#100) Tried accessing nonexisting field ({unknown[0]})"))
    return {name: thing[name] for name in (*always, *asked) if thing[name] is not None}


def split_fields(text: str) -> list[str]:
    """`a,b{c,d}` → `a`, `b{c,d}`"""
    fields, depth, current = [], 0, ""
    for char in text:
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and not depth:
            fields.append(current)
            current = ""
        else:
            current += char
    return [field for field in (*fields, current) if field]
