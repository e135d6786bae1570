"""The pictures of the documents: `./run screenshots` starts a demo, waits until there is something to see, and looks.

What lives here: which pictures there are and how they are made small. The fact to know: they are committed, so there
are few of them, each reduced to a palette; `--all` makes every screen, wide, narrow and dark, with trouble on them, for
whoever mends them. Each picture is told on stderr, and none waits longer than `PATIENCE_MS`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from shutil import which

from PIL import Image
from playwright.sync_api import expect

from forwarder_core.cli.progress import reporter
from forwarder_core.embedded.supervisor import Report
from forwarder_core.settings import load
from forwarder_core.simulator.demo import Road, post_reel
from tests.e2e import stack as stacks
from tests.e2e.person import Person, Theme, person
from tests.e2e.stack import ROOT, Stack
from tests.e2e.test_by_hand import Admin, until

DOCS = ROOT / "docs" / "screenshots"
_COLOURS = 256
# At once, beside the one in 20 s that the demo makes by itself; and until so many have arrived.
_REELS, _ARRIVED, _WAIT_S = 3, 6, 240.0
_ROAD = Road("instagram", "youtube")
_PICTURES_ARE_THERE = """() => [...document.images]
  .every(one => one.complete || one.getBoundingClientRect().top > innerHeight)"""
_LOOKS, _LOOK_MS = 8, 300  # what moves by itself, such as an age in seconds, never stands still
SCREENS = (
    *("overview", "connections", "accounts", "proxies", "jobs", "calendar", "library", "logs", "analytics"),
    *("notifications", "templates", "utilities", "settings"),
)
VIEWS = {
    "settings": (
        *("Notifications", "Retention", "Retry policy", "Workers", "Platforms", "Limits"),
        *("API tokens", "Audit log", "Server"),
    ),
    "utilities": ("Force refresh", "Enqueue by URL", "Scenarios"),
    "analytics": ("Connections", "Accounts", "System"),
    "notifications": ("Telegram", "Commands", "Webhooks", "E-mail", "Kinds of alerts"),
    "jobs": ("Dead letter", "History"),
    "connections/1": ("Posts and why", "Last 30 days", "Dry runs", "Old posts"),
}


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
    signed_in: bool = True


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
    """Each screen and each view of it in all three looks; the sign-in page; the second factor's picture."""
    for shot in (
        *(Shot(name=screen, path="/" if screen == "overview" else f"/{screen}") for screen in SCREENS),
        *(
            Shot(name=f"{screen.partition('/')[0]}-{view.lower().replace(' ', '-')}", path=f"/{screen}", shows=(view,))
            for screen, views in VIEWS.items()
            for view in views
        ),
        *(Shot(name=f"one-{noun[:-1]}", path=f"/{noun}/1") for noun in ("accounts", "connections", "jobs", "proxies")),
        Shot(name="wizard", path="/connections?new=1"),
        Shot(name="second-factor", path="/settings", presses=("Set it up",)),
        Shot(name="sign-in", path="/login", signed_in=False),
    ):
        yield replace(shot, height=1500)
        yield replace(shot, name=f"{shot.name}-dark", height=1500, theme="dark")
        yield replace(shot, name=f"{shot.name}-phone", width=390, height=1900)


def take(stack: Stack, program: Path, shots: Sequence[Shot], folder: Path, report: Report) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for kind in sorted({_kind(shot) for shot in shots}, key=str):
        _, theme, signed_in = kind
        with person(program, stack.url, width=kind[0], height=900, theme=theme) as admin:
            admin.open("/")
            if signed_in:
                admin.sign_in(stack.user, stack.password)
                admin.settle()
            for shot in (shot for shot in shots if _kind(shot) == kind):
                (folder / f"{shot.name}.png").write_bytes(small(picture(admin, shot)))
                report(f"{shot.name}.png")


