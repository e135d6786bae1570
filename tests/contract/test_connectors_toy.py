"""A platform is one folder: a toy one, written by this test beside the real ones, is a platform like any other.

It is found by the registry, drawn by forms, served by the simulator and asked the whole contract, and no other file is
touched. The toy is also the shortest example of a platform there is.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from forwarder_core import platforms
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import ConnectorSpec, Role
from forwarder_core.domain.limits import Limits
from forwarder_core.services import forms
from forwarder_core.simulator.serving import serve
from forwarder_core.simulator.testing import Simulator
from tests.contract import test_connectors as contract
from tests.contract import test_garbage as garbage
from tests.contract.test_connectors_kit import ODD, hurried, make_clip, roads, source_end
from tests.contract.test_garbage_kit import Road, any_calls
from tests.contract.test_library_kit import home

__all__ = ["home"]

SPEC = """
from forwarder_core.connectors.base import AuthMethod, ConnectorSpec, CredentialField, Role
SPEC = ConnectorSpec(
    platform="toy", title="Toy", handle_label="Player",
    auth_methods=(AuthMethod(name="key", label="Key", fields=(CredentialField(name="password", label="Key"),)),),
    roles={Role.SOURCE: "road:Road", Role.DESTINATION: "road:Road", Role.AUTHENTICATOR: "road:Road"},
    hosts=("api.toy.example",),
)
"""
ROAD = """
import hashlib
from datetime import datetime
import httpx
from forwarder_core import egress
from forwarder_core.connectors.base import FetchedFile, Identity, Page, Published, Reconciled, Trace, Visibility
from forwarder_core.connectors.shapes import objects_in, text_at, understood
from forwarder_core.domain.posts import SeenPost
from forwarder_core.bounds import told_wait_s
from forwarder_core.errors import (
    ContractChanged, FieldError, Invalid, NetworkFailed, OutcomeUnknown, PlatformTransient, RateLimited,
)

def secrets_from_form(fields):
    if set(fields) != {"password"}:
        raise Invalid("A key is needed.", FieldError("password", "is required"))
    return dict(fields)

class Road:
    def __init__(self, account, box, exit_):
        self._account, self._box, self._exit = account, box, exit_

    def _ask(self, method, path, **said):
        headers = {"X-Player": self._account.handle, "X-Key": self._box.read()["password"]}
        try:
            with self._exit.http(headers=headers) as client:
                answer = client.request(method, "https://api.toy.example" + path, **said)
        except httpx.RequestError as e:
            raise egress.network_failure(e, self._exit) from e
        if answer.status_code == 429:
            raise RateLimited("Toy asks to slow down.", retry_after_s=told_wait_s(answer.headers))
        if answer.status_code >= 400:
            raise PlatformTransient(f"Toy answered HTTP {answer.status_code}.")
        with understood("Toy"):
            return answer.json()["toy"]

    @understood("Toy")
    def identify(self):
        said = self._ask("GET", "/me")
        return Identity(*(text_at(said, name) for name in ("remote_id", "handle", "title")))

    @understood("Toy")
    def list_posts(self, page=None):
        said = self._ask("GET", "/posts", params={"page": page or "0"})
        following = None if said["next"] is None else text_at(said, "next")
        return Page(tuple(_post(each) for each in objects_in(said, "posts")), following)

    def fetch(self, platform_post_id, into, progress):
        url = f"https://api.toy.example/files/{platform_post_id}"
        got = egress.download(self._exit, url, into, max_bytes=10**8, progress=progress)
        return FetchedFile(path=got.path, size_bytes=got.size_bytes, sha256=got.sha256)

    def open(self, draft, media):
        return draft.marker

    def send(self, session, draft, media, hooks):
        hooks.committing()
        said = {"id": session, "caption": draft.caption}
        try:
            return _published(self._ask("POST", "/posts", params=said, content=media.path.read_bytes()))
        except (NetworkFailed, PlatformTransient, ContractChanged) as e:
            raise OutcomeUnknown("Toy did not say whether it was posted.") from e

    def reconcile(self, evidence):
        found = self._ask("GET", "/find", params={"id": evidence.marker})
        return Reconciled(Trace.PUBLISHED, _published(found), "By its id.") if found else Reconciled(Trace.NOT_FOUND)

    @understood("Toy")
    def verify(self, remote_id):
        found = self._ask("GET", "/find", params={"id": remote_id})
        is_live = found is not None and text_at(found, "remote_id") == remote_id
        return Visibility(is_live=is_live, is_final=True, privacy="public", duration_ms=None, detail="Looked at.")

@understood("Toy")
def _published(said):
    return Published(text_at(said, "remote_id"), text_at(said, "url"))

def _post(said):
    id_, url, caption, at = (text_at(said, name) for name in ("id", "url", "caption", "at"))
    return SeenPost(platform_post_id=id_, url=url, caption=caption, posted_at=datetime.fromisoformat(at))
"""
FAKE = """
from starlette.applications import Starlette
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

