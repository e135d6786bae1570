"""A fake Instagram: the hosts of its app, of its files and of Meta's Graph API, as far as the real clients need them.

What lives here: putting the endpoints together, and what the simulator asks a fake for. What does not: any endpoint.
The fact to know: it answers the unmodified library on the real hostnames. A path it does not know is answered 404 and
recorded by the simulator as a failure, so an update of the library that asks for more is noticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.instagram import fake_graph
from forwarder_core.platforms.instagram.fake_challenge import Challenge
from forwarder_core.platforms.instagram.fake_files import Files
from forwarder_core.platforms.instagram.fake_login import Login
from forwarder_core.platforms.instagram.fake_posts import Posts
from forwarder_core.platforms.instagram.fake_two_step import TwoStep
from forwarder_core.platforms.instagram.fake_uploads import Uploads
from forwarder_core.platforms.instagram.fake_wire import (
    Refused,
    answer_refusal,
    fail,
    login_required,
    signed_in,
)

_FILES = "/v/"


def app(world: World) -> ASGIApp:
    parts = (Login(world), TwoStep(world), Challenge(world), Posts(world), Files(world), Uploads(world))
    private = [route for part in parts for route in part.routes()]
    return Starlette(routes=[*fake_graph.routes(world), *private], exception_handlers={Refused: answer_refusal})


def credentials(world: World, account: WorldAccount) -> Mapping[str, str]:
    """What a person types into the account form: the fields of either road; a form shows those of one."""
    seed = account.secrets.get("totp_seed")
    private = {"password": account.password, **({"totp_seed": seed} if seed else {})}
    return {**private, **fake_graph.credentials(world, account)}


def account_of(request: Request, world: World) -> str | None:
    """Whose request this is, as far as its head tells: by session, or by the owner named in a file's address."""
    if fake_graph.is_here(request):
        return fake_graph.account_of(request, world)
    if request.url.path.startswith(_FILES):
        return request.url.path.removeprefix(_FILES).partition("/")[0]
    account = signed_in(request, world)
    return account.id if account else None


def fault_response(name: str, value: Mapping[str, Any]) -> Response | None:
    """An HTTP fault in Instagram's own words; None leaves it to the simulator's plain form."""
    if name == "http_429":
        answer = fail(429, "Please wait a few minutes before you try again.", require_login=False)
        if "retry_after" in value:
            answer.headers["Retry-After"] = str(int(value["retry_after"]))
        return answer
    if name == "http_403":
        return login_required()
    return None
