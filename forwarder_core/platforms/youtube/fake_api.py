"""The reading half of the fake's Data API: channels, uploads playlists, videos and the states they go through.

What lives here: those answers. What does not: how a video gets there (fake_uploads.py). The fact to know: a video's
state follows from its age by the world's clock and from what fake_uploads noted about it under `video:<id>`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from forwarder_core.connectors.base import World, WorldAccount, WorldPost
from forwarder_core.platforms.youtube import SPEC
from forwarder_core.platforms.youtube.fake_answers import Refused
from forwarder_core.platforms.youtube.fake_oauth import signed_in

PROCESSING_S = 1.0
_LONGEST_SHORT_MS = 180_000
VIDEO_PARTS = ("snippet", "contentDetails", "status", "processingDetails", "statistics", "player", "fileDetails")
_CHANNEL_PARTS = ("snippet", "contentDetails", "statistics", "status", "brandingSettings")
_ITEM_PARTS = ("snippet", "contentDetails", "status")
_FAR_PAST = datetime(2005, 4, 24, tzinfo=UTC)

Json = dict[str, Any]


class Api:
    def __init__(self, world: World) -> None:
        self._world = world

    def channels(self, request: Request) -> Response:
        account = signed_in(request, self._world)
        parts = asked_parts(request, _CHANNEL_PARTS)
        refuse_on_quota(request, self._world, account)
        query = request.query_params
        if (query.get("mine") == "true") == ("id" in query):
            raise Refused(400, "missingRequiredParameter", "No filter selected. Expected one of: mine, id")
        ids = query["id"].split(",") if "id" in query else [account.id]
        found = [each for each in (self._world.account(SPEC.platform, id_) for id_ in ids) if each]
        resources = [_cut({"kind": "youtube#channel", "id": each.id} | channel(each), parts) for each in found]
        return _listed("youtube#channelListResponse", resources)

    def playlist_items(self, request: Request) -> Response:
        account = signed_in(request, self._world)
        parts = asked_parts(request, _ITEM_PARTS)
        refuse_on_quota(request, self._world, account)
        playlist = request.query_params.get("playlistId", "")
        shown = self._listed_in(playlist, account)
        if not shown:
            raise Refused(404, "playlistNotFound", "The playlist identified with the playlistId cannot be found.")
        size, start = _page_of(request)
        items = [_cut(playlist_item(video, playlist), parts) for video in shown[start : start + size]]
        more = {"nextPageToken": f"P{start + size}"} if start + size < len(shown) else {}
        return _listed("youtube#playlistItemListResponse", items, total=len(shown), **more)

    def videos(self, request: Request) -> Response:
        account = signed_in(request, self._world)
        parts = asked_parts(request, VIDEO_PARTS)
        refuse_on_quota(request, self._world, account)
        query = request.query_params
        if not query.get("maxHeight", "72").isdigit() or not 72 <= int(query.get("maxHeight", "72")) <= 8192:
            raise Refused(400, "invalidParameter", "Invalid value for maxHeight.")
        ids = query.get("id", "").split(",")
        if not ids[0] or len(ids) > 50:
            raise Refused(400, "missingRequiredParameter", "No filter selected. Expected one of: id")
        found = [video for video in (video_of(self._world, id_) for id_ in ids) if video]
        visible = [each for each in found if each["snippet"]["channelId"] == account.id or _is_public(each)]
        for each in visible:
            if each["snippet"]["channelId"] != account.id:
                each["snippet"].pop("tags", None)  # tags are shown to the uploader only
            self._add_counts(each)
            if height := query.get("maxHeight"):
                self._add_shape(each, int(height))
        return _listed("youtube#videoListResponse", [_cut(each, parts) for each in visible])

    def _add_counts(self, video: Json) -> None:
        """`views` and `likes` in the owner's secrets."""
        owner = self._world.account(SPEC.platform, video["snippet"]["channelId"])
        for name, secret in (("viewCount", "views"), ("likeCount", "likes")):
            video["statistics"][name] = owner.secrets.get(secret, "0") if owner else "0"

    def _add_shape(self, video: Json, height: int) -> None:
        """The size of a player of this height at most, known once the video is processed."""
        post = self._world.post(SPEC.platform, video["id"])
        if post and video["status"]["uploadStatus"] == "processed":
            video["player"] |= {"embedHeight": str(height), "embedWidth": str(height * post.width // post.height)}

    def _listed_in(self, playlist: str, asker: WorldAccount) -> list[Json]:
        """`UU…` all uploads of a channel; `UUSH…` its Shorts, which not every channel has (secret `no_shorts_list`)."""
        by_prefix = {prefix: playlist.removeprefix(prefix) for prefix in ("UUSH", "UU") if playlist.startswith(prefix)}
        for prefix, bare in by_prefix.items():
            if owner := self._world.account(SPEC.platform, f"UC{bare}"):
                shown = self._shown(owner, asker)
                if prefix == "UU":
                    return shown
                return [] if owner.secrets.get("no_shorts_list") else [each for each in shown if self._is_short(each)]
        return []

    def _is_short(self, video: Json) -> bool:
        post = self._world.post(SPEC.platform, video["id"])
        return post is not None and is_short(post)

    def _shown(self, owner: WorldAccount, asker: WorldAccount) -> list[Json]:
        """The uploads of `owner` that `asker` may list by now, newest first."""
        posts = [post for post in self._world.posts(SPEC.platform, owner.id) if is_listed(self._world, post.id)]
        shown = [post for post in posts if owner.id == asker.id or post.privacy == "public"]
        return [video_of(self._world, post.id) or {} for post in shown]


def is_listed(world: World, video_id: str) -> bool:
    """False while a listing lags behind."""
    hidden_until = world.notes(SPEC.platform).get(f"video:{video_id}", {}).get("hidden_until")
    return not hidden_until or datetime.fromisoformat(hidden_until) <= world.now()


def is_short(post: WorldPost) -> bool:
    return post.duration_ms <= _LONGEST_SHORT_MS and post.height >= post.width


def asked_parts(request: Request, known: Sequence[str]) -> list[str]:
    given = request.query_params.getlist("part")
    parts = [part.strip() for value in given for part in value.split(",") if part.strip()]
    if not parts:
        raise Refused(400, "missingRequiredParameter", "Required parameter: part")
    for part in parts:
        if part not in (*known, "id"):
            raise Refused(400, "unknownPart", f"{part}")
    return parts


def refuse_on_quota(request: Request, world: World, account: WorldAccount) -> None:
    if world.take_fault(SPEC.platform, request.url.path, account.id, "quota"):
        raise Refused(403, "quotaExceeded", "The request cannot be completed because you have exceeded your quota.")


def video_of(world: World, video_id: str) -> Json | None:
    """The whole `video` resource as its owner sees it now; None where there is none."""
    facts: Mapping[str, Any] = world.notes(SPEC.platform).get(f"video:{video_id}", {})
    post = world.post(SPEC.platform, video_id)
    if post is None and "refused" not in facts:
        return None
    published_at = post.published_at if post else datetime.fromisoformat(facts["at"])
    # What a person posts appears when it is finished; only an upload is seen while it is being processed.
    is_young = bool(facts) and world.now() < published_at + timedelta(seconds=PROCESSING_S)
    is_processed = post is not None and not is_young and not facts.get("never_finishes")
    state: Json = {"uploadStatus": "processed" if is_processed else "uploaded"}
    if post is None and not is_young:
        state = dict(facts["refused"])
    return {
        "kind": "youtube#video",
        "id": video_id,
        "snippet": _snippet(post, facts) | {"publishedAt": _zulu(published_at)},
        "status": _status(post, facts) | state,
        "contentDetails": _content(post if is_processed else None),
        "processingDetails": {"processingStatus": _PROCESSING[state["uploadStatus"]]},
        "statistics": {"viewCount": "0", "likeCount": "0", "commentCount": "0"},
        "player": {"embedHtml": f'<iframe src="//www.youtube.com/embed/{video_id}"></iframe>'},
    }


def _snippet(post: WorldPost | None, facts: Mapping[str, Any]) -> Json:
    return {
        "channelId": post.account_id if post else facts["account"],
        "title": post.title if post else facts["title"],
        "description": post.caption if post else "",
        "tags": list(post.tags) if post else [],
        "categoryId": facts.get("category", "22"),
        "liveBroadcastContent": "none",
    }


def _status(post: WorldPost | None, facts: Mapping[str, Any]) -> Json:
    return {
        "privacyStatus": post.privacy if post else "private",
        "license": "youtube",
        "embeddable": True,
        "publicStatsViewable": True,
        "madeForKids": False,
        "selfDeclaredMadeForKids": bool(facts.get("made_for_kids", False)),
    }


def _content(post: WorldPost | None) -> Json:
    """What processing finds out; before it, the length is zero."""
    return {
        "duration": _iso(post.duration_ms) if post else "P0D",
        "dimension": "2d",
        "definition": "hd" if post and min(post.width, post.height) >= 720 else "sd",
        "caption": "false",
        "licensedContent": False,
        "projection": "rectangular",
    }


_PROCESSING = {"uploaded": "processing", "processed": "succeeded", "failed": "failed", "rejected": "terminated"}


def channel(account: WorldAccount) -> Json:
    playlist = f"UU{account.id[2:]}"
    return {
        "snippet": {"title": account.username, "customUrl": f"@{account.username.lower()}", "description": ""},
        "contentDetails": {"relatedPlaylists": {"likes": "LL", "uploads": playlist}},
        "status": {"privacyStatus": "public", "isLinked": True, "longUploadsStatus": "allowed"},
        "statistics": {"viewCount": "0", "subscriberCount": "0", "hiddenSubscriberCount": False, "videoCount": "0"},
        "brandingSettings": {"channel": {"title": account.username}},
    }


def playlist_item(video: Json, playlist: str) -> Json:
    snippet = video["snippet"]
    published = {"videoPublishedAt": snippet["publishedAt"]} if video["status"]["privacyStatus"] == "public" else {}
    resource = {"resourceId": {"kind": "youtube#video", "videoId": video["id"]}, "playlistId": playlist}
    return {
        "kind": "youtube#playlistItem",
        "id": f"UEL{video['id']}",
        "snippet": {k: snippet[k] for k in ("publishedAt", "channelId", "title", "description")} | resource,
        "contentDetails": {"videoId": video["id"]} | published,
        "status": {"privacyStatus": video["status"]["privacyStatus"]},
    }


def _cut(resource: Json, parts: Sequence[str]) -> Json:
    return {name: value for name, value in resource.items() if name in ("kind", "id", *parts)}


def _listed(kind: str, items: list[Json], *, total: int | None = None, **more: str) -> Response:
    """Google leaves `items` out where there are none."""
    counts = {"totalResults": len(items) if total is None else total, "resultsPerPage": max(len(items), 1)}
    return JSONResponse({"kind": kind, **more, "pageInfo": counts} | ({"items": items} if items else {}))


def _page_of(request: Request) -> tuple[int, int]:
    """How many, and from which on."""
    size, token = request.query_params.get("maxResults", "5"), request.query_params.get("pageToken", "P0")
    if not size.isdigit() or not 0 <= int(size) <= 50 or token[:1] != "P" or not token[1:].isdigit():
        raise Refused(400, "invalidPageToken", "The request specifies an invalid page token or size.")
    return int(size), int(token[1:])


def _is_public(video: Json) -> bool:
    return bool(video["status"]["privacyStatus"] in ("public", "unlisted"))


def _iso(duration_ms: int) -> str:
    minutes, seconds = divmod(round(duration_ms / 1000), 60)
    return f"PT{f'{minutes}M' if minutes else ''}{seconds}S"


def _zulu(at: datetime) -> str:
    return max(at, _FAR_PAST).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
