"""Sending to Telegram: messages, edits, replies, the buttons below them."""

from __future__ import annotations

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, ReplyParameters
from telegram.error import BadRequest

from forwarder_core.alerts.delivery import Address
from forwarder_core.alerts.telegram_way import TelegramWay
from forwarder_core.alerts.text import Message

_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


class TelegramSender(TelegramWay):
    """The way out for alerts and for answers to commands."""

    def send(self, to: Address, message: Message, *, reply_to: int | None = None) -> int:
        return self._run(self._send(to, message, reply_to))

    def edit(self, to: Address, message_id: int, message: Message) -> None:
        self._run(self._edit(to, message_id, message))

    async def _send(self, to: Address, message: Message, reply_to: int | None) -> int:
        bot = await self._bot_of(to.token)
        reply = None if reply_to is None else ReplyParameters(reply_to, allow_sending_without_reply=True)

        async def send(text: str, parse_mode: str | None) -> int:
            sent = await bot.send_message(
                to.chat_id,
                text,
                parse_mode=parse_mode,
                disable_notification=message.is_silent,
                reply_parameters=reply,
                reply_markup=_keyboard(message),
                link_preview_options=_NO_PREVIEW,
            )
            return sent.message_id

        try:
            return await send(message.html, "HTML")
        except BadRequest as e:
            if not _is_unparsed(e):
                raise
            return await send(message.plain, None)

    async def _edit(self, to: Address, message_id: int, message: Message) -> None:
        bot = await self._bot_of(to.token)

        async def edit(text: str, parse_mode: str | None) -> None:
            await bot.edit_message_text(
                text, to.chat_id, message_id, parse_mode=parse_mode, link_preview_options=_NO_PREVIEW
            )

        try:
            await edit(message.html, "HTML")
        except BadRequest as e:
            if "not modified" in e.message.lower():
                return
            if not _is_unparsed(e):
                raise
            await edit(message.plain, None)


def _is_unparsed(error: BadRequest) -> bool:
    return "parse entities" in error.message.lower()


def _keyboard(message: Message) -> InlineKeyboardMarkup | None:
    """One button a line: labels of any length stay readable on a telephone."""
    if not message.buttons:
        return None
    return InlineKeyboardMarkup([[InlineKeyboardButton(b.label, callback_data=b.data)] for b in message.buttons])
