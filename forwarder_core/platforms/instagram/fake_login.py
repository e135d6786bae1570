"""The fake's login as the Android app makes it: device registration, preflight, password.

What lives here: the endpoints up to the password's verdict. What does not: a second step (`fake_two_step`), solving a
challenge (`fake_challenge`).
The fact to know: the contexts and nonces of the preflight are given out once and asked for again, so a client that
skips a step cannot log in.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.instagram.fake_bloks import ACTION, bloks_params, logged_in
from forwarder_core.platforms.instagram.fake_password import KEY_ID, open_password, public_key
from forwarder_core.platforms.instagram.fake_two_step import ask_for_mail, ask_for_totp
from forwarder_core.platforms.instagram.fake_wire import (
    EMAIL_CODE,
    PLATFORM,
    Refused,
    challenge_required,
    fail,
    form_of,
    is_held_up,
    need,
    ok,
    parse_json,
)


class Login:
    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        post = ["POST"]
        return [
            Route("/graphql_www", self.register_device, methods=post),
            Route(f"{ACTION}bloks.caa.login.process_client_data_and_redirect/", self.preflight, methods=post),
            Route("/api/v1/attestation/create_android_keystore/", self.attestation, methods=post),
            Route(f"{ACTION}caa.login.oauth.token.fetch.async/", self.token_fetch, methods=post),
            Route("/api/v1/qe/sync/", self.password_key, methods=["GET"]),
            Route(f"{ACTION}bloks.caa.login.async.send_login_request/", self.send_login, methods=post),
        ]

    async def register_device(self, request: Request) -> Response:
        name, variables = need(await form_of(request), "fb_api_req_friendly_name", "variables")
        if name != "IGUSDIDRegistrationMutation":
            return fail(404, f"unknown operation {name}")
        device = parse_json(variables, "variables").get("input", {})
        if not device.get("usdid_token", {}).get("sensitive_string_value"):
            return fail(400, "Missing: usdid_token")
        return JSONResponse({"data": {"x_usdid_registration": {"success": True}}})

    async def preflight(self, request: Request) -> Response:
        need(await bloks_params(request), "family_device_id", "device_id", "waterfall_id")
        context = secrets.token_urlsafe(24)
        self._world.notes(PLATFORM)[f"aac/{context}"] = True
        node = {"data": {"key": "CAA_ACCOUNT_ACCESS_CONTEXT:aac", "initial": context}}
        return ok(layout={"bloks_payload": {"data": [node]}})

    async def attestation(self, request: Request) -> Response:
        need(await form_of(request), "app_scoped_device_id")
        nonce = secrets.token_urlsafe(16)
        self._world.notes(PLATFORM)[f"nonce/{nonce}"] = True
        return ok(challenge_nonce=nonce, key_nonce=secrets.token_urlsafe(16))

    async def token_fetch(self, request: Request) -> Response:
        self._known_context((await bloks_params(request)).get("client_input_params", {}))
        return ok()

    async def password_key(self, request: Request) -> Response:
        answer = ok()
        answer.headers["ig-set-password-encryption-key-id"] = str(KEY_ID)
        answer.headers["ig-set-password-encryption-pub-key"] = public_key(self._world)
        return answer

    async def send_login(self, request: Request) -> Response:
        typed = (await bloks_params(request)).get("client_input_params", {})
        username, blob = need(typed, "contact_point", "password")
        once = (f"aac/{self._known_context(typed)}", f"nonce/{self._attested(request)}")
        account = self._world.account(PLATFORM, username)
        self._world.saw(PLATFORM, account.id if account else None)
        password = open_password(self._world, blob)
        if password is None:
            return fail(400, "The password is not encrypted to this key.", error_type="generic_request_error")
        if account is None or not hmac.compare_digest(password.encode(), account.password.encode()):
            return fail(400, "The password you entered is incorrect.", error_type="bad_password")
        if is_held_up(account) or self._world.take_fault(PLATFORM, request.url.path, account.id, "challenge"):
            return challenge_required(self._world, account)
        for used in once:
            self._world.notes(PLATFORM).pop(used, None)
        return self._after_password(account)

    def _after_password(self, account: WorldAccount) -> Response:
        if account.challenge == EMAIL_CODE:
            return ask_for_mail(self._world, account)
        if account.secrets.get("totp_seed"):
            return ask_for_totp(self._world, account)
        return logged_in(self._world, account)

    def _known_context(self, fields: Mapping[str, Any]) -> str:
        (context,) = need(fields, "aac")
        if f"aac/{context}" not in self._world.notes(PLATFORM):
            raise Refused(fail(400, "unknown account access context"))
        return context

    def _attested(self, request: Request) -> str:
        params = parse_json(request.headers.get("x-ig-attest-params", ""), "X-IG-Attest-Params")
        nonce = str(next(iter(params.get("attestation") or [{}])).get("challenge_nonce"))
        if f"nonce/{nonce}" not in self._world.notes(PLATFORM):
            raise Refused(fail(400, "unknown attestation nonce"))
        return nonce
