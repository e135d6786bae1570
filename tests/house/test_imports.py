"""The import contracts bite: a wrong import in a copy of the tree is found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("forwarder_core", "forwarder_pipelines", "admin_app")
WRONG = [
    ("forwarder_core/domain/wrong.py", "import forwarder_core.settings", "8 The domain does no I/O"),
    ("forwarder_core/services/wrong.py", "import dagster", "1 The core knows no door"),
    ("forwarder_core/db/wrong.py", "import forwarder_core.media", "3 The core's layers"),
    ("forwarder_core/media/wrong.py", "import instagrapi", "6a instagrapi only in its own room"),
    ("forwarder_pipelines/wrong.py", "import forwarder_core.db.tables", "7 The doors go through services"),
    ("admin_app/wrong.py", "import forwarder_core.simulator", "9 Nothing in production"),
    ("admin_app/ui/wrong.py", "import forwarder_pipelines", "2 The doors do not know each other"),
    ("forwarder_core/platforms/instagram/wrong.py", "import forwarder_core.platforms.youtube", "4 Platforms do not"),
    ("forwarder_core/platforms/youtube/wrong.py", "import sqlalchemy", "5 Platforms know no database"),
]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    # -P and the folder as the only path: the copy is checked, not the tree this runs from.
    argv = [sys.executable, str(program), "--no-cache"]
    env = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_wrong_import_is_found(root: Path, tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / ".importlinter", tmp_path)
    for path, line, _ in WRONG:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"{line}\n", "utf-8")
    found = lint(tmp_path)
    assert found.returncode == 1, found.stderr
    missed = [name for _, _, name in WRONG if not any(name in x and "BROKEN" in x for x in found.stdout.splitlines())]
    assert not missed, found.stdout
