"""The fake Graph API's reading half: who a token is, pages, tokens, own media.

What lives here: the endpoints that change no post. What does not: containers (`fake_graph_publishing`), bytes
(`fake_graph_uploads`).
The fact to know: its media ids are the world's own, the same as the private interface shows. Meta's are others, so
nothing may be concluded here about telling one post's two ids apart. Posts named in the account's secret `licensed`
(ids, comma-separated) come without their file.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from forwarder_core.connectors.base import World, WorldAccount, WorldPost
from forwarder_core.platforms.instagram.fake_files import video_url
from forwarder_core.platforms.instagram.fake_graph_wire import (
    FACEBOOK,
    INSTAGRAM,
    caller,
    error,
    guard,
    held,
    host_of,
    is_facebook,
    new_token,
    ok,
    page_id,
    presented,
    shaped,
)
from forwarder_core.platforms.instagram.fake_wire import PLATFORM, Refused

_MOST_LISTED = 100
_DATA_ACCESS = timedelta(days=90)
_OLD_ENOUGH = timedelta(hours=24)


class Reading:
    def __init__(self, world: World) -> None:
        self._world = world

    async def me(self, request: Request) -> Response:
        account = guard(request, self._world)
        if is_facebook(account):
            return ok(shaped(self._facebook_me(account), request, "id"))
        profile = {**profile_of(account), "id": f"77{account.id}", "user_id": account.id, "account_type": "BUSINESS"}
        return ok(shaped(profile, request, "id"))

    async def pages(self, request: Request) -> Response:
        account = guard(request, self._world)
        if not is_facebook(account) or account.secrets.get("graph_token") == "page":
            raise Refused(error(100, "(#100) Tried accessing nonexisting field (accounts) on node type (Page)"))
        return ok({"data": [shaped(page_of(account), request, "id")]})

    async def debug_token(self, request: Request) -> Response:
        guard(request, self._world)
        asked = held(self._world, request.query_params.get("input_token", ""))
        if host_of(request) != FACEBOOK or asked is None:
            raise Refused(error(100, "The parameter input_token is required and must be a token"))
        issued, ends = (datetime.fromisoformat(asked[name]) for name in ("issued", "ends"))
        account = self._world.account(PLATFORM, asked["account"])
        is_page = account is not None and account.secrets.get("graph_token") == "page"
        data = {
            "type": "PAGE" if is_page else "USER",
            "is_valid": ends > self._world.now(),
            "issued_at": int(issued.timestamp()),
            "expires_at": 0 if is_page else int(ends.timestamp()),
            "data_access_expires_at": int((issued + _DATA_ACCESS).timestamp()),
            "scopes": ["instagram_basic", "instagram_content_publish", "pages_read_engagement"],
        }
        return ok({"data": data})

    async def refresh(self, request: Request) -> Response:
        """The header is taken as everywhere, unless the account's secret `refresh_by_query` is set; the query is what
        Meta documents for this one call."""
        account = caller(request, self._world)
        by_header = "" if account and account.secrets.get("refresh_by_query") else presented(request)
        token = by_header or request.query_params.get("access_token", "") or "none"
        if host_of(request) != INSTAGRAM or request.query_params.get("grant_type") != "ig_refresh_token":
            raise Refused(error(100, "Invalid parameter grant_type"))
        account = guard(request, self._world, token)
        known = held(self._world, token) or {}
        if self._world.now() - datetime.fromisoformat(known["issued"]) < _OLD_ENOUGH:
            raise Refused(error(100, "The access token is not yet 24 hours old"))
        fresh = new_token(self._world, account, issued=self._world.now())
        return ok({"access_token": fresh, "token_type": "bearer", "expires_in": 60 * 24 * 3600})

    async def media(self, request: Request) -> Response:
        account = guard(request, self._world)
        if request.path_params["node"] not in (account.id, "me"):
            raise Refused(not_there())
        posts = [post for post in self._world.posts(PLATFORM, account.id) if not is_hidden(self._world, post)]
        limit = min(int(request.query_params.get("limit", "25")), _MOST_LISTED)
        begin = _position(posts, request.query_params.get("after"))
        shown = posts[begin : begin + limit]
        body: dict[str, Any] = {"data": [shaped(media_json(self._world, p, account), request, "id") for p in shown]}
        if shown:
            cursors = {"before": f"c{shown[0].id}", "after": f"c{shown[-1].id}"}
            body["paging"] = {"cursors": cursors}
            if begin + limit < len(posts):
                query = urlencode({"access_token": presented(request), "after": cursors["after"]})
                body["paging"]["next"] = f"https://{host_of(request)}{request.url.path}?{query}"
        return ok(body)

    def node(self, request: Request, account: WorldAccount) -> Response:
        """A profile, a page or a post by its id."""
        id_ = request.path_params["node"]
        if id_ == account.id:
            return ok(shaped(profile_of(account), request, "id"))
        if is_facebook(account) and id_ == page_id(account):
            return ok(shaped(page_of(account), request, "id"))
        post = self._world.post(PLATFORM, id_)
        if post is None or post.account_id != account.id:
            raise Refused(not_there())
        return ok(shaped(media_json(self._world, post, account), request, "id"))

    def _facebook_me(self, account: WorldAccount) -> dict[str, Any]:
        if account.secrets.get("graph_token") == "page":
            return page_of(account)
        return {"id": f"20{account.id}", "name": f"Owner of {account.username}"}


def not_there() -> Response:
    return error(100, "Unsupported request. Object does not exist or cannot be loaded.", subcode=33)


def profile_of(account: WorldAccount) -> dict[str, Any]:
    return {"id": account.id, "username": account.username, "name": account.username.replace("_", " ").title()}


def page_of(account: WorldAccount) -> dict[str, Any]:
    linked = None if account.secrets.get("graph_unlinked") else profile_of(account)
    return {"id": page_id(account), "name": f"Page of {account.username}", "instagram_business_account": linked}


def media_json(world: World, post: WorldPost, owner: WorldAccount) -> dict[str, Any]:
    """A Reel as Meta tells of it: no length, no views, and no file where its sound is licensed."""
    seed = int(post.id) % 9973
    is_licensed = post.id in owner.secrets.get("licensed", "").split(",")
    return {
        "id": post.id,
        "media_type": "VIDEO",
        "media_product_type": "REELS",
        "media_url": None if is_licensed else video_url(world, post, "full"),
        "permalink": post.url,
        "timestamp": post.published_at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
        "caption": post.caption or None,
        "like_count": seed % 500,
        "comments_count": seed % 50,
        "username": owner.username,
    }


def is_hidden(world: World, post: WorldPost) -> bool:
    until = world.notes(PLATFORM).get(f"hidden/{post.id}")
    return until is not None and world.now() < datetime.fromisoformat(until)


def _position(posts: list[WorldPost], after: str | None) -> int:
    if after is None:
        return 0
    ids = [f"c{post.id}" for post in posts]
    if after not in ids:
        raise Refused(error(100, "The cursor is not valid"))
    return ids.index(after) + 1
