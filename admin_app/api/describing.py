"""The API's description, completed: what FastAPI cannot know of the middlewares, the door and the examples.

Pure, but for reading the examples. The fact to know: docs/openapi.json is this description, committed and compared by a
test, so that a change of the interface is seen where it is made.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

_EXAMPLES = Path(__file__).parent / "examples.json"
_METHODS = ("get", "post", "put", "delete")
_CHANGES = frozenset({"post", "put"})
OPEN = frozenset({("post", "/api/login"), ("get", "/api/health/simple"), ("post", "/api/webhook/telegram")})
TAGS = {
    "Authentication": "Sessions of people, tokens of programs",
    "Accounts": "Where posts come from and go to, and their sign-ins",
    "Tokens": "Credentials, their ends, and consent pages",
    "Connections": "What is forwarded from where to where, and trying it out",
    "Proxies": "The ways out",
    "Jobs & logs": "One job a post: its way, its attempts, its log; dead letters, incidents, approvals; live events",
    "Calendar": "What arrived and what is planned, day by day",
    "Posts": "Every post seen, with the decision about it",
    "Limits & quotas": "What platforms allow, and how much of it is used",
    "Library": "Files of one's own, and archives",
    "Templates": "Pictures beneath and above videos",
    "Analytics": "Numbers over time",
    "Notifications": "Alerts and the roads they take",
    "Settings": "What the administrator tunes",
    "System": "Health, numbers, metrics",
    "Scenarios": "Trouble on purpose, in the demo",
}
_TEXT = {"type": "string"}
_FIELDS = dict.fromkeys(("type", "title", "detail", "instance", "code", "action", "request_id"), _TEXT)
_PROBLEM = {
    **_FIELDS,
    "status": {"type": "integer"},
    "errors": {"type": "array", "items": {"type": "object", "properties": {"field": _TEXT, "message": _TEXT}}},
}
_REFUSAL = {
    "description": "What went wrong (RFC 9457), with a stable `code` and the `action` that helps",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_EVERYWHERE = ("400", "401", "403", "404", "405", "409", "422", "429", "431", "500", "502", "503")
_WITH_BODY = ("411", "412", "413")
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same key within 24 h, the call has no second effect and gets the same answer",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}
_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the GET: 412 when the thing has changed since",
    "schema": {"type": "string", "pattern": "^[!-~ ]{1,200}$"},
}
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Of `POST /api/login`, or an API token"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "forwarder_session", "description": "With `X-CSRF-Token`"},
}


def operation_id(route: APIRoute) -> str:
    """The function's name; a second path of the same function says which."""
    return f"{route.name}_{route.path.rpartition('/')[2]}" if _is_alias(route) else route.name


def _is_alias(route: APIRoute) -> bool:
    return route.path.endswith(("/metrics", "/analytics")) and route.path != "/metrics"


def install(app: FastAPI) -> None:
    """From now on `app.openapi()` is the complete description."""
    described = app.openapi
    done: list[dict[str, Any]] = []

    def openapi() -> dict[str, Any]:
        if not done:
            done.append(completed(described()))
        return done[0]

    app.openapi = openapi  # type: ignore[method-assign]


def completed(schema: dict[str, Any]) -> dict[str, Any]:
    """The description with what every operation has in common, and examples."""
    components = schema.setdefault("components", {})
    required = list(_PROBLEM)
    components.setdefault("schemas", {})["Problem"] = {"type": "object", "required": required, "properties": _PROBLEM}
    components["securitySchemes"] = _SCHEMES
    used = {operation["tags"][0] for *_, operation in operations(schema)}
    schema["tags"] = [{"name": name, "description": text} for name, text in TAGS.items() if name in used]
    for path, method, operation in operations(schema):
        _complete(path, method, operation)
    return schema


def operations(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield path, method, methods[method]


def repeated_ids(schema: Mapping[str, Any]) -> list[str]:
    counted = Counter(operation["operationId"] for *_, operation in operations(schema))
    return [name for name, n in counted.items() if n > 1]


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    for status in (*_EVERYWHERE, *(_WITH_BODY if method in _CHANGES else ())):
        responses.setdefault(status, _REFUSAL)
    if (method, path) not in OPEN:
        operation["security"] = [{"bearer": []}, {"cookie": []}]
        if method in _CHANGES:
            header = _KEY if method == "post" else _MATCH
            operation["parameters"] = [*operation.get("parameters", ()), header]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    example = examples().get(operation["operationId"])
    if body is not None and example is not None:
        body["example"] = example


@cache
def examples() -> dict[str, Any]:
    """A body for each operation that takes one, by the operation's id."""
    found: dict[str, Any] = json.loads(_EXAMPLES.read_text("utf-8"))
    return found
