"""The fake Graph API's writing half: containers, their state, the posting limit, and the call that makes a post.

What lives here: everything about a container but its bytes (`fake_graph_uploads`).
The fact to know: a container is published once. Its post's id is noted before the post is made, so that a kill in
between ends in one post; a second call is refused. The account's secrets `processing_s`, `container_life_s` and
`quota_total` say how long a file takes to be processed, how long a container lives, how many posts 24 hours hold.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from forwarder_core.connectors.base import World, WorldAccount
from forwarder_core.platforms.instagram.fake_graph_reading import Reading
from forwarder_core.platforms.instagram.fake_graph_wire import UPLOADS, error, guard, ok, shaped
from forwarder_core.platforms.instagram.fake_wire import PLATFORM, Refused, form_of

_LIFE_S = "86400"
_CAPTION_CHARS, _HASHTAGS = 2200, 30
_QUOTA = 100
_LAG_S = 60.0
_NO_CONTAINER = 2207006

Container = dict[str, Any]


class Publishing:
    def __init__(self, world: World, reading: Reading) -> None:
        self._world = world
        self._reading = reading

    async def open(self, request: Request) -> Response:
        account = self._own(request)
        form = await form_of(request)
        if form.get("media_type") != "REELS" or form.get("upload_type") != "resumable":
            raise Refused(error(100, "Only Reels by resumable upload are known here."))
        if account.secrets.get("graph_no_uploads"):
            raise Refused(error(100, "(#100) The parameter video_url is required"))
        caption = form.get("caption", "")
        if len(caption) > _CAPTION_CHARS or caption.count("#") > _HASHTAGS:
            raise Refused(error(100, "The caption is too long", subcode=2207010))
        id_ = f"178{self._world.new_id(PLATFORM)[-14:]}"
        ends = self._world.now() + timedelta(seconds=float(account.secrets.get("container_life_s", _LIFE_S)))
        note = {"account": account.id, "caption": caption, "ends": ends.isoformat(), "size": None}
        self.save(id_, {**note, "ready": None, "error": "", "post": None})
        return ok({"id": id_, "uri": f"https://{UPLOADS}/ig-api-upload/{request.path_params['version']}/{id_}"})

    async def node(self, request: Request) -> Response:
        account = guard(request, self._world)
        container = self.find(request.path_params["node"], account)
        if container is None:
            return self._reading.node(request, account)
        status = self.status(container)
        words = {"ERROR": f"Error: {container['error']}", "FINISHED": "Finished: Media has been uploaded."}
        said = {"id": request.path_params["node"], "status_code": status, "status": words.get(status, status.title())}
        return ok(shaped(said, request, "id"))

    async def limit(self, request: Request) -> Response:
        account = self._own(request)
        total = self._quota_total(account)
        used = total if self._strikes(request, account, "quota") is not None else len(self._recent(account))
        config = {"quota_total": total, "quota_duration": 86400}
        return ok({"data": [{"config": config, "quota_usage": used}]})

    async def publish(self, request: Request) -> Response:
        account = self._own(request)
        id_ = (await form_of(request)).get("creation_id", "")
        container = self.find(id_, account)
        if container is None or self.status(container) == "EXPIRED":
            raise Refused(error(24, "The media builder does not exist or has expired.", subcode=_NO_CONTAINER))
        status = self.status(container)
        if status == "PUBLISHED":
            raise Refused(error(100, "The media was already published.", subcode=2207008))
        if status != "FINISHED":
            raise Refused(error(9007, "Media ID is not available", subcode=2207027))
        if len(self._recent(account)) >= self._quota_total(account):
            raise Refused(error(9, "Application request limit reached", subcode=2207042, status=403))
        post_id = await run_in_threadpool(self._make_post, request, account, id_, container)
        self._strikes(request, account, "answer_lost")  # the simulator then withholds what is returned here
        return ok({"id": post_id})

    def _make_post(self, request: Request, account: WorldAccount, id_: str, container: Container) -> str:
        post_id = str(container["post"] or self._world.new_id(PLATFORM))
        caption = "" if self._strikes(request, account, "caption_dropped") is not None else container["caption"]
        self.save(id_, {**container, "post": post_id})
        try:
            self._world.publish(PLATFORM, account.id, self.file(id_), caption=caption, post_id=post_id)
        except ValueError:  # the world's word for a file without a picture
            self.save(id_, {**container, "error": "Media upload has failed with error code 2207026"})
            raise Refused(error(352, "The video format is not supported.", subcode=2207026)) from None
        notes, key = self._world.notes(PLATFORM), f"graph/published/{account.id}"
        notes[key] = [*self._recent(account), self._world.now().isoformat()]
        if (lag := self._strikes(request, account, "listing_lag")) is not None:
            until = self._world.now() + timedelta(seconds=float(lag.get("seconds", _LAG_S)))
            notes[f"hidden/{post_id}"] = until.isoformat()
        return post_id

    def find(self, id_: str, account: WorldAccount) -> Container | None:
        found = self._world.notes(PLATFORM).get(f"graph/container/{id_}")
        return dict(found) if found and found["account"] == account.id else None

    def save(self, id_: str, container: Container) -> None:
        self._world.notes(PLATFORM)[f"graph/container/{id_}"] = container

    def status(self, container: Container) -> str:
        if container["post"] and self._world.post(PLATFORM, container["post"]):
            return "PUBLISHED"
        if datetime.fromisoformat(container["ends"]) <= self._world.now():
            return "EXPIRED"
        if container["error"]:
            return "ERROR"
        ready = container["ready"]
        is_ready = ready is not None and datetime.fromisoformat(ready) <= self._world.now()
        return "FINISHED" if is_ready else "IN_PROGRESS"

    def file(self, id_: str) -> Path:
        return self._world.upload_dir() / f"instagram-graph-{int(id_)}.mp4"

    def _own(self, request: Request) -> WorldAccount:
        account = guard(request, self._world)
        if request.path_params["node"] != account.id:
            raise Refused(error(100, "Unsupported request. Object does not exist.", subcode=33))
        return account

    def _quota_total(self, account: WorldAccount) -> int:
        return int(account.secrets.get("quota_total", _QUOTA))

    def _recent(self, account: WorldAccount) -> list[str]:
        since = (self._world.now() - timedelta(hours=24)).isoformat()
        return [at for at in self._world.notes(PLATFORM).get(f"graph/published/{account.id}", []) if at > since]

    def _strikes(self, request: Request, account: WorldAccount, name: str) -> dict[str, Any] | None:
        fault = self._world.take_fault(PLATFORM, request.url.path, account.id, name)
        return dict(fault.value) if fault else None
