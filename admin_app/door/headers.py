"""Security headers of every answer. What may load from where differs by face; what never may is the same for all.

The fact to know: Streamlit's front end evaluates code for its charts and styles itself inline, so its policy cannot be
stricter than this; what protects against injected text is that no screen writes HTML.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

_NEVER = "frame-ancestors 'none'; object-src 'none'; base-uri 'self'; form-action 'self'"
_STREAMLIT = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https:; media-src 'self' data: blob: https:; "
    "font-src 'self' data:; connect-src 'self' ws: wss: data: blob:; worker-src 'self' blob:; "
) + _NEVER
_FORM = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; " + _NEVER
_API = "default-src 'none'; " + _NEVER
_DOCS = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; "
) + _NEVER

_ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


def policy_for(path: str) -> str:
    if path.startswith("/dagster"):
        return _NEVER  # besides the policy that Dagster's own pages bring
    if path.startswith(("/api/docs", "/api/swagger")):
        return _DOCS
    if path.startswith("/api"):
        return _API
    is_ours = path in ("/login", "/logout") or path.startswith("/oauth2callback") or path.endswith("/authorise")
    return _FORM if is_ours else _STREAMLIT


def with_security_headers(send: Send, *, path: str, request_id: str, secure: bool) -> Send:
    """`send`, with the headers added to the start of the answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _ALWAYS.items():
                headers[name] = value
            headers.append("content-security-policy", policy_for(path))
            headers["x-request-id"] = request_id
            if secure:
                headers["strict-transport-security"] = "max-age=31536000"
            if "cache-control" not in headers and not path.startswith(("/static/", "/dagster", "/api/swagger")):
                headers["cache-control"] = "no-store"
        await send(message)

    return sending
