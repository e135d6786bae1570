"""Answers of Telegram the simulator does not give: a loopback server that says what the test wants, word for word."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest

from forwarder_core.alerts.delivery import Address, ChatMoved, Misconfigured, Refused, SlowDown, Unreachable
from forwarder_core.alerts.pace import Pace
from forwarder_core.alerts.ping import PingFailed, ping
from forwarder_core.alerts.telegram import TelegramSender
from forwarder_core.alerts.text import Message
from forwarder_core.clock import ManualClock
from forwarder_core.egress import Exit
from forwarder_core.services import alerting, notifying, telegram_settings
from forwarder_core.services.alerting import AlertKind
from tests import factories

TO = Address("1234567890:ABCdefGHIjklMNOpqrsTUVwxyz", "-42")
HELLO = Message("<b>hello</b>", "hello")
SENT = (200, {"ok": True, "result": {"message_id": 7, "date": 1, "chat": {"id": -42, "type": "group", "title": "g"}}})


@dataclass
class Script:
    url: str
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def refusal(code: int, description: str, **parameters: Any) -> tuple[int, dict[str, Any]]:
    return code, {"ok": False, "error_code": code, "description": description, "parameters": parameters}


@pytest.fixture
def script() -> Iterator[Script]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            said.asked.append(self.rfile.read(int(self.headers.get("content-length", 0))).decode())
            code, answer = said.answers.pop(0) if said.answers else SENT
            body = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    said = Script(f"http://127.0.0.1:{server.server_port}/bot")
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield said
    server.shutdown()
    server.server_close()


@pytest.fixture
def sender(script: Script) -> Iterator[TelegramSender]:
    with TelegramSender(Exit(), base_url=script.url) as sender:
        yield sender


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(429, "Too Many Requests: retry after 7", retry_after=7), SlowDown),
        (refusal(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1009), ChatMoved),
        (refusal(401, "Unauthorized"), Misconfigured),
        (refusal(404, "Not Found"), Misconfigured),
        (refusal(403, "Forbidden: bot was kicked from the group chat"), Misconfigured),
        (refusal(400, "Bad Request: chat not found"), Misconfigured),
        (refusal(400, "Bad Request: message is too long"), Refused),
        (refusal(502, "Bad Gateway"), Unreachable),
        ((200, {"unexpected": "shape"}), Unreachable),
    ],
)
def test_each_answer_has_its_class(
    script: Script, sender: TelegramSender, answer: tuple[int, dict[str, Any]], error: type[Exception]
) -> None:
    script.answers = [answer]
    with pytest.raises(error) as told:
        sender.send(TO, HELLO)

    assert TO.token.partition(":")[2] not in str(told.value)
    if isinstance(told.value, SlowDown):
        assert told.value.retry_after_s == 7
    if isinstance(told.value, ChatMoved):
        assert told.value.chat_id == "-1009"


def test_broken_markup_goes_as_plain_text(script: Script, sender: TelegramSender) -> None:
    script.answers = [refusal(400, "Bad Request: can't parse entities: unsupported start tag"), SENT]

    assert sender.send(TO, HELLO, reply_to=3) == 7
    assert "parse_mode=HTML" in script.asked[0] and "parse_mode" not in script.asked[1]
    assert "allow_sending_without_reply" in script.asked[1]


def test_an_edit_that_changes_nothing_is_done(script: Script, sender: TelegramSender) -> None:
    script.answers = [refusal(400, "Bad Request: message is not modified: same content")]
    sender.edit(TO, 7, HELLO)

    script.answers = [refusal(400, "Bad Request: message to edit not found")]
    with pytest.raises(Refused):
        sender.edit(TO, 7, HELLO)


def test_a_closed_port_is_unreachable(script: Script) -> None:
    with TelegramSender(Exit(), base_url="http://127.0.0.1:9/bot") as sender, pytest.raises(Unreachable):
        sender.send(TO, HELLO)


@pytest.mark.slow
def test_a_group_that_moved_is_followed(
    database_url: str, clock: ManualClock, tmp_path: Path, script: Script, sender: TelegramSender
) -> None:
    with factories.make_core(database_url, clock, tmp_path) as core:
        values = {"bot_token": TO.token, "channel_id": TO.chat_id, "enabled": True}
        telegram_settings.change(core, values, who="admin")
        with core.begin() as tx:
            alerting.about_system(tx, AlertKind.TEST, now=clock.now(), once="1")
        script.answers = [refusal(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1009)]
        pace = Pace()
        notifying.send_due(core, sender, pace)
        assert telegram_settings.get(core).channel_id == "-1009"

        assert notifying.send_due(core, sender, pace).sent == 1
        assert "chat_id=-1009" in script.asked[1]


@pytest.mark.slow
def test_a_message_no_form_of_which_is_taken_holds_up_no_other(
    database_url: str, clock: ManualClock, tmp_path: Path, script: Script, sender: TelegramSender
) -> None:
    with factories.make_core(database_url, clock, tmp_path) as core:
        values = {"bot_token": TO.token, "channel_id": TO.chat_id, "enabled": True}
        telegram_settings.change(core, values, who="admin")
        with core.begin() as tx:
            alerting.about_system(tx, AlertKind.DISK, now=clock.now(), once="1")
            alerting.about_system(tx, AlertKind.CENSUS, now=clock.now(), once="1")
        script.answers = [refusal(400, "Bad Request: no"), refusal(400, "Bad Request: no")]
        notifying.send_due(core, sender, Pace())

        assert [n.delivery for n in notifying.notifications(core)] == ["sent", "failed"]
        clock.move(600)
        notifying.send_due(core, sender, Pace())
        assert notifying.undelivered(core).waiting == 0


@pytest.mark.slow
def test_a_later_message_of_a_thread_waits_for_the_earlier(
    database_url: str, clock: ManualClock, tmp_path: Path, script: Script, sender: TelegramSender
) -> None:
    with factories.make_core(database_url, clock, tmp_path) as core:
        values = {"bot_token": TO.token, "channel_id": TO.chat_id, "enabled": True}
        telegram_settings.change(core, values, who="admin")
        account = factories.add_account(core)
        said = {"code": "x", "error": "", "action": "", "once": "1"}
        with core.begin() as tx:
            alerting.about_account(tx, AlertKind.REFRESH_FAILED, account, now=clock.now(), **said)
            alerting.about_account(tx, AlertKind.TOKEN_REFRESHED, account, now=clock.now(), **said)
        script.answers = [refusal(400, "Bad Request: no"), refusal(400, "Bad Request: no")]

        assert notifying.send_due(core, sender, Pace()).sent == 0
        assert [n.delivery for n in notifying.notifications(core)] == ["waiting", "failed"]
        clock.move(10)
        notifying.send_due(core, sender, Pace())
        heads = [unquote_plus(asked).partition("] ")[2].partition("</b>")[0] for asked in script.asked]
        failed = "🚨 ALERT: TOKEN REFRESH FAILED"
        assert heads == [failed, "ALERT: A token could not be refreshed", failed, failed, "RESOLVED: TOKEN REFRESHED"]


def test_a_ping_reaches_what_it_may(script: Script) -> None:
    address = script.url.removesuffix("bot")
    ping(Exit(), address, ("127.0.0.0/8",))
    assert len(script.asked) == 1
    with pytest.raises(PingFailed, match="private"):
        ping(Exit(), address, ())
    script.answers = [(500, {})]
    with pytest.raises(PingFailed, match="500"):
        ping(Exit(), address, ("127.0.0.0/8",))
