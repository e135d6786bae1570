"""Alerts by e-mail over SMTP: a plain-text message, sent by the installation's way out with its certificates.

The fact to know: smtplib knows no proxy and no address guard, so the socket is made here: to the checked address, or
through the proxy, which is given the name.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum

from forwarder_core import tunnels
from forwarder_core.addresses import check_address
from forwarder_core.alerts.delivery import NotDelivered
from forwarder_core.egress import Exit
from forwarder_core.errors import Invalid

_TIMEOUT_S = 15.0
_SUBJECT_CHARS = 150
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")


class Tls(StrEnum):
    STARTTLS = "starttls"
    TLS = "tls"  # from the first byte, usually port 465
    NONE = "none"


class MailFailed(NotDelivered):
    code = "mail_failed"
    action = "Check the mail server's settings under Settings → Notifications; it is sent again by itself."


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """`sender` and `recipients` are bare addresses."""

    host: str
    port: int
    tls: Tls
    sender: str
    recipients: tuple[str, ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def compose(server: MailServer, *, subject: str, text: str, app_name: str, at: datetime, id_: str) -> EmailMessage:
    """`id_` is the same for every attempt: a mailbox shows a repeated message once."""
    mail = EmailMessage()
    mail["From"] = f'"{re.sub(r"[^ -~]", " ", app_name).replace(chr(34), " ").replace(chr(92), " ")}" <{server.sender}>'
    mail["To"] = ", ".join(server.recipients)
    mail["Subject"] = " ".join(subject.split())[:_SUBJECT_CHARS]
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{id_}@{server.sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text, cte="base64")
    return mail


def send(exit_: Exit, server: MailServer, mail: EmailMessage, allowed: Sequence[str]) -> None:
    """Raises MailFailed, in a sentence without the password."""
    try:
        with _session(exit_, server, allowed) as smtp:
            if server.tls is Tls.STARTTLS:
                smtp.starttls(context=exit_.tls())
            if server.username:
                smtp.login(server.username, server.password or "")
            smtp.send_message(mail, server.sender, list(server.recipients))
    except Invalid as e:
        raise MailFailed(f"The mail server may not be reached. {e.message}") from e
    except smtplib.SMTPAuthenticationError as e:
        raise MailFailed(f"The mail server refused the login (SMTP {e.smtp_code}).") from e
    except smtplib.SMTPResponseException as e:
        raise MailFailed(f"The mail server refused the message (SMTP {e.smtp_code}).") from e
    except tunnels.TunnelRefused as e:
        raise MailFailed(f"The mail server could not be reached. {e.text}.") from e
    except (smtplib.SMTPException, MessageError, OSError, ValueError) as e:
        raise MailFailed(f"The mail could not be sent ({type(e).__name__}).") from e


def _session(exit_: Exit, server: MailServer, allowed: Sequence[str]) -> smtplib.SMTP:
    is_left_to_proxy = exit_.proxy is not None
    to = check_address(server.host, server.port, allowed, is_left_to_proxy=is_left_to_proxy)
    line = _Line(exit_, server.host if is_left_to_proxy else to)
    if server.tls is Tls.TLS:
        return _TlsSession(line, server.host, server.port, timeout=_TIMEOUT_S, context=exit_.tls())
    return _Session(line, server.host, server.port, timeout=_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class _Line:
    """Where a socket goes, and through what."""

    exit_: Exit
    to: str

    def open(self, port: int, timeout: float) -> socket.socket:
        proxy = self.exit_.proxy
        if proxy is None:
            return socket.create_connection((self.to, port), timeout)
        return tunnels.connect(proxy, self.to, port, timeout)


class _Session(smtplib.SMTP):
    """Speaks to `host` by name (for TLS) over a socket of ours."""

    def __init__(self, line: _Line, host: str, port: int, *, timeout: float) -> None:
        self._line = line
        super().__init__(host, port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._line.open(port, timeout)


class _TlsSession(smtplib.SMTP_SSL):
    def __init__(self, line: _Line, host: str, port: int, *, timeout: float, context: ssl.SSLContext) -> None:
        self._line = line
        super().__init__(host, port, timeout=timeout, context=context)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        bare = self._line.open(port, timeout)
        return self.context.wrap_socket(bare, server_hostname=host)
