"""A web server that rests looks twice a second whether it shall end, not ten times.

That is all uvicorn does at rest, in the door as in Dagster's web server, and it was two thirds of what they cost then.
The fact to know: a stop is heeded up to half a second later, which is less than any grace a server is given.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import Any

_TENTHS = 5  # uvicorn counts its looks in tenths of a second, and renews the Date of its answers with each tenth one


def look_less_often() -> None:
    """Before a server begins. Where no uvicorn is loaded there is none to calm."""
    if "uvicorn" in sys.modules:
        server: Any = importlib.import_module("uvicorn.server").Server
        server.main_loop = _main_loop


async def _main_loop(server: Any) -> None:
    looks = 0
    while not await server.on_tick(looks):
        await asyncio.sleep(_TENTHS / 10)
        looks = (looks + _TENTHS) % 10
