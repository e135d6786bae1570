"""Acting out the faults that need no knowledge of a platform: the answer is replaced, delayed, cut or withheld.

What a platform would say in its own words comes from its fake (`fault_response`); the plain answers here are what a
gateway, a CDN or an overloaded front would send. The fact to know: a truncated body announces its full length, so
that clients which check lengths see it broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forwarder_core.simulator.faults import ArmedFault

_STALL_S = 600.0
_STATUS = {"http_429": 429, "http_5xx": 503, "http_401": 401, "http_403": 403}
_PAGE = "<!DOCTYPE html><html><head><title>Sorry</title></head><body><h1>Something went wrong.</h1></body></html>"


def plain_answer(name: str, value: Mapping[str, Any]) -> Response:
    """What `name` answers with where the platform has no words of its own. `value`: status, body, retry_after."""
    if name == "html_200":
        return HTMLResponse(_PAGE)
    if name == "empty_200":
        return Response(b"", media_type="application/json")
    if name == "wrong_json":
        return JSONResponse(value.get("body", {"unexpected": ["shape"]}))
    status = int(value.get("status", _STATUS[name]))
    headers = {"retry-after": str(value["retry_after"])} if "retry_after" in value else {}
    return JSONResponse(value.get("body", {"message": f"simulated {status}"}), status, headers=headers)


async def wait(fault: ArmedFault) -> None:
    await asyncio.sleep(float(fault.value.get("seconds", 2)))


async def stall(fault: ArmedFault, receive: Receive) -> None:
    """Say nothing until the client leaves."""
    await until_client_leaves(receive, float(fault.value.get("seconds", _STALL_S)))


async def until_client_leaves(receive: Receive, at_most_s: float = _STALL_S) -> None:
    try:
        async with asyncio.timeout(at_most_s):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


async def drain(receive: Receive) -> None:
    """Take the request's body in, so that the client gets to read an answer that does not depend on it."""
    while (await receive()).get("more_body", False):
        pass


async def truncate(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The true answer with its true length announced, and half of its body."""
    start: Message = {}
    body = bytearray()

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, collect)
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    announced = max(len(body), 1)
    await send({**start, "headers": [*headers, (b"content-length", str(announced).encode())]})
    await send({"type": "http.response.body", "body": bytes(body[: announced // 2]), "more_body": True})
