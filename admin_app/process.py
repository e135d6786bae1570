"""The core of this process, for the faces that cannot be handed one: Streamlit runs its scripts without arguments.

`admin_app.asgi` opens it at the start of the process; before that nothing here does any I/O.
"""

from __future__ import annotations

from forwarder_core.errors import StartError
from forwarder_core.services.context import Core

_held: list[Core] = []


def use(core: Core) -> None:
    """From now on this is the core of the process."""
    _held[:] = [core]


def this_core() -> Core:
    if not _held:
        raise StartError("The admin app was not started through admin_app.asgi.", action="Start it with ./run up.")
    return _held[0]
