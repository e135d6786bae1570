"""E-mail as the admin sets it up: the SMTP server, from whom, to whom; and the test of it.

The fact to know: which kinds are mailed is said once, with Telegram's kinds; the password is sealed in its own row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forwarder_core.addresses import check_address
from forwarder_core.alerts import mail, messages
from forwarder_core.alerts.kinds import AlertKind
from forwarder_core.alerts.mail import ADDRESS, MailFailed, MailServer
from forwarder_core.alerts.mail import Tls as Tls
from forwarder_core.db import events, people
from forwarder_core.db.engine import Tx
from forwarder_core.errors import FieldError, Invalid, Unavailable
from forwarder_core.logs import remember_secret
from forwarder_core.services import telegram_settings
from forwarder_core.services.context import Core
from forwarder_core.services.roads import MAIL_SETTING

_PASSWORD = "mail.password"
_MOST_RECIPIENTS = 10
_USUAL_PORT = 587


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """Without the password."""

    enabled: bool = False
    host: str = ""
    port: int = _USUAL_PORT
    tls: Tls = Tls.STARTTLS
    username: str | None = None
    has_password: bool = False
    sender: str = ""
    recipients: tuple[str, ...] = ()


def get(core: Core) -> MailSettings:
    with core.begin() as tx:
        return _read(tx)


def server(core: Core, tx: Tx) -> MailServer | None:
    """The server alerts are mailed by; None while that is switched off."""
    stored = _read(tx)
    return _server(stored, _password(core, tx)) if stored.enabled else None


def change(core: Core, values: Mapping[str, Any], *, who: str) -> MailSettings:
    """Only what is given changes, all or none. Raises Invalid naming every bad field.

    `values`: enabled, host, port, tls, username, password, sender, recipients. An empty password removes it.
    """
    given = dict(values)
    password = given.pop("password", None) if "password" in given else None
    with core.begin() as tx:
        before = _read(tx)
        wanted = {**_stored(before), **given}
        _check(core, wanted)
        now = core.clock.now()
        events.keep_setting(tx, MAIL_SETTING, wanted, now)
        if "password" in values:
            _keep_password(core, tx, password)
        people.audit(tx, who=who, what="mail_settings", now=now, details={"changed": sorted(values)})
        return _read(tx)


def test(core: Core) -> None:
    """Send a test mail with what is stored. Raises Invalid while that is not enough, Unavailable with the reason."""
    with core.begin() as tx:
        stored, password = _read(tx), _password(core, tx)
    if not stored.host or not stored.sender or not stored.recipients:
        raise Invalid("E-mail is not set up.", action="Enter server, sender and recipients, save, then test.")
    now = core.clock.now()
    message = messages.render(AlertKind.TEST, {"at": now.isoformat()}, telegram_settings.frame(core))
    used = _server(stored, password)
    made = mail.compose(
        used,
        subject=subject_of(message.plain),
        text=message.plain,
        app_name=core.settings.app_name,
        at=now,
        id_=f"test-{now.timestamp():.0f}",
    )
    try:
        mail.send(core.settings.default_exit, used, made, core.settings.allow_private_networks)
    except MailFailed as e:
        raise Unavailable(e.message, action="Correct the mail server's settings, then test again.") from e


def subject_of(text: str) -> str:
    """The message's own headline."""
    return text.partition("\n")[0]


def reseal(core: Core, tx: Tx) -> None:
    """The stored password under the newest key."""
    sealed = events.setting_values(tx).get(_PASSWORD)
    if sealed:
        events.keep_setting(tx, _PASSWORD, core.vault.reseal(sealed.encode()).decode(), core.clock.now())


def _read(tx: Tx) -> MailSettings:
    every = events.setting_values(tx)
    stored = every.get(MAIL_SETTING) or {}
    known = {name: value for name, value in stored.items() if name in _NAMES}
    known |= {"recipients": tuple(stored.get("recipients", ())), "tls": Tls(stored.get("tls", Tls.STARTTLS))}
    return MailSettings(**known, has_password=bool(every.get(_PASSWORD)))


_NAMES = ("enabled", "host", "port", "username", "sender")


def _stored(settings: MailSettings) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(settings, name) for name in _NAMES}
    return {**values, "tls": settings.tls.value, "recipients": list(settings.recipients)}


def _server(stored: MailSettings, password: str | None) -> MailServer:
    return MailServer(
        host=stored.host,
        port=stored.port,
        tls=stored.tls,
        sender=stored.sender,
        recipients=stored.recipients,
        username=stored.username,
        password=password,
    )


def _password(core: Core, tx: Tx) -> str | None:
    sealed = events.setting_values(tx).get(_PASSWORD)
    password = core.vault.unseal(sealed.encode() if sealed else None).get("password")
    remember_secret(password)
    return password


def _keep_password(core: Core, tx: Tx, password: str | None) -> None:
    if not password:
        events.drop_setting(tx, _PASSWORD)
        return
    events.keep_setting(tx, _PASSWORD, core.vault.seal({"password": password}).decode(), core.clock.now())


def _check(core: Core, wanted: Mapping[str, Any]) -> None:
    unknown = [name for name in wanted if name not in (*_NAMES, "tls", "recipients")]
    problems = [FieldError(name, "there is no such field") for name in unknown]
    addresses = [("sender", wanted["sender"]), *(("recipients", one) for one in wanted["recipients"])]
    bad = [name for name, address in addresses if address and not ADDRESS.fullmatch(address)]
    problems += [FieldError(name, "must be an e-mail address") for name in bad]
    if wanted["tls"] not in list(Tls):
        problems.append(FieldError("tls", f"must be one of {', '.join(Tls)}"))
    if len(wanted["recipients"]) > _MOST_RECIPIENTS:
        problems.append(FieldError("recipients", f"at most {_MOST_RECIPIENTS}"))
    if wanted["enabled"]:
        needed = ("host", "sender", "recipients")
        problems += [FieldError(name, "is needed to switch e-mail on") for name in needed if not wanted[name]]
    if wanted["username"] and wanted["tls"] == Tls.NONE:
        problems.append(FieldError("tls", "a login is sent over TLS only"))
    if problems:
        raise Invalid("These mail settings cannot be taken.", *problems)
    if wanted["host"]:
        has_proxy = core.settings.default_exit.proxy is not None
        allowed = core.settings.allow_private_networks
        check_address(wanted["host"], wanted["port"], allowed, is_left_to_proxy=has_proxy)
