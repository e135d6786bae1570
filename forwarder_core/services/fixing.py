"""What mends a cause of failures: which remedy, whether it can be done from here, and how many jobs wait for it.

The remedy follows from the error's own class (whose trouble it is, how the engine goes on after it), so a new error has
one without being named here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from forwarder_core.db import accounts as account_rows
from forwarder_core.db import dead_letters
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.analytics import Fix
from forwarder_core.errors import ChallengeRequired, Retry, Scope, failure_classes
from forwarder_core.services.analytics import View
from forwarder_core.services.context import Core


class Remedy(StrEnum):
    SIGN_IN = "sign_in"
    CHALLENGE = "challenge"
    TEST_PROXY = "test_proxy"
    RETRY_ALL = "retry_all"


@dataclass(frozen=True, slots=True)
class Offer:
    """`account`: None where it was deleted. `letters`: dead letters of this cause that a retry would take up."""

    fix: Fix
    remedy: Remedy
    account: Account | None
    letters: int
    action: str


def remedy_of(code: str) -> Remedy:
    """Anything nobody can mend but by trying again is retried."""
    known = failure_classes().get(code)
    if known is None:
        return Remedy.RETRY_ALL
    if issubclass(known, ChallengeRequired):
        return Remedy.CHALLENGE
    if known.scope is Scope.PROXY:
        return Remedy.TEST_PROXY
    return Remedy.SIGN_IN if known.retry is Retry.HOLD and known.scope is Scope.ACCOUNT else Remedy.RETRY_ALL


def offers(core: Core, view: View) -> list[Offer]:
    """The fixes of the period with what can be done about each."""
    known = failure_classes()
    with core.begin() as tx:
        return [
            Offer(
                fix,
                remedy_of(fix.code),
                account_rows.get(tx, fix.account_id),
                len(dead_letters.dead_of(tx, fix.code)),
                known[fix.code].action if fix.code in known else "",
            )
            for fix in view.fixes
        ]
