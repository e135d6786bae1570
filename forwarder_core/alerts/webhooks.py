"""An alert as a webhook: its body, its signature, its way there. The form is that of standardwebhooks.com.

Signed is `<id>.<timestamp>.<body>` with HMAC-SHA256 under the webhook's own secret, so that a receiver can tell ours
from anybody's, an old one from a new one, and a repeated one from the next.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from forwarder_core.alerts import foreign
from forwarder_core.alerts.delivery import NotDelivered
from forwarder_core.egress import Exit
from forwarder_core.errors import Invalid

_PREFIX = "whsec_"
_SECRET_BYTES = 32


class WebhookFailed(NotDelivered):
    """`status_code`: the receiver's answer, None where there was none."""

    code = "webhook_failed"
    action = "Check that the receiver runs and answers 2xx; it is sent again by itself."

    def __init__(self, message: str, *, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One request. `id` is the same for every attempt, so that a receiver can pass over a repetition."""

    id: str
    url: str
    secret: str = field(repr=False)
    body: bytes
    at: datetime


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def body_of(*, kind: str, title: str, severity: str, text: str, timestamp: str, data: Mapping[str, Any]) -> bytes:
    """`{type, title, severity, timestamp, text, data}`; `text` as a person reads it."""
    said = {
        "type": kind,
        "title": title,
        "severity": severity,
        "timestamp": timestamp,
        "text": text,
        "data": dict(data),
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def signature(secret: str, id_: str, timestamp: int, body: bytes) -> str:
    """`v1,<base64>`"""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = secret.encode()
    signed = f"{id_}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def send(exit_: Exit, post: Post, allowed: Sequence[str]) -> int:
    """The receiver's 2xx. Raises WebhookFailed; a redirect is no arrival."""
    timestamp = int(post.at.timestamp())
    headers = {
        "content-type": "application/json",
        "webhook-id": post.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(post.secret, post.id, timestamp, post.body),
    }
    try:
        status = foreign.call(exit_, "POST", post.url, allowed, content=post.body, headers=headers)
    except Invalid as e:
        raise WebhookFailed(f"The address may not be called. {e.message}") from e
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as e:
        raise WebhookFailed(f"The receiver could not be reached ({type(e).__name__}).") from e
    if 300 <= status < 400:
        raise WebhookFailed(
            f"The receiver redirects (HTTP {status}); give the address it redirects to.", status_code=status
        )
    if not 200 <= status < 300:
        raise WebhookFailed(f"The receiver answered HTTP {status}.", status_code=status)
    return status
