"""Proxies that are not ours: proxy.py, microsocks where it is installed, and a small SOCKS server of the tests' own.

Client libraries and gateway of one author could agree on a mistake; these were written by others, or from RFC 1928 and
1929 alone. Behind them stands one proxy of the simulator that nobody else knows, so whatever comes out of it went
through them.
"""

from __future__ import annotations

import base64
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import trustme

from forwarder_core.simulator.testing import eventually

_STOP_S = 5.0
Login = tuple[str, str] | None


@contextmanager
def proxy_py(home: Path, behind: int, login: Login = None) -> Iterator[int]:
    """proxy.py as a process of its own, its port. Whatever it is asked for it asks of the proxy at port `behind`."""
    port_file = home / "port"
    command = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0", "--port-file", str(port_file)]
    command += ["--num-workers", "1", "--num-acceptors", "1", "--log-level", "e", "--data-dir", str(home / "data")]
    command += ["--plugins", "proxy.plugin.ProxyPoolPlugin", "--proxy-pool", f"127.0.0.1:{behind}"]
    command += ["--basic-auth", ":".join(login)] if login else []
    with _running(command):
        yield int(eventually(lambda: port_file.read_text().strip() if port_file.exists() else "", within_s=30))


@contextmanager
def foreign_socks(exit_ip: str, login: Login = None) -> Iterator[int]:
    """microsocks, leading to addresses of this machine from `exit_ip`; the tests' own server where it is missing."""
    found = shutil.which("microsocks")
    if found is None:
        with own_socks(lambda host, port: _directly(host, port, exit_ip), login) as port:
            yield port
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["-u", login[0], "-P", login[1]] if login else []
    with _running([found, "-i", "127.0.0.1", "-p", str(port), "-b", exit_ip, *words]):
        eventually(lambda: _answers(port), within_s=30)
        yield port


@contextmanager
def _running(command: list[str]) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


# ---- a SOCKS5 server from the two RFCs --------------------------------------------------------------------------


@contextmanager
def own_socks(lead: Callable[[str, int], socket.socket], login: Login = None) -> Iterator[int]:
    """Its port. `lead` opens the line to a target."""
    with _listening(lambda client: _served(client, lead, login)) as port:
        yield port


