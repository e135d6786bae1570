"""Proxies over the wire. A login goes in and never comes out."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from admin_app.api.schemas.base import Body, Out, PageQuery
from forwarder_core.domain.proxies import Assignment, Health, Proxy, ProxyType, Test, Verdict
from forwarder_core.services.proxies import NewProxy
from forwarder_core.services.proxy_health import Checked


class ProxyChange(Body):
    """Only what is given changes; an empty username takes the login away."""

    alias: str = Field("", max_length=120)
    type: ProxyType = ProxyType.HTTP
    host: str = Field("", max_length=253)
    port: int = Field(8080, ge=1, le=65_535)
    username: str | None = Field(None, max_length=255)
    password: str | None = Field(None, max_length=255, repr=False)
    assignment: Assignment = Assignment.GLOBAL

    def values(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class ProxyIn(ProxyChange):
    """Checked as soon as it is stored, unless `test` is false."""

    alias: str = Field(max_length=120, examples=["US_Proxy_01"])
    type: ProxyType
    host: str = Field(max_length=253, examples=["proxy.example.com"])
    port: int = Field(ge=1, le=65_535)
    test: bool = True

    def new(self) -> NewProxy:
        return NewProxy(**self.model_dump(exclude={"test"}))


class ProxyQuery(PageQuery):
    pass


class ProxyOut(Out):
    """`response_time_ms` is the average of the last check that passed."""

    id: int
    alias: str
    type: ProxyType
    host: str
    port: int
    has_credentials: bool
    assignment: Assignment
    health_status: Health
    last_health_check: datetime | None
    last_success_at: datetime | None
    response_time_ms: int | None
    consecutive_failures: int
    last_error: str | None
    exit_ip: str | None
    exit_country: str | None
    created_at: datetime
    used_by: list[str] = Field(default_factory=list, description="Of one proxy alone: the accounts and connections")

    @classmethod
    def of(cls, proxy: Proxy) -> ProxyOut:
        return cls(
            id=proxy.id,
            alias=proxy.alias,
            type=proxy.type,
            host=proxy.host,
            port=proxy.port,
            has_credentials=proxy.has_login,
            assignment=proxy.assignment,
            health_status=proxy.health,
            last_health_check=proxy.checked_at,
            last_success_at=proxy.last_ok_at,
            response_time_ms=proxy.latency_ms,
            consecutive_failures=proxy.consecutive_failures,
            last_error=proxy.last_error,
            exit_ip=proxy.exit_ip,
            exit_country=proxy.exit_country,
            created_at=proxy.created_at,
        )


class ProxyDone(Out):
    status: Literal["success"] = "success"
    proxy: ProxyOut
    message: str


class TestOut(Out):
    """`error_code` says what failed, `blame` whose trouble it is: proxy, network or target."""

    __test__ = False  # pytest would collect it for its name

    endpoint: str
    result: Literal["success", "failure"]
    latency_ms: int | None
    error: str | None
    error_code: str | None
    blame: str | None

    @classmethod
    def of(cls, test: Test) -> TestOut:
        return cls(
            endpoint=test.endpoint,
            result="success" if test.is_ok else "failure",
            latency_ms=test.latency_ms if test.is_ok else None,
            error=test.error,
            error_code=None if test.is_ok else test.code,
            blame=None if test.is_ok else test.blame,
        )


class ProxyChecked(Out):
    """`passed` is this check; `health_status` turns only after three that failed in a row."""

    status: Literal["success"] = "success"
    proxy_id: int
    alias: str
    health_status: Health
    passed: bool
    tests: list[TestOut]
    average_latency_ms: int | None
    exit_ip: str | None
    last_checked: datetime | None
    message: str

    @classmethod
    def of(cls, checked: Checked) -> ProxyChecked:
        proxy = checked.proxy
        return cls(
            proxy_id=proxy.id,
            alias=proxy.alias,
            health_status=proxy.health,
            passed=checked.verdict is Verdict.PASSED,
            tests=[TestOut.of(test) for test in checked.tests],
            average_latency_ms=checked.average_ms,
            exit_ip=proxy.exit_ip,
            last_checked=proxy.checked_at,
            message=checked.summary,
        )


class AllChecked(Out):
    status: Literal["success"] = "success"
    message: str
    total: int
    passed: int
    results: list[ProxyChecked]

    @classmethod
    def of(cls, checked: list[Checked]) -> AllChecked:
        passed = sum(1 for one in checked if one.verdict is Verdict.PASSED)
        return cls(
            message=f"{passed} of {len(checked)} proxies passed the health check",
            total=len(checked),
            passed=passed,
            results=[ProxyChecked.of(one) for one in checked],
        )


class Targets(Body):
    """What a health check asks for. `echo` answers with the caller's address; empty = the exit address is not read."""

    targets: list[str] = Field(min_length=1, max_length=10, examples=[["https://www.instagram.com"]])
    echo: str = Field("", max_length=500)
