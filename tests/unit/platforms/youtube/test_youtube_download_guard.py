"""What the downloading process connects to: yt-dlp's own ways to the network, with the guard where they all pass."""

from __future__ import annotations

import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler

import pytest

from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import PlatformTransient
from forwarder_core.platforms.youtube.download_errors import failure
from tests.integration.other_proxies import own_socks
from tests.unit.platforms.youtube.test_youtube_download import report
from tests.unit.test_egress import file_server, whole

PROGRAM = """
import sys, yt_dlp
from forwarder_core.platforms.youtube import download_guard
proxy, *urls = sys.argv[1:]
download_guard.install(("127.0.0.1/32",), proxy)
for url in urls:
    try:
        print(len(yt_dlp.YoutubeDL({"quiet": True, "proxy": proxy, "socket_timeout": 5}).urlopen(url).read()))
    except Exception as e:
        print(e)
"""


def asked(place: str, proxy: str) -> list[str]:
    """What yt-dlp says in a process of its own of a plain file and of one that leads on: its bytes, or why none."""
    command = [sys.executable, "-c", PROGRAM, proxy, f"http://{place}/file", f"http://{place}/on"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["directly", "http", "socks5h"])
def test_a_redirect_into_a_private_network_ends_it(way: str) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "on" in handler.path:
            whole(handler, b"", status=302, Location="http://127.2:9/latest/meta-data")
        else:
            whole(handler, b"12345")

    with file_server(answer) as (url, seen):
        place = url.split("/")[2]
        host, port = place.split(":")
        with own_socks(lambda *_: socket.create_connection((host, int(port)))) as socks:
            proxies = {"directly": "", "http": f"http://{place}", "socks5h": f"socks5h://127.0.0.1:{socks}"}
            plain, led_on = asked(place, proxies[way])
    assert plain == "5" and "private network" in led_on and len(seen) == 2


def test_it_is_the_far_ends_trouble_and_says_what_to_do() -> None:
    told = report("PermissionError: 127.0.0.2 lies in a private network", "PermissionError", "TransportError")
    for exit_ in (Exit(), Exit(ProxyAddress("http", "10.0.0.1", 8080))):
        known = failure(told, exit_)
        assert isinstance(known, PlatformTransient) and "FORWARDER_ALLOW_PRIVATE_NETWORKS" in known.action
