"""The client library's sessions with bounds: every request has a timeout, every answer a size.

What lives here: the session, the adapter put under it, and the rest between two calls. What does not: the library's
client itself (`client`).
The fact to know: with the curl transport connect and read timeout make one total over the whole exchange, so a far end
that drips is cut by it. curl buffers an answer as it comes, packed; it is unpacked here, step by step, and no further
than any answer of Instagram goes.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import requests
from curl_cffi import CurlOpt
from requests.adapters import BaseAdapter

from forwarder_core.bounds import ANSWER_S, MOST_ANSWER_BYTES
from forwarder_core.egress import CONNECT_TIMEOUT_S

_VIDEO = "/rupload_igvideo/"
_STEP_BYTES = 64 * 1024
_SLOWEST_UPLOAD_BYTES_PER_S = 100_000
FILE_SIZE_EXCEEDED = 63  # libcurl's code for an answer larger than MAXFILESIZE


class AnswerTooLarge(requests.exceptions.ContentDecodingError):  # type: ignore[misc]  # seen as untyped here
    """The answer grows beyond what any answer of Instagram can be."""


@dataclass(slots=True)
class Rest:
    """What a client takes between two calls, whichever of its sessions makes them."""

    seconds: float = 0.0
    _since: float = -math.inf

    def begin(self) -> None:
        self._since = time.monotonic()

    @property
    def left_s(self) -> float:
        return max(0.0, self._since + self.seconds - time.monotonic())


class Impatient(requests.Session):  # type: ignore[misc]
    """A session whose every request has a timeout; an upload gets time by its size."""

    answer_s: float = ANSWER_S
    rest: Rest

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        body = options.get("data")
        extra_s = len(body) / _SLOWEST_UPLOAD_BYTES_PER_S if isinstance(body, (bytes, str)) else 0.0
        connect_s = min(CONNECT_TIMEOUT_S, self.answer_s)
        options["timeout"] = options.get("timeout") or (connect_s, self.answer_s + extra_s)
        try:
            answer = super().request(method, url, *args, **options)
        finally:
            self.rest.begin()
        if method.upper() == "POST" and _VIDEO in url and answer.status_code == 200:
            _check_taken(answer)
        return answer

    def get_adapter(self, url: str) -> Any:
        inner = super().get_adapter(url)
        return inner if isinstance(inner, Bounded) else Bounded(inner)


def _check_taken(answer: Any) -> None:
    """The library takes any 200 for a video that has arrived; the next step would then blame the file."""
    said = answer.json()
    if not isinstance(said, dict) or not (said.get("upload_id") or said.get("status") == "ok"):
        raise requests.exceptions.InvalidJSONError("the answer to the upload names none", response=answer)


class Bounded(BaseAdapter):  # type: ignore[misc]
    """The adapter below, with the body of its answer taken in within bounds; its other properties shine through."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def send(self, request: Any, **options: Any) -> Any:
        curl = getattr(self._inner, "client", None)
        if curl is not None:
            curl.curl_options[CurlOpt.MAXFILESIZE_LARGE] = MOST_ANSWER_BYTES
        answer = self._inner.send(request, **options)
        body = bytearray()
        for piece in answer.iter_content(_STEP_BYTES):
            body += piece
            if len(body) > MOST_ANSWER_BYTES:
                answer.close()
                raise AnswerTooLarge(f"larger than {MOST_ANSWER_BYTES} bytes", response=None)
        answer._content, answer._content_consumed = bytes(body), True
        return answer

    def close(self) -> None:
        self._inner.close()
