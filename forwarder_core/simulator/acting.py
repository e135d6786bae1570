"""Acting out the faults that need no knowledge of a platform: the answer is replaced, delayed, cut or withheld.

What a platform would say in its own words comes from its fake (`fault_response`); the plain answers here are what a
gateway, a CDN or an overloaded front would send. The fact to know: a truncated body announces its full length, so
that clients which check lengths see it broken.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forwarder_core.simulator.faults import ArmedFault

CHANGED = ("truncated", "wrong_types")  # these begin with the true answer
_STALL_S = 600.0
_DRIP_S = 300.0
_BOMB_BYTES = 2 << 30
_BOMB_PART_BYTES = 1 << 20
_STATUS = {"http_429": 429, "http_5xx": 503, "http_401": 401, "http_403": 403}
_PAGE = "<!DOCTYPE html><html><head><title>Sorry</title></head><body><h1>Something went wrong.</h1></body></html>"


def plain_answer(name: str, value: Mapping[str, Any]) -> Response:
    """What `name` answers with where the platform has no words of its own. `value`: status, body, retry_after; for a
    gzip_bomb `bytes` (unpacked), for a drip `seconds` in all and `every_s`."""
    if name == "html_200":
        return HTMLResponse(_PAGE)
    if name == "empty_200":
        return Response(b"", media_type="application/json")
    if name == "wrong_json":
        return JSONResponse(value.get("body", {"unexpected": ["shape"]}))
    if name == "broken_json":
        return Response(b'{"items": [{"id": "1\xff\xfe", ', media_type="application/json")
    if name == "gzip_bomb":
        packed = _bomb(int(value.get("bytes", _BOMB_BYTES)))
        return StreamingResponse(packed, media_type="application/json", headers={"content-encoding": "gzip"})
    if name == "drip":
        drops = _drops(float(value.get("seconds", _DRIP_S)), float(value.get("every_s", 0.2)))
        return StreamingResponse(drops, media_type="application/json")
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


def _bomb(size: int) -> Iterator[bytes]:
    """gzip of so many zeros; its parts are all the same, so that making it costs nothing."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    part = packer.compress(bytes(_BOMB_PART_BYTES)) + packer.flush(zlib.Z_FULL_FLUSH)
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03"
    for _ in range(-(-size // _BOMB_PART_BYTES)):
        yield part


async def _drops(seconds: float, every_s: float) -> AsyncIterator[bytes]:
    for _ in range(int(seconds / every_s)):
        yield b" "
        await asyncio.sleep(every_s)


async def change(fault: ArmedFault, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The true answer, spoiled: half of it under its full length (`truncated`), or all of it with values of other
    types (`wrong_types`; `leaf`: list, number, null, text)."""
    start: Message = {}
    body = bytearray()

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, collect)
    is_cut = fault.name == "truncated"
    whole = bytes(body) if is_cut else _mistyped(bytes(body), str(fault.value.get("leaf", "list")))
    announced = max(len(whole), 1) if is_cut else len(whole)
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    await send({**start, "headers": [*headers, (b"content-length", str(announced).encode())]})
    sent = whole[: announced // 2] if is_cut else whole
    await send({"type": "http.response.body", "body": sent, "more_body": is_cut})


def _mistyped(body: bytes, leaf: str) -> bytes:
    """The same JSON with each value that is no object and no list made a list of it, a number, null or a text."""

    def spoiled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: spoiled(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [spoiled(inner) for inner in value]
        return {"list": [value], "number": -1, "null": None, "text": "x"}[leaf]

    try:
        return json.dumps(spoiled(json.loads(body))).encode()
    except ValueError:
        return body
