"""Secrets at rest. One key ring, read from a file: the first key encrypts, every key decrypts (MultiFernet).

Fernet is AES-128-CBC with an HMAC: a changed ciphertext or a wrong key fails closed.
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
    def __init__(self, keys: list[str]) -> None:
        """`keys`: urlsafe base64 of 32 bytes each, newest first. Raises WeakSecret on a short or broken one."""
        try:
            self._ring = MultiFernet([Fernet(key) for key in keys])
        except ValueError as e:
            raise WeakSecret(
                "A key in the key file is not 32 bytes in urlsafe base64.",
                action="Remove the broken line; for a new file, delete it and one is made at the next start.",
            ) from e

    @classmethod
    def open(cls, key_file: Path) -> Vault:
        """From `key_file`, one key a line; a missing file is made with one fresh key, readable by its owner only."""
        if not key_file.exists():
            key_file.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as out:
                out.write(Fernet.generate_key() + b"\n")
        keys = [line.strip() for line in key_file.read_text("ascii").splitlines() if line.strip()]
        if not keys:
            raise WeakSecret(f"The key file {key_file} is empty.")
        return cls(keys)

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
        return self._ring.rotate(sealed)
