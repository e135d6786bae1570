"""The two guards of every browser test can fail: an error in the console, and a request to another host."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.person import person

pytestmark = [pytest.mark.slow, pytest.mark.browser]
PAGES = {
    "/clean": "<h1>Clean</h1>",
    "/said": "<script>console.error('something broke')</script>",
    "/thrown": "<script>throw new Error('something broke')</script>",
    "/missing": "<script>fetch('/nothing-here')</script>",
    "/foreign": "<img src='http://127.0.0.2:9/pixel.gif'>",
    "/socket": "<script>new WebSocket('ws://127.0.0.2:9/')</script>",
}


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = PAGES.get(self.path, "")
        self.send_response(200 if self.path in PAGES or self.path == "/favicon.ico" else 404)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests' output is pytest's."""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_goes_wrong_behind_a_page_is_accounted_for(base: str, browser_program: Path) -> None:
    with person(browser_program, base) as admin:
        admin.open("/clean")
        admin.accounted()
        for page in PAGES.keys() - {"/clean"}:
            admin.errors.clear()
            admin.foreign.clear()
            with admin.page.expect_event("console" if page != "/thrown" else "pageerror"):
                admin.open(page)
            with pytest.raises(AssertionError):
                admin.accounted()
            assert bool(admin.foreign) == (page in ("/foreign", "/socket")), page
