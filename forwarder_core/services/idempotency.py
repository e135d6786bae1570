"""Idempotency keys: the same request sent again has its one effect, and gets the answer of the first.

An answer is kept for a day, sealed, because it may show a secret that is shown once. Refusals are answers too; what
went wrong on our side is not: then the key is free again and the caller may try again.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from forwarder_core.db import idempotency as rows
from forwarder_core.errors import FieldError
from forwarder_core.services.context import Core
from forwarder_core.services.refusals import KeyReused

KEPT = timedelta(hours=24)
_GIVEN_UP = timedelta(minutes=2)  # no call takes as long; whoever held the key has died


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as its repetition would be."""

    user_id: int
    key: str
    method: str
    path: str
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry the call out."""

    row_id: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    content_type: str
    body: bytes = field(repr=False)


def begin(core: Core, call: Call) -> Claim | Answer | None:
    """A Claim for the first, the Answer for those after it, None while the first is under way.

    Raises KeyReused when the key belongs to another request.
    """
    now = core.clock.now()
    with core.begin() as tx:
        row_id = rows.claim(
            tx,
            claimed_before=now - _GIVEN_UP,
            now=now,
            user_id=call.user_id,
            key=call.key,
            method=call.method,
            path=call.path,
            body_hash=call.body_hash,
            expires_at=now + KEPT,
        )
        if row_id is not None:
            return Claim(row_id, now)
        kept = rows.get(tx, call.user_id, call.key)
    if kept is None:
        return None  # let go in this very moment
    if (kept.method, kept.path, kept.body_hash) != (call.method, call.path, call.body_hash):
        raise KeyReused(
            "This Idempotency-Key was sent with another request.", FieldError("Idempotency-Key", "is not new")
        )
    if kept.status is None:
        return None
    body = base64.b64decode(core.vault.unseal(kept.response).get("body", ""))
    return Answer(status=kept.status, content_type=kept.content_type, body=body)


def keep(core: Core, claim: Claim, answer: Answer) -> None:
    """From now on the key has this answer."""
    sealed = core.vault.seal({"body": base64.b64encode(answer.body).decode()})
    with core.begin() as tx:
        rows.answer(tx, claim.row_id, claim.at, status=answer.status, content_type=answer.content_type, response=sealed)


def let_go(core: Core, claim: Claim) -> None:
    """The call came to nothing by our fault: the key is free again."""
    with core.begin() as tx:
        rows.let_go(tx, claim.row_id, claim.at)
