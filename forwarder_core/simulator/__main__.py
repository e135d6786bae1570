"""`python -m forwarder_core.simulator --home DIR`: start the simulated world, say where it is, run until told to stop.

Prints one line of JSON `{"gateway", "control", "ca"}` when everything listens. Loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import os
import signal
import sys
from pathlib import Path

from forwarder_core.errors import StartError
from forwarder_core.simulator.guard import refuse_beside_real_credentials
from forwarder_core.simulator.handshake import Login
from forwarder_core.simulator.serving import serve

_PR_SET_PDEATHSIG = 1


def main() -> int:
    options = _options()
    home = Path(options.home).expanduser().resolve()
    if options.die_with_parent and not _die_with_parent():
        return 1
    try:
        refuse_beside_real_credentials(home, os.environ)
        asyncio.run(_run(home, options))
    except StartError as e:
        sys.stderr.write(f"{e} {e.action}\n")
        return 2
    return 0


async def _run(home: Path, options: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    username, _, password = (options.gateway_login or "").partition(":")
    async with serve(
        home,
        gateway_port=options.gateway_port,
        control_port=options.control_port,
        gateway_login=Login(username, password) if username else None,
        seed=options.seed,
    ) as running:
        ready = {"gateway": running.gateway_url, "control": running.control_url, "ca": str(running.ca)}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await stopping.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m forwarder_core.simulator", description=__doc__)
    parser.add_argument("--home", required=True, help="the installation's folder; state goes to <home>/simulator")
    parser.add_argument("--gateway-port", type=int, default=0, help="port of the main proxy (default: a free one)")
    parser.add_argument("--control-port", type=int, default=0, help="port of the control API (default: a free one)")
    parser.add_argument("--gateway-login", help="user:password the main proxy asks for (default: none)")
    parser.add_argument("--seed", type=int, help="what ids are drawn from (default: drawn once, then kept)")
    parser.add_argument("--die-with-parent", action="store_true", help="stop when the starting process dies (Linux)")
    return parser.parse_args()


def _die_with_parent() -> bool:
    """Ask the kernel for SIGTERM at the parent's death. False when the parent died meanwhile."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent


if __name__ == "__main__":
    sys.exit(main())
