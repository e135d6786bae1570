"""Entry point of a container: the same settings and the same Dagster folder as on one machine, then the part itself.

`python -m forwarder_core.cli.container migrate` prepares both databases and ends; any other words are a Python module
and its arguments, which replace this process, so that the container's signals reach it.
The fact to know: the database password is a file (DATABASE_PASSWORD_FILE), never a word in the compose file;
FORWARDER_DATABASE_URL is put together here and seen by this container's process alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import yaml
from sqlalchemy.engine import URL

from forwarder_core import db
from forwarder_core.cli.__main__ import say
from forwarder_core.embedded.dagster_home import render
from forwarder_core.embedded.databases import external
from forwarder_core.embedded.environment import ROOT
from forwarder_core.errors import ForwarderError, StartError
from forwarder_core.services import occupying
from forwarder_core.settings import Launcher, load

_NOT_SETTINGS = ("DATABASE_HOST", "DATABASE_PASSWORD_FILE")


def main(arguments: list[str]) -> int:
    try:
        env = environment(os.environ)
        return migrate(env) if arguments == ["migrate"] else become(arguments, env)
    except ForwarderError as e:
        say(e, as_json=False)
        return 2


def become(arguments: list[str], env: Mapping[str, str]) -> NoReturn:
    os.execve(sys.executable, [sys.executable, "-m", *arguments], dict(env))


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part's environment, and Dagster's folder rendered for it."""
    env = {name: value for name, value in environ.items() if name not in _NOT_SETTINGS}
    if "FORWARDER_DATABASE_URL" not in env and "FORWARDER_DATABASE_URL_FILE" not in env:
        env["FORWARDER_DATABASE_URL"] = database_url(environ)
    settings = load(env)
    if settings.launcher is Launcher.LOCAL:
        if "launcher" in settings.model_fields_set:
            raise StartError(
                "FORWARDER_LAUNCHER=local: no container runs its process, which must share the daemon's machine.",
                action="Leave it out (default), or choose celery or docker.",
            )
        settings = settings.model_copy(update={"launcher": Launcher.DEFAULT})
        env["FORWARDER_LAUNCHER"] = Launcher.DEFAULT
    host, port = code_server(ROOT)
    env["DAGSTER_HOME"] = str(render(settings, port, host=host))
    env["DAGSTER_PG_URL"] = external(str(settings.database_url)).dagster
    return env


def database_url(environ: Mapping[str, str]) -> str:
    path = Path(environ.get("DATABASE_PASSWORD_FILE", "/run/secrets/database-password"))
    try:
        password = path.read_text("utf-8").strip()
    except OSError as e:
        raise StartError(f"{path} cannot be read ({e.strerror}).", action="Set FORWARDER_DATABASE_URL.") from e
    url = URL.create("postgresql", "forwarder", password, environ.get("DATABASE_HOST", "postgres"), 5432, "forwarder")
    return url.render_as_string(hide_password=False)


def code_server(root: Path) -> tuple[str, int]:
    """Host and port of the code server, from the workspace file at the root."""
    location = yaml.safe_load((root / "workspace.yaml").read_text("utf-8"))["load_from"][0]["grpc_server"]
    return str(location["host"]), int(location["port"])


def migrate(env: Mapping[str, str]) -> int:
    """Both databases' tables, ours first; not under another installation, which every other container waits for."""
    settings = load(env)
    occupying.see_free(settings)
    db.migrate(str(settings.database_url))
    occupying.see_keys(settings)
    argv = [sys.executable, "-m", "dagster", "instance", "migrate"]
    return subprocess.run(argv, env=dict(env), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
