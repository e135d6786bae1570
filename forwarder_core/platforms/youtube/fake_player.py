"""What the fake shows without a login: watch pages, the player's answers and the file servers behind them.

What lives here: enough of YouTube's own pages for an unmodified yt-dlp. What does not: the Data API (fake_api.py) and
the feed (fake_feed.py).
The fact to know: real YouTube hides its formats behind a JavaScript puzzle and asks some addresses for more proof.
Neither is simulated: each Short has one format with a plain, signed address that ends after six hours. The fault
`challenge` makes the player ask whether this is a robot, `token_expired` has a file server refuse a signed address.
Accounts may name posts in their secrets, comma-separated: `age_restricted`, `members_only`, `geo_blocked`.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from forwarder_core.connectors.base import World, WorldPost
from forwarder_core.platforms.youtube import SPEC

FILE_HOST = "rr1---sn-fake.googlevideo.com"
_LIFETIME = timedelta(hours=6)
_NOTE = "file_key"
_ROBOT = {"status": "LOGIN_REQUIRED", "reason": "Sign in to confirm you’re not a bot"}
_REFUSALS: dict[str, dict[str, Any]] = {
    "age_restricted": {"status": "LOGIN_REQUIRED", "reason": "Sign in to confirm your age"},
    "members_only": {
        "status": "UNPLAYABLE",
        "reason": "Join this channel to get access to members-only content like this video, and other exclusive perks.",
    },
    "geo_blocked": {
        "status": "UNPLAYABLE",
        "reason": "Video unavailable",
        "errorScreen": {
            "playerErrorMessageRenderer": {
                "reason": {"simpleText": "Video unavailable"},
                "subreason": {"simpleText": "The uploader has not made this video available in your country"},
            }
        },
    },
}

Json = dict[str, Any]


class Player:
    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        return [
            Route("/shorts/{id}", self.by_path),
            Route("/watch", self.by_query),
            Route("/", self.front),
            Route("/tv", self.front),
            Route("/embed/{id}", self.embedded),
            Route("/iframe_api", self.script),
            Route("/youtubei/v1/player", self.player, methods=["POST"]),
            Route("/youtubei/v1/next", self.next, methods=["POST"]),
        ]

    def by_path(self, request: Request) -> Response:
        return self._page(request, request.path_params["id"])

    def by_query(self, request: Request) -> Response:
        return self._page(request, request.query_params.get("v", ""))

    def front(self, request: Request) -> Response:
        return HTMLResponse(f"<!DOCTYPE html><title>{SPEC.title}</title>")

    def embedded(self, request: Request) -> Response:
        """The player by itself, which yt-dlp tries where the watch page asks for an age."""
        return HTMLResponse(f"<!DOCTYPE html><title>YouTube</title><script>ytcfg.set({_embedded(_EMBED)});</script>")

    def script(self, request: Request) -> Response:
        """The loader of YouTube's player. Ours names no player: there is no puzzle that one would be needed for."""
        return Response("/* no player */", media_type="text/javascript")

    async def player(self, request: Request) -> Response:
        video_id = str((await request.json()).get("videoId", ""))
        return JSONResponse(self._answer(request, video_id))

    async def next(self, request: Request) -> Response:
        return JSONResponse(_INITIAL_DATA)

    def video(self, request: Request) -> Response:
        """A file server: the bytes behind a signed address, by Range too."""
        world, query = self._world, request.query_params
        post = world.post(SPEC.platform, query.get("id", ""))
        world.saw(SPEC.platform, post.account_id if post else None)
        owner = post.account_id if post else None
        if world.take_fault(SPEC.platform, request.url.path, owner, "token_expired"):
            return PlainTextResponse("", 403)
        given, expiry = query.get("sig", ""), query.get("expire", "")
        if not hmac.compare_digest(given, _signature(world, query.get("id", ""), expiry)):
            return PlainTextResponse("", 403)
        if int(expiry) < world.now().timestamp():
            return PlainTextResponse("", 403)
        if post is None:
            return PlainTextResponse("", 404)
        return FileResponse(post.path, media_type="video/mp4")

    def _page(self, request: Request, video_id: str) -> Response:
        """A real watch page is a 200 whatever becomes of the video; a person reads the player's words in it."""
        answer = self._answer(request, video_id)
        details = answer.get("videoDetails", {})
        title = html.escape(details.get("title", "")) or "YouTube"
        words = html.escape(answer["playabilityStatus"].get("reason", details.get("shortDescription", "")))
        return HTMLResponse(
            f"<!DOCTYPE html><title>{title} - YouTube</title><h1>{title}</h1><p>{words}</p>"
            f"<script>var ytInitialPlayerResponse = {_embedded(answer)};</script>"
            f"<script>var ytInitialData = {_embedded(_INITIAL_DATA)};</script>",
            200 if details else 404,
        )

    def _answer(self, request: Request, video_id: str) -> Json:
        """The player's answer about one video, which says by itself why there is nothing to play."""
        post = self._world.post(SPEC.platform, video_id)
        self._world.saw(SPEC.platform, post.account_id if post else None)
        if post is None:
            return {"playabilityStatus": {"status": "ERROR", "reason": "Video unavailable"}}
        if post.privacy == "private":
            return {"playabilityStatus": {"status": "LOGIN_REQUIRED", "reason": _PRIVATE}}
        known = {"videoDetails": _details(post), "microformat": _microformat(post)}
        if refused := self._refusal(request, post):
            return {"playabilityStatus": refused, **known}
        streams = {"expiresInSeconds": str(int(_LIFETIME.total_seconds())), "formats": [self._format(post)]}
        return {"playabilityStatus": {"status": "OK", "playableInEmbed": True}, "streamingData": streams, **known}

    def _refusal(self, request: Request, post: WorldPost) -> Json | None:
        if self._world.take_fault(SPEC.platform, request.url.path, post.account_id, "challenge"):
            return _ROBOT
        owner = self._world.account(SPEC.platform, post.account_id)
        named = owner.secrets if owner else {}
        return next((_REFUSALS[why] for why in _REFUSALS if post.id in named.get(why, "").split(",")), None)

    def _format(self, post: WorldPost) -> Json:
        return {
            "itag": 18,
            "url": file_url(self._world, post.id),
            "mimeType": 'video/mp4; codecs="avc1.42001E, mp4a.40.2"',
            "bitrate": post.size_bytes * 8000 // max(post.duration_ms, 1),
            "width": post.width,
            "height": post.height,
            "contentLength": str(post.size_bytes),
            "quality": "medium",
            "qualityLabel": f"{min(post.width, post.height)}p",
            "fps": 30,
            "approxDurationMs": str(post.duration_ms),
            "audioChannels": 2,
            "audioSampleRate": "48000",
        }


