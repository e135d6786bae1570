"""Idempotency-Key: a POST that is sent again has its one effect. One middleware for every route there is and will be.

The first call with a key is carried out and its answer kept; the same call gets that answer, another body is refused,
and who comes while the first is under way waits for it. The fact to know: nobody waits in a thread or holds a
connection of the database, so fifty at once are fifty short questions.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin_app import auth
from admin_app.api.bodies import given_again, header, is_form, refuse, whole
from forwarder_core.errors import FieldError, ForwarderError, Invalid, Unavailable
from forwarder_core.services import idempotency
from forwarder_core.services.context import Core
from forwarder_core.services.idempotency import Answer, Call, Claim
from forwarder_core.services.refusals import KeyInUse

_NAME = b"idempotency-key"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_WAIT_S = 15.0
_LOOK_EVERY_S = (0.05, 0.1, 0.2, 0.4)
_OURS = 500
_COME_AGAIN = 429
log = logging.getLogger(__name__)


class Repeats:
    """ASGI middleware of the API."""

    def __init__(self, app: ASGIApp, core: Core) -> None:
        self._app = app
        self._core = core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = header(scope, _NAME) if scope["type"] == "http" and scope["method"] == "POST" else ""
        caller = auth.caller_of(scope)
        if not key or caller is None:
            await self._app(scope, receive, send)
            return
        try:
            if not _KEY.fullmatch(key):
                words = "must be 1 to 200 visible ASCII characters"
                raise Invalid("The Idempotency-Key cannot be taken.", FieldError("Idempotency-Key", words))
            body = await whole(receive)
            call = Call(
                user_id=caller.session.user_id,
                key=key,
                method=scope["method"],
                path=scope["path"],
                body_hash=_hash_of(scope, body),
            )
            found = await self._first_or_answer(call)
        except ForwarderError as e:
            await refuse(e, scope, receive, send)
            return
        except ClientDisconnect:
            return
        if isinstance(found, Answer):
            headers = {"Idempotency-Replayed": "true"}
            answer = Response(found.body, found.status, headers, media_type=found.content_type)
            await answer(scope, receive, send)
        else:
            await self._carry_out(found, scope, given_again(body, receive), send)

    async def _first_or_answer(self, call: Call) -> Claim | Answer:
        """Raises KeyReused, and KeyInUse when the first call takes too long."""
        deadline = asyncio.get_running_loop().time() + _WAIT_S
        pauses = iter(_LOOK_EVERY_S)
        while True:
            found = await self._asked(call)
            if found is not None:
                return found
            if asyncio.get_running_loop().time() > deadline:
                raise KeyInUse("The first request with this Idempotency-Key has not ended yet.")
            await asyncio.sleep(next(pauses, _LOOK_EVERY_S[-1]))

    async def _asked(self, call: Call) -> Claim | Answer | None:
        try:
            return await run_in_threadpool(idempotency.begin, self._core, call)
        except SQLAlchemyError as e:
            raise Unavailable("The database does not answer.") from e

    async def _carry_out(self, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
        """What the caller gets is kept first, so that no answer is out that a repetition would not get."""
        held = _Held()
        try:
            await self._app(scope, receive, held.send)
        except BaseException:
            await asyncio.shield(self._settle(partial(idempotency.let_go, self._core, claim)))
            raise
        answer = held.answer()
        if answer is None or answer.status >= _OURS or answer.status == _COME_AGAIN:
            await self._settle(partial(idempotency.let_go, self._core, claim))
        else:
            await self._settle(partial(idempotency.keep, self._core, claim, answer))
        for message in held.messages:
            await send(message)

    async def _settle(self, settle: partial[None]) -> None:
        """The effect is there whether or not its key can be written: the caller gets the answer either way."""
        try:
            await run_in_threadpool(settle)
        except SQLAlchemyError as e:
            log.error("An Idempotency-Key could not be settled: %s", type(e).__name__)


class _Held:
    """Keeps the messages of an answer until it is whole."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    def answer(self) -> Answer | None:
        start = next((m for m in self.messages if m["type"] == "http.response.start"), None)
        if start is None:
            return None
        headers = {name.lower(): value for name, value in start.get("headers", ())}
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        body = b"".join(m.get("body", b"") for m in self.messages if m["type"] == "http.response.body")
        return Answer(status=start["status"], content_type=content_type, body=body)


def _hash_of(scope: Scope, body: bytes) -> bytes:
    """Of what the request says. The boundary of a form is another one each time it is sent, and says nothing."""
    if is_form(scope):
        _, _, boundary = header(scope, b"content-type").partition("boundary=")
        body = body.replace(boundary.strip('" ').encode("latin-1") or b"--", b"")
    return hashlib.sha256(scope["query_string"] + b"\n" + body).digest()
