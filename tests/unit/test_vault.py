"""Secrets at rest: who has the key reads them, nobody else, and a changed or foreign ciphertext opens nothing."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.errors import StartError, WeakSecret
from forwarder_core.vault import UnreadableSecret, Vault

RING = Vault([Fernet.generate_key().decode()])


def key() -> str:
    return Fernet.generate_key().decode()


def test_a_missing_key_file_is_made_for_its_owner_only_and_used_again(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "secret-keys"
    sealed = Vault.open(file).seal({"password": "swordfish"})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Vault.open(file).unseal(sealed) == {"password": "swordfish"}


def test_the_plain_value_is_nowhere_in_the_sealed_one() -> None:
    assert b"swordfish" not in RING.seal({"password": "swordfish"})


def test_the_same_secret_sealed_twice_looks_different() -> None:
    assert RING.seal({"a": "b"}) != RING.seal({"a": "b"})


def test_nothing_unseals_to_nothing() -> None:
    assert RING.unseal(None) == {} == RING.unseal(b"")


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=40), max_size=4))
def test_what_is_sealed_comes_out_as_it_was(secrets: dict[str, str]) -> None:
    assert RING.unseal(RING.seal(secrets)) == secrets


def test_after_a_rotation_old_secrets_open_and_resealed_ones_need_the_new_key_only() -> None:
    old, new = key(), key()
    sealed = Vault([old]).seal({"token": "t-1"})
    both = Vault([new, old])
    assert both.unseal(sealed) == {"token": "t-1"}
    assert Vault([new]).unseal(both.reseal(sealed)) == {"token": "t-1"}
    assert Vault([new]).unseal(both.seal({"x": "y"})) == {"x": "y"}


def test_a_wrong_key_fails_closed() -> None:
    sealed = Vault([key()]).seal({"token": "t-1"})
    with pytest.raises(UnreadableSecret) as refused:
        Vault([key()]).unseal(sealed)
    assert isinstance(refused.value, StartError) and refused.value.action
    with pytest.raises(Exception):  # noqa: B017 - whichever: it must not reseal what it cannot read
        Vault([key()]).reseal(sealed)


def test_one_changed_byte_fails_closed() -> None:
    sealed = bytearray(RING.seal({"token": "t-1"}))
    sealed[30] = ord("A") if sealed[30] != ord("A") else ord("B")
    with pytest.raises(UnreadableSecret):
        RING.unseal(bytes(sealed))


@pytest.mark.parametrize("bad", ["short", "x" * 44, "AAAA", ""], ids=["short", "not-base64-of-32", "four", "empty"])
def test_a_key_that_is_not_32_bytes_is_refused(tmp_path: Path, bad: str) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{bad}\n", "ascii")
    with pytest.raises(WeakSecret):
        Vault.open(file)


def test_blank_lines_in_the_key_file_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    first, second = key(), key()
    file.write_text(f"\n{first}\n\n{second}\n\n", "ascii")
    assert Vault.open(file).unseal(Vault([second]).seal({"a": "b"})) == {"a": "b"}
