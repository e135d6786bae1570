"""A fake Telegram Bot API, as far as a bot that sends alerts and hears commands needs it.

The messages themselves live in `telegram_chats`; what is here is the API's calls and its answers, `{ok, result}` or
`{ok, error_code, description}`. The fact to know: any token of the right form is a bot; a chat exists when its id is
a number other than 0 or an @name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from forwarder_core.connectors.base import World
from forwarder_core.simulator.telegram_chats import ApiError, Chats, bot_user
from forwarder_core.simulator.world import SimulatedWorld

PLATFORM = "telegram"
HOSTS = ("api.telegram.org",)
_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]{3,}")
_DESCRIPTIONS = {
    "http_429": (429, "Too Many Requests: retry after {retry_after}"),
    "http_401": (401, "Unauthorized"),
    "http_403": (403, "Forbidden: bot was blocked by the user"),
    "http_5xx": (502, "Bad Gateway"),
}

Parameters = Mapping[str, Any]
Method = Callable[["Bot", Parameters], Awaitable[object]]


def app(world: SimulatedWorld) -> Starlette:
    chats = Chats(world)

    async def call(request: Request) -> Response:
        token, name = request.path_params["token"], request.path_params["method"].lower()
        method = _METHODS.get(name)
        try:
            if not _TOKEN.fullmatch(token):
                raise ApiError(401, "Unauthorized")
            if method is None:
                raise ApiError(404, "Not Found")
            result = await method(Bot(chats, world, token), await _parameters(request))
        except ApiError as e:
            headers = {} if method or e.code == 401 else {"x-simulator-unknown": f"no such method: {name}"}
            return _failed(e, headers)
        return JSONResponse({"ok": True, "result": result})

    return Starlette(routes=[Route("/bot{token}/{method}", call, methods=["GET", "POST"])])


def fault_response(name: str, value: Mapping[str, Any]) -> Response | None:
    """An HTTP fault as Telegram words it."""
    if name not in _DESCRIPTIONS:
        return None
    code, description = _DESCRIPTIONS[name]
    after = int(value.get("retry_after", 5)) if name == "http_429" else None
    text = str(value.get("description", description)).format(retry_after=after)
    return _failed(ApiError(int(value.get("status", code)), text, retry_after=after))


class Bot:
    """One bot's calls."""

    def __init__(self, chats: Chats, world: World, token: str) -> None:
        self.chats = chats
        self.world = world
        self.token = token
        self.user = bot_user(token)

    async def get_me(self, given: Parameters) -> object:
        return {**self.user, "can_join_groups": True, "can_read_all_group_messages": False}

    async def send_message(self, given: Parameters) -> object:
        chat = self.chats.chat(given)
        self.world.saw(PLATFORM, str(chat["id"]))
        self.chats.check_flood(chat)
        message = self.chats.send(self.user, chat, given)
        self.world.take_fault(PLATFORM, "/sendMessage", str(chat["id"]), "answer_lost")  # the app withholds it then
        return message

    async def edit_message_text(self, given: Parameters) -> object:
        self.world.saw(PLATFORM, str(self.chats.chat(given)["id"]))
        return self.chats.edit(self.user, given)

    async def edit_message_reply_markup(self, given: Parameters) -> object:
        return self.chats.edit_markup(self.user, given)

    async def delete_message(self, given: Parameters) -> object:
        return self.chats.delete(given)

    async def get_updates(self, given: Parameters) -> object:
        if self.world.notes(PLATFORM).get(f"webhook/{self.user['id']}"):
            raise ApiError(409, "Conflict: can't use getUpdates method while webhook is active")
        return await self.chats.updates(
            int(given.get("offset", 0)), int(given.get("limit", 100)), float(given.get("timeout", 0))
        )

    async def set_webhook(self, given: Parameters) -> object:
        url = str(given.get("url", ""))
        if url and not url.startswith("https://"):
            raise ApiError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self.world.notes(PLATFORM)[f"webhook/{self.user['id']}"] = url
        return True

    async def delete_webhook(self, given: Parameters) -> object:
        self.world.notes(PLATFORM).pop(f"webhook/{self.user['id']}", None)
        return True

    async def get_webhook_info(self, given: Parameters) -> object:
        url = self.world.notes(PLATFORM).get(f"webhook/{self.user['id']}", "")
        return {"url": url, "has_custom_certificate": False, "pending_update_count": self.chats.waiting()}

    async def get_chat(self, given: Parameters) -> object:
        return {
            **self.chats.chat(given),
            "accent_color_id": 0,
            "max_reaction_count": 11,
            "accepted_gift_types": {
                "unlimited_gifts": False,
                "limited_gifts": False,
                "unique_gifts": False,
                "premium_subscription": False,
                "gifts_from_channels": False,
            },
        }

    async def accept(self, given: Parameters) -> object:
        """Calls whose only effect would be on a person's screen."""
        return True


_METHODS: dict[str, Method] = {
    "getme": Bot.get_me,
    "sendmessage": Bot.send_message,
    "editmessagetext": Bot.edit_message_text,
    "editmessagereplymarkup": Bot.edit_message_reply_markup,
    "deletemessage": Bot.delete_message,
    "getupdates": Bot.get_updates,
    "setwebhook": Bot.set_webhook,
    "deletewebhook": Bot.delete_webhook,
    "getwebhookinfo": Bot.get_webhook_info,
    "getchat": Bot.get_chat,
    "answercallbackquery": Bot.accept,
    "sendchataction": Bot.accept,
    "setmycommands": Bot.accept,
    "deletemycommands": Bot.accept,
    "close": Bot.accept,
    "logout": Bot.accept,
}


async def _parameters(request: Request) -> dict[str, Any]:
    """From query, form or JSON; values that hold JSON are decoded by whoever reads them."""
    given: dict[str, Any] = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            return given | dict(await request.json())
        except (json.JSONDecodeError, TypeError, ValueError) as e:
            raise ApiError(400, "Bad Request: can't parse JSON object") from e
    async with request.form() as form:
        return given | {name: value for name, value in form.items() if isinstance(value, str)}


def _failed(error: ApiError, headers: Mapping[str, str] | None = None) -> Response:
    body: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    if error.retry_after is not None:
        body["parameters"] = {"retry_after": error.retry_after}
    return JSONResponse(body, error.code, headers=headers)
