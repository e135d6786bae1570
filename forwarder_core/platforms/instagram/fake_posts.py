"""The fake's profiles and posts: who is signed in, a profile's Reels page by page, one post, deleting one.

What lives here: the reading endpoints and the JSON of a post. What does not: files (`fake_files`), uploads
(`fake_uploads`).
The fact to know: the posts named in the account's secret `pinned` (ids, comma-separated) stand first on the first
page and again in their place by date, as on the real profile. The tags `silent` and `licensed_music` are told in the
JSON of a post.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from forwarder_core.connectors.base import World, WorldAccount, WorldPost
from forwarder_core.platforms.instagram.fake_files import cover_url, video_url
from forwarder_core.platforms.instagram.fake_wire import PLATFORM, Refused, fail, guard, need, ok, signed_form

_PAGE_SIZE = 12
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Posts:
    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        post = ["POST"]
        return [
            Route("/api/v1/feed/reels_tray/", self.nothing, methods=post),
            Route("/api/v1/feed/timeline/", self.nothing, methods=post),
            Route("/api/v1/accounts/current_user/", self.current_user, methods=["GET"]),
            Route("/api/v1/users/{username}/usernameinfo/", self.profile, methods=["GET"]),
            Route("/api/v1/users/{pk:int}/info/", self.profile, methods=["GET"]),
            Route("/api/v1/clips/user/", self.clips, methods=post),
            Route("/api/v1/media/{pk:int}/info/", self.media, methods=["GET"]),
            Route("/api/v1/media/{media_id}/delete/", self.delete, methods=post),
        ]

    async def nothing(self, request: Request) -> Response:
        guard(request, self._world)
        return ok(feed_items=[], tray=[])

    async def current_user(self, request: Request) -> Response:
        return ok(user=user_json(guard(request, self._world)))

    async def profile(self, request: Request) -> Response:
        guard(request, self._world)
        key = str(request.path_params.get("pk") or request.path_params.get("username"))
        account = self._world.account(PLATFORM, key)
        if account is None:
            return fail(404, "User not found")
        counts = {"media_count": len(self._world.posts(PLATFORM, account.id)), "follower_count": 7}
        return ok(user=user_json(account) | counts | {"following_count": 3})

    async def clips(self, request: Request) -> Response:
        guard(request, self._world)
        asked = await signed_form(request)
        (target,) = need(asked, "target_user_id")
        owner = self._world.account(PLATFORM, target)
        if owner is None:
            return fail(400, "Invalid target user")
        posts = [post for post in self._world.posts(PLATFORM, owner.id) if not self._is_hidden(post)]
        cursor = str(asked.get("max_id") or "")
        rest = [post for post in posts if not cursor or _place(post) < _place_in(cursor)]
        shown, more = rest[:_PAGE_SIZE], len(rest) > _PAGE_SIZE
        pinned = [] if cursor else [post for post in posts if post.id in owner.secrets.get("pinned", "").split(",")]
        paging = {"max_id": _cursor(shown[-1]) if more else "", "more_available": more}
        return ok(
            items=[{"media": media_json(self._world, post, owner)} for post in [*pinned, *shown]], paging_info=paging
        )

    async def media(self, request: Request) -> Response:
        guard(request, self._world)
        post = self._world.post(PLATFORM, str(request.path_params["pk"]))
        owner = self._world.account(PLATFORM, post.account_id) if post else None
        if post is None or owner is None:
            return fail(404, "Media not found or unavailable")
        return ok(items=[media_json(self._world, post, owner)], num_results=1)

    async def delete(self, request: Request) -> Response:
        account = guard(request, self._world)
        pk = str(request.path_params["media_id"]).partition("_")[0]
        await signed_form(request)
        post = self._world.post(PLATFORM, pk)
        if post is None or post.account_id != account.id:
            return fail(400, "Media not found or unavailable")
        self._world.delete_post(PLATFORM, pk)
        return ok(did_delete=True)

    def _is_hidden(self, post: WorldPost) -> bool:
        until = self._world.notes(PLATFORM).get(f"hidden/{post.id}")
        return until is not None and self._world.now() < datetime.fromisoformat(until)


def user_json(account: WorldAccount) -> dict[str, Any]:
    return {
        "pk": int(account.id),
        "pk_id": account.id,
        "username": account.username,
        "full_name": account.username.replace("_", " ").title(),
        "is_private": False,
        "is_verified": False,
        "is_business": False,
        "profile_pic_url": f"https://scontent.cdninstagram.com/p/{account.id}.jpg",
    }


def media_json(world: World, post: WorldPost, owner: WorldAccount) -> dict[str, Any]:
    """A post as `media/<pk>/info/` and listings hold it. `pk` is a number here, as on the wire."""
    size = {"width": post.width, "height": post.height}
    seed = int(post.id) % 9973
    return {
        "pk": int(post.id),
        "id": f"{post.id}_{owner.id}",
        "code": shortcode(int(post.id)),
        "taken_at": int(post.published_at.timestamp()),
        "media_type": 2,
        "product_type": "clips",
        "user": user_json(owner),
        "caption": {"text": post.caption, "pk": int(post.id)} if post.caption else None,
        "like_count": seed % 500,
        "comment_count": seed % 50,
        "play_count": seed * 3,
        "has_audio": "silent" not in post.tags,
        "video_duration": post.duration_ms / 1000,
        "image_versions2": {"candidates": [{**size, "url": cover_url(world, post)}]},
        "video_versions": [
            {"type": 101, "width": post.width // 2, "height": post.height // 2, "url": video_url(world, post, "small")},
            {"type": 101, **size, "url": video_url(world, post, "full")},
        ],
        "clips_music_attribution_info": _music(post),
    }


def _music(post: WorldPost) -> dict[str, Any] | None:
    if "licensed_music" not in post.tags:
        return None
    return {"artist_name": "The Licensed", "song_name": "All Rights", "uses_original_audio": False, "audio_id": "77"}


def shortcode(pk: int) -> str:
    code = ""
    while pk:
        pk, digit = divmod(pk, 64)
        code = _ALPHABET[digit] + code
    return code


def _place(post: WorldPost) -> tuple[float, int]:
    return post.published_at.timestamp(), int(post.id)


def _cursor(post: WorldPost) -> str:
    at, pk = _place(post)
    return base64.urlsafe_b64encode(f"{at!r}|{pk}".encode()).decode()


def _place_in(cursor: str) -> tuple[float, int]:
    try:
        at, pk = base64.urlsafe_b64decode(cursor).decode().split("|")
        return float(at), int(pk)
    except (binascii.Error, ValueError):
        raise Refused(fail(400, "You specified a non-existent cursor")) from None
