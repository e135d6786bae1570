"""The control API under `/__control`: what tests, the demo and outside checks do to the simulated world.

Plain HTTP on loopback, no login. Errors are problem+json. The fact to know: clips are made in worker threads,
so that a long clip does not hold up the platforms.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from forwarder_core.connectors.base import WorldAccount
from forwarder_core.simulator import clips
from forwarder_core.simulator.fakes import Fake
from forwarder_core.simulator.faults import Place
from forwarder_core.simulator.inputs import AccountChange, ClockChange, NewAccount, NewFault, NewPost, NewUpdate
from forwarder_core.simulator.probe import NotAVideo
from forwarder_core.simulator.telegram_chats import Chats
from forwarder_core.simulator.world import UNFINISHED, SimulatedWorld, Taken

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The endpoints, over one world. `gateway_routes` stand beside them because the gateway is made after the app."""

    world: SimulatedWorld
    fakes: Mapping[str, Fake]

    def app(self, gateway_routes: list[Route]) -> Starlette:
        routes = [
            Route("/", self.health),
            Route("/health", self.health),
            Route("/ip", self.ip),
            Route("/posts", self.add_post, methods=["POST"]),
            Route("/posts", self.posts),
            Route("/posts/{platform}/{id}", self.delete_post, methods=["DELETE"]),
            Route("/publications", self.publications),
            Route("/accounts", self.add_account, methods=["POST"]),
            Route("/accounts", self.accounts),
            Route("/accounts/{platform}/{key}", self.change_account, methods=["PATCH"]),
            Route("/faults", self.arm, methods=["POST"]),
            Route("/faults", self.faults),
            Route("/faults", self.disarm, methods=["DELETE"]),
            Route("/telegram/messages", self.telegram_messages),
            Route("/telegram/updates", self.telegram_update, methods=["POST"]),
            Route("/requests", self.requests),
            Route("/failures", self.failures),
            Route("/clock", self.set_clock, methods=["POST"]),
            Route("/clock", self.release_clock, methods=["DELETE"]),
            *gateway_routes,
        ]
        return Starlette(routes=[Mount("/__control", routes=routes)], exception_handlers={HTTPException: problem})

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "platforms": sorted(self.fakes)})

    async def ip(self, request: Request) -> Response:
        """The address the caller comes from: behind a proxy, that proxy's exit."""
        return JSONResponse({"ip": request.scope["client"][0]})

    async def add_post(self, request: Request) -> Response:
        wanted = await read(request, NewPost)
        account = self._account(wanted.platform, wanted.account)
        return await run_in_threadpool(self._add_post, wanted, account)

    def _add_post(self, wanted: NewPost, account: WorldAccount) -> Response:
        with tempfile.TemporaryDirectory(dir=self.world.upload_dir(), prefix=UNFINISHED) as folder:
            try:
                file = wanted.file or clips.make(self._clip(wanted), Path(folder) / "clip.mp4")
                post = self.world.add_post(
                    account.platform, account.id, file, caption=wanted.caption, title=wanted.title
                )
            except NotAVideo as e:
                raise HTTPException(422, str(e)) from e
            except clips.ClipFailed as e:
                raise HTTPException(500, str(e)) from e
        return JSONResponse({"id": post.id, "url": post.url, "sha256": post.sha256}, 201)

    def _clip(self, wanted: NewPost) -> clips.Clip:
        seed = wanted.seed if wanted.seed is not None else self.world.next_number("clip")
        shape = wanted.model_dump(
            include={
                "seconds",
                "width",
                "height",
                "fps",
                "codec",
                "audio",
                "audio_hz",
                "audio_channels",
                "faststart",
            }
        )
        return clips.Clip(seed=seed, **shape)

    async def posts(self, request: Request) -> Response:
        query = parameters(request, "platform", "account")
        if not query.get("platform") or not query.get("account"):
            raise HTTPException(422, "platform and account are required")
        account = self._account(query["platform"], query["account"])
        return JSONResponse(self.world.listing(account.platform, account.id, uploads_only=False))

    async def delete_post(self, request: Request) -> Response:
        platform, id_ = request.path_params["platform"], request.path_params["id"]
        if self.world.post(platform, id_) is None:
            raise HTTPException(404, f"{platform} has no post {id_}")
        self.world.delete_post(platform, id_)
        return Response(status_code=204)

    async def publications(self, request: Request) -> Response:
        query = parameters(request, "platform", "account")
        platform, key = query.get("platform"), query.get("account")
        if key and not platform:
            raise HTTPException(422, "an account is looked up on its platform: give platform too")
        account = self._account(platform, key).id if platform and key else None
        return JSONResponse(self.world.listing(platform, account, uploads_only=True))

    async def add_account(self, request: Request) -> Response:
        wanted = await read(request, NewAccount)
        self._known_platform(wanted.platform)
        try:
            account = self.world.add_account(
                wanted.platform,
                wanted.username,
                password=wanted.password,
                challenge=wanted.challenge,
                secrets_=wanted.secrets,
                account_id=wanted.id,
            )
        except Taken as e:
            raise HTTPException(409, str(e)) from e
        return JSONResponse(self._shown(account), 201)

    async def accounts(self, request: Request) -> Response:
        platform = parameters(request, "platform").get("platform")
        platforms = [platform] if platform else sorted(self.fakes)
        return JSONResponse([self._shown(each) for name in platforms for each in self.world.accounts(name)])

    async def change_account(self, request: Request) -> Response:
        account = self._account(request.path_params["platform"], request.path_params["key"])
        change = await read(request, AccountChange)
        fields = change.model_dump(exclude_unset=True)
        return JSONResponse(self._shown(self.world.update_account(account.platform, account.id, **fields)))

    async def arm(self, request: Request) -> Response:
        wanted = await read(request, NewFault)
        place = wanted.match.model_dump()
        if wanted.match.platform:
            self._known_platform(wanted.match.platform)
        if wanted.match.account:
            if not wanted.match.platform:
                raise HTTPException(422, "an account is looked up on its platform: give match.platform too")
            known = self.world.account(wanted.match.platform, wanted.match.account)
            place["account"] = known.id if known else wanted.match.account
        fault = self.world.faults.arm(wanted.fault, Place(**place), count=wanted.count, value=wanted.value)
        return JSONResponse(asdict(fault), 201)

    async def faults(self, request: Request) -> Response:
        return JSONResponse([asdict(fault) for fault in self.world.faults.armed()])

    async def disarm(self, request: Request) -> Response:
        id_ = parameters(request, "id").get("id")
        if id_ is not None and not id_.isdigit():
            raise HTTPException(422, "id is a fault's number")
        return JSONResponse({"deleted": self.world.faults.disarm(int(id_) if id_ else None)})

    async def telegram_messages(self, request: Request) -> Response:
        return JSONResponse(Chats(self.world).listing())

    async def telegram_update(self, request: Request) -> Response:
        """A person's message or button press; the bot gets it by getUpdates, or take it from this answer."""
        return JSONResponse(Chats(self.world).add_update(await read(request, NewUpdate)), 201)

    async def requests(self, request: Request) -> Response:
        wanted = parameters(request, "platform", "account", "host", "path", "proxy", "method")
        return JSONResponse(self.world.journal.requests(**wanted))

    async def failures(self, request: Request) -> Response:
        return JSONResponse(self.world.journal.failures())

    async def set_clock(self, request: Request) -> Response:
        wanted = await read(request, ClockChange)
        return JSONResponse({"now": self.world.stand_still(wanted.at, moved_s=wanted.seconds).isoformat()})

    async def release_clock(self, request: Request) -> Response:
        return JSONResponse({"now": self.world.run_on().isoformat()})

    def _shown(self, account: WorldAccount) -> dict[str, Any]:
        credentials = self.fakes[account.platform].credentials(self.world, account)
        return {
            "id": account.id,
            "platform": account.platform,
            "username": account.username,
            "challenge": account.challenge,
            "credentials": dict(credentials),
        }

    def _account(self, platform: str, key: str) -> WorldAccount:
        self._known_platform(platform)
        found = self.world.account(platform, key)
        if found is None:
            raise HTTPException(404, f"{platform} has no account “{key}”")
        return found

    def _known_platform(self, platform: str) -> None:
        if platform not in self.fakes:
            raise HTTPException(422, f"there is no simulated platform “{platform}”: {', '.join(sorted(self.fakes))}")


async def read(request: Request, model: type[Model]) -> Model:
    """The request's JSON as `model`. Raises a 422 that names every bad field."""
    try:
        return model.model_validate_json(await request.body() or b"{}")
    except ValidationError as e:
        places = (f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in e.errors())
        raise HTTPException(422, "; ".join(places)) from e


def parameters(request: Request, *known: str) -> dict[str, str]:
    if unknown := set(request.query_params) - set(known):
        raise HTTPException(422, f"unknown parameter: {', '.join(sorted(unknown))}")
    return dict(request.query_params)


async def problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else str(error)
    body = {"type": "about:blank", "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")
