"""The fake's second steps of a login: the authenticator's code, and the code sent by e-mail.

What lives here: the screens after a right password. What does not: the password (`fake_login`).
The fact to know: `code_sent/<account>` counts the e-mails Instagram would have sent, so a test can see that a login
nobody waits for sends none.
"""

from __future__ import annotations

import base64
import hmac
import struct
from hashlib import sha1

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.instagram.fake_bloks import (
    ACTION,
    SCREEN,
    account_at,
    bloks_params,
    logged_in,
    next_step,
    nothing_more,
)
from forwarder_core.platforms.instagram.fake_wire import PLATFORM, code_of, fail, need

_TOTP = "com.bloks.www.two_step_verification.entrypoint"
_TOTP_KEY = "two_step_verification_context"
_MAIL = "com.bloks.www.ap.two_step_verification."
_MAIL_KEY = "context_data"
_CODE_SECONDS = 30


class TwoStep:
    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        totp, mail, post = "two_step_verification.", "ap.two_step_verification.", ["POST"]
        return [
            Route(f"{SCREEN}{totp}entrypoint/", self.totp_screen, methods=post),
            Route(f"{SCREEN}{totp}method_picker/", self.totp_screen, methods=post),
            Route(f"{ACTION}{totp}method_picker.navigation.async/", self.totp_screen, methods=post),
            Route(f"{ACTION}{totp}verify_code.async/", self.totp_code, methods=post),
            Route(f"{ACTION}{mail}entrypoint_async/", self.mail_sent, methods=post),
            Route(f"{SCREEN}{mail}code_entry/", self.mail_screen, methods=post),
            Route(f"{ACTION}{mail}code_entry_async/", self.mail_code, methods=post),
        ]

    async def totp_screen(self, request: Request) -> Response:
        account_at(self._world, await bloks_params(request), _TOTP, _TOTP_KEY)
        return nothing_more()

    async def totp_code(self, request: Request) -> Response:
        params = await bloks_params(request)
        account = account_at(self._world, params, _TOTP, _TOTP_KEY)
        (code,) = need(params.get("client_input_params", {}), "code")
        if code not in valid_codes(account.secrets["totp_seed"], self._world.now().timestamp()):
            words = "Please check the security code and try again."
            return fail(400, words, error_type="sms_code_validation_code_invalid")
        return logged_in(self._world, account)

    async def mail_sent(self, request: Request) -> Response:
        account = account_at(self._world, await bloks_params(request), f"{_MAIL}entrypoint_async", _MAIL_KEY)
        notes = self._world.notes(PLATFORM)
        notes[f"code_sent/{account.id}"] = notes.get(f"code_sent/{account.id}", 0) + 1
        return next_step(self._world, account, f"{_MAIL}code_entry", _MAIL_KEY)

    async def mail_screen(self, request: Request) -> Response:
        account = account_at(self._world, await bloks_params(request), f"{_MAIL}code_entry", _MAIL_KEY)
        return next_step(self._world, account, f"{_MAIL}code_entry_async", _MAIL_KEY)

    async def mail_code(self, request: Request) -> Response:
        params = await bloks_params(request)
        account = account_at(self._world, params, f"{_MAIL}code_entry_async", _MAIL_KEY)
        (code,) = need(params.get("client_input_params", {}), "code")
        if code != code_of(account):
            return fail(400, "Please check the code we sent you and try again.", error_type="challenge_code_invalid")
        return logged_in(self._world, self._world.update_account(PLATFORM, account.id, challenge=None))


def ask_for_totp(world: World, account: WorldAccount) -> Response:
    return next_step(world, account, _TOTP, _TOTP_KEY)


def ask_for_mail(world: World, account: WorldAccount) -> Response:
    return next_step(world, account, f"{_MAIL}entrypoint_async", _MAIL_KEY)


def valid_codes(seed: str, at: float) -> set[str]:
    """The codes of an authenticator around this moment: one step of tolerance either way."""
    key = base64.b32decode(seed + "=" * (-len(seed) % 8), casefold=True)
    return {_code(key, int(at) // _CODE_SECONDS + step) for step in (-1, 0, 1)}


def _code(key: bytes, counter: int) -> str:
    digest = hmac.new(key, struct.pack(">Q", counter), sha1).digest()
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"
