"""A fake of Meta's Graph API and its upload host, beside the private interface and over the same accounts and posts.

What lives here: putting its endpoints together, and what a person types in to use it. What does not: any endpoint.
The fact to know: both logins are there, and a token of one is refused at the other's host. Whether Meta still refuses
uploads of the Instagram login is a secret of the account, `graph_no_uploads`, because its pages and practice differ.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.routing import BaseRoute, Host, Route, Router

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.instagram.fake_graph_oauth import SignIn, app_of
from forwarder_core.platforms.instagram.fake_graph_publishing import Publishing
from forwarder_core.platforms.instagram.fake_graph_reading import Reading
from forwarder_core.platforms.instagram.fake_graph_uploads import Uploads
from forwarder_core.platforms.instagram.fake_graph_wire import (
    FACEBOOK,
    INSTAGRAM,
    UPLOADS,
    caller,
    host_of,
    is_facebook,
    page_id,
    token_of,
)

HOSTS = (FACEBOOK, INSTAGRAM, UPLOADS)


def routes(world: World) -> list[BaseRoute]:
    """By host, before those of the private interface, whose paths have another form."""
    reading = Reading(world)
    publishing = Publishing(world, reading)
    uploads = Uploads(world, publishing)
    sign_in = SignIn(world)
    api = Router(
        [
            *sign_in.exchanges(),
            Route("/refresh_access_token", reading.refresh, methods=["GET"]),
            Route("/{version}/me", reading.me, methods=["GET"]),
            Route("/{version}/me/accounts", reading.pages, methods=["GET"]),
            Route("/{version}/debug_token", reading.debug_token, methods=["GET"]),
            Route("/{version}/{node}/media", reading.media, methods=["GET"]),
            Route("/{version}/{node}/media", publishing.open, methods=["POST"]),
            Route("/{version}/{node}/media_publish", publishing.publish, methods=["POST"]),
            Route("/{version}/{node}/content_publishing_limit", publishing.limit, methods=["GET"]),
            Route("/{version}/{node}", publishing.node, methods=["GET"]),
        ]
    )
    files = Router(
        [
            Route("/ig-api-upload/{version}/{container}", uploads.offset, methods=["GET"]),
            Route("/ig-api-upload/{version}/{container}", uploads.receive, methods=["POST"]),
        ]
    )
    return [Host(FACEBOOK, api), Host(INSTAGRAM, api), Host(UPLOADS, files), *sign_in.pages()]


def credentials(world: World, account: WorldAccount) -> Mapping[str, str]:
    """What a person types into the form of this road."""
    typed = {"access_token": token_of(world, account), "ig_user_id": account.id, **app_of(account)}
    return {**typed, "facebook_page_id": page_id(account)} if is_facebook(account) else typed


def account_of(request: Request, world: World) -> str | None:
    account = caller(request, world)
    return account.id if account else None


def is_here(request: Request) -> bool:
    return host_of(request) in HOSTS
