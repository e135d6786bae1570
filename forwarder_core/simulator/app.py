"""The one ASGI app: by Host to the control API or to a platform's fake, with the request log and faults around it.

What a platform answers is not here. The fact to know: an unknown host, and a path no route of the fake knows, are
answered 404 and recorded as failures; so is an exception in a fake. A fake whose single route dispatches by itself
says “unknown” with the response header `x-simulator-unknown`; a fake that took the fault `answer_lost` does its work
and answers as always, and the answer is withheld here; one that raises ConnectionResetError breaks the connection.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forwarder_core.simulator import acting
from forwarder_core.simulator.acting import plain_answer
from forwarder_core.simulator.fakes import Fake
from forwarder_core.simulator.faults import HTTP_FAULTS, ArmedFault, Place
from forwarder_core.simulator.hosts import HostTable, is_loopback, without_port
from forwarder_core.simulator.journal import RequestEntry, current
from forwarder_core.simulator.passages import Passage, Passages
from forwarder_core.simulator.world import SimulatedWorld

UNKNOWN_HEADER = b"x-simulator-unknown"


class SimulatorApp:
    def __init__(
        self,
        world: SimulatedWorld,
        hosts: HostTable,
        fakes: Mapping[str, Fake],
        passages: Passages,
        control: ASGIApp,
    ) -> None:
        self._world = world
        self._hosts = hosts
        self._fakes = fakes
        self._passages = passages
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        host = without_port(_header(scope, b"host"))
        if is_loopback(host):
            await self._control(scope, receive, send)
            return
        passage = self._passage(scope)
        entry = self._entry(scope, host, passage)
        call = _Call(self, entry, passage, scope, receive, send)
        token = current.set(entry)
        try:
            entry.platform = self._hosts.platform(host)
            if entry.platform is None:
                self.record_failure(entry, "unknown_host", "the name is not simulated")
                await PlainTextResponse("unknown host", 404)(scope, receive, call.send)
            else:
                await self._answer(self._fakes[entry.platform], call)
        finally:
            current.reset(token)
            call.log()

    async def _answer(self, fake: Fake, call: _Call) -> None:
        names: tuple[str, ...] = HTTP_FAULTS
        while fault := self._take(fake, call, names):
            if fault.name == "latency":
                await acting.wait(fault)
                names = tuple(name for name in names if name != "latency")
            elif fault.name == "stall":
                call.log()
                await acting.stall(fault, call.receive)
                return
            elif fault.name in acting.CHANGED:
                await acting.change(fault, fake.app, call.scope, call.receive, call.send)
                return
            else:
                await acting.drain(call.receive)
                response = fake.fault_response(fault.name, fault.value) or plain_answer(fault.name, fault.value)
                await response(call.scope, call.receive, call.send)
                return
        await call.forward(fake)

    def _take(self, fake: Fake, call: _Call, names: tuple[str, ...]) -> ArmedFault | None:
        """An armed fault for this request. Whose request it is, only the fake can tell; it is asked when it matters."""
        waiting = self._world.faults.waiting(*names)
        if not waiting:
            return None
        here = Place(platform=fake.platform, route=call.entry.path, host=call.entry.host, proxy=call.entry.proxy)
        if any(fault.place.account for fault in waiting):
            here = replace(here, account=fake.account_of(Request(call.scope), self._world))
        fault = self._world.faults.take(here, *names)
        if fault:
            call.entry.faults.append(fault.name)
            call.entry.account = call.entry.account or here.account
        return fault

    def _passage(self, scope: Scope) -> Passage | None:
        address, port = scope["client"]
        return self._passages.find((str(address), int(port)))

    def _entry(self, scope: Scope, host: str, passage: Passage | None) -> RequestEntry:
        return RequestEntry(
            at=self._world.now(),
            client=passage.label if passage else f"{scope['client'][0]} direct",
            host=host,
            method=scope["method"],
            path=scope["path"],
            proxy=passage.proxy if passage else None,
            proxy_user=passage.user if passage else None,
            exit_ip=passage.exit_ip if passage else None,
            http=scope["http_version"],
        )

    def record_request(self, entry: RequestEntry) -> None:
        self._world.journal.request(entry)

    def record_failure(self, entry: RequestEntry, kind: str, detail: str) -> None:
        self._world.journal.failure(
            at=entry.at, kind=kind, host=entry.host, method=entry.method, path=entry.path, detail=detail
        )


class _Call:
    """One request on its way through a fake. It is logged before its answer leaves, so that whoever has the answer
    finds it in the log."""

    def __init__(
        self,
        app: SimulatorApp,
        entry: RequestEntry,
        passage: Passage | None,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self.entry = entry
        self.scope = scope
        self.receive = receive
        self._app = app
        self._passage = passage
        self._send = send
        self._is_logged = False

    async def send(self, message: Message) -> None:
        if "answer_lost" in self.entry.faults:
            return
        if message["type"] == "http.response.start":
            self.entry.status = message["status"]
            if why := self._unknown(message):
                self._app.record_failure(self.entry, "unknown_path", why)
            self.log()
        await self._send(message)

    async def forward(self, fake: Fake) -> None:
        try:
            await fake.app(self.scope, self.receive, self.send)
        except ConnectionResetError:
            await self._lose()
            return
        finally:
            error = sys.exc_info()[1]
            if isinstance(error, Exception) and not isinstance(error, ConnectionError):
                self._app.record_failure(self.entry, "fake_error", f"{type(error).__name__}: {error}")
        if "answer_lost" in self.entry.faults:
            await self._lose()

    def log(self) -> None:
        """Once."""
        if not self._is_logged:
            self._is_logged = True
            self._app.record_request(self.entry)

    def _unknown(self, start: Message) -> str:
        """Why this is a call nobody simulates, or nothing.

        Starlette notes the endpoint it chose in the scope; none, or only a mount, means that no route matched.
        """
        for name, value in start.get("headers", ()):
            if name.lower() == UNKNOWN_HEADER:
                return value.decode("latin-1") or "the fake knows no such call"
        endpoint = self.scope.get("endpoint")
        is_unrouted = endpoint is None or isinstance(endpoint, Starlette | Router)
        if self.entry.platform and (self.entry.status == 405 or (self.entry.status == 404 and is_unrouted)):
            return f"no route answers ({self.entry.status})"
        return ""

    async def _lose(self) -> None:
        """Break the connection, or where the client came without the gateway, keep silent until it leaves."""
        self.log()
        if self._passage:
            self._passage.abort()
        else:
            await acting.until_client_leaves(self.receive)


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
