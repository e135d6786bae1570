"""The machine around the product, as the doctor looks at it: port, key file, certificate, redirect, firewall, SSH.

The fact to know: what cannot be found out here (no right, no program, no public address) is SKIPPED, never OK.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from forwarder_core.domain import findings
from forwarder_core.domain.findings import Finding, State
from forwarder_core.embedded import ports
from forwarder_core.embedded.readiness import answers
from forwarder_core.embedded.stack import bound_to, reachable_as
from forwarder_core.settings import Settings

_TIMEOUT_S = 5.0
_PLAIN_HTTP = 80


def examine(settings: Settings, *, is_running: bool) -> Iterator[Finding]:
    changed = sorted(settings.model_fields_set)
    yield Finding("settings", State.OK, f"All are valid; set here: {', '.join(changed) or 'none'}.")
    yield _port(settings, is_running=is_running)
    yield _keys(settings.key_file)
    yield from _public(settings)
    yield _firewall()
    yield _ssh()


def _port(settings: Settings, *, is_running: bool) -> Finding:
    where, place = bound_to(settings), settings.bind
    if is_running:
        host = reachable_as(where.host)
        if answers(where.port, "/api/health/simple", host)():
            return Finding("port", State.OK, f"The door answers at {place}.")
        return Finding("port", State.FAILING, f"The door does not answer at {place}.", "Read <home>/logs/door.log.")
    if ports.is_free(where.port, where.host):
        return Finding("port", State.OK, f"{place} is free.")
    return Finding("port", State.WARNING, f"{place} is taken.", "Stop what holds it, or set FORWARDER_BIND.")


def _keys(key_file: Path) -> Finding:
    if not key_file.exists():
        return Finding("keys", State.WARNING, f"There is no key file {key_file} yet.", "It is made at the first start.")
    if key_file.stat().st_mode & 0o077:
        return Finding("keys", State.FAILING, f"Others can read {key_file}.", f"chmod 600 {key_file}")
    count = len(key_file.read_text("ascii").split())
    return Finding("keys", State.OK, f"{count} keys, readable by their owner only.")


def _public(settings: Settings) -> Iterator[Finding]:
    address = urlsplit(settings.public_url or "")
    if address.scheme != "https" or not address.hostname:
        words = "FORWARDER_PUBLIC_URL names no https address, so nothing of it was looked at."
        action = "Set it to the address people use; sign-ins at Google and Meta need it too."
        yield Finding("certificate", State.SKIPPED, words, action)
        yield Finding("redirect", State.SKIPPED, words, action)
        return
    yield certificate(address.hostname, address.port or 443)
    yield redirect(address.hostname)


def certificate(host: str, port: int, context: ssl.SSLContext | None = None) -> Finding:
    """Of our own door as people reach it; not a call to anybody else, so it takes no proxy."""
    try:
        with (
            closing(socket.create_connection((host, port), _TIMEOUT_S)) as plain,
            (context or ssl.create_default_context()).wrap_socket(plain, server_hostname=host) as tls,
        ):
            ends = str((tls.getpeercert() or {})["notAfter"])
    except (OSError, KeyError) as e:
        action = "See nginx's log; renew the certificate, or open port 443."
        return Finding("certificate", State.FAILING, f"https://{host}:{port} is not in order: {e}", action)
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
    return findings.of_certificate(ends_at, datetime.fromtimestamp(time.time(), UTC))


def redirect(host: str, port: int = _PLAIN_HTTP) -> Finding:
    action = "Let nginx answer on port 80 with a redirect (deploy/nginx)."
    try:
        with httpx.Client(timeout=_TIMEOUT_S, trust_env=False, follow_redirects=False) as client:
            answer = client.get(f"http://{host}:{port}/")
    except httpx.HTTPError as e:
        return Finding("redirect", State.WARNING, f"Port {port} does not answer ({type(e).__name__}).", action)
    target = answer.headers.get("location", "")
    if answer.is_redirect and target.startswith("https://"):
        return Finding("redirect", State.OK, "Plain HTTP is led to HTTPS.")
    words = f"Port {port} answers {answer.status_code} instead of leading to HTTPS."
    return Finding("redirect", State.FAILING, words, action)


def _firewall() -> Finding:
    said = _said("ufw", "status")
    action = "Close all but SSH, 80 and 443: deploy/install.sh does it with --firewall yes."
    if said is None:
        return Finding("firewall", State.SKIPPED, "ufw is not here, or may only be asked by root.", action)
    if "Status: active" in said:
        return Finding("firewall", State.OK, "It is on.")
    return Finding("firewall", State.WARNING, "It is off.", action)


def _ssh() -> Finding:
    said = _said("sshd", "-T")
    action = "Forbid passwords: deploy/install.sh does it with --ssh-keys-only yes."
    if said is None:
        return Finding("ssh", State.SKIPPED, "sshd is not here, or may only be asked by root.", action)
    if "passwordauthentication no" in said.lower():
        return Finding("ssh", State.OK, "Keys only.")
    return Finding("ssh", State.WARNING, "Passwords are taken.", action)


def _said(program: str, *arguments: str) -> str | None:
    path = shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
