"""Which of the two roads to Instagram an account takes: a property of the account, decided here and nowhere else.

What lives here: the role factories the registry calls. What does not: either road.
The fact to know: each road is imported when the first account of it is used, so an account of the Graph API loads no
private client library.
"""

from __future__ import annotations

from collections.abc import Mapping

from forwarder_core.connectors.base import Authenticator, CredentialBox, Destination, Source
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.tokens import TokenFacts
from forwarder_core.egress import Exit
from forwarder_core.platforms.instagram import GRAPH_API


def source(account: Account, box: CredentialBox, exit_: Exit) -> Source:
    if account.auth_method == GRAPH_API:
        from forwarder_core.platforms.instagram.graph_source import GraphSource

        return GraphSource(account, box, exit_)
    from forwarder_core.platforms.instagram.source import InstagramSource

    return InstagramSource(account, box, exit_)


def destination(account: Account, box: CredentialBox, exit_: Exit) -> Destination:
    if account.auth_method == GRAPH_API:
        from forwarder_core.platforms.instagram.graph_destination import GraphDestination

        return GraphDestination(account, box, exit_)
    from forwarder_core.platforms.instagram.destination import InstagramDestination

    return InstagramDestination(account, box, exit_)


def authenticator(account: Account, box: CredentialBox, exit_: Exit) -> Authenticator:
    if account.auth_method == GRAPH_API:
        from forwarder_core.platforms.instagram.graph_auth import GraphAuthenticator

        return GraphAuthenticator(account, box, exit_)
    from forwarder_core.platforms.instagram.auth import InstagramAuthenticator

    return InstagramAuthenticator(account, box, exit_)


def secrets_from_form(fields: Mapping[str, str]) -> dict[str, str]:
    """The credentials of either road as they are stored; which one was meant shows in the fields."""
    from forwarder_core.platforms.instagram import auth

    return auth.secrets_from_form(fields)


def token_facts(auth_method: str, secrets: Mapping[str, str]) -> TokenFacts:
    """Of a session Instagram tells no end: it lasts until it is ended."""
    if auth_method == GRAPH_API:
        from forwarder_core.platforms.instagram import graph_tokens

        return graph_tokens.token_facts(secrets)
    return TokenFacts(
        kind="instagram_session",
        title="Instagram session",
        is_signed_in=any(secrets.get(name) for name in ("password", "session_id", "settings")),
        by_hand="Enter the password or a fresh session id: Accounts → the account → Update token.",
    )


def replaced_secrets(present: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    from forwarder_core.platforms.instagram import graph_tokens

    return graph_tokens.replaced_secrets(present, new)