def app(world):
    def player(request):
        return world.account("toy", request.headers["x-player"])

    async def me(request):
        who = player(request)
        return JSONResponse({"toy": {"remote_id": who.id, "handle": who.username, "title": who.username}})

    async def posts(request):
        first, shown = int(request.query_params["page"]), world.posts("toy", player(request).id)
        said = [{"id": p.id, "url": p.url, "caption": p.caption, "at": p.published_at.isoformat()} for p in shown]
        following = str(first + 1) if said[first + 1:] else None
        return JSONResponse({"toy": {"posts": said[first:first + 1], "next": following}})

    async def upload(request):
        file = world.upload_dir() / request.query_params["id"]
        file.write_bytes(await request.body())
        asked = request.query_params
        made = world.publish("toy", player(request).id, file, caption=asked["caption"], post_id=asked["id"])
        return JSONResponse({"toy": {"remote_id": made.id, "url": made.url}})

    async def find(request):
        found = world.post("toy", request.query_params["id"])
        return JSONResponse({"toy": {"remote_id": found.id, "url": found.url} if found else None})

    async def file(request):
        found = world.post("toy", request.path_params["id"])
        return FileResponse(found.path) if found else Response(status_code=404)

    routes = [Route("/me", me), Route("/find", find), Route("/files/{id}", file)]
    return Starlette(routes=[*routes, Route("/posts", upload, methods=["POST"]), Route("/posts", posts)])
"""


def limits_text() -> str:
    """Every limit there is, from the fields of the domain; the toy's own numbers, which are the archive's widest."""
    known: Limits = registry.limits("archive")
    parts = {"media": asdict(known.media), "text": asdict(known.text)}
    said: dict[str, Any] = {
        part: {name: _entry(value) for name, value in values.items()} for part, values in parts.items()
    }
    return str(yaml.safe_dump(said | {"posts_per_day": _entry(7), "settle_s": _entry(1)}))


def _entry(value: object) -> dict[str, object]:
    return {"value": value, "source": "made up", "checked_at": date(2026, 11, 20)}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectorSpec]:
    folder = tmp_path / "more_platforms" / "toy"
    folder.mkdir(parents=True)
    for name, text in (("__init__.py", SPEC), ("road.py", ROAD), ("fake.py", FAKE), ("limits.yaml", limits_text())):
        (folder / name).write_text(text, "utf-8")
    monkeypatch.setattr(platforms, "__path__", [*platforms.__path__, str(folder.parent)])
    registry.specs.cache_clear()
    yield registry.spec("toy")
    monkeypatch.undo()
    for name in [name for name in sys.modules if name.startswith(f"{platforms.__name__}.toy")]:
        del sys.modules[name]
    del platforms.toy  # type: ignore[attr-defined]
    registry.specs.cache_clear()
    registry.limits.cache_clear()


@pytest.fixture
def simulator_here(toy: ConnectorSpec, tmp_path: Path) -> Iterator[Simulator]:
    """The simulator in this process, which knows of the toy's folder."""
    ready, over = threading.Event(), threading.Event()
    made: list[Simulator] = []

    async def run() -> None:
        async with serve(tmp_path / "world") as running:
            urls = {"gateway_url": running.gateway_url, "control_url": running.control_url}
            made.append(Simulator(ca_path=running.ca, **urls))
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert ready.wait(20)
    yield made[0]
    over.set()
    thread.join(20)


def test_forms_and_registry_know_a_platform_by_its_folder_alone(toy: ConnectorSpec, home: Path) -> None:
    assert "toy" in registry.specs()
    assert toy in forms.platforms()
    assert [field.label for field in forms.auth_method("toy", None).fields] == ["Key"]
    assert forms.known_only(toy.auth_methods[0], {"password": "x", "colour": "red"}) == {"password": "x"}
    assert all(toy in [param.values[0] for param in roads(role)] for role in Role), "the contract is asked of it"  # type: ignore[attr-defined]
    contract.test_a_spec_says_what_forms_and_services_need(toy)
    contract.test_every_role_can_be_made_of_an_account_a_box_and_an_exit(toy)
    contract.test_every_limit_of_a_destination_has_a_value_a_source_and_a_date(toy)
    contract.test_a_form_that_is_not_right_is_refused_by_field(toy, home)
    contract.test_a_platform_with_hosts_has_a_fake_and_one_without_has_none(toy)


@pytest.mark.slow
def test_the_simulator_serves_it_and_the_whole_contract_holds(
    toy: ConnectorSpec, simulator_here: Simulator, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch)
    clips = [make_clip(tmp_path, seed) for seed in (63, 64)]
    (method,) = toy.auth_methods

    def make_end(spec: ConnectorSpec, method: Any) -> Any:
        return source_end(spec, method, lambda: simulator_here, home)

    (tmp_path / "fetched").mkdir()
    contract.test_an_account_is_told_whose_it_is(toy, method, make_end)
    contract.test_a_source_shows_every_post_once_and_brings_its_file(toy, method, make_end, clips, tmp_path / "fetched")
    contract.test_a_destination_publishes_once_and_knows_its_own_again(toy, method, make_end, clips)
    assert simulator_here.failures() == []
    for how in ODD:
        contract.test_an_odd_answer_of_a_source_is_a_failure_and_never_no_posts(toy, method, how, make_end)
        simulator_here.disarm()


@pytest.mark.slow
def test_garbage_is_told_from_its_answers(
    toy: ConnectorSpec, simulator_here: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch)
    road = Road(simulator_here, "toy", "key", make_clip(tmp_path, 65), tmp_path)
    wrong = {call.name: garbage.all_trouble(road, call, simulator_here) for call in any_calls()}
    assert {name: texts for name, texts in wrong.items() if texts} == {}
