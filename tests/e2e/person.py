"""A person in a real browser, for end-to-end tests: what they read and press, and what goes wrong behind it.

The fact to know: every error in the browser's console and every request to another host is kept, and `accounted`
fails on any of them; a page that only looks right is not right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, FilePayload, Locator, Page, expect, sync_playwright

FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]
PATIENCE_MS = 40_000
Theme = Literal["light", "dark"]


class Person:
    """One tab of one browser, at the door of an installation."""

    def __init__(self, page: Page, base: str) -> None:
        self.page, self.base = page, base
        self.errors: list[str] = []
        self.foreign: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._called(request.url))
        page.on("websocket", lambda socket: self._called(socket.url))

    def accounted(self) -> None:
        assert self.errors == [] and self.foreign == []

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)

    def sign_in(self, user: str, password: str) -> None:
        self.page.get_by_label("Username").fill(user)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Login").click()

    def go(self, screen: str) -> None:
        """By the navigation at the side."""
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=screen, exact=True).click()
        expect(self.page.get_by_role("heading", name=screen, exact=True)).to_be_visible()
        self.settle()

    def show(self, view: str) -> None:
        """One of the views beside each other on a screen, or a tab."""
        choice = self.page.get_by_role("radio", name=view, exact=True)
        tab = self.page.get_by_role("tab", name=view, exact=True)
        choice.or_(tab).first.click()
        self.settle()

    def press(self, name: str) -> None:
        self.button(name).click()
        self.settle()

    def button(self, name: str) -> Locator:
        return (
            self.page.get_by_role("button", name=re.compile(rf"(^|\s){re.escape(name)}$")).locator("visible=true").first
        )

    def fill(self, label: str, words: str) -> None:
        self.page.get_by_label(label, exact=True).locator("visible=true").first.fill(words)
        self.page.keyboard.press("Tab")
        self.settle()

    def pick(self, label: str, option: str) -> None:
        self.page.get_by_label(label).locator("visible=true").first.click()
        self.page.get_by_role("option", name=re.compile(re.escape(option))).first.click()
        self.settle()

    def hand_over(self, n: int, name: str, text: str) -> None:
        """A file into the `n`-th field for one of the dialog that is open."""
        file: FilePayload = {"name": name, "mimeType": "application/json", "buffer": text.encode()}
        self.page.get_by_role("dialog").locator("input[type=file]").nth(n).set_input_files(file)
        self.reads(name)
        self.settle()

    def reads(self, words: str | re.Pattern[str], *, within_s: float = PATIENCE_MS / 1e3) -> None:
        expect(self.page.get_by_text(words).locator("visible=true").first).to_be_visible(timeout=within_s * 1e3)

    def settle(self) -> None:
        """Until the script behind the page has run to its end."""
        app = self.page.get_by_test_id("stApp")
        expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE_MS)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _called(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.base).netloc:
            self.foreign.append(url)


@contextmanager
def person(
    program: Path, base: str, *, width: int = 1280, height: int = 900, theme: Theme = "light"
) -> Iterator[Person]:
    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=str(program), args=FLAGS)
        size = {"width": width, "height": height}
        page = chromium.new_page(viewport=size, color_scheme=theme)  # type: ignore[arg-type]
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        yield Person(page, base)
        chromium.close()
