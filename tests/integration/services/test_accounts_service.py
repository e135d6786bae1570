"""Accounts: what is wrong is named by field, credentials go in sealed and never come out, renewed once for all."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import accounts as tables
from forwarder_core.db.tables import tokens as token_tables
from forwarder_core.domain.accounts import AccountStatus, Rights
from forwarder_core.errors import Conflict, Invalid, NotFound
from forwarder_core.logs import redact
from forwarder_core.services import accounts
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.vault import UnreadableSecret, Vault
from tests.factories import add_account, add_connection, rows

pytestmark = pytest.mark.slow
PASSWORD = "correct-horse-battery"


def new(**values: Any) -> NewAccount:
    said = {
        "platform": "instagram",
        "alias": "Harbour clips",
        "handle": "@harbour_clips",
        "auth_method": "private",
        "credentials": {"password": PASSWORD},
    }
    return NewAccount(**(said | values))


def refused(core: Core, **values: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as e:
        accounts.create(core, new(**values))
    assert rows(core, tables.accounts) == []
    return {field.field: field.message for field in e.value.fields}


@pytest.mark.parametrize("handle", ["", "  ", "@", " @ "])
def test_a_handle_that_is_empty_is_named_as_that(core: Core, handle: str) -> None:
    assert set(refused(core, handle=handle)) == {"handle"}
    assert set(refused(core, handle=handle, alias=" ")) == {"alias", "handle"}


def test_a_proxy_there_is_not_is_named_as_that(core: Core) -> None:
    assert refused(core, proxy_id=4711) == {"proxy_id": "names no proxy"}


def test_an_account_is_stored_with_its_credentials_sealed(core: Core) -> None:
    made = accounts.create(core, new(rights=Rights.OWN))
    assert (made.alias, made.handle, made.status, made.rights) == (
        "Harbour clips",
        "harbour_clips",
        AccountStatus.ACTIVE,
        Rights.OWN,
    )
    (row,) = rows(core, tables.accounts)
    assert PASSWORD not in repr(row) and PASSWORD.encode() not in bytes(row["credentials"])
    assert core.vault.unseal(row["credentials"])["password"] == PASSWORD
    with pytest.raises(UnreadableSecret):
        Vault.open(core.settings.home / "another-ring").unseal(row["credentials"])


def test_credentials_are_in_no_words_about_an_account(core: Core) -> None:
    asked = new()
    made = accounts.create(core, asked)
    assert PASSWORD not in repr(made) and PASSWORD not in repr(asked)
    assert redact(f"the library said {PASSWORD}") == "the library said •••"


def test_every_wrong_field_is_named(core: Core) -> None:
    assert set(refused(core, alias=" ")) == {"alias"}
    assert set(refused(core, auth_method="telepathy")) == {"auth_method"}
    assert set(refused(core, credentials={"pasword": "x", "cookie": "y"})) == {
        "credentials.pasword",
        "credentials.cookie",
    }
    assert set(refused(core, credentials={})) == {"credentials.password"}
    assert set(refused(core, platform="youtube", auth_method="oauth", credentials={})) == {"credentials.oauth_client"}


def test_a_platform_that_is_none_is_refused_with_those_that_are(core: Core) -> None:
    with pytest.raises(Invalid) as e:
        accounts.create(core, new(platform="myspace"))
    assert "instagram" in e.value.action and "youtube" in e.value.action


def test_an_alias_or_handle_is_taken_once(core: Core) -> None:
    accounts.create(core, new())
    for again in (new(handle="other"), new(alias="Other"), new(handle="harbour_clips", alias="Third")):
        with pytest.raises(Conflict):
            accounts.create(core, again)
    assert len(rows(core, tables.accounts)) == 1


def test_an_account_that_is_not_there_is_not_found(core: Core) -> None:
    with pytest.raises(NotFound):
        accounts.get(core, 10**9)
    with pytest.raises(NotFound):
        accounts.remove(core, 10**9)


def test_an_account_in_use_is_not_removed_and_one_that_is_free_is(core: Core) -> None:
    used, free = add_account(core), add_account(core)
    connection = add_connection(core, used)
    with pytest.raises(Conflict):
        accounts.remove(core, used.id)
    assert [c.id for c in accounts.used_by(core, used.id)] == [connection.id]
    accounts.remove(core, free.id)
    with pytest.raises(NotFound):
        accounts.get(core, free.id)


def test_rights_are_what_the_admin_declares(core: Core) -> None:
    account = add_account(core, rights=Rights.UNDECLARED)
    changed = accounts.declare_rights(core, account.id, Rights.LICENSED, "contract of May")
    assert (changed.rights, changed.rights_note) == (Rights.LICENSED, "contract of May")


def test_accounts_are_listed_page_by_page(core: Core) -> None:
    made = [add_account(core).id for _ in range(3)]
    add_account(core, "youtube")
    first = accounts.page(core, limit=2, platform="instagram")
    rest = accounts.page(core, after=first[-1].id, limit=2, platform="instagram")
    assert [a.id for a in (*first, *rest)] == made
    assert accounts.page(core, status=("paused",)) == []


def test_eight_that_want_a_renewed_credential_at_once_make_one_renewal(core: Core) -> None:
    account = add_account(core, credentials=core.vault.seal({"access_token": "token-old", "refresh_token": "refresh"}))
    renewals: list[int] = []
    together = threading.Barrier(8)

    def renew(present: Any) -> dict[str, str]:
        if present["access_token"] != "token-old":
            return dict(present)
        renewals.append(1)
        return {**present, "access_token": "token-new"}

    def ask(_: int) -> str:
        together.wait(10)
        return str(StoredCredentials(core, account.id).change(renew)["access_token"])

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(ask, range(8)))
    assert (len(renewals), set(got)) == (1, {"token-new"})
    assert StoredCredentials(core, account.id).read() == {"access_token": "token-new", "refresh_token": "refresh"}


def test_a_renewal_that_fails_leaves_the_credentials_as_they_were_and_the_next_one_may_try(core: Core) -> None:
    account = add_account(core, credentials=core.vault.seal({"access_token": "token-old"}))
    box = StoredCredentials(core, account.id)
    before = rows(core, tables.accounts)

    def fail(present: Any) -> dict[str, str]:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        box.change(fail)
    assert rows(core, tables.accounts) == before
    assert box.change(lambda present: {"access_token": "token-new"}) == {"access_token": "token-new"}


def test_a_credential_once_read_is_masked_in_every_text_of_this_process(core: Core) -> None:
    account = add_account(core, credentials=core.vault.seal({"session_id": "tr3asure-map"}))
    StoredCredentials(core, account.id).read()
    assert "tr3asure-map" not in redact(json.dumps({"said": "tr3asure-map"}))


def test_what_renews_a_credential_writes_down_its_new_end(core: Core) -> None:
    account = add_account(core, "youtube", auth_method="oauth", credentials=core.vault.seal({"refresh_token": "1//x"}))
    ends = core.clock.now() + timedelta(hours=1)
    lasting = {"access_token": "ya29.new", "access_token_expiry": ends.isoformat()}
    StoredCredentials(core, account.id).change(lambda present: {**present, **lasting})
    assert accounts.get(core, account.id).token_expiry == ends
    (row,) = rows(core, token_tables.tokens)
    assert (row["id"], row["access_expires_at"], row["credentials"]) == (account.id, ends, None)


def test_when_an_account_was_added_is_the_clocks_word(core: Core, clock: ManualClock) -> None:
    clock.move(5)
    assert accounts.create(core, new()).created_at == clock.now()