def _kind(shot: Shot) -> tuple[int, Theme, bool]:
    """What one browser serves."""
    return shot.width, shot.theme, shot.signed_in


def picture(admin: Person, shot: Shot) -> bytes:
    admin.page.set_viewport_size({"width": shot.width, "height": shot.height})
    admin.open(shot.path)
    if shot.signed_in:
        admin.page.get_by_test_id("stHeading").first.wait_for()
        admin.settle()
        for view in shot.shows:
            admin.show(view)
        for name in shot.presses:
            admin.press(name)
        expect(admin.page.get_by_test_id("stSkeleton")).to_have_count(0)
    # Not until the network is idle: a page that lives by its socket may never be, and a picture was waited for in vain.
    admin.page.wait_for_function(_PICTURES_ARE_THERE)
    return _still(admin)


def _still(admin: Person) -> bytes:
    """The page once it stands still: a press is answered a moment later, and what is drawn anew is pale meanwhile."""
    before = b""
    for _ in range(_LOOKS):
        expect(admin.page.locator("[data-stale=true]")).to_have_count(0)
        now = admin.page.screenshot(animations="disabled")
        if now == before:
            break
        before = now
        admin.page.wait_for_timeout(_LOOK_MS)
    return before


def small(png: bytes) -> bytes:
    """With a palette: a screen has few colours, and the documents stay light."""
    out = BytesIO()
    with Image.open(BytesIO(png)) as image:
        reduced = image.convert("RGB").quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        reduced.save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description="Make docs/screenshots/ anew.")
    parser.add_argument("--all", action="store_true", help="every screen and view: wide, dark and narrow, with trouble")
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="only pictures that begin so")
    chosen = parser.parse_args()
    program = load().browser or which("chromium") or which("google-chrome")
    if program is None:
        raise SystemExit("no browser: install chromium, or set FORWARDER_BROWSER to one")
    shots = list(every()) if chosen.all else list(FEW)
    shots = [shot for shot in shots if not chosen.only or shot.name.startswith(tuple(chosen.only))]
    report = reporter()
    with stacks.new_home() as home:
        stack = stacks.start(home)
        try:
            report("the demo is up")
            _until_there_is_something(stack, report)
            if chosen.all:
                _make_trouble(stack)
            take(stack, Path(program), shots, chosen.out, report)
        finally:
            stacks.stop(stack)


def _until_there_is_something(stack: Stack, report: Report) -> None:
    for number in range(1, _REELS + 1):
        post_reel(stack.control, _ROAD, number=number)
    deadline = time.monotonic() + _WAIT_S
    while (arrived := len(stack.control.publications())) < _ARRIVED and time.monotonic() < deadline:
        time.sleep(1)
    report(f"{arrived} posts have arrived")


def _make_trouble(stack: Stack) -> None:
    """What no good day shows: a proxy that is down, jobs that failed of one cause, a challenge."""
    http = Admin(stack).http
    http.put("/api/settings", json={"retry.delays_s": [0.5, 0.5, 0.5]})
    http.post("/api/scenarios/proxies", json={"alias": "US_Proxy_01"})
    http.post("/api/scenarios", json={"proxy_id": 1, "trouble": "dead_proxy"})
    for _ in range(3):
        http.post("/api/proxies/1/health-check")
    fault = {"match": {"platform": "youtube", "route": "/upload/*"}, "fault": "http_5xx", "count": None}
    stack.control.call("POST", "/faults", json=fault)
    for number in range(10, 13):
        post_reel(stack.control, _ROAD, number=number)
    asked = next(a for a in http.get("/api/accounts").json()["items"] if "instagram_to_archive" in a["alias"])
    http.post("/api/scenarios", json={"account_id": asked["id"], "trouble": "challenge"})
    until(lambda: len(http.get("/api/jobs/dead-letter").json()["jobs"]) > 1, within_s=_WAIT_S)


if __name__ == "__main__":
    main()
