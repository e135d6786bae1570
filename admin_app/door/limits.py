"""How many calls a minute the door takes, and how long each may be. Kept in this process: there is one door.

The fact to know: a caller who pauses may send a minute's worth at once (a token bucket), so that fifty calls in
parallel are no offence; what is refused is a rate that goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from starlette.requests import HTTPConnection

from forwarder_core.errors import TooManyRequests
from forwarder_core.services.refusals import FileTooLarge, HeadersTooLarge, LengthRequired, TooLarge

_MOST_KEYS = 10_000
_MOST_COOKIE_BYTES = 8_192


class Buckets:
    """Calls by key, each filled up again with so many a minute."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key: str, per_minute: int) -> None:
        """Raises TooManyRequests with the seconds until the next call is taken."""
        now = self._now()
        left, since = self._left.get(key, (float(per_minute), now))
        left = min(float(per_minute), left + (now - since) * per_minute / 60)
        self._left[key] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > _MOST_KEYS:
            self._left = {k: v for k, v in self._left.items() if now - v[1] < 60}
        if left < 1:
            wait_s = math.ceil((1 - left) * 60 / per_minute)
            raise TooManyRequests(f"More than {per_minute} calls a minute.", retry_after_s=max(1, wait_s))


def check_cookies(connection: HTTPConnection) -> None:
    if sum(len(value) for value in connection.headers.getlist("cookie")) > _MOST_COOKIE_BYTES:
        raise HeadersTooLarge("The cookies of the request are too large.")


def check_length(connection: HTTPConnection, most_bytes: int, *, brings_files: bool) -> None:
    """Before anything is read: whoever is not signed in must not be able to fill the memory either."""
    if "transfer-encoding" in connection.headers:
        raise LengthRequired("The request does not say how long it is.")
    if int(connection.headers.get("content-length") or 0) > most_bytes:
        words = f"The request is larger than {most_bytes / 1e6:.0f} MB."
        is_form = connection.headers.get("content-type", "").startswith("multipart/form-data")
        raise FileTooLarge(words) if is_form and brings_files else TooLarge(words)
