"""Calls made up from the API's own description: whatever is sent, the answer is one the description names.

`pytest tests/integration/test_api_generated.py --api-calls 10000` sends more of them. Left out are calls that never end
or wait for a far end, and those that would end the session the calls are made in.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from admin_app.api.describing import OPEN, operations
from admin_app.api.main import create_api
from forwarder_core.clock import ManualClock
from forwarder_core.errors import MediaRejected
from forwarder_core.services import failing
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import api_client, core_with_admin

pytestmark = pytest.mark.slow
LEFT_OUT = {"stream_events", "logout", "change_password", "login", "run", "run_now", "dry_run", "rehearse"}


@pytest.fixture
def core(url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Core]:
    with core_with_admin(url, clock, tmp_path) as core:
        connection = factories.add_connection(core, status="stopped")
        failing.fail(core, factories.claimed(core, factories.add_job(core, factories.add_connection(core))), NO)
        factories.add_post(core, connection.source_account_id, "3141592653589793238")
        yield core


NO = MediaRejected("No.")


class Told:
    """Sends cases and judges answers."""

    def __init__(self, client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop, schema: dict[str, Any]) -> None:
        self._client, self._loop, self._schema = client, loop, schema
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []

    def send(self, case: Any, operation: dict[str, Any]) -> None:
        wanted = case.as_transport_kwargs(base_url="http://127.0.0.1:8080")
        wanted = {
            name: wanted[name] for name in ("method", "url", "params", "headers", "json", "data") if name in wanted
        }
        headers = {str(k): v for k, v in dict(wanted.pop("headers", None) or {}).items() if k.lower() in KEPT_HEADERS}
        content = wanted.pop("data", None)
        if isinstance(content, (bytes, str)):
            wanted["content"] = content
        try:
            asking = self._client.request(**wanted, headers={k: str(v).encode() for k, v in headers.items()})
        except (httpx.InvalidURL, UnicodeError):
            return  # no client can send it
        self.judge(self._loop.run_until_complete(asking), operation)

    def judge(self, answer: httpx.Response, operation: dict[str, Any]) -> None:
        said = f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}"
        self.statuses[answer.status_code] += 1
        responses, kind = operation["responses"], answer.headers.get("content-type", "")
        described = responses.get(str(answer.status_code))
        if described is None or (answer.status_code >= 500 and answer.json().get("code") == "bug"):
            self.wrong.append(said)
        elif answer.status_code >= 400 and kind != "application/json":
            if kind != "application/problem+json":
                self.wrong.append(said)
        elif kind == "application/json" and "application/json" in described.get("content", {}):
            whole = {**described["content"][kind]["schema"], "components": self._schema["components"]}
            self.wrong += [f"{said}: {e.message[:200]}" for e in VALIDATOR(whole).iter_errors(answer.json())]


Operation = tuple[str, str, dict[str, Any]]
VALIDATOR = jsonschema.Draft202012Validator
KEPT_HEADERS = {"content-type", "idempotency-key", "if-match", "last-event-id"}


def send_many(told: Told, n: int, generated: Any, operation: dict[str, Any]) -> None:
    @settings(
        max_examples=n,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=generated.as_strategy())
    def sent(case: Any) -> None:
        told.send(case, operation)

    sent()


def sent(core: Core, chosen: list[Operation], n: int, *, signed_in: bool) -> Told:
    """About `n` calls, made up for these operations in turn."""
    openapi = create_api(core).openapi()
    schema = schemathesis.openapi.from_dict(openapi)
    loop = asyncio.new_event_loop()
    door = api_client(core, signed_in=signed_in)
    told = Told(loop.run_until_complete(door.__aenter__()), loop, openapi)
    try:
        for path, method, operation in chosen:
            send_many(told, -(-n // len(chosen)), schema[path][method.upper()], operation)
    finally:
        loop.run_until_complete(door.__aexit__(None, None, None))
        loop.close()
    logging.getLogger(__name__).warning("%s calls: %s", told.statuses.total(), dict(told.statuses))
    return told


def test_whatever_is_sent_the_answer_is_one_that_was_described(core: Core, request: pytest.FixtureRequest) -> None:
    described = operations(create_api(core).openapi())
    chosen = [(p, m, o) for p, m, o in described if o["operationId"] not in LEFT_OUT]
    told = sent(core, chosen, request.config.getoption("--api-calls"), signed_in=True)
    assert told.wrong == []
    assert told.statuses.total() >= len(chosen) and told.statuses[200] and told.statuses[422]


def test_whatever_is_sent_without_a_session_is_refused(core: Core, request: pytest.FixtureRequest) -> None:
    chosen = [(p, m, o) for p, m, o in operations(create_api(core).openapi()) if (m, p) not in OPEN]
    told = sent(core, chosen, request.config.getoption("--api-calls") // 8, signed_in=False)
    assert told.wrong == [] and set(told.statuses) == {401}
