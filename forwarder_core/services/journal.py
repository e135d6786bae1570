"""The journal: step messages of jobs, kept as rows so that the admin can read them beside the job.

A message is an ordinary log record that carries `job_id`, `connection_id` or `account_id`; the handler here turns each
into one `log_events` row. The fact to know: a message that cannot be written is dropped and counted, never waited for;
a forward does not fail because its log did. While a job is carried its messages are held, at most for a second, and
written in transactions that are made anyway (`along`): one for each was a fifth of a forward's.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.db import events
from forwarder_core.db.engine import Tx, do_not_wait
from forwarder_core.logs import redact
from forwarder_core.services.context import Core

_ABOUT = ("job_id", "connection_id", "account_id")
_MOST_CHARS = 4_000
_MOST_HELD = 100
LOGGER = "forwarder"


class JournalHandler(logging.Handler):
    def __init__(self, core: Core) -> None:
        super().__init__(logging.INFO)
        self._core = core
        self._guard = threading.RLock()
        self._held: list[dict[str, Any]] = []
        self._holders = 0
        self.dropped = 0

    def writes_for(self, core: Core) -> bool:
        return self._core is core

    def emit(self, record: logging.LogRecord) -> None:
        about = {name: getattr(record, name, None) for name in _ABOUT}
        if not any(about.values()):
            return
        try:
            row = {
                "at": self._core.clock.now(),
                "level": record.levelname.lower(),
                "code": getattr(record, "code", None),
                "text": redact(record.getMessage())[:_MOST_CHARS],
                **about,
            }
        except (SQLAlchemyError, ValueError, TypeError):
            self.dropped += 1
            return
        with self._guard:
            self._held.append(row)
            may_wait = self._holders and record.levelno < logging.WARNING and len(self._held) < _MOST_HELD
        if not may_wait:
            self.write_held()

    def begin_holding(self) -> None:
        """From now on messages wait for `along` or `write_held`, but for warnings and worse."""
        with self._guard:
            self._holders += 1

    def end_holding(self) -> None:
        """The end of one `begin_holding`."""
        with self._guard:
            self._holders -= 1
        self.write_held()

    def write_held(self) -> None:
        """In a transaction of its own. What cannot be written is dropped."""
        lines = self._take()
        if not lines:
            return
        try:
            with self._core.begin() as tx:
                do_not_wait(tx)
                events.log(tx, lines)
        except (SQLAlchemyError, ValueError, TypeError):
            self.dropped += len(lines)

    @contextmanager
    def along(self) -> Iterator[Tx]:
        """A transaction that takes along what is held; where it fails, that is held again."""
        lines = self._take()
        try:
            with self._core.begin() as tx:
                if lines:
                    events.log(tx, lines)
                yield tx
        except BaseException:
            with self._guard:
                self._held[:0] = lines
            raise

    def _take(self) -> list[dict[str, Any]]:
        with self._guard:
            lines, self._held = self._held, []
        return lines


def of(core: Core) -> JournalHandler:
    """The journal of this process; where none was installed, one that hears nothing."""
    installed = (h for h in logging.getLogger(LOGGER).handlers if isinstance(h, JournalHandler) and h.writes_for(core))
    return next(installed, None) or JournalHandler(core)


def install(core: Core) -> JournalHandler:
    """From now on this process's step messages become rows."""
    handler = JournalHandler(core)
    logger = logging.getLogger(LOGGER)
    logger.handlers = [h for h in logger.handlers if not isinstance(h, JournalHandler)] + [handler]
    logger.setLevel(logging.INFO)
    return handler


class _About(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **kwargs.get("extra", {})}
        return msg, kwargs


def about(**ids: int | str | None) -> logging.LoggerAdapter[logging.Logger]:
    """A logger whose messages are about this job, connection or account."""
    return _About(logging.getLogger(LOGGER), ids)
