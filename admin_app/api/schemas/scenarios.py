"""Scenarios of the demo over the wire: which trouble is made, at whom, and what is armed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from admin_app.api.schemas.base import Body, Out, RowId, Words
from forwarder_core.services.scenarios import Fault, Trouble


class ScenarioIn(Body):
    """`dead_proxy` at a proxy, the others at an account."""

    trouble: Trouble
    account_id: RowId | None = None
    proxy_id: RowId | None = None

    @model_validator(mode="after")
    def _at_whom(self) -> ScenarioIn:
        wanted, other = ("proxy_id", "account_id") if self.trouble is Trouble.DEAD_PROXY else ("account_id", "proxy_id")
        if getattr(self, wanted) is None or getattr(self, other) is not None:
            raise ValueError(f"{self.trouble} is made at one {wanted}")
        return self


class ScenarioPostIn(Body):
    account_id: RowId
    caption: Words = Field("", max_length=2_200, examples=["Sunset over the harbour #travel"])


class ScenarioProxyIn(Body):
    alias: Words = Field(min_length=1, max_length=120, examples=["Simulated_01"])


class ArmedOut(Out):
    """`count`: how often it still happens, null = until it is ended."""

    id: int
    fault: str
    where: str
    count: int | None

    @classmethod
    def of(cls, fault: Fault) -> ArmedOut:
        return cls(id=fault.id, fault=fault.fault, where=fault.where, count=fault.count)


class ScenariosOut(Out):
    troubles: list[Trouble]
    armed: list[ArmedOut]


class ScenarioDone(Out):
    status: Literal["success"] = "success"
    message: str
    armed: list[ArmedOut]


class ScenarioPosted(Out):
    status: Literal["success"] = "success"
    message: str
    url: str
