"""Logs: one JSON object a line on stderr, with every secret taken out, also out of exceptions.

`redact` is the one redactor; whatever leaves the process as text (a log line, a stored error, an alert) passes it.
Besides known shapes of secrets it removes the live ones this process has opened: `remember_secret` names them.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import quote

MASK = "•••"
# These print URLs with tokens in them, or a line per request.
_NOISY = (
    "httpx",
    "httpcore",
    "telegram",
    "urllib3",
    "googleapiclient",
    "instagrapi",
    "private_request",
    "public_request",
    "alembic",
)
_MIN_SECRET_CHARS = 6
_NAMES = (
    r"(?:access[_-]?token|refresh[_-]?token|client[_-]?secret|password|passwd|session[_-]?id|upload_id|api[_-]?key|"
    r"authorization|token|totp[_-]?seed|code[_-]?verifier)[\"']?\s*[=:]\s*"
)
_SHAPES = re.compile(
    rf"(?P<double>{_NAMES}\")(?:[^\"\\]|\\.)+(?=\")"  # in quotes a secret may hold spaces
    rf"|(?P<single>{_NAMES}')(?:[^'\\]|\\.)+(?=')"
    rf"|(?P<keep>{_NAMES}[\"']?(?:(?:bearer|basic|oauth)\s+)?)[^\s\"'&,;}}<>]{{4,}}"
    r"|(?P<bearer>bearer\s+)[\w.~+/=-]{8,}"
    r"|(?P<login>://[^\s:/@]*:)[^\s@/]+(?=@)"
    r"|(?P<bot>/bot\d{5,}:)[\w-]{20,}"
    r"|(?P<google>\bya29\.|\b1//|GOCSPX-|\bIGT:2:|\bEAA|\bgAAAA)[\w./+=-]{8,}",
    re.IGNORECASE,
)
_KEPT = ("double", "single", "keep", "bearer", "login", "bot", "google")
# Neither a database nor an alert takes these.
_UNSTORABLE = dict.fromkeys([0, *range(0xD800, 0xE000)])
_live: set[str] = set()
_live_lock = threading.Lock()


def remember_secret(*secrets: str | None) -> None:
    """From now on these never appear in this process's texts, neither plain nor percent-encoded."""
    with _live_lock:
        for secret in secrets:
            if secret and len(secret) >= _MIN_SECRET_CHARS:
                _live.update((secret, quote(secret, safe="")))


@contextmanager
def forgetting() -> Iterator[None]:
    """What is remembered inside is forgotten at the end: for a process that works for one account after the other."""
    with _live_lock:
        known = set(_live)
    try:
        yield
    finally:
        with _live_lock:
            _live.intersection_update(known)


def redact(text: str) -> str:
    with _live_lock:
        live = sorted(_live, key=len, reverse=True)
    for secret in live:
        text = text.replace(secret, MASK)
    return _SHAPES.sub(_mask, text.translate(_UNSTORABLE))


def _mask(match: re.Match[str]) -> str:
    kept = next((match[name] for name in _KEPT if match[name]), "")
    return kept + MASK


class JsonFormatter(logging.Formatter):
    """`at, level, logger, message` and whatever of CONTEXT the record carries."""

    CONTEXT = ("job_id", "connection_id", "account_id", "code", "step")

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        line |= {key: value for key in self.CONTEXT if (value := getattr(record, key, None)) is not None}
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure(level: str = "INFO") -> None:
    """Send this process's logs to stderr as JSON. Libraries that print URLs with tokens are held at WARNING."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
