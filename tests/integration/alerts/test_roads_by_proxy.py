"""E-mail, webhooks and pings through `FORWARDER_OUTBOUND_PROXY`: the proxy is handed the name, and nobody in between is
trusted: TLS is verified up to the receiver."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from forwarder_core import settings
from forwarder_core.alerts import mail, ping, webhooks
from forwarder_core.alerts.delivery import NotDelivered
from forwarder_core.alerts.mail import MailServer, Tls
from forwarder_core.alerts.webhooks import Post, new_secret
from forwarder_core.egress import Exit
from tests.integration.alerts.receivers import mail_server, receiver
from tests.integration.other_proxies import own_http, own_socks

pytestmark = pytest.mark.slow
NAME, AT, BOX_LOGIN = "receiver.example", datetime(2026, 1, 5, tzinfo=UTC), ("bot", "b0x-pw")
LOGIN = ("ann", "p@ss:w/rd")
PROXIES = {"http": own_http, "socks5": own_socks}


def mailed(exit_: Exit, port: int) -> None:
    name, password = BOX_LOGIN
    server = MailServer(
        host=NAME,
        port=port,
        tls=Tls.STARTTLS,
        sender="bot@example.com",
        recipients=("ops@example.com",),
        username=name,
        password=password,
    )
    made = mail.compose(server, subject="Alert", text="It failed.", app_name="Forwarder", at=AT, id_="1")
    mail.send(exit_, server, made, ())


def posted(exit_: Exit, port: int) -> None:
    post = Post(id="1", url=f"https://{NAME}:{port}/hook", secret=new_secret(), body=b"{}", at=AT)
    webhooks.send(exit_, post, ())


def pinged(exit_: Exit, port: int) -> None:
    ping.ping(exit_, f"https://{NAME}:{port}/ping", ())


@contextmanager
def mailbox(tls: ssl.SSLContext) -> Iterator[tuple[int, list[object]]]:
    with mail_server(login=BOX_LOGIN, tls_context=tls, require_starttls=True) as box:
        yield box.port, box.mails  # type: ignore[misc]


@contextmanager
def web(tls: ssl.SSLContext) -> Iterator[tuple[int, list[object]]]:
    with receiver(tls) as made:
        yield int(made.url.split(":")[2].split("/")[0]), made.came  # type: ignore[misc]


ROADS = {"mail": (mailed, mailbox), "webhook": (posted, web), "ping": (pinged, web)}


@pytest.mark.parametrize("is_trusted", [True, False], ids=["trusted", "in between"])
@pytest.mark.parametrize("login", [None, LOGIN], ids=["open", "login"])
@pytest.mark.parametrize("kind", PROXIES)
@pytest.mark.parametrize("road", ROADS)
def test_it_goes_by_the_outbound_proxy_and_only_to_who_shows_the_right_certificate(
    tmp_path: Path, road: str, kind: str, login: tuple[str, str] | None, is_trusted: bool
) -> None:
    authority, other, asked = trustme.CA(), trustme.CA(), []
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (authority if is_trusted else other).issue_cert(NAME).configure_cert(context)
    send, end = ROADS[road]

    def lead(host: str, port: int) -> socket.socket:
        asked.append((host, port))
        return socket.create_connection(("127.0.0.1", port), 10)

    with end(context) as (port, came), PROXIES[kind](lead, login) as proxy:
        said = ":".join(quote(part, safe="") for part in login) + "@" if login else ""
        way = {"OUTBOUND_PROXY": f"{kind}://{said}127.0.0.1:{proxy}", "CA_BUNDLE": str(tmp_path / "ca.pem")}
        exit_ = settings.load({f"FORWARDER_{name}": value for name, value in way.items()}).default_exit
        if is_trusted:
            send(exit_, port)
        else:
            with pytest.raises(NotDelivered):
                send(exit_, port)
    assert asked == [(NAME, port)] and len(came) == is_trusted
