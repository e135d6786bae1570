"""Whose token is it? From a token and what a person typed beside it to the one Instagram account it stands for.

What lives here: finding the door that takes the token, and the account behind it. What does not: when this is asked
(`graph_session`).
The fact to know: a token of the Facebook login is one of a person or of a page, and neither is the Instagram account:
that one hangs on a page, and a person may have many. Where the choice is not certain, nothing is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from forwarder_core.connectors.base import Secrets
from forwarder_core.errors import AuthExpired, AuthInvalid, ContractChanged
from forwarder_core.platforms.instagram.graph_client import GraphClient, Json, Variant, objects, text
from forwarder_core.platforms.instagram.graph_errors import is_unknown_parameter
from forwarder_core.platforms.instagram.graph_tokens import IG_USER, PAGE, TOKEN

_PROFILE = "id,username,name"
_OF_PAGE = f"id,name,instagram_business_account{{{_PROFILE}}}"
_NOT_LINKED = "Link the Instagram professional account to the Facebook page, then try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The Instagram professional account: its id for every call, and its names."""

    variant: Variant
    ig_user_id: str
    username: str
    name: str
    page_id: str = ""


def find(secrets: Secrets, handle: str, open_client: Callable[[Variant], GraphClient]) -> Owner:
    """Ask at the likelier door, and at the other one where the first does not know the token at all."""
    refusals: list[AuthExpired] = []
    for variant in likely(secrets):
        try:
            with open_client(variant) as client:
                return owner_at(client, secrets, handle)
        except AuthExpired as e:
            refusals.append(e)
    raise refusals[0]


def likely(secrets: Secrets) -> tuple[Variant, ...]:
    """A page belongs to the Facebook login only; else Meta's tokens begin with EA there and IG at Instagram."""
    token = secrets.get(TOKEN, "")
    if secrets.get(PAGE):
        return (Variant.FACEBOOK,)
    if token.startswith("EA"):
        return (Variant.FACEBOOK, Variant.INSTAGRAM)
    return (Variant.INSTAGRAM, Variant.FACEBOOK)


def owner_at(client: GraphClient, secrets: Secrets, handle: str) -> Owner:
    """Who the token is at this door. Raises `AuthInvalid` when that is not who was typed in."""
    typed = secrets.get(IG_USER, "")
    if client.variant is Variant.INSTAGRAM:
        return _signed_in(client, typed)
    page = secrets.get(PAGE, "")
    if page:
        return _of_page(client.get(page, fields=_OF_PAGE), typed)
    if typed:
        return _owner(client.get(typed, fields=_PROFILE))
    try:
        pages = client.get("me/accounts", fields=_OF_PAGE, limit="100")
    except ContractChanged as e:
        if not is_unknown_parameter(e):
            raise
        # The token is a page's, and a page has no pages.
        return _of_page(client.get("me", fields=_OF_PAGE), typed)
    return _chosen(objects(pages, "data"), handle)


def _signed_in(client: GraphClient, typed: str) -> Owner:
    me = client.get("me", fields="id,user_id,username,name")
    if typed and typed not in (me.get("user_id"), me.get("id")):
        raise _another(me)
    return Owner(
        variant=Variant.INSTAGRAM,
        ig_user_id=text(me, "user_id" if me.get("user_id") else "id"),
        username=text(me, "username"),
        name=str(me.get("name") or ""),
    )


def _of_page(page: Json, typed: str) -> Owner:
    text(page, "id")  # an answer without it is no page, and says nothing of what is linked to one
    linked = page.get("instagram_business_account")
    if not isinstance(linked, Mapping):
        raise AuthInvalid("No Instagram account is linked to this Facebook page.", action=_NOT_LINKED)
    owner = _owner(linked, str(page.get("id") or ""))
    if typed and typed != owner.ig_user_id:
        raise _another(linked)
    return owner


def _owner(profile: Json, page_id: str = "") -> Owner:
    return Owner(
        variant=Variant.FACEBOOK,
        ig_user_id=text(profile, "id"),
        username=text(profile, "username"),
        name=str(profile.get("name") or ""),
        page_id=page_id,
    )


def _chosen(pages: list[Json], handle: str) -> Owner:
    linked = [_of_page(page, "") for page in pages if isinstance(page.get("instagram_business_account"), Mapping)]
    if not linked:
        raise AuthInvalid("None of this person's Facebook pages has an Instagram account.", action=_NOT_LINKED)
    named = [owner for owner in linked if owner.username.lower() == handle.lstrip("@").lower()]
    if named:
        return named[0]
    if len(linked) == 1:
        return linked[0]
    raise AuthInvalid(
        f"The token reaches {len(linked)} Instagram accounts, none of them named {handle}.",
        action="Give the Facebook page id or the Instagram account id in Accounts.",
    )


def _another(found: Json) -> AuthInvalid:
    return AuthInvalid(
        f"The token belongs to another Instagram account (@{found.get('username')}).",
        action="Connect with Meta again as the right account, or correct the account id.",
    )
