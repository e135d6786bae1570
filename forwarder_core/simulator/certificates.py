"""The simulator's own certificate authority and its one server certificate, made once and kept.

The certificate is made anew when the simulated hosts change; the authority never, so that a client that trusts it
keeps trusting. The fact to know: `ca.pem` is public, every key beside it is readable by its owner only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509

_RENEW_BEFORE = timedelta(days=30)
_LIFETIME = timedelta(days=397)  # longer ones are refused by some clients


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    ca: Path
    chain: Path
    key: Path


def ensure(folder: Path, hosts: Sequence[str]) -> ServerCertificate:
    """The certificate for `hosts`, as it is on disk or made now."""
    found = ServerCertificate(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    names = sorted({*hosts, "localhost", "127.0.0.1"})
    authority = _authority(found.ca, folder / "ca.key")
    if not _serves(found, names):
        until = datetime.now(UTC) + _LIFETIME
        leaf = authority.issue_cert(*names, not_after=until)
        found.chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        _write_secret(found.key, leaf.private_key_pem.bytes())
    return found


def _authority(certificate: Path, key: Path) -> trustme.CA:
    if certificate.is_file() and key.is_file():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    made = trustme.CA(organization_name="Simulated world")
    _write_secret(key, made.private_key_pem.bytes())
    certificate.write_bytes(made.cert_pem.bytes())
    return made


def _serves(found: ServerCertificate, names: Sequence[str]) -> bool:
    if not found.chain.is_file() or not found.key.is_file():
        return False
    leaf = x509.load_pem_x509_certificate(found.chain.read_bytes())
    alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    known = {*alternative.get_values_for_type(x509.DNSName)}
    known |= {str(address) for address in alternative.get_values_for_type(x509.IPAddress)}
    issuer = x509.load_pem_x509_certificate(found.ca.read_bytes()).subject
    return (
        known == set(names) and leaf.issuer == issuer and leaf.not_valid_after_utc > datetime.now(UTC) + _RENEW_BEFORE
    )


def _write_secret(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
