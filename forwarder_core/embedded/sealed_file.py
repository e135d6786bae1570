"""A file sealed with a passphrase, written and read in one pass whatever its size.

Format: `SNAPSEAL1`, 16 bytes of salt, 8 bytes of nonce, then chunks of 1 MiB, each AES-256-GCM with a tag of 16 bytes.
The key is scrypt(passphrase, salt, N=2^15, r=8, p=1): 32 MB and about 0.1 s for each guess.
The fact to know: a chunk's nonce holds its number and whether it is the last, so a chunk that was left out, moved or
cut off at the end is refused like one that was changed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from forwarder_core.errors import StartError

MAGIC = b"SNAPSEAL1"
CHUNK_BYTES = 1 << 20
_TAG_BYTES = 16
_LEAST_CHARS = 8


class BackupUnreadable(StartError):
    code = "backup_unreadable"
    action = "Check the passphrase, and whether the file was copied whole; else take another backup."


def is_sealed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def seal(plain: IO[bytes], out: IO[bytes], passphrase: str) -> None:
    """Raises BackupUnreadable for a passphrase too short to protect anything."""
    if len(passphrase) < _LEAST_CHARS:
        raise BackupUnreadable(f"The passphrase has fewer than {_LEAST_CHARS} characters.", action="Use a longer one.")
    salt, nonce = os.urandom(16), os.urandom(8)
    out.write(MAGIC + salt + nonce)
    aead, number, chunk = _aead(passphrase, salt), 0, plain.read(CHUNK_BYTES)
    while True:
        following = plain.read(CHUNK_BYTES)
        out.write(aead.encrypt(_nonce(nonce, number, is_last=not following), chunk, MAGIC))
        if not following:
            return
        number, chunk = number + 1, following


def unseal(sealed: IO[bytes], out: IO[bytes], passphrase: str) -> None:
    """Raises BackupUnreadable for a wrong passphrase and for any byte that is not as it was written."""
    head = sealed.read(len(MAGIC) + 24)
    if head[: len(MAGIC)] != MAGIC or len(head) != len(MAGIC) + 24:
        raise BackupUnreadable("This is no sealed backup.")
    salt, nonce = head[len(MAGIC) : -8], head[-8:]
    aead, number, chunk = _aead(passphrase, salt), 0, sealed.read(CHUNK_BYTES + _TAG_BYTES)
    while True:
        following = sealed.read(CHUNK_BYTES + _TAG_BYTES)
        try:
            out.write(aead.decrypt(_nonce(nonce, number, is_last=not following), chunk, MAGIC))
        except InvalidTag as e:
            what = "The passphrase is wrong" if number == 0 else f"The file is damaged after {number} MiB"
            raise BackupUnreadable(f"{what}, or the file was changed.") from e
        if not following:
            return
        number, chunk = number + 1, following


def _aead(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode()))


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + (number << 1 | is_last).to_bytes(4, "big")
