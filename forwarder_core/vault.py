"""Secrets at rest. One key ring, read from a file: the first key encrypts, every key decrypts (MultiFernet).

Fernet is AES-128-CBC with an HMAC: a changed ciphertext or a wrong key fails closed.
The fact to know: a vault opened from a file follows the file. Keys are rotated while jobs run, and a process that went
on sealing with the old key would leave secrets that nobody can read once that key is gone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from forwarder_core.errors import StartError, WeakSecret


class UnreadableSecret(StartError):
    code = "secret_unreadable"
    action = "Put the key this was encrypted with back into the key file, or enter the secret again."


class Vault:
    def __init__(self, keys: list[str], *, path: Path | None = None) -> None:
        """`keys`: urlsafe base64 of 32 bytes each, newest first. Raises WeakSecret on a short or broken one."""
        self._path, self._seen = path, _stamp(path)
        self._use(keys)

    def _use(self, keys: list[str]) -> None:
        try:
            ring = [Fernet(key) for key in keys]
        except ValueError as e:
            raise WeakSecret(
                "A key in the key file is not 32 bytes in urlsafe base64.",
                action="Remove the broken line; for a new file, delete it and one is made at the next start.",
            ) from e
        self._newest, self._all = ring[0], MultiFernet(ring)

    @classmethod
    def open(cls, key_file: Path) -> Vault:
        """From `key_file`, one key a line; a missing file is made with one fresh key, readable by its owner only."""
        if not key_file.exists():
            key_file.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as out:
                out.write(Fernet.generate_key() + b"\n")
        return cls(_keys_in(key_file), path=key_file)

    @property
    def _ring(self) -> MultiFernet:
        self._follow()
        return self._all

    def _follow(self) -> None:
        """Read the keys again when their file changed; one that is gone for a moment changes nothing."""
        now = _stamp(self._path)
        if self._path is not None and now not in (None, self._seen):
            self._use(_keys_in(self._path))
            self._seen = now

    def seal(self, secrets: Mapping[str, str]) -> bytes:
        return self._ring.encrypt(json.dumps(dict(secrets), ensure_ascii=False).encode())

    def unseal(self, sealed: bytes | None) -> dict[str, str]:
        """The secrets in `sealed`; nothing where there is nothing."""
        if not sealed:
            return {}
        try:
            opened = json.loads(self._ring.decrypt(sealed))
        except InvalidToken as e:
            raise UnreadableSecret("A stored secret cannot be read with the present keys.") from e
        return {str(k): str(v) for k, v in opened.items()}

    def reseal(self, sealed: bytes) -> bytes:
        """The same secret under the newest key."""
        try:
            return self._ring.rotate(sealed)
        except InvalidToken as e:
            raise UnreadableSecret("A stored secret cannot be read with the present keys.") from e

    def is_newest(self, sealed: bytes) -> bool:
        """Is it under the newest key?"""
        self._follow()
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True


def new_key() -> str:
    return Fernet.generate_key().decode()


def _keys_in(key_file: Path) -> list[str]:
    keys = [line.strip() for line in key_file.read_text("ascii").splitlines() if line.strip()]
    if not keys:
        raise WeakSecret(f"The key file {key_file} is empty.")
    return keys


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Changes whenever the file is replaced."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns) if found else None
