"""One account's way to the Graph API: the token of its box, settled once and renewed once however many ask.

What lives here: which token is used, and what is stored beside it. What does not: the calls (`graph_client`) and the
dates (`graph_tokens`).
The fact to know: whoever finds the token due asks under the box's lock and looks again there, so that one of many
renews it. A renewal that fails while the token still lives is noted and tried later; posts go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, TypeVar

from forwarder_core.clock import Clock, SystemClock
from forwarder_core.connectors.base import CredentialBox, Secrets
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import (
    AuthExpired,
    AuthInvalid,
    ContractChanged,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    RateLimited,
)
from forwarder_core.platforms.instagram import graph_owner
from forwarder_core.platforms.instagram.graph_client import GraphClient, Variant
from forwarder_core.platforms.instagram.graph_tokens import (
    CHECKED,
    EXPIRY,
    IG_USER,
    ISSUED,
    KNOWN,
    PAGE,
    TOKEN,
    VARIANT,
    digest,
    is_alive,
    is_due,
    is_settled,
    may_be_renewed,
    renewed,
)

Answer = TypeVar("Answer")

_MAY_WAIT = (NetworkFailed, ProxyFailed, PlatformTransient, RateLimited, ContractChanged)


class GraphSession:
    """Calls Meta as one account; `with` closes its connections. Not for use by several threads at once."""

    def __init__(self, account: Account, box: CredentialBox, exit_: Exit, *, clock: Clock | None = None) -> None:
        self._account = account
        self._box = box
        self._exit = exit_
        self._clock = clock or SystemClock()
        self._client: GraphClient | None = None
        self._ig_user_id = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def exit(self) -> Exit:
        return self._exit

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def ig_user_id(self) -> str:
        """Known once `client` or `ask` was called."""
        return self._ig_user_id

    def ask(self, question: Callable[[GraphClient, str], Answer]) -> Answer:
        """Put a repeatable question, given the client and the account's id; once more where another process has put
        a new token into the box since."""
        client = self.client()
        try:
            return question(client, self._ig_user_id)
        except AuthExpired:
            if self._box.read().get(TOKEN) == client.token:
                raise
        self._close()
        return question(self.client(), self._ig_user_id)

    def client(self) -> GraphClient:
        if self._client is None:
            secrets = self._box.read()
            if not self._is_ready(secrets):
                secrets = self._box.change(self._made_ready)
            self._client = self._open(Variant(secrets[VARIANT]), secrets[TOKEN])
            self._ig_user_id = secrets[IG_USER]
        return self._client

    def renew(self) -> None:
        """A new token, or news of its dates, unless another process has asked since."""
        before = self._box.read()

        def asked(present: Secrets) -> Secrets:
            secrets = present if is_settled(present) else self._settled(present)
            if any(present.get(name) != before.get(name) for name in (TOKEN, CHECKED)):
                return secrets
            now = self._clock.now()
            if not may_be_renewed(secrets, now):
                return secrets
            with self._open(Variant(secrets[VARIANT]), secrets[TOKEN]) as client:
                return renewed(secrets, client, now)

        if not before.get(TOKEN):
            raise AuthExpired("This account is not connected with Meta.")
        self._box.change(asked)
        self._close()

    def _is_ready(self, secrets: Secrets) -> bool:
        return is_settled(secrets) and not is_due(secrets, self._clock.now())

    def _made_ready(self, present: Secrets) -> Secrets:
        """Runs under the box's lock: what another process has done meanwhile is not done again."""
        if not present.get(TOKEN):
            raise AuthExpired("This account is not connected with Meta.")
        secrets = present if is_settled(present) else self._settled(present)
        now = self._clock.now()
        if not is_due(secrets, now):
            return secrets
        try:
            with self._open(Variant(secrets[VARIANT]), secrets[TOKEN]) as client:
                return renewed(secrets, client, now)
        except _MAY_WAIT:
            if not is_alive(secrets, now):
                raise
            return {**secrets, CHECKED: now.isoformat()}

    def _settled(self, present: Secrets) -> dict[str, str]:
        """The facts of a token seen for the first time; those of an earlier token are forgotten, unless they came
        with this one."""
        owner = graph_owner.find(present, self._account.handle, lambda variant: self._open(variant, present[TOKEN]))
        if self._account.remote_id not in (None, "", owner.ig_user_id):
            raise AuthInvalid(
                f"The token belongs to another Instagram account (@{owner.username}).",
                action="Connect with Meta again as the account this one was made for.",
            )
        is_replaced = bool(present.get(KNOWN))
        stale = {EXPIRY, ISSUED, CHECKED} if is_replaced else {CHECKED}
        kept = {name: value for name, value in present.items() if name not in stale}
        return {
            ISSUED: self._clock.now().isoformat(),
            **kept,
            VARIANT: str(owner.variant),
            IG_USER: owner.ig_user_id,
            **({PAGE: owner.page_id} if owner.page_id else {}),
            KNOWN: digest(present[TOKEN]),
        }

    def _open(self, variant: Variant, token: str) -> GraphClient:
        return GraphClient(self._exit, variant, token)

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
