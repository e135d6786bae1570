"""The fake's key for passwords: given out, and used to open what a client encrypted with it.

What lives here: RSA and AES, as Instagram's app uses them. What does not: whether the password is right.
The fact to know: the blob is really opened. A client that encrypts wrongly is refused here as it would be outside.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from forwarder_core.connectors.base import World
from forwarder_core.platforms.instagram.fake_wire import PLATFORM

KEY_ID = 205
_NOTE = "password_key"
_TAG_BYTES = 16


def public_key(world: World) -> str:
    """Base64 of the PEM, as the header of `qe/sync/` holds it."""
    pem = (
        _key(world)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(pem).decode()


def open_password(world: World, text: str) -> str | None:
    """The password in `#PWD_INSTAGRAM:4:<time>:<blob>`; None when it was not encrypted to this key.

    The blob: 1, key id, 12 bytes iv, length of the RSA part (2, little-endian), RSA part, tag, AES-GCM part.
    """
    parts = text.split(":", 3)
    if len(parts) != 4 or parts[:2] != ["#PWD_INSTAGRAM", "4"]:
        return None
    try:
        blob = base64.b64decode(parts[3], validate=True)
        if blob[:2] != bytes((1, KEY_ID)):
            return None
        iv, size = blob[2:14], int.from_bytes(blob[14:16], "little")
        wrapped, rest = blob[16 : 16 + size], blob[16 + size :]
        session_key = _key(world).decrypt(wrapped, padding.PKCS1v15())
        sealed = rest[_TAG_BYTES:] + rest[:_TAG_BYTES]
        return AESGCM(session_key).decrypt(iv, sealed, parts[2].encode()).decode()
    except (binascii.Error, ValueError, InvalidTag):
        return None


def _key(world: World) -> rsa.RSAPrivateKey:
    notes = world.notes(PLATFORM)
    if _NOTE not in notes:
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        notes[_NOTE] = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
    key = serialization.load_pem_private_key(notes[_NOTE].encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the stored key is not an RSA key")
    return key
