"""What the tests of credentials share: accounts of the simulated world, and what a person does on a platform's page."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from forwarder_core.db.tables import system
from forwarder_core.domain.accounts import Account, AccountStatus
from forwarder_core.services import accounts, web_sign_in
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.simulator.testing import Simulator
from tests.factories import rows

SESSION = "the-session-of-the-admin"
_numbers = count(1)
_files: dict[str, dict[str, Any]] = {}  # what the owner of a simulated channel could hand in, by its name


def made(core: Core, simulator: Simulator, *, secrets: Mapping[str, str] | None = None, **new: Any) -> Account:
    """A YouTube account of the simulated world with its OAuth client; `token=True`: signed in already."""
    known = simulator.add_account("youtube", f"token_channel_{next(_numbers)}", secrets=dict(secrets or {}))
    _files[known["username"]] = known["credentials"]
    wanted = ("oauth_client", "token") if new.pop("token", True) else ("oauth_client",)
    credentials = {name: str(known["credentials"][name]) for name in wanted}
    values = {"platform": "youtube", "alias": known["username"], "handle": known["id"], "auth_method": "oauth"}
    return accounts.create(core, NewAccount(**{**values, "credentials": credentials, **new}))


def made_meta(core: Core, simulator: Simulator, variant: str, **new: Any) -> Account:
    secrets = {"graph_variant": variant, **new.pop("secrets", {})}
    known = simulator.add_account("instagram", f"meta_person_{next(_numbers)}", secrets=secrets)
    wanted = new.pop("fields", ("app_id", "app_secret"))
    credentials = {name: str(known["credentials"][name]) for name in wanted}
    credentials |= {"login": f"{variant}_login"} if "access_token" not in wanted else {}
    values = {"platform": "instagram", "alias": known["username"], "handle": known["username"]}
    return accounts.create(core, NewAccount(**values, auth_method="graph_api", credentials=credentials, **new))


def token_of(account: Account) -> dict[str, str]:
    return {"token": str(_files[account.alias]["token"])}


def agree(simulator: Simulator, url: str) -> dict[str, str]:
    """What a person does on the platform's page; the query they come back with."""
    with simulator.exit.http() as browser:
        answer = browser.get(url, follow_redirects=False)
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def begin(core: Core, account: Account, provider: str = "youtube", **more: Any) -> web_sign_in.Started:
    return web_sign_in.start(core, account.id, provider=provider, session=SESSION, who="admin", **more)


def told(core: Core, kind: str) -> list[dict[str, Any]]:
    return [dict(row["payload"]) for row in rows(core, system.outbox) if row["kind"] == kind]


def calls(simulator: Simulator, path: str, account: Account) -> int:
    return sum(1 for each in simulator.requests() if each["path"] == path and each["account"] == account.remote_id)


def status(core: Core, account: Account) -> AccountStatus:
    return accounts.get(core, account.id).status


def secret(core: Core, account: Account, name: str, token_id: int | None = None) -> str | None:
    return StoredCredentials(core, account.id, token_id).read().get(name)
