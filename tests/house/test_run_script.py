"""The script `run` itself: where its settings come from. The product behind it is a stand-in that prints them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_SAYS = '#!/bin/sh\nprintf "%s|%s|%s\\n" "$FORWARDER_APP_NAME" "$FORWARDER_TIMEZONE" "${FORWARDER_HOST-kept}"\n'
_FILE = """# a comment
FORWARDER_APP_NAME="Two words"
#FORWARDER_TIMEZONE=Asia/Tokyo
FORWARDER_TIMEZONE=Asia/Kolkata
PATH=/nowhere
FORWARDER_HOST=forward.example.org
FORWARDER_HOME=$(touch was-run)
"""


@pytest.fixture
def place(root: Path, tmp_path: Path) -> Path:
    """A copy of the script that takes itself for set up."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(root / "run", tmp_path / "run")
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(_SAYS, "ascii")
    python.chmod(0o755)
    lock = tmp_path / "requirements.lock"
    lock.touch()
    with lock.open("rb") as empty:
        digest = subprocess.run(["sha256sum"], stdin=empty, capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / ".venv" / ".stamp-requirements.lock").write_text(f"{digest} {tmp_path}\n", "ascii")
    return tmp_path


def _said(place: Path, **environment: str) -> str:
    env = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run([place / "run", "doctor"], env=env, capture_output=True, text=True, check=True).stdout.strip()


def test_settings_may_stand_in_a_file_beside_the_script(place: Path) -> None:
    (place / ".env").write_text(_FILE, "ascii")
    assert _said(place) == "Two words|Asia/Kolkata|kept"
    assert not list(place.rglob("was-run")), "nothing in the file is run"


def test_the_environment_counts_more_than_the_file(place: Path) -> None:
    (place / ".env").write_text(_FILE, "ascii")
    assert _said(place, FORWARDER_TIMEZONE="UTC") == "Two words|UTC|kept"


def test_without_the_file_nothing_is_said(place: Path) -> None:
    assert _said(place) == "||kept"
