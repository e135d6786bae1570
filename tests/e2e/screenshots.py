"""The pictures of the documents: `./run screenshots` starts a demo, waits until there is something to see, and looks.

What lives here: which pictures there are and how they are made small. The fact to know: they are committed, so there
are few of them, each reduced to a palette; `--all` makes every screen, wide, narrow and dark, for whoever mends them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from shutil import which

from PIL import Image
from playwright.sync_api import expect

from forwarder_core.settings import load
from tests.e2e import stack as stacks
from tests.e2e.person import Person, Theme, person
from tests.e2e.stack import ROOT, Stack

DOCS = ROOT / "docs" / "screenshots"
_COLOURS = 96
_POSTS, _WAIT_S = 4, 240.0
SCREENS = (
    *("overview", "connections", "accounts", "proxies", "jobs", "calendar", "library", "logs", "analytics"),
    *("notifications", "templates", "utilities", "settings"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """`path`: the address; `presses`: buttons on the way; `height`: of the picture, in pixels of the page."""

    name: str
    path: str
    presses: Sequence[str] = ()
    shows: Sequence[str] = ()
    width: int = 1280
    height: int = 900
    theme: Theme = "light"


FEW = (
    Shot(name="overview", path="/"),
    Shot(name="overview-dark", path="/", theme="dark"),
    Shot(name="overview-phone", path="/", width=390, height=844),
    Shot(name="wizard", path="/connections?new=1"),
    Shot(name="connection", path="/connections/1"),
    Shot(name="job", path="/jobs/1", height=1100),
    Shot(name="calendar", path="/calendar"),
    Shot(name="library", path="/library"),
    Shot(name="analytics", path="/analytics", height=1100),
    Shot(name="scenarios", path="/utilities", shows=("Scenarios",)),
)


def every() -> Iterator[Shot]:
    for screen in SCREENS:
        path = "/" if screen == "overview" else f"/{screen}"
        yield Shot(name=screen, path=path, height=1400)
        yield Shot(name=f"{screen}-dark", path=path, height=1000, theme="dark")
        yield Shot(name=f"{screen}-phone", path=path, width=390, height=1600)
    for n, view in enumerate(
        ("Admin", "Retention", "Retry policy", "Workers", "Limits and quotas", "API tokens", "Server")
    ):
        yield Shot(name=f"settings-{n}", path="/settings", shows=(view,), height=1200)
    yield from FEW


def take(stack: Stack, program: Path, shots: Sequence[Shot], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for width, theme in sorted({(shot.width, shot.theme) for shot in shots}):
        with person(program, stack.url, width=width, height=900, theme=theme) as admin:
            admin.open("/")
            admin.sign_in(stack.user, stack.password)
            admin.settle()
            for shot in shots:
                if (shot.width, shot.theme) == (width, theme):
                    (folder / f"{shot.name}.png").write_bytes(small(picture(admin, shot)))


def picture(admin: Person, shot: Shot) -> bytes:
    admin.page.set_viewport_size({"width": shot.width, "height": shot.height})
    admin.open(shot.path)
    admin.page.get_by_test_id("stHeading").first.wait_for()
    admin.settle()
    for view in shot.shows:
        admin.show(view)
    for name in shot.presses:
        admin.press(name)
    expect(admin.page.get_by_test_id("stSkeleton")).to_have_count(0)
    admin.page.wait_for_load_state("networkidle")
    return admin.page.screenshot(animations="disabled")


def small(png: bytes) -> bytes:
    """With a palette: a screen has few colours, and the documents stay light."""
    out = BytesIO()
    with Image.open(BytesIO(png)) as image:
        reduced = image.convert("RGB").quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        reduced.save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description="Make docs/screenshots/ anew.")
    parser.add_argument("--all", action="store_true", help="every screen, wide, dark and narrow")
    parser.add_argument("--out", type=Path, default=DOCS)
    chosen = parser.parse_args()
    program = load().browser or which("chromium") or which("google-chrome")
    if program is None:
        raise SystemExit("no browser: install chromium, or set FORWARDER_BROWSER to one")
    with stacks.new_home() as home:
        stack = stacks.start(home)
        try:
            _until_there_is_something(stack)
            take(stack, Path(program), list(every()) if chosen.all else FEW, chosen.out)
        finally:
            stacks.stop(stack)


def _until_there_is_something(stack: Stack) -> None:
    deadline = time.monotonic() + _WAIT_S
    while len(stack.control.publications()) < _POSTS and time.monotonic() < deadline:
        time.sleep(1)


if __name__ == "__main__":
    main()
