"""The fake's challenge: choose where the code goes, type it in, and the account is free again.

What lives here: the three steps of the legacy challenge. What does not: when one is asked for (`fake_wire`).
The fact to know: solving it here clears `challenge` of the account, and clearing that field by control is the same
as confirming the login in the app.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.instagram.fake_wire import PLATFORM, Refused, code_of, fail, ok, signed_form


class Challenge:
    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        both = ["GET", "POST"]
        return [
            Route("/api/v1/challenge/{account}/{nonce}/", self.step, methods=both),
            Route("/api/challenge/{account}/{nonce}/", self.step, methods=both),
        ]

    async def step(self, request: Request) -> Response:
        account = self._account(request)
        if request.method == "GET":
            return ok(
                step_name="select_verify_method",
                step_data={"choice": "1", "email": "o***r@e*****.com"},
                user_id=int(account.id),
                nonce_code=request.path_params["nonce"],
            )
        typed = await signed_form(request)
        if "security_code" in typed:
            return self._solve(request, account, str(typed["security_code"]))
        if typed.get("choice") not in ("0", "1"):
            return fail(400, "Select a valid choice.")
        return ok(step_name="verify_email", step_data={"security_code": "None", "resend_delay": "60"})

    def _solve(self, request: Request, account: WorldAccount, code: str) -> Response:
        if code != code_of(account):
            return fail(400, "Please check the code we sent you and try again.", error_type="challenge_code_invalid")
        self._world.update_account(PLATFORM, account.id, challenge=None)
        self._world.notes(PLATFORM).pop(f"challenge/{request.path_params['nonce']}", None)
        return ok(action="close")

    def _account(self, request: Request) -> WorldAccount:
        held = self._world.notes(PLATFORM).get(f"challenge/{request.path_params['nonce']}")
        account = self._world.account(PLATFORM, request.path_params["account"])
        if account is None or held != account.id:
            raise Refused(fail(404, "This challenge does not exist."))
        self._world.saw(PLATFORM, account.id)
        return account
