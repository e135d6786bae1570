"""What the admin may write into the Telegram settings: each field checked, nothing stored. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from forwarder_core.alerts.kinds import RULES, AlertKind
from forwarder_core.alerts.ping import address_problem
from forwarder_core.errors import FieldError, Severity

LEAST_PING_S, MOST_PING_S = 30, 86_400
_TOKEN = re.compile(r"\d{3,}:[A-Za-z0-9_-]{3,100}")
_NAME = r"@[A-Za-z][A-Za-z0-9_]{3,31}"
_CHANNEL = re.compile(rf"{_NAME}|-?[1-9]\d{{0,18}}")
_MENTION = re.compile(rf"{_NAME}( {_NAME}){{0,4}}")
_CHAT = re.compile(r"-?[1-9]\d{0,18}")
_WAYS = ("off", "polling", "webhook")
_MOST_USERS = 50
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class Unfit(ValueError):
    """The text says what the field must be."""


def clean(values: Mapping[str, Any], allowed: Sequence[str] = ()) -> tuple[dict[str, Any], list[FieldError]]:
    """The values as they are stored, and every problem. `allowed`: networks a ping may go to although private."""
    cleaned: dict[str, Any] = {}
    problems: list[FieldError] = []
    for name, value in values.items():
        try:
            if name not in _CHECKS:
                raise Unfit("there is no such setting")
            cleaned[name] = _CHECKS[name](value, allowed)
        except Unfit as e:
            problems.append(FieldError(name, str(e)))
    return cleaned, problems


def _matching(pattern: re.Pattern[str], must_be: str) -> Callable[[Any, Sequence[str]], str | None]:
    def check(value: Any, _: Sequence[str]) -> str | None:
        text = "" if value is None else str(value).strip()
        if text and not pattern.fullmatch(text):
            raise Unfit(must_be)
        return text or None

    return check


def _switch(value: Any, _: Sequence[str]) -> bool:
    if not isinstance(value, bool):
        raise Unfit("must be true or false")
    return value


def _kinds(value: Any, _: Sequence[str]) -> dict[str, bool]:
    known = {str(kind) for kind in RULES if kind is not AlertKind.TEST}
    if not isinstance(value, Mapping) or not all(isinstance(on, bool) for on in value.values()):
        raise Unfit("must say true or false for each kind")
    if unknown := sorted(set(value) - known):
        raise Unfit(f"there is no kind {', '.join(map(str, unknown))}")
    return dict(value)


def _mentions(value: Any, _: Sequence[str]) -> dict[str, str]:
    if not isinstance(value, Mapping) or set(value) - {str(severity) for severity in Severity}:
        raise Unfit(f"must be an object with {', '.join(Severity)}")
    cleaned = {severity: " ".join(str(names or "").split()) for severity, names in value.items()}
    if not all(not names or _MENTION.fullmatch(names) for names in cleaned.values()):
        raise Unfit("must be up to five @names for each severity")
    return cleaned


def _commands(value: Any, _: Sequence[str]) -> str:
    if value not in _WAYS:
        raise Unfit(f"must be one of {', '.join(_WAYS)}")
    return str(value)


def _users(value: Any, _: Sequence[str]) -> list[int]:
    is_list = isinstance(value, (list, tuple)) and len(value) <= _MOST_USERS
    if not is_list or not all(isinstance(n, int) and not isinstance(n, bool) and 0 < n < 2**62 for n in value):
        raise Unfit(f"must be a list of up to {_MOST_USERS} numeric user ids")
    return sorted(set(value))


def _ping_url(value: Any, allowed: Sequence[str]) -> str | None:
    url = str(value or "").strip()
    if url and (problem := address_problem(url, allowed)):
        raise Unfit(problem)
    return url or None


def _ping_every(value: Any, _: Sequence[str]) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not LEAST_PING_S <= value <= MOST_PING_S:
        raise Unfit(f"must be a number of seconds from {LEAST_PING_S} to {MOST_PING_S}")
    return value


_CHECKS: dict[str, Callable[[Any, Sequence[str]], Any]] = {
    "bot_token": _matching(_TOKEN, "must be as BotFather gives it: 1234567890:ABCdef…"),
    "channel_id": _matching(_CHANNEL, "must be @channelname or a number such as -1001234567890"),
    "enabled": _switch,
    "mention": _mentions,
    "kinds": _kinds,
    "commands": _commands,
    "users": _users,
    "command_chat": _matching(_CHAT, "must be the number of a chat, such as -1001234567890, or empty"),
    "daily_at": _matching(_HOUR, "must be HH:MM, or empty for none"),
    "ping_url": _ping_url,
    "ping_every_s": _ping_every,
}
