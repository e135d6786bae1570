"""What the house rules look at: the files of this repository, as git would see them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_NOT_OURS = {
    ".git",
    ".venv",
    ".cache",
    ".ruff_cache",
    ".mypy_cache",
    "__pycache__",
    "data",
    "node_modules",
    ".streamlit",
}


def walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - _NOT_OURS)
        yield from (Path(folder) / name for name in sorted(files))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    return list(walk(ROOT))


@pytest.fixture(scope="session")
def sources(files: list[Path]) -> dict[Path, str]:
    """Our Python, by path."""
    return {path: path.read_text("utf-8") for path in files if path.suffix == ".py"}
