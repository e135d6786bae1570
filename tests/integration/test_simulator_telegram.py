"""The fake Telegram, asked by the real client library through the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, ReplyParameters
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter
from telegram.request import HTTPXRequest

from forwarder_core.simulator.testing import Simulator

pytestmark = pytest.mark.anyio


def make_bot(sim: Simulator, token: str = "123456:ABC-def_1234567890") -> Bot:
    def way() -> HTTPXRequest:
        return HTTPXRequest(proxy=sim.gateway_url, httpx_kwargs={"verify": sim.exit.tls(), "trust_env": False})

    return Bot(token, request=way(), get_updates_request=way())


@pytest.fixture
async def bot(sim: Simulator) -> AsyncIterator[Bot]:
    async with make_bot(sim) as bot:
        yield bot


async def test_a_bot_introduces_itself(bot: Bot) -> None:
    assert bot.username == "sim123456_bot"


async def test_a_token_of_another_form_is_refused(sim: Simulator) -> None:
    with pytest.raises(InvalidToken):
        await make_bot(sim, "not-a-token").initialize()


async def test_a_message_is_sent_answered_and_edited(bot: Bot, sim: Simulator) -> None:
    head = await bot.send_message(42, "<b>Down</b> &amp; out", parse_mode="HTML")
    reply = await bot.send_message(42, "Up again", reply_parameters=ReplyParameters(head.message_id))
    edited = await bot.edit_message_text("Resolved", 42, head.message_id)

    assert head.text == "Down & out"
    assert reply.reply_to_message is not None
    assert reply.reply_to_message.message_id == head.message_id
    assert not isinstance(edited, bool) and edited.text == "Resolved"
    first, second = sim.telegram()
    assert (first["chat_id"], first["text"], first["reply_to"]) == (42, "Resolved", None)
    assert (second["text"], second["reply_to"]) == ("Up again", head.message_id)
    assert first["edited_at"] and first["sent_at"]
    assert sim.requests()[-1]["account"] == "42"


async def test_a_reply_to_nothing_is_sent_only_when_allowed(bot: Bot, sim: Simulator) -> None:
    with pytest.raises(BadRequest, match="replied not found"):
        await bot.send_message(42, "x", reply_parameters=ReplyParameters(999))

    await bot.send_message(42, "x", reply_parameters=ReplyParameters(999, allow_sending_without_reply=True))

    assert [message["reply_to"] for message in sim.telegram()] == [None]


@pytest.mark.parametrize(
    ("chat", "text", "words"),
    [
        (42, "<b>open", "can't parse entities"),
        (42, "x" * 4097, "message is too long"),
        (42, "  ", "message text is empty"),
        (0, "x", "chat not found"),
    ],
)
async def test_what_telegram_refuses_is_refused_in_its_words(
    bot: Bot, sim: Simulator, chat: int, text: str, words: str
) -> None:
    with pytest.raises(BadRequest, match=f"(?i){words}"):
        await bot.send_message(chat, text, parse_mode="HTML")

    assert sim.telegram() == []


async def test_an_edit_that_changes_nothing_says_so(bot: Bot) -> None:
    message = await bot.send_message(42, "same")

    with pytest.raises(BadRequest, match="not modified"):
        await bot.edit_message_text("same", 42, message.message_id)


async def test_length_is_counted_without_markup(bot: Bot) -> None:
    message = await bot.send_message(42, f"<b>{'x' * 4096}</b>", parse_mode="HTML")

    assert message.text == "x" * 4096


async def test_faults_come_in_telegrams_own_words(bot: Bot, sim: Simulator) -> None:
    sim.arm("http_429", match={"platform": "telegram"}, retry_after=3)
    with pytest.raises(RetryAfter) as told:
        await bot.send_message(42, "x")
    assert float(str(told.value.retry_after).removesuffix(" seconds")) == 3

    sim.arm("http_403", match={"platform": "telegram"})
    with pytest.raises(Forbidden):
        await bot.send_message(42, "x")


async def test_the_flood_limit_holds_only_while_armed(bot: Bot, sim: Simulator) -> None:
    for number in range(21):
        await bot.send_message(77, f"{number}")
    sim.arm("flood_limit", count=None)

    with pytest.raises(RetryAfter):
        await bot.send_message(77, "one too many")

    await bot.send_message(78, "another chat")


async def test_a_lost_answer_leaves_the_message_sent(bot: Bot, sim: Simulator) -> None:
    sim.arm("answer_lost", match={"platform": "telegram"})

    with pytest.raises(NetworkError):
        await bot.send_message(42, "did it arrive?")

    assert [message["text"] for message in sim.telegram()] == ["did it arrive?"]


async def test_a_truncated_answer_is_a_broken_one(bot: Bot, sim: Simulator) -> None:
    sim.arm("truncated", match={"platform": "telegram"})

    with pytest.raises(NetworkError):
        await bot.send_message(42, "x")

    assert sim.requests()[-1]["faults"] == ["truncated"]


async def test_commands_and_buttons_reach_the_bot_once(bot: Bot, sim: Simulator) -> None:
    keys = InlineKeyboardMarkup([[InlineKeyboardButton("Solve", callback_data="solve:1")]])
    asked = await bot.send_message(42, "?", reply_markup=keys)
    sim.call("POST", "/telegram/updates", json={"chat_id": 42, "text": "/status now"})
    sim.call("POST", "/telegram/updates", json={"chat_id": 42, "data": "solve:1", "message_id": asked.message_id})

    command, press = await bot.get_updates(timeout=1)

    assert command.message is not None and command.message.entities[0].type == "bot_command"
    assert press.callback_query is not None and press.callback_query.data == "solve:1"
    await bot.answer_callback_query(press.callback_query.id)
    assert await bot.get_updates(offset=press.update_id + 1, timeout=0) == ()


async def test_a_webhook_excludes_polling(bot: Bot) -> None:
    await bot.set_webhook("https://forwarder.example/api/webhook/telegram")
    with pytest.raises(Conflict):
        await bot.get_updates(timeout=0)

    await bot.delete_webhook()
    assert await bot.get_updates(timeout=0) == ()


async def test_an_unknown_method_is_a_failure(bot: Bot, sim: Simulator) -> None:
    with pytest.raises(InvalidToken):  # the library's word for 404
        await bot.get_my_short_description()

    assert [failure["kind"] for failure in sim.failures()] == ["unknown_path"]
