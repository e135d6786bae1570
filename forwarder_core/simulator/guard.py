"""May the simulator run here? It refuses to run beside real credentials.

A real installation is known by a database of its own, or by a key ring in the home; a simulated one says so with
FORWARDER_SIMULATOR_URL, or has been simulated from its first day (there is a `simulator` folder in its home).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from forwarder_core.errors import StartError
from forwarder_core.settings import load

_TELLING = ("FORWARDER_DATABASE_URL", "FORWARDER_SIMULATOR_URL")


class RealCredentials(StartError):
    code = "simulator_beside_real_credentials"
    action = "Give the simulator a home of its own, such as <home>/demo, and unset FORWARDER_DATABASE_URL."


def refuse_beside_real_credentials(home: Path, environ: Mapping[str, str]) -> None:
    """Raises RealCredentials when what would be simulated is a real installation.

    Only the telling settings are read: others, such as the CA bundle, may name what the simulator has yet to make.
    """
    settings = load({key: value for key, value in environ.items() if key.removesuffix("_FILE") in _TELLING})
    if settings.simulator_url:
        return
    if settings.database_url:
        raise RealCredentials("FORWARDER_DATABASE_URL is set and FORWARDER_SIMULATOR_URL is not: a real installation.")
    if (home / "secret-keys").exists() and not (home / "simulator").exists():
        raise RealCredentials(f"{home} holds the keys of a real installation.")
