"""Tokens of programs that call the API: made once and shown once, limited by scope, ended at any moment.

Only a token's SHA-256 is stored. What a scope may do is decided in `domain.machines`, and asked by the door for every
call. The fact to know: a token's name stands beside its owner's in the audit log: one sees which program it was.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from forwarder_core.db import api_tokens as rows
from forwarder_core.db import people
from forwarder_core.db.api_tokens import ApiToken
from forwarder_core.db.engine import Tx
from forwarder_core.domain.machines import Scope
from forwarder_core.errors import Conflict, FieldError, Invalid, NotFound
from forwarder_core.services.context import Core

__all__ = ["PREFIX", "ApiToken", "Made", "get", "make", "page", "proven", "revoke"]
PREFIX = "fwd_"
_TOUCH_EVERY = timedelta(seconds=60)
_HINT_CHARS = 4


@dataclass(frozen=True, slots=True)
class Made:
    """A token just made; the only moment it is known."""

    token: str = field(repr=False)
    facts: ApiToken


def make(core: Core, *, user_id: int, name: str, scope: Scope, expires_at: datetime | None, who: str) -> Made:
    """Raises Conflict for a name that is taken, Invalid for an end that has been."""
    now, token = core.clock.now(), PREFIX + secrets.token_urlsafe(32)
    if expires_at is not None and expires_at <= now:
        raise Invalid("The token would have ended already.", FieldError("expires_at", "must lie ahead"))
    with core.begin() as tx:
        token_id = rows.add(
            tx,
            user_id=user_id,
            name=name,
            token_hash=_hash_of(token),
            hint=token[-_HINT_CHARS:],
            scope=scope,
            created_at=now,
            expires_at=expires_at,
        )
        if token_id is None:
            raise Conflict(f"There is a token “{name}” already.", action="Give another name, or revoke that one first.")
        people.audit(tx, who=who, what="api_token_made", target=name, now=now, details={"scope": scope.value})
        return Made(token, _found(tx, token_id))


def page(core: Core, *, after: int, limit: int) -> list[ApiToken]:
    """By id upwards; those that have ended too."""
    with core.begin() as tx:
        return rows.page(tx, after=after, limit=limit)


def get(core: Core, token_id: int) -> ApiToken:
    with core.begin() as tx:
        return _found(tx, token_id)


def revoke(core: Core, token_id: int, *, who: str) -> ApiToken:
    """From now on it opens nothing; what it holds open is closed."""
    with core.begin() as tx:
        found = _found(tx, token_id)
        rows.remove(tx, token_id)
        people.audit(tx, who=who, what="api_token_revoked", target=found.name, now=core.clock.now())
    return found


def proven(tx: Tx, token: str, *, address: str, now: datetime, is_use: bool) -> ApiToken | None:
    """The token behind these characters, None where there is none or it has ended. Its use is noted once a minute."""
    found = rows.by_hash(tx, _hash_of(token))
    if found is None or (found.expires_at is not None and found.expires_at <= now):
        return None
    if is_use and (found.used_at is None or now - found.used_at >= _TOUCH_EVERY):
        rows.touch(tx, found.id, address, now)
    return found


def _found(tx: Tx, token_id: int) -> ApiToken:
    found = rows.get(tx, token_id)
    if found is None:
        raise NotFound(f"There is no API token {token_id}.")
    return found


def _hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
