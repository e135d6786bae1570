"""The description is complete: every path that was promised, one name each, examples that fit, and every error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from admin_app.api.describing import TAGS, examples, operations, repeated_ids
from tests.unit.admin_app.test_api_reference import described

# What the two written specifications and the interface agreed upon name, in both spellings where they differ.
PROMISED = """
POST /api/login
POST /api/logout
PUT /api/admin/password
GET /api/auth/check
GET /api/accounts
POST /api/accounts
GET /api/accounts/{}
PUT /api/accounts/{}
DELETE /api/accounts/{}
POST /api/accounts/{}/captcha-resolve
POST /api/accounts/{}/challenge-code
GET /api/accounts/{}/analytics
GET /api/connections
POST /api/connections
GET /api/connections/{}
PUT /api/connections/{}
DELETE /api/connections/{}
POST /api/connections/{}/start
POST /api/connections/{}/stop
POST /api/connections/{}/pause
POST /api/connections/{}/resume
POST /api/connections/{}/run
POST /api/connections/{}/dry-run
POST /api/connections/{}/backfill
GET /api/proxies
POST /api/proxies
GET /api/proxies/{}
PUT /api/proxies/{}
DELETE /api/proxies/{}
POST /api/proxies/{}/health-check
POST /api/proxies/test-all
GET /api/templates
POST /api/templates
DELETE /api/templates/{}
GET /api/jobs
GET /api/jobs/{}
GET /api/jobs/dead-letter
POST /api/jobs/bulk-retry
POST /api/jobs/{}/retry
POST /api/jobs/{}/cancel
POST /api/jobs/{}/dead-letter
DELETE /api/jobs/{}
GET /api/posts
GET /api/posts/{}/why
GET /api/logs
GET /api/logs/{}
POST /api/tokens/upload
GET /api/tokens/{}/status
POST /api/tokens/{}/refresh
GET /api/oauth/{}/start
GET /api/analytics/summary
GET /api/analytics/connection/{}/metrics
GET /api/analytics/connection/{}
GET /api/analytics/account/{}/metrics
GET /api/analytics/account/{}
GET /api/analytics/system
POST /api/analytics/export
GET /api/notifications
GET /api/settings
PUT /api/settings
PUT /api/settings/telegram
POST /api/settings/telegram/test
POST /api/webhook/telegram
GET /api/dashboard/summary
GET /api/health
GET /api/health/simple
GET /metrics
GET /api/events
GET /api/api-tokens
POST /api/api-tokens
DELETE /api/api-tokens/{}
"""


@pytest.fixture(scope="module")
def openapi(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return described(tmp_path_factory.mktemp("described"))


def test_every_promised_path_is_there(openapi: dict[str, Any]) -> None:
    there = {f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}" for path, method, _ in operations(openapi)}
    assert set(PROMISED.strip().splitlines()) - there == set()


def test_every_operation_has_a_name_of_its_own_a_screen_and_its_refusals(openapi: dict[str, Any]) -> None:
    assert repeated_ids(openapi) == []
    for path, method, operation in operations(openapi):
        assert operation["tags"][0] in TAGS, path
        assert re.fullmatch(r"[a-z_]+", operation["operationId"]), path
        assert {"401", "422", "429", "503"} <= operation["responses"].keys(), (method, path)


def test_a_changing_call_takes_the_headers_that_make_it_safe(openapi: dict[str, Any]) -> None:
    for path, method, operation in operations(openapi):
        names = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"}
        if "security" in operation and method in ("post", "put"):
            assert ({"post": "Idempotency-Key", "put": "If-Match"})[method] in names, path


def test_examples_are_of_calls_that_exist_and_fit_their_schemas(openapi: dict[str, Any]) -> None:
    bodies = {
        operation["operationId"]: operation["requestBody"]["content"]["application/json"]["schema"]
        for *_, operation in operations(openapi)
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    assert examples().keys() <= bodies.keys()
    for name, example in examples().items():
        jsonschema.validate(example, {**bodies[name], "components": openapi["components"]})


def test_the_description_is_importable_elsewhere(openapi: dict[str, Any], tmp_path: Path) -> None:
    """Every reference leads somewhere: what Postman and generators of clients stumble over first."""
    refs = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(openapi)))
    assert refs <= openapi["components"]["schemas"].keys()
