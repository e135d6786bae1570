"""The chats of the fake Telegram: messages sent, edited and deleted, and what people write to the bot.

Errors carry Telegram's own descriptions, because clients tell them apart by text. The fact to know: lengths are
counted after entities are parsed, in UTF-16 units, as Telegram does.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from forwarder_core.simulator.inputs import NewUpdate
from forwarder_core.simulator.telegram_html import BrokenHtml, plain_text
from forwarder_core.simulator.world import SimulatedWorld

_MOST_CHARACTERS = 4096
_FLOOD_MESSAGES = 20
_FLOOD_WINDOW_S = 60.0
_POLL_S = 0.1
_LONGEST_POLL_S = 50.0


class ApiError(Exception):
    def __init__(self, code: int, description: str, *, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after


def bot_user(token: str) -> dict[str, Any]:
    number = token.partition(":")[0]
    return {"id": int(number), "is_bot": True, "first_name": "Simulated bot", "username": f"sim{number}_bot"}


class Chats:
    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self._sent_at: defaultdict[str, deque[float]] = defaultdict(deque)

    def chat(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The chat a call is about. Raises “chat not found”."""
        key = str(given.get("chat_id", "")).strip()
        if not key:
            raise ApiError(400, "Bad Request: chat_id is empty")
        if key.startswith("@") and len(key) > 1:
            return {"id": -(sum(key.encode()) + 10**12), "type": "channel", "title": key[1:], "username": key[1:]}
        if not key.lstrip("-").isdigit() or int(key) == 0:
            raise ApiError(400, "Bad Request: chat not found")
        if int(key) > 0:
            return {"id": int(key), "type": "private", "first_name": "Operator"}
        return {"id": int(key), "type": "supergroup", "title": "Operators"}

    def check_flood(self, chat: Mapping[str, Any]) -> None:
        """Refuse the 21st message of a minute while the fault `flood_limit` is armed."""
        now, sent = time.monotonic(), self._sent_at[str(chat["id"])]
        while sent and now - sent[0] > _FLOOD_WINDOW_S:
            sent.popleft()
        if len(sent) >= _FLOOD_MESSAGES and self._world.take_fault(
            "telegram", "/sendMessage", str(chat["id"]), "flood_limit"
        ):
            after = max(1, round(_FLOOD_WINDOW_S - (now - sent[0])))
            raise ApiError(429, f"Too Many Requests: retry after {after}", retry_after=after)
        sent.append(now)

    def send(self, user: Mapping[str, Any], chat: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        raw = str(given.get("text", ""))
        text = _checked(raw, given.get("parse_mode"))
        reply_to = self._reply_to(given, str(chat["id"]))
        with self._world.store.transaction() as db:
            cursor = db.execute(
                "INSERT INTO telegram_messages (chat_id, text, raw, parse_mode, reply_to, reply_markup, sent_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    str(chat["id"]),
                    text,
                    raw,
                    given.get("parse_mode"),
                    reply_to,
                    _text_of(given.get("reply_markup")),
                    self._world.now().isoformat(),
                ),
            )
            row = db.execute("SELECT * FROM telegram_messages WHERE message_id = ?", (cursor.lastrowid,)).fetchone()
        return self._shown(row, user)

    def edit(self, user: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        row = self._message(given, "edit")
        raw = str(given.get("text", ""))
        text, markup = _checked(raw, given.get("parse_mode")), _text_of(given.get("reply_markup"))
        if (text, markup) == (row["text"], row["reply_markup"]):
            raise ApiError(400, "Bad Request: message is not modified")
        self._world.store.run(
            "UPDATE telegram_messages SET text = ?, raw = ?, parse_mode = ?, reply_markup = ?, edited_at = ?"
            " WHERE message_id = ?",
            (text, raw, given.get("parse_mode"), markup, self._world.now().isoformat(), row["message_id"]),
        )
        return self._shown(self._message(given, "edit"), user)

    def edit_markup(self, user: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        row = self._message(given, "edit")
        self._world.store.run(
            "UPDATE telegram_messages SET reply_markup = ? WHERE message_id = ?",
            (_text_of(given.get("reply_markup")), row["message_id"]),
        )
        return self._shown(self._message(given, "edit"), user)

    def delete(self, given: Mapping[str, Any]) -> bool:
        row = self._message(given, "delete")
        return bool(self._world.store.run("DELETE FROM telegram_messages WHERE message_id = ?", (row["message_id"],)))

    def listing(self) -> list[dict[str, Any]]:
        names = ("message_id", "chat_id", "text", "reply_to", "sent_at", "edited_at", "parse_mode", "raw")
        rows = self._world.store.rows("SELECT * FROM telegram_messages ORDER BY message_id")
        return [
            {name: row[name] for name in names}
            | {"chat_id": int(row["chat_id"]), "reply_markup": _decoded(row["reply_markup"])}
            for row in rows
        ]

    def add_update(self, update: NewUpdate) -> dict[str, Any]:
        """A person's message or button press, put in line for getUpdates."""
        chat = {"id": update.chat_id, "type": update.chat_type, "first_name": update.username, "title": "Operators"}
        sender = {
            "id": update.from_id or abs(update.chat_id),
            "is_bot": False,
            "first_name": update.username,
            "username": update.username,
        }
        body = self._written(update, chat, sender) if update.text is not None else self._pressed(update, chat, sender)
        with self._world.store.transaction() as db:
            cursor = db.execute("INSERT INTO telegram_updates (body) VALUES (?)", (json.dumps(body),))
            return {"update_id": cursor.lastrowid, **body}

    async def updates(self, offset: int, limit: int, timeout_s: float) -> list[dict[str, Any]]:
        """Those from `offset` on, waiting for one up to `timeout_s`; all before `offset` are confirmed and gone."""
        if offset > 0:
            self._world.store.run("DELETE FROM telegram_updates WHERE update_id < ?", (offset,))
        until = time.monotonic() + min(timeout_s, _LONGEST_POLL_S)
        while not (found := self._waiting(limit)) and time.monotonic() < until:
            await asyncio.sleep(_POLL_S)
        return found

    def waiting(self) -> int:
        return len(self._waiting(100))

    def _waiting(self, limit: int) -> list[dict[str, Any]]:
        rows = self._world.store.rows(
            "SELECT * FROM telegram_updates ORDER BY update_id LIMIT ?", (max(1, min(limit, 100)),)
        )
        return [{"update_id": row["update_id"], **json.loads(row["body"])} for row in rows]

    def _written(self, update: NewUpdate, chat: dict[str, Any], sender: dict[str, Any]) -> dict[str, Any]:
        text = update.text or ""
        with self._world.store.transaction() as db:  # people's messages and the bot's are numbered together
            cursor = db.execute(
                "INSERT INTO telegram_messages (chat_id, text, raw, sent_at) VALUES ('', '', '', '')",
            )
            db.execute("DELETE FROM telegram_messages WHERE message_id = ?", (cursor.lastrowid,))
        message: dict[str, Any] = {
            "message_id": cursor.lastrowid,
            "date": _seconds(self._world.now()),
            "chat": chat,
            "from": sender,
            "text": text,
        }
        if text.startswith("/"):
            length = len(text.split(maxsplit=1)[0])
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
        return {"channel_post" if update.chat_type == "channel" else "message": message}

    def _pressed(self, update: NewUpdate, chat: dict[str, Any], sender: dict[str, Any]) -> dict[str, Any]:
        number = time.monotonic_ns()
        message = {"message_id": update.message_id, "date": _seconds(self._world.now()), "chat": chat}
        query = {"id": str(number), "from": sender, "message": message, "chat_instance": "1", "data": update.data}
        return {"callback_query": query}

    def _reply_to(self, given: Mapping[str, Any], chat_id: str) -> int | None:
        wanted = _decoded(given.get("reply_parameters")) or {}
        number = wanted.get("message_id") or given.get("reply_to_message_id")
        if number is None:
            return None
        found = self._world.store.row(
            "SELECT 1 FROM telegram_messages WHERE message_id = ? AND chat_id = ?", (int(number), chat_id)
        )
        if found:
            return int(number)
        if wanted.get("allow_sending_without_reply") or given.get("allow_sending_without_reply") == "true":
            return None
        raise ApiError(400, "Bad Request: message to be replied not found")

    def _message(self, given: Mapping[str, Any], purpose: str) -> sqlite3.Row:
        chat_id = str(self.chat(given)["id"])
        row = self._world.store.row(
            "SELECT * FROM telegram_messages WHERE message_id = ? AND chat_id = ?",
            (str(given.get("message_id", "")), chat_id),
        )
        if row is None:
            raise ApiError(400, f"Bad Request: message to {purpose} not found")
        return row

    def _shown(self, row: sqlite3.Row, user: Mapping[str, Any]) -> dict[str, Any]:
        """A message as the Bot API answers it."""
        chat = self.chat({"chat_id": row["chat_id"]})
        message: dict[str, Any] = {
            "message_id": row["message_id"],
            "date": _seconds(datetime.fromisoformat(row["sent_at"])),
            "chat": chat,
            "from": dict(user),
            "text": row["text"],
        }
        if row["edited_at"]:
            message["edit_date"] = _seconds(datetime.fromisoformat(row["edited_at"]))
        if row["reply_to"]:
            message["reply_to_message"] = {"message_id": row["reply_to"], "date": message["date"], "chat": chat}
        if row["reply_markup"]:
            message["reply_markup"] = _decoded(row["reply_markup"])
        return message


def _checked(raw: str, parse_mode: object) -> str:
    """The text as it is shown. Raises what Telegram says of an empty, too long or broken one."""
    text = raw
    if str(parse_mode or "").upper() == "HTML":
        try:
            text = plain_text(raw)
        except BrokenHtml as e:
            raise ApiError(400, f"Bad Request: can't parse entities: {e}") from e
    if not text.strip():
        raise ApiError(400, "Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > _MOST_CHARACTERS:
        raise ApiError(400, "Bad Request: message is too long")
    return text


def _decoded(value: object) -> Any:
    """A parameter that is JSON in a form and an object in a JSON body. Raises “can't parse” for broken JSON."""
    if not isinstance(value, str) or not value:
        return value or None
    try:
        return json.loads(value)
    except json.JSONDecodeError as e:
        raise ApiError(400, "Bad Request: object expected as parameter") from e


def _text_of(value: object) -> str | None:
    decoded = _decoded(value)
    return None if decoded is None else json.dumps(decoded)


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
