"""`python -m forwarder_core.cli <command>`: the commands behind the script `run`.

What lives here: finding the command, and saying an error in words. What does not: any command; each has its module
here, with a function `command`.
The fact to know: a command's module is imported only when it is asked for, so that none pays for another's libraries.
Exit codes: 2 the product cannot start as it is set up, 1 any other failure, 130 interrupted.
"""

from __future__ import annotations

import importlib
import json
import sys

import typer

from forwarder_core.embedded.supervisor import Stopped
from forwarder_core.errors import ForwarderError, StartError

COMMANDS = (
    "demo",
    "up",
    "worker",
    "migrate",
    "backup",
    "restore",
    "doctor",
    "rotate-keys",
    "retention",
    "chaos",
    "soak",
    "settings-doc",
)


def build(names: tuple[str, ...]) -> typer.Typer:
    app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(lambda: None)  # without one, an app of a single command takes no command name
    for name in names:
        module = importlib.import_module(f"forwarder_core.cli.{name.replace('-', '_')}")
        app.command(name)(module.command)
    return app


def main(arguments: list[str]) -> int:
    """Run one command and answer its exit code."""
    asked = tuple(name for name in COMMANDS if arguments[:1] == [name])
    try:
        build(asked or COMMANDS)(args=arguments, prog_name="run")
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else 1
    except Stopped:
        return 130 if "--once" in arguments else 0  # what stays until told to stop has done its work
    except ForwarderError as e:
        say(e, as_json="--json" in arguments)
        return 2 if isinstance(e, StartError) else 1
    return 0


def say(error: ForwarderError, *, as_json: bool) -> None:
    """In words on stderr; where a program listens, as one object on stdout too."""
    print(f"error [{error.code}]: {error.message}", file=sys.stderr)
    print(f"what to do: {error.action}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": {"code": error.code, "message": error.message, "action": error.action}}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
