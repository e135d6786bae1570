"""Every setting is written down, from its definition, so that what is written is true."""

from __future__ import annotations

from pathlib import Path

from forwarder_core.cli.settings_doc import BEGIN, END, PREFIX, env_example, rendered
from forwarder_core.settings import Settings, load


def test_the_written_settings_are_fresh(root: Path) -> None:
    stale = [path.name for path, text in rendered(root).items() if path.read_text("utf-8") != text]
    assert not stale, "run ./run settings-doc"


def test_docs_configuration_holds_the_table(root: Path) -> None:
    page = (root / "docs" / "configuration.md").read_text("utf-8")
    assert BEGIN in page and END in page
    assert not [name for name in Settings.model_fields if PREFIX + name.upper() not in page]


def test_every_default_in_the_example_can_be_read_back() -> None:
    lines = (line.removeprefix("#") for line in env_example().splitlines() if line.startswith(f"#{PREFIX}"))
    pairs = dict(line.split("=", 1) for line in lines)
    assert set(pairs) == {PREFIX + name.upper() for name in Settings.model_fields}
    assert load(pairs) == load({})
