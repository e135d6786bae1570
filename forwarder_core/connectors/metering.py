"""What a platform's calls cost: the allowances accounts share, and how a connector tells what it has used of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedQuota:
    """A daily allowance several accounts share, such as that of a Google project. `key`: whose it is.

    Its size stands in limits.yaml under `quotas.<name>`; `zone`: at whose midnight it starts anew. `is_per_post`: each
    post takes one unit of it; of the others only a `Meter` tells.
    """

    name: str
    key: str
    zone: str
    is_per_post: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What a connector's calls have cost since it was last asked, by the shared quota's name, and what the platform
    told of the account's own daily posts."""

    units: Mapping[str, int] = field(default_factory=dict)
    posts_used: int | None = None
    posts_total: int | None = None


@runtime_checkable
class Metered(Protocol):
    """A source or destination that counts what it costs."""

    def meter(self) -> Meter: ...
