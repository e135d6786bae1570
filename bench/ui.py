"""The screens in a real browser, before a history: until Overview and Jobs are drawn, and from a press to what it says.

Overview and a press on 10,000 jobs, the list on 100,000, 100 connections; with `--jobs N` all of them once more on as
many, beside the first. Baselines are the limits we set ourselves: 1.5 s, 0.5 s, 2 s, 350 MB for the whole door; twice
the time before the longer history. The fact to know: a screen is drawn when its last part is visible and its script has
ended, seen in the browser's own frames (asked from outside, Playwright looks every half second); a load is a whole one,
of a page whose files the browser has.
"""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import door, history
from bench.figures import row
from forwarder_core.clock import SystemClock
from forwarder_core.settings import load

try:
    from tests.e2e.person import Person, person
except ModuleNotFoundError as e:
    raise SystemExit(f"The bench `ui` needs {e.name}, of requirements-dev.lock: start it by `./run bench ui`.") from e

FEW, MANY = 10_000, 100_000
_PRESSES = 20
_BETWEEN_MS = 500  # nobody presses in the moment of the answer before
_OVERVIEW_S, _PRESS_S, _LIST_S = 1.5, 0.5, 2.0
_MOST_MB = 350.0
_RESTING = "[data-testid=stApp][data-test-script-state=notRunning]"
Part = tuple[str, str, int]  # of a page: a selector, words in what it selects, and which of these, from 0
# Resolves in the first frame in which all parts are visible, with the milliseconds since `begun`.
_LOOK = """(parts, begun) => new Promise((done, fail) => {
  const last = performance.now() + 60_000;
  const isShown = ([selector, words, nth]) => [...document.querySelectorAll(selector)]
    .filter(one => one.textContent.includes(words))[nth]?.checkVisibility();
  const look = () => {
    if (begun() && parts.every(isShown)) done(performance.now() - begun());
    else if (performance.now() > last) fail(new Error(`not shown: ${parts}`));
    else requestAnimationFrame(look);
  };
  look();
})"""
_SHOWN = f"parts => ({_LOOK})(parts, () => 1)"
_WATCH = f"""parts => {{
  let pressed = 0;
  addEventListener("pointerdown", () => {{ pressed = performance.now(); }}, {{capture: true, once: true}});
  window.shownAfter = ({_LOOK})(parts, () => pressed);
}}"""


@dataclass(frozen=True, slots=True)
class Seen:
    """Seconds of each look; megabytes of the door at the end of them."""

    overview: list[float]
    press: list[float]
    jobs: list[float]
    rss: float
    pss: float


def measure(rounds: int = 3, jobs: int = 0) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; a round is one load of each screen. `jobs`: the longer one."""
    few, many = _look(FEW, rounds), _look(MANY, rounds)
    found = {
        f"overview_{FEW}_jobs": row(few.overview, [_OVERVIEW_S], "s", digits=3),
        f"press_to_new_text_{FEW}_jobs": row(few.press, [_PRESS_S], "s", digits=3),
        f"jobs_list_{MANY}_jobs": row(many.jobs, [_LIST_S], "s", digits=3),
        "door_rss": row([max(few.rss, many.rss)], [_MOST_MB], "MB"),
        "door_pss": row([max(few.pss, many.pss)], [_MOST_MB], "MB"),
    }
    if not jobs:
        return found
    more = _look(jobs, rounds)
    return found | {
        f"overview_{jobs}_jobs_beside_{FEW}": row(more.overview, few.overview, "s", digits=3),
        f"press_to_new_text_{jobs}_jobs_beside_{FEW}": row(more.press, few.press, "s", digits=3),
        f"jobs_list_{jobs}_jobs_beside_{MANY}": row(more.jobs, many.jobs, "s", digits=3),
        f"door_rss_{jobs}_jobs": row([more.rss], [_MOST_MB], "MB"),
    }


def _look(jobs: int, rounds: int) -> Seen:
    now = datetime.now(UTC)
    with (
        history.core(jobs, now=now, clock=SystemClock()) as core,
        door.running(core) as opened,
        person(_browser(), opened.base) as admin,
    ):
        admin.open("/")
        admin.sign_in(opened.user, opened.password)
        _overview(admin)
        overview = [_overview(admin) for _ in range(rounds)]
        listed = [_jobs(admin) for _ in range(rounds)]
        press = _presses(admin)
        rss, pss = opened.memory()
        return Seen(overview, press, listed, rss / 1e6, pss / 1e6)


def _overview(admin: Person) -> float:
    """Numbers at the top, cards in the middle, the log at its end."""
    return _drawn(
        admin, "/", ("[data-testid=stMetricValue]", "", 4), ("button", "Run now", 19), ("h3", "Recent log", 0)
    )


def _jobs(admin: Person) -> float:
    """All of the history, by a day before its first."""
    return _drawn(admin, "/jobs?from=2000-01-01", ("[data-testid=stDataFrame] canvas", "", 0), ("button", "Older", 0))


def _drawn(admin: Person, path: str, *parts: Part) -> float:
    page, begun = admin.page, time.perf_counter()
    page.goto(admin.base + path, wait_until="commit")
    page.evaluate(_SHOWN, [*parts, (_RESTING, "", 0)])
    return time.perf_counter() - begun


def _presses(admin: Person) -> list[float]:
    """Pause, on one card after the other of the list of connections, each until its card offers Resume."""
    admin.open("/connections")
    taken = []
    for number in range(_PRESSES):
        pause = admin.page.get_by_role("button", name=re.compile(r"(^|\s)Pause$")).first
        pause.wait_for()
        admin.settle()
        admin.page.wait_for_timeout(_BETWEEN_MS)
        admin.page.evaluate(_WATCH, [("button", "Resume", number)])
        pause.click()
        taken.append(float(admin.page.evaluate("() => window.shownAfter")) / 1e3)
    return taken


def _browser() -> Path:
    """Raises SystemExit when there is none."""
    found = load().browser or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        raise SystemExit("The bench `ui` needs a browser: install chromium, or set FORWARDER_BROWSER to one.")
    return Path(found)
