"""Every screen, and every view on it, before an installation that is empty, one that is small, and one that is full."""

from __future__ import annotations

import pkgutil
import re
import time
from collections.abc import Callable
from functools import partial

import pytest
from streamlit.testing.v1 import AppTest

from admin_app.ui import screens
from admin_app.ui.screens import (
    accounts,
    agenda,
    analytics,
    connections,
    jobs,
    library,
    logs,
    notifications,
    overview,
    proxies,
    settings,
    templates,
    utilities,
)
from forwarder_core.services.context import Core
from tests.integration.screens import states
from tests.integration.screens.kit import Opening, in_view, told

pytestmark = pytest.mark.slow
SHOWN: tuple[Callable[[], None], ...] = (
    *(overview.show, connections.show, accounts.show, proxies.show, jobs.show, logs.show, agenda.show, library.show),
    *(analytics.show, notifications.show, templates.show, utilities.show, settings.show),
)
VIEWS = (
    (analytics.show, "analytics-tab", ("Connections", "Accounts", "System")),
    (notifications.show, "notifications-tab", ("Telegram", "Commands", "Webhooks", "E-mail", "Kinds of alerts")),
    (jobs.show, "jobs-view", ("Dead letter", "History")),
    (agenda.show, "calendar-kind", ("Month",)),
    (library.show, "library-view", ("Handed in",)),
    (utilities.show, "utilities-view", ("Force refresh", "Enqueue by URL")),
    (
        settings.show,
        "settings-view",
        ("Notifications", "Retention", "Retry policy", "Workers", "Platforms", "Limits", "API tokens",
         "Audit log", "Server"),
    ),
)  # fmt: skip
DETAILS = {"account", "connection", "job", "wizard"}  # opened by what the address of another screen says
MARKUP = re.compile(r"(?<!\\)<img|(?<!\\)\*\*bold|(?<!\\)\[link\]")  # where it could still be more than text
PATIENCE_S = 30  # on a busy machine, too; what the screens take in a browser is measured by the bench


def test_no_screen_is_left_out() -> None:
    there = {module.name for module in pkgutil.iter_modules(screens.__path__)}
    assert {screen.__module__.rpartition(".")[2] for screen in SHOWN} | DETAILS == there


@pytest.mark.parametrize("state", [None, states.small, states.filled], ids=["empty", "small", "filled"])
def test_every_screen_stands_and_words_from_outside_stay_words(
    core: Core, opened: Opening, state: Callable[[Core], states.Known] | None
) -> None:
    """What is shown as text needs no care; what is shown as Markdown was made harmless."""
    known = state(core) if state else None
    for screen in SHOWN:
        looked_at(screen.__module__, partial(opened, screen))
    for screen, key, views in VIEWS if state is not states.filled else ():
        for view in views:
            looked_at(view, partial(in_view, opened, screen, key, view))
    looked_at("wizard", partial(opened, connections.show, new="1"))
    for screen, row in zip((accounts.show, connections.show, jobs.show), known or (987_654,) * 3, strict=True):
        shown = looked_at(f"{screen.__module__} {row}", partial(opened, screen, id=str(row)))
        assert known or "no such account" in shown or "There is no" in shown


def looked_at(name: str, look: Callable[[], AppTest]) -> str:
    """What it says. In time, and without a word that could still be more than a word."""
    began = time.monotonic()
    test = look()
    assert time.monotonic() - began < PATIENCE_S, f"{name} is slow"
    markdown = (test.markdown, test.caption, test.error, test.warning, test.info, test.success)
    for element in (element for kind in markdown for element in kind):
        assert not MARKUP.search(str(element.value)), (name, element.value)
    return told(test)


@pytest.mark.parametrize("number", ["\u00b2", "9" * 30, "-1"])
def test_an_address_with_a_number_that_is_no_row_opens_the_screen(core: Core, opened: Opening, number: str) -> None:
    for screen in (jobs, connections, proxies, logs):
        opened(screen.show, id=number, account=number, job_id=number)
