"""The journal: step messages of jobs, kept as rows so that the admin can read them beside the job.

A message is an ordinary log record that carries `job_id`, `connection_id` or `account_id`; the handler here turns each
into one `log_events` row. The fact to know: a message that cannot be written is dropped and counted, never waited for;
a forward does not fail because its log did.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.db import events
from forwarder_core.db.engine import do_not_wait
from forwarder_core.logs import redact
from forwarder_core.services.context import Core

_ABOUT = ("job_id", "connection_id", "account_id")
_MOST_CHARS = 4_000
LOGGER = "forwarder"


class JournalHandler(logging.Handler):
    def __init__(self, core: Core) -> None:
        super().__init__(logging.INFO)
        self._core = core
        self.dropped = 0

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
            with self._core.begin() as tx:
                do_not_wait(tx)
                events.log(tx, [row])
        except (SQLAlchemyError, ValueError, TypeError):
            self.dropped += 1


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
