"""E-mail: over a real SMTP server, in plain text, several of one cause together, by the road an account names."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables.roads import deliveries
from forwarder_core.db.tables.system import outbox, settings
from forwarder_core.errors import Invalid, Unavailable
from forwarder_core.services import alerting, delivering, mail_settings
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.integration.alerts.outgoing import tell
from tests.integration.alerts.receivers import Mailbox, mail_server

pytestmark = pytest.mark.slow
SETUP = {"enabled": True, "host": "127.0.0.1", "tls": "none", "sender": "bot@example.com"}
TO = ["ops@example.com", "night@example.com"]


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mail_server() as made:
        yield made


@pytest.fixture
def local(database_url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Core]:
    allowed = {"allow_private_networks": ("127.0.0.0/8",)}
    with factories.make_core(database_url, clock, tmp_path, **allowed) as core:
        yield core


def set_up(core: Core, box: Mailbox, **more: object) -> None:
    mail_settings.change(core, {**SETUP, "port": box.port, "recipients": TO, **more}, who="admin")


def test_an_alert_is_mailed_in_plain_text_with_its_headline_as_subject(local: Core, box: Mailbox) -> None:
    set_up(local, box)
    account = factories.add_account(local, alias="<b>bold</b> \u202e &lt; 👨‍👩‍👧")
    with local.begin() as tx:
        words = {"code": "token_expired", "error": "x" * 5_000 + "\r\nBcc: all@example.com", "action": "Sign in."}
        alerting.about_account(tx, AlertKind.ACCOUNT, account, now=local.clock.now(), once="1", **words)
    assert delivering.send_due(local) == 1

    (mail,) = box.mails
    assert mail["Subject"] == "🔴 [SnapcoreForwarder] 🚨 ALERT: ACCESS TOKEN EXPIRED" and mail["Bcc"] is None
    assert (mail["To"], mail["From"]) == (", ".join(TO), "SnapcoreForwarder <bot@example.com>")
    body = mail.get_content()
    assert "<b>bold</b> &lt; 👨‍👩‍👧" in body and "\u202e" not in body and mail.get_content_type() == "text/plain"


def test_many_of_one_cause_are_few_mails(local: Core, box: Mailbox, clock: ManualClock) -> None:
    set_up(local, box)
    tell(local, 300)
    for _ in range(10):
        delivering.send_due(local)
        clock.move(20)
    assert len(box.mails) <= 3 and {row["state"] for row in factories.rows(local, deliveries)} == {"sent"}
    assert "300 ALERTS" in box.mails[-1]["Subject"] or "ALERTS" in box.mails[-1]["Subject"]


def test_a_server_that_is_busy_gets_it_later_and_once(local: Core, box: Mailbox, clock: ManualClock) -> None:
    set_up(local, box)
    box.refusals += ["451 4.3.0 busy", "451 4.3.0 busy"]
    tell(local)
    for wait_s in delivering.WAITS_S[:3]:
        delivering.send_due(local)
        clock.move(wait_s)
    assert len(box.mails) == 1
    (row,) = factories.rows(local, deliveries)
    assert (row["state"], row["attempts"], row["last_error"]) == ("sent", 3, None)


def test_the_login_goes_over_tls_only_and_the_certificate_is_checked(
    database_url: str, clock: ManualClock, tmp_path: Path
) -> None:
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    options = {"allow_private_networks": ("127.0.0.0/8",), "ca_bundle": tmp_path / "ca.pem"}
    for issuer, arrives in ((authority, True), (other, False)):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        issuer.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        with (
            mail_server(login=("bot", "s3cr3t-pw"), tls_context=context, require_starttls=True) as box,
            factories.make_core(database_url, clock, tmp_path, **options) as core,
        ):
            set_up(core, box, tls="starttls", username="bot", password="s3cr3t-pw")
            if arrives:
                mail_settings.test(core)
                mail_settings.change(core, {"password": "wrong"}, who="admin")
                with pytest.raises(Unavailable, match="refused the login"):
                    mail_settings.test(core)
            else:
                with pytest.raises(Unavailable, match="SSLCertVerificationError"):
                    mail_settings.test(core)
            assert len(box.mails) == arrives
            assert "s3cr3t-pw" not in str(factories.rows(core, settings))
            with pytest.raises(Invalid):
                mail_settings.change(core, {"tls": "none"}, who="admin")


def test_a_private_mail_server_is_refused_unless_its_network_is_allowed(
    database_url: str, clock: ManualClock, tmp_path: Path, box: Mailbox
) -> None:
    with factories.make_core(database_url, clock, tmp_path) as core, pytest.raises(Invalid) as refused:
        set_up(core, box)
    assert refused.value.fields[0].field == "host" and "FORWARDER_ALLOW_PRIVATE_NETWORKS" in refused.value.action


def test_every_bad_field_is_named_at_once(local: Core) -> None:
    bad = {"enabled": True, "sender": "no address", "recipients": ["also none"], "tls": "sometimes"}
    with pytest.raises(Invalid) as refused:
        mail_settings.change(local, bad, who="admin")
    assert {problem.field for problem in refused.value.fields} == {"sender", "recipients", "tls", "host"}
    with pytest.raises(Invalid, match="not set up"):
        mail_settings.test(local)


def test_an_account_names_the_roads_its_alerts_take(local: Core, box: Mailbox) -> None:
    set_up(local, box)
    words = {"code": "token_expired", "error": "It ended.", "action": "Sign in."}
    for channels in (["telegram"], ["email"], []):
        account = factories.add_account(local, alerts={"channels": channels})
        with local.begin() as tx:
            alerting.about_account(tx, AlertKind.ACCOUNT, account, now=local.clock.now(), once="1", **words)
    delivering.send_due(local)
    assert [row["state"] for row in factories.rows(local, outbox)] == ["waiting", "muted", "waiting"]
    assert len(box.mails) == 2


def test_mail_goes_through_the_outbound_proxy(core: Core, sim: Simulator, box: Mailbox) -> None:
    """The gateway is handed the name and the port; nothing goes out beside it."""
    inside = core.settings.model_copy(update={"allow_private_networks": ("127.0.0.0/8",)})
    proxied = Core(inside, core.engine, core.vault, core.clock)
    mail_settings.change(proxied, {**SETUP, "host": "mail.example", "port": box.port, "recipients": TO}, who="admin")
    with pytest.raises(Unavailable):
        mail_settings.test(proxied)
    assert box.mails == []
