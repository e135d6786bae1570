"""What somebody wrote to the bot or pressed below a message, read from an update of Telegram. Pure, and without trust.

An update is kept as these few facts and nothing else of it: whatever more Telegram tells of people is not stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_MOST_TEXT = 1_000
_MOST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A command (`text`) or a button pressed (`data`, with the `callback_id` Telegram waits for an answer to)."""

    update_id: int
    chat_id: str
    chat_name: str = ""  # @name of a public group
    user_id: int
    user_name: str = ""
    text: str = ""
    data: str = ""
    callback_id: str = ""

    @property
    def who(self) -> str:
        """As the audit log names the person."""
        return f"telegram:{self.user_id}"

    def facts(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "update_id"}

    @classmethod
    def stored(cls, update_id: int, facts: Mapping[str, Any]) -> Heard:
        return cls(update_id=update_id, **facts)


def update_id_of(update: Mapping[str, Any]) -> int | None:
    number = update.get("update_id")
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**62 else None


def heard_of(update: Mapping[str, Any]) -> Heard | None:
    """None for an update that is no person's message or button, such as a channel's post or an edit."""
    number, pressed = update_id_of(update), _part(update, "callback_query")
    message = _part(pressed, "message") if pressed else _part(update, "message")
    user, chat = _part(pressed or message, "from"), _part(message, "chat")
    ids = (user.get("id"), chat.get("id"))
    if number is None or not all(isinstance(one, int) and abs(one) < 2**62 for one in ids) or user.get("is_bot"):
        return None
    name = _text(chat, "username", _MOST_NAME)
    return Heard(
        update_id=number,
        chat_id=str(ids[1]),
        chat_name=f"@{name}" if name else "",
        user_id=int(user["id"]),
        user_name=_text(user, "username", _MOST_NAME) or _text(user, "first_name", _MOST_NAME),
        text="" if pressed else _text(message, "text", _MOST_TEXT),
        data=_text(pressed, "data", 64) if pressed else "",
        callback_id=_text(pressed, "id", 64) if pressed else "",
    )


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = of.get(name)
    return value if isinstance(value, Mapping) else {}


def _text(of: Mapping[str, Any], name: str, most: int) -> str:
    value = of.get(name)
    return value.replace("\x00", "")[:most] if isinstance(value, str) else ""
