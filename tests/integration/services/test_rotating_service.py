"""Key rotation: the newest key alone opens everything, and nothing a worker wrote meanwhile is lost."""

from __future__ import annotations

import pytest
from sqlalchemy import LargeBinary

from forwarder_core.clock import ManualClock
from forwarder_core.db import accounts, events, sealed
from forwarder_core.db.tables import metadata
from forwarder_core.errors import ForwarderError
from forwarder_core.services import rotating
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.vault import UnreadableSecret, Vault
from tests.factories import add_account

pytestmark = pytest.mark.slow
NOT_SEALED = {
    "sessions.token_hash",
    "api_tokens.token_hash",
    "idempotency_keys.body_hash",
    "oauth_states.state_hash",
    "media_files.fingerprint",
}


def test_every_sealed_column_is_rotated() -> None:
    binary = {str(c) for t in metadata.tables.values() for c in t.columns if isinstance(c.type, LargeBinary)}
    assert binary - NOT_SEALED == set(sealed.COLUMNS), "a sealed column belongs into db/sealed.py"


def test_after_a_rotation_the_newest_key_alone_opens_everything(core: Core, clock: ManualClock) -> None:
    account = add_account(core)
    with core.begin() as tx:
        for name, secret in (("telegram.bot_token", {"bot_token": "123:abc"}), ("mail.password", {"password": "hush"})):
            events.keep_setting(tx, name, core.vault.seal(secret).decode(), clock.now())
    rotating.add_key(core.settings.key_file)
    assert rotating.under_old_keys(core) == {"accounts.credentials": 1, "settings": 2}
    with pytest.raises(ForwarderError, match="Still under an old key"):
        rotating.drop_old(core, 1e9)
    rotating.reseal(core)
    assert rotating.under_old_keys(core) == {}
    with pytest.raises(ForwarderError, match="minutes old"):
        rotating.drop_old(core, 60)
    assert rotating.drop_old(core, 1e9) == 1
    newest = Vault.open(core.settings.key_file)
    with core.begin() as tx:
        assert "swordfish" in newest.unseal(accounts.sealed_credentials(tx, account.id))["password"]
    assert rotating.reseal(core) == {}, "done twice, it does nothing"


def test_a_process_that_runs_seals_with_the_new_key_at_once(core: Core) -> None:
    account = add_account(core)
    running = StoredCredentials(core, account.id)  # its vault was opened before the rotation
    rotating.add_key(core.settings.key_file)
    running.change(lambda now: {**now, "password": "renewed"})
    assert rotating.under_old_keys(core) == {}


def test_what_a_worker_stored_meanwhile_is_not_overwritten(core: Core) -> None:
    account = add_account(core)
    with core.begin() as tx:
        old = accounts.sealed_credentials(tx, account.id)
        assert old is not None
        accounts.change(tx, account.id, {"credentials": core.vault.seal({"password": "renewed"})})
        assert not sealed.replace(tx, "accounts.credentials", account.id, old, b"stale")
        assert core.vault.unseal(accounts.sealed_credentials(tx, account.id)) == {"password": "renewed"}


def test_a_secret_no_key_opens_is_named_and_the_rest_is_done(core: Core) -> None:
    lost, kept = add_account(core), add_account(core)
    with core.begin() as tx:
        accounts.change(tx, lost.id, {"credentials": b"gAAAAnonsense"})
    rotating.add_key(core.settings.key_file)
    with pytest.raises(UnreadableSecret, match=f"accounts.credentials of row {lost.id}"):
        rotating.reseal(core)
    with core.begin() as tx:
        assert core.vault.is_newest(accounts.sealed_credentials(tx, kept.id) or b"")
