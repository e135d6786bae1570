"""The documents: nothing a user meets goes undescribed, and no link leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from forwarder_core.cli.__main__ import COMMANDS
from forwarder_core.cli.settings_doc import alerts_table, codes_table, columns_table, table, tunables_table
from tests.e2e.screenshots import FEW

LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
NAME = re.compile(r"^\| `([^`]+)`", re.MULTILINE)


@pytest.fixture(scope="module")
def pages(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text("utf-8") for path in sorted((root / "docs").rglob("*.md"))
    }


@pytest.mark.parametrize(
    ("page", "rendered"),
    [
        ("configuration.md", table),
        ("configuration.md", tunables_table),
        ("troubleshooting.md", codes_table),
        ("notifications.md", alerts_table),
        ("data-model.md", columns_table),
    ],
    ids=["settings", "tunables", "codes", "alerts", "tables"],
)
def test_everything_that_has_a_name_is_described(pages: dict[str, str], page: str, rendered: object) -> None:
    names = NAME.findall(rendered())  # type: ignore[operator]
    assert names and not [name for name in names if f"`{name}`" not in pages[f"docs/{page}"]], "run ./run settings-doc"


def test_every_command_of_the_script_is_described(root: Path, pages: dict[str, str]) -> None:
    script = (root / "run").read_text("utf-8")
    helped = script.partition("<<'TEXT'")[2].partition("\nTEXT")[0]
    named = set(re.findall(r"^  ([a-z][a-z-]+)", helped, re.MULTILINE)) - {"usage"}
    assert set(COMMANDS) <= named | {"settings-doc"}
    assert not [name for name in named if f"./run {name}" not in pages["docs/operations.md"]]


def test_every_route_is_described(root: Path, pages: dict[str, str]) -> None:
    """docs/api.md is made from the routes, and a test of its own keeps it fresh; here: that it holds each of them."""
    import json

    paths = json.loads((root / "docs" / "openapi.json").read_text("utf-8"))["paths"]
    assert not [path for path in paths if path not in pages["docs/api.md"]]


def test_no_link_leads_nowhere(root: Path, pages: dict[str, str]) -> None:
    pages = {**pages, "README.md": (root / "README.md").read_text("utf-8")}
    dead = [
        f"{page}: {target}"
        for page, text in pages.items()
        for target in LINK.findall(text)
        if not (root / page).parent.joinpath(target).exists()
    ]
    assert not dead


def test_every_picture_is_shown_and_made_by_the_command(root: Path, pages: dict[str, str]) -> None:
    shown = set(re.findall(r"!\[[^\]]{12,}\]\(screenshots/([a-z-]+)\.png\)", "".join(pages.values())))
    there = {path.stem for path in (root / "docs" / "screenshots").glob("*.png")}
    assert shown == there == {shot.name for shot in FEW}, "each with words for whoever does not see it"


def test_every_page_is_in_the_index(pages: dict[str, str]) -> None:
    top = [name.removeprefix("docs/") for name in pages if name.count("/") == 1 and name != "docs/index.md"]
    assert not [name for name in top if f"({name})" not in pages["docs/index.md"]]


def test_the_plan_for_more_connections_is_made_of_figures_that_were_measured(pages: dict[str, str]) -> None:
    figures = re.findall(r"measured: ([\d.,]+ [\w-]+)", pages["docs/scaling.md"])
    assert len(figures) >= 4
    assert not [figure for figure in figures if figure not in pages["docs/performance.md"]]
