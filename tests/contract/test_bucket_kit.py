"""A store of buckets by another author, as a server of its own, and a line to it that can lose answers."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import boto3  # type: ignore[import-untyped]
import httpx
import pytest
from moto.server import ThreadedMotoServer

from forwarder_core.connectors import registry
from forwarder_core.egress import Exit
from tests.contract.test_library_kit import Box

LOOPBACK = Exit(allowed_networks=("127.0.0.0/8",))
_numbers = count()


class Store:
    """The server, with what a person does at its console."""

    def __init__(self, server: ThreadedMotoServer) -> None:
        host, port = server.get_host_and_port()
        self.port, self.endpoint = port, f"http://{host}:{port}"

    def client(self, service: str = "s3") -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="console",
            aws_secret_access_key="console",
        )

    def new_bucket(self) -> str:
        name = f"films-{next(_numbers)}"
        self.client().create_bucket(Bucket=name)
        return name

    def typed(self, bucket: str, /, **other: str) -> dict[str, str]:
        """The account form, filled in."""
        typed = {"endpoint": self.endpoint, "bucket": bucket, "prefix": "forwarder/films", "region": "us-east-1"}
        return typed | {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "its-secret"} | other

    def objects(self, bucket: str) -> dict[str, bytes]:
        client = self.client()
        keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket).get("Contents", ())]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def videos(self, bucket: str) -> list[str]:
        """The sha256 of each."""
        return [hashlib.sha256(data).hexdigest() for key, data in self.objects(bucket).items() if key.endswith(".mp4")]

    def unfinished(self, bucket: str) -> list[str]:
        return [each["Key"] for each in self.client().list_multipart_uploads(Bucket=bucket).get("Uploads", ())]

    def new_key(self, *actions: str) -> dict[str, str]:
        """Somebody's key, allowed to do so much; as fields of the form."""
        iam, user = self.client("iam"), f"user{next(_numbers)}"
        iam.create_user(UserName=user)
        said = f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{list(actions)},"Resource":"*"}}]}}'
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=said.replace("'", '"'))
        made = iam.create_access_key(UserName=user)["AccessKey"]
        return {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}

    @contextmanager
    def asking_for_keys(self) -> Iterator[None]:
        """Until then it lets everybody in."""
        self._check_keys_after(0)
        try:
            yield
        finally:
            self._check_keys_after(1_000_000_000)

    def _check_keys_after(self, requests: int) -> None:
        httpx.post(f"{self.endpoint}/moto-api/reset-auth", content=str(requests), trust_env=False).raise_for_status()


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield Store(server)
    finally:
        server.stop()


@dataclass
class Line:
    """A port that leads to the store. Of a request whose first line matches `loses`, the answer is lost."""

    port: int
    loses: bytes | None = None
    heads: list[bytes] = field(default_factory=list)


@contextmanager
def line_to(store: Store) -> Iterator[Line]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = Line(listener.getsockname()[1])

        def accept() -> None:
            with suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    threading.Thread(target=_carry, args=(near, store.port, line), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield line
        listener.shutdown(socket.SHUT_RDWR)


def _carry(near: socket.socket, port: int, line: Line) -> None:
    """One connection; each piece that begins a request is looked at."""
    with near, socket.create_connection(("127.0.0.1", port)) as far:
        is_losing = threading.Event()

        def up() -> None:
            with suppress(OSError):
                while piece := near.recv(65_536):
                    if piece[:4] in (b"PUT ", b"POST", b"GET ", b"HEAD", b"DELE"):
                        line.heads.append(piece.split(b"\r\n", 1)[0])
                        if line.loses and re.match(line.loses, line.heads[-1]):
                            is_losing.set()
                    far.sendall(piece)
                far.shutdown(socket.SHUT_WR)

        threading.Thread(target=up, daemon=True).start()
        with suppress(OSError):
            while piece := far.recv(65_536):
                if is_losing.is_set() and not piece.startswith(b"HTTP/1.1 100"):
                    near.shutdown(socket.SHUT_RDWR)
                near.sendall(piece)


def box_of(typed: dict[str, str]) -> Box:
    return Box(registry.secrets_from_form("archive", typed))
