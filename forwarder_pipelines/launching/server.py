"""`python -m forwarder_pipelines.launching.server`: imports everything once, then forks children that carry the runs.

What lives here: the loop over socket and signals. What does not: the children (children), the talk (protocol).
The fact to know: a run sees the code as it was when the server started; after an update of the product the server is
to be restarted, as the code server is. It limits nothing: how many runs are under way is the dispatcher's decision.
"""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from dagster._core.instance import InstanceRef

from forwarder_core import logs, settings
from forwarder_pipelines.launching import protocol
from forwarder_pipelines.launching.children import Children
from forwarder_pipelines.launching.forking import Closable
from forwarder_pipelines.launching.protocol import Act, Answer, Request
from forwarder_pipelines.launching.records import Records
from forwarder_pipelines.launching.rehearsal import rehearse
from forwarder_pipelines.launching.warm import warm
from forwarder_pipelines.storage import read_ref

_PATIENCE_S = 2.0  # with a client that connected and says nothing
log = logging.getLogger("forwarder.launcher")


class Server:
    """One thread, no database, no state that a restart would miss."""

    def __init__(self, folder: Path, ref: InstanceRef) -> None:
        self._folder = folder
        self._stopping = False
        self._told, self._signalled = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._open: list[Closable] = [self._told, self._signalled, self._selector]
        self._children = Children(ref, Records(folder), self._selector, lambda: self._open)

    def serve(self) -> None:
        """Until SIGTERM or SIGINT; then no run is taken any more and those under way are ended."""
        self._heed_signals()
        self._children.close_lost()  # before anybody can ask for one of them again
        listener = protocol.listen(self._folder)
        self._open.append(listener)
        self._selector.register(listener, selectors.EVENT_READ, partial(self._answer_one, listener))
        self._selector.register(self._told, selectors.EVENT_READ, partial(self._told.recv, 4096))
        log.info("The launcher is ready")
        while not self._stopping:
            for key, _ in self._selector.select(self._children.next_due_s()):
                key.data()
            self._children.tend()
        (self._folder / protocol.SOCKET).unlink(missing_ok=True)
        listener.close()
        self._children.end_all()
        log.info("The launcher has stopped")

    def _heed_signals(self) -> None:
        self._signalled.setblocking(False)
        signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _answer_one(self, listener: socket.socket) -> None:
        talk, _ = listener.accept()
        self._open.append(talk)
        try:
            talk.settimeout(_PATIENCE_S)
            if line := protocol.receive(talk):  # the supervisor's ready check only connects
                protocol.send(talk, self._answer(line))
        except OSError as e:
            log.warning("A client left before its answer: %s", type(e).__name__)
        finally:
            self._open.remove(talk)
            talk.close()

    def _answer(self, line: bytes) -> Answer:
        try:
            request = Request.parse(line)
            return self._act(request)
        except ValueError as e:
            return {"error": f"Not understood: {e}"}
        except OSError as e:  # no memory or no process left for a fork
            return {"error": f"A process for the run cannot be started: {e.strerror}"}

    def _act(self, request: Request) -> Answer:
        children, run_id = self._children, request.run_id
        match request.act:
            case Act.LAUNCH:
                return {"pid": children.launch(run_id)}
            case Act.TERMINATE:
                return {"terminated": children.terminate(run_id)}
            case Act.STATUS if run_id:
                ending = children.ending_of(run_id)
                ended = {"code": ending.code, "cpu_s": ending.cpu_s} if ending else None
                return {"pid": children.pid_of(run_id), "ended": ended}
            case Act.STATUS:
                return {"running": children.running()}


def main(arguments: Sequence[str]) -> None:
    """Takes the launcher's own folder, and that of Dagster's instance, where dagster.yaml lies."""
    folder, dagster_home = arguments
    logs.configure(settings.load().log_level)
    ref = read_ref(dagster_home)
    rehearse(ref)
    warm()
    Server(Path(folder), ref).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
