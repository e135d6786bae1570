"""The fake's channel feed: the fifteen newest public videos as Atom, for whoever asks.

What lives here: that one document. What does not: anything that asks for a sign-in (fake_api.py).
The fact to know: the address of an entry is `/shorts/<id>` for most Shorts and `/watch?v=<id>` for the rest, as on
YouTube; an account's secret `watch_links` (ids, comma-separated, or `all`) names those of the second kind.
`views` and `likes` in its secrets are every video's counts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from forwarder_core.connectors.base import World, WorldAccount, WorldPost
from forwarder_core.platforms.youtube import SPEC
from forwarder_core.platforms.youtube.fake_api import is_listed, is_short, video_of

MOST_ENTRIES = 15
_SPACES = (
    'xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns:media="http://search.yahoo.com/mrss/"'
    ' xmlns="http://www.w3.org/2005/Atom"'
)


class Feed:
    def __init__(self, world: World) -> None:
        self._world = world

    def videos(self, request: Request) -> Response:
        account = self._world.account(SPEC.platform, request.query_params.get("channel_id", ""))
        self._world.saw(SPEC.platform, account.id if account else None)
        if account is None:
            return PlainTextResponse("Error 404 (Not Found)!!1", 404)
        posts = self._world.posts(SPEC.platform, account.id)
        public = [post for post in posts if post.privacy == "public" and is_ready(self._world, post)]
        entries = "".join(_entry(account, post) for post in public[:MOST_ENTRIES])
        title = escape(account.username)
        return Response(
            f'<?xml version="1.0" encoding="UTF-8"?>\n<feed {_SPACES}>'
            f"<id>yt:channel:{account.id[2:]}</id><yt:channelId>{account.id[2:]}</yt:channelId>"
            f'<title>{title}</title><link rel="alternate" href="https://www.youtube.com/channel/{account.id}"/>'
            f"<published>2015-01-01T00:00:00+00:00</published>{entries}</feed>",
            media_type="text/xml; charset=UTF-8",
        )


def is_ready(world: World, post: WorldPost) -> bool:
    """A video enters the feed when it is processed."""
    video = video_of(world, post.id)
    return video is not None and video["status"]["uploadStatus"] == "processed" and is_listed(world, post.id)


def _entry(account: WorldAccount, post: WorldPost) -> str:
    title, at = escape(post.title or post.caption[:100] or post.id), _instant(post.published_at)
    views, likes = (int(account.secrets.get(name, 0)) for name in ("views", "likes"))
    return (
        f"<entry><id>yt:video:{post.id}</id><yt:videoId>{post.id}</yt:videoId>"
        f"<yt:channelId>{account.id}</yt:channelId><title>{title}</title>"
        f'<link rel="alternate" href={quoteattr(_address(account, post))}/>'
        f"<published>{at}</published><updated>{at}</updated>"
        f"<media:group><media:title>{title}</media:title>"
        f"<media:description>{escape(post.caption)}</media:description><media:community>"
        f'<media:starRating count="{likes}" average="5.00" min="1" max="5"/><media:statistics views="{views}"/>'
        "</media:community></media:group></entry>"
    )


def _address(account: WorldAccount, post: WorldPost) -> str:
    by_watch = account.secrets.get("watch_links", "").split(",")
    if is_short(post) and post.id not in by_watch and "all" not in by_watch:
        return f"https://www.youtube.com/shorts/{post.id}"
    return f"https://www.youtube.com/watch?v={post.id}"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
