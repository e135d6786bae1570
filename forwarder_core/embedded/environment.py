"""What a child process sees of the environment: a short list of ours, our settings, Dagster's addresses, nothing else.

The fact to know: a proxy variable, PGOPTIONS or PYTHONPATH of the shell we were started from would silently change
how a child behaves. Here is the one place besides settings.py that reads os.environ: to pass it on, not to obey it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from forwarder_core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "LOGNAME", "TMPDIR", "USER", "XDG_RUNTIME_DIR")
_OF_LAUNCHERS = ("REDIS_BROKER", "REDIS_BACKEND")  # dagster.yaml names them where FORWARDER_LAUNCHER=celery


def child_environment(
    settings: Settings,
    *,
    dagster_home: Path,
    dagster_database: str,
    webserver: str,
    environ: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """`webserver`: address of Dagster's own UI, for the door that stands before it."""
    ours = os.environ if environ is None else environ
    return {
        **{name: ours[name] for name in (*_PASSED_ON, *_OF_LAUNCHERS) if name in ours},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{ours.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",  # glibc gives each of a server's threads a heap of its own, and keeps them all
        **settings.environment(),
        "DAGSTER_HOME": str(dagster_home),
        "DAGSTER_PG_URL": dagster_database,
        "DAGSTER_WEBSERVER_URL": webserver,
    }


def take_on(env: Mapping[str, str]) -> None:
    """Have this process see that environment and nothing else, as a program started with it does."""
    os.environ.clear()
    os.environ.update(env)