def file_url(world: World, post_id: str) -> str:
    """An address that is good for six hours."""
    expiry = str(int((world.now() + _LIFETIME).timestamp()))
    query = urlencode({"expire": expiry, "id": post_id, "itag": 18, "sig": _signature(world, post_id, expiry)})
    return f"https://{FILE_HOST}/videoplayback?{query}"


_PRIVATE = "This video is private. Sign in if you've been granted access to this video."
_EMBED: Json = {
    "INNERTUBE_CONTEXT": {"client": {"clientName": "WEB_EMBEDDED_PLAYER", "clientVersion": "1.20261101.01.00"}}
}
_INITIAL_DATA: Json = {"contents": {"twoColumnWatchNextResults": {}}}


def _details(post: WorldPost) -> Json:
    return {
        "videoId": post.id,
        "title": post.title or post.caption[:100],
        "lengthSeconds": str(round(post.duration_ms / 1000)),
        "channelId": post.account_id,
        "shortDescription": post.caption,
        "viewCount": "0",
        "isLiveContent": False,
    }


def _microformat(post: WorldPost) -> Json:
    return {
        "playerMicroformatRenderer": {
            "externalChannelId": post.account_id,
            "isFamilySafe": True,
            "isShortsEligible": post.height >= post.width and post.duration_ms <= 180_000,
            "publishDate": post.published_at.isoformat(),
        }
    }


def _signature(world: World, post_id: str, expiry: str) -> str:
    key = world.notes(SPEC.platform).setdefault(_NOTE, secrets.token_hex(16))
    return hmac.new(str(key).encode(), f"{post_id}|{expiry}".encode(), hashlib.sha256).hexdigest()


def _embedded(value: Json) -> str:
    """JSON that cannot end the script it stands in."""
    return json.dumps(value).replace("<", "\\u003c")
