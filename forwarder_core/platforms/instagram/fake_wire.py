"""How the fake Instagram reads requests and words its answers: signed bodies, sessions, refusals.

What lives here: what every endpoint of the fake shares. What does not: any endpoint.
The fact to know: it is strict on purpose. A body that is not signed, a session it did not give out or a missing
field is refused in Instagram's own words, so that a client that got something wrong cannot pass.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from forwarder_core.connectors.base import World, WorldAccount

PLATFORM = "instagram"
SESSION_DAYS = 90
EMAIL_CODE = "email_code"  # the kind of `challenge` that only a new login meets: a code sent by e-mail
DEFAULT_CODE = "314159"  # what the simulated Instagram sends, unless the account's secrets hold `challenge_code`
_SIGNATURE = "SIGNATURE."


class Refused(Exception):
    """Carries the answer that ends the request."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


async def answer_refusal(request: Request, error: Exception) -> Response:
    return error.answer if isinstance(error, Refused) else fail(500, "Unknown server error.")


def ok(**fields: Any) -> JSONResponse:
    return JSONResponse({**fields, "status": "ok"})


def fail(status: int, message: str, **fields: Any) -> JSONResponse:
    return JSONResponse({"message": message, **fields, "status": "fail"}, status)


def login_required() -> JSONResponse:
    return fail(
        403,
        "login_required",
        error_title="You've Been Logged Out",
        error_body="Please log back in.",
        logout_reason=8,
    )


def challenge_required(world: World, account: WorldAccount) -> JSONResponse:
    """The legacy challenge, with the path where `fake_challenge` waits for a code."""
    nonce = secrets.token_urlsafe(8).replace("_", "x").replace("-", "y")
    world.notes(PLATFORM)[f"challenge/{nonce}"] = account.id
    path = f"/challenge/{account.id}/{nonce}/"
    challenge = {"url": f"https://i.instagram.com{path}", "api_path": path, "lock": True, "logout": False}
    return fail(400, "challenge_required", error_type="checkpoint_challenge_required", challenge=challenge)


def is_held_up(account: WorldAccount) -> bool:
    """Every call of this account is answered with the challenge, until it is solved or cleared."""
    return bool(account.challenge) and account.challenge != EMAIL_CODE


def code_of(account: WorldAccount) -> str:
    return account.secrets.get("challenge_code", DEFAULT_CODE)


def open_session(world: World, account: WorldAccount) -> str:
    """A new session id, as the cookie holds it: percent-encoded. Ends on `token_expired` or after its days."""
    session_id = quote(f"{account.id}:{secrets.token_urlsafe(14)}:{secrets.randbelow(30)}:{secrets.token_hex(8)}", "")
    ends = world.now() + timedelta(days=SESSION_DAYS)
    world.notes(PLATFORM)[f"session/{session_id}"] = {"account": account.id, "ends": ends.isoformat()}
    return session_id


def end_sessions(world: World, account_id: str) -> None:
    notes = world.notes(PLATFORM)
    for key in [key for key in notes if key.startswith("session/") and notes[key]["account"] == account_id]:
        notes.pop(key, None)


def session_id_in(request: Request) -> str | None:
    """From the app's Authorization header, else from the cookie."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind == "Bearer" and token.startswith("IGT:2:"):
        try:
            data = json.loads(base64.b64decode(token.removeprefix("IGT:2:"), validate=True))
            return str(data["sessionid"])
        except (binascii.Error, ValueError, KeyError, TypeError):
            return None
    return request.cookies.get("sessionid")


def signed_in(request: Request, world: World) -> WorldAccount | None:
    """Whose session the request carries; None for none, an unknown or an ended one."""
    held = world.notes(PLATFORM).get(f"session/{session_id_in(request)}")
    if held is None or held["ends"] < world.now().isoformat():
        return None
    return world.account(PLATFORM, held["account"])


def guard(request: Request, world: World) -> WorldAccount:
    """The account a request is made as, or the refusal Instagram would give. Acts out what is armed for it."""
    account = signed_in(request, world)
    if account is None:
        raise Refused(login_required())
    world.saw(PLATFORM, account.id)
    if world.take_fault(PLATFORM, request.url.path, account.id, "token_expired"):
        end_sessions(world, account.id)
        raise Refused(login_required())
    if is_held_up(account) or world.take_fault(PLATFORM, request.url.path, account.id, "challenge"):
        raise Refused(challenge_required(world, account))
    return account


async def form_of(request: Request) -> dict[str, str]:
    """An unsigned form body, each field once."""
    body = (await request.body()).decode()
    return {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}


async def signed_form(request: Request) -> dict[str, Any]:
    """The JSON inside `signed_body=SIGNATURE.{…}`."""
    text = (await form_of(request)).get("signed_body", "")
    if not text.startswith(_SIGNATURE):
        raise Refused(fail(400, "signed_body is missing"))
    return dict(parse_json(text.removeprefix(_SIGNATURE), "signed_body"))


def parse_json(text: str, what: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise Refused(fail(400, f"{what} is not JSON")) from None
    if not isinstance(value, dict):
        raise Refused(fail(400, f"{what} is not an object"))
    return value


def need(fields: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """These fields as text; a missing or empty one is refused."""
    if missing := [name for name in names if fields.get(name) in (None, "")]:
        raise Refused(fail(400, f"Missing: {', '.join(missing)}"))
    return tuple(str(fields[name]) for name in names)
