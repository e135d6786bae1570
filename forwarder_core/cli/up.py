"""`run up`: the product for real platforms on this machine, until Ctrl-C."""

from __future__ import annotations

from forwarder_core import db
from forwarder_core.cli.passwords import password_file, with_admin_password
from forwarder_core.cli.progress import reporter
from forwarder_core.embedded.bring_up import Plan, bring_up, check_home
from forwarder_core.embedded.databases import Databases
from forwarder_core.embedded.stack import REAL, StackPorts, chosen_ports
from forwarder_core.services import occupying
from forwarder_core.settings import Settings, load
from forwarder_core.vault import Vault


def command() -> None:
    """Start everything for real platforms; Ctrl-C stops it."""
    settings = load()
    check_home(settings.home)
    Vault.open(settings.key_file)
    if settings.database_url:
        occupying.see_free(settings)
    generated = settings.admin_password is None
    with (
        chosen_ports(settings, REAL) as ports,
        bring_up(_plan(settings, ports), prepare=prepare, report=reporter()) as running,
    ):
        print(f"URL: {running.state.url}")
        print(f"User: {settings.admin_username}")
        if generated:
            print(f"Password: see {password_file(settings.home)}", flush=True)
        running.supervisor.wait()


def _plan(settings: Settings, ports: StackPorts) -> Plan:
    return Plan(settings=with_admin_password(settings), mode="up", parts=REAL, ports=ports)


def prepare(settings: Settings, databases: Databases) -> None:
    db.migrate(databases.forwarder)
    occupying.see_keys(settings)