@contextmanager
def _listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server with a thread for each client; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def served(client: socket.socket) -> None:
        with client, suppress(OSError):
            serve(client)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                threading.Thread(target=served, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(server.getsockname()[1])
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def behind_gateway(port: int) -> Callable[[str, int], socket.socket]:
    """Names are resolved where a proxy of the simulator at `port` says."""

    def lead(host: str, target_port: int) -> socket.socket:
        line = socket.create_connection(("127.0.0.1", port), 10)
        line.sendall(f"CONNECT {host}:{target_port} HTTP/1.1\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += _exactly(line, 1)
        if b" 200 " not in answer:
            raise OSError(answer)
        return line

    return lead


def _directly(host: str, port: int, exit_ip: str) -> socket.socket:
    return socket.create_connection((host, port), 10, source_address=(exit_ip, 0))


def _served(client: socket.socket, lead: Callable[[str, int], socket.socket], login: Login) -> None:
    if not _greeted(client, login):
        return
    host, port = _asked_for(client)
    try:
        far = lead(host, port)
    except OSError:
        client.sendall(b"\x05\x04\x00\x01" + bytes(6))
        return
    client.sendall(b"\x05\x00\x00\x01" + bytes(6))
    _joined(client, far)


def _joined(client: socket.socket, far: socket.socket) -> None:
    """Until both sides have said all."""
    with far:
        far.settimeout(None)
        back = threading.Thread(target=_pour, args=(far, client), daemon=True)
        back.start()
        _pour(client, far)
        back.join(_STOP_S)


def _greeted(client: socket.socket, login: Login) -> bool:
    _, count = _exactly(client, 2)
    offered, wanted = _exactly(client, count), 2 if login else 0
    if wanted not in offered:
        client.sendall(b"\x05\xff")
        return False
    client.sendall(bytes((5, wanted)))
    if login is None:
        return True
    said = []
    _exactly(client, 1)
    for _ in range(2):
        said.append(_exactly(client, _exactly(client, 1)[0]).decode())
    client.sendall(b"\x01\x00" if tuple(said) == login else b"\x01\x01")
    return tuple(said) == login


def _asked_for(client: socket.socket) -> tuple[str, int]:
    _, command, _, kind = _exactly(client, 4)
    if command != 1 or kind not in (1, 3):
        raise OSError("only CONNECT to a name or an IPv4 address")
    if kind == 1:
        host = socket.inet_ntoa(_exactly(client, 4))
    else:
        host = _exactly(client, _exactly(client, 1)[0]).decode("ascii")
    return host, int.from_bytes(_exactly(client, 2), "big")


def _exactly(line: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = line.recv(count - len(got))
        if not part:
            raise OSError("the other side left")
        got += part
    return got


def _pour(source: socket.socket, into: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65_536):
            into.sendall(part)
    with suppress(OSError):
        into.shutdown(socket.SHUT_WR)


# ---- an HTTP proxy of the tests' own, and the ways in which either kind misbehaves --------------------------------

Lead = Callable[[str, int], socket.socket]
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 28\r\n\r\n<html>Pay for this net</html>"


@contextmanager
def own_http(lead: Lead, login: Login = None) -> Iterator[int]:
    """Its port: CONNECT and nothing else."""
    wanted = b"asic " + base64.b64encode(":".join(login or ()).encode()) + b"\r\n"

    def serve(client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += _exactly(client, 1)
        if login and wanted not in head:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = head.split(b" ", 2)[1].decode().rpartition(":")
        far = lead(host, int(port))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        _joined(client, far)

    with _listening(serve) as port:
        yield port


@contextmanager
def silent() -> Iterator[int]:
    """Takes connections and whatever is said, and never answers: its port."""

    def serve(client: socket.socket) -> None:
        while client.recv(65_536):
            pass

    with _listening(serve) as port:
        yield port


def leads_to_a_page(host: str, port: int) -> socket.socket:
    """Instead of the target something that speaks no TLS: the page of a hotel's network."""
    near, far = socket.socketpair()

    def serve() -> None:
        with far, suppress(OSError):
            far.recv(65_536)
            far.sendall(PAGE)

    threading.Thread(target=serve, daemon=True).start()
    return near


def opens_tls(issuer: trustme.CA) -> Lead:
    """Shows a certificate of its own for whatever name is asked for."""

    def lead(host: str, port: int) -> socket.socket:
        near, far = socket.socketpair()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(host).configure_cert(context)

        def serve() -> None:
            with far, suppress(OSError), context.wrap_socket(far, server_side=True) as secured:
                secured.recv(65_536)
                secured.sendall(PAGE)

        threading.Thread(target=serve, daemon=True).start()
        return near

    return lead


def cuts_after(count: int, lead: Lead) -> Lead:
    """Breaks off, both ways, when so many bytes have gone up."""

    def cutting(host: str, port: int) -> socket.socket:
        far = lead(host, port)
        far.settimeout(None)
        near, inner = socket.socketpair()

        def serve() -> None:
            threading.Thread(target=_pour, args=(far, inner), daemon=True).start()
            left = count
            with inner, far, suppress(OSError):
                while left > 0 and (part := inner.recv(min(left, 65_536))):
                    far.sendall(part)
                    left -= len(part)
                for end in (inner, far):
                    end.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=serve, daemon=True).start()
        return near

    return cutting


FAULTS = ("refused", "hang", "own page", "own certificate", "cut")


@contextmanager
def faulty(kind: str, fault: str, lead: Lead, *, cut_after: int = 600) -> Iterator[int]:
    """The port of a proxy of this kind with one of FAULTS; `lead` is its way to the target, where it has one."""
    if fault == "refused":
        with closing(socket.socket()) as deaf:  # bound, so that nobody else gets the port, and never listening
            deaf.bind(("127.0.0.1", 0))
            yield int(deaf.getsockname()[1])
        return
    if fault == "hang":
        made = silent()
    else:
        leads = {"own page": leads_to_a_page, "own certificate": opens_tls(trustme.CA())}
        serve = own_socks if kind == "socks5" else own_http
        made = serve(leads.get(fault) or cuts_after(cut_after, lead))
    with made as port:
        yield port
