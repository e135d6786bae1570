"""The authority stays; the server's certificate follows the hosts."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509

from forwarder_core.simulator import certificates


def test_everything_is_kept_over_restarts(tmp_path: Path) -> None:
    first = certificates.ensure(tmp_path, ["a.example", "*.b.example"])
    before = (first.ca.read_bytes(), first.chain.read_bytes())

    again = certificates.ensure(tmp_path, ["*.b.example", "a.example"])

    assert (again.ca.read_bytes(), again.chain.read_bytes()) == before


def test_new_hosts_need_a_new_certificate_of_the_same_authority(tmp_path: Path) -> None:
    first = certificates.ensure(tmp_path, ["a.example"])
    authority, chain = first.ca.read_bytes(), first.chain.read_bytes()

    again = certificates.ensure(tmp_path, ["a.example", "c.example"])

    assert again.ca.read_bytes() == authority
    assert again.chain.read_bytes() != chain
    leaf = x509.load_pem_x509_certificate(again.chain.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example", "c.example", "localhost"]
    ssl.create_default_context(cafile=str(again.ca))


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    made = certificates.ensure(tmp_path, ["a.example"])

    assert [oct(file.stat().st_mode & 0o777) for file in (made.key, tmp_path / "ca.key")] == ["0o600", "0o600"]
