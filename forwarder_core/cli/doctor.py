"""`run doctor`: look at everything that could be wrong. Exit code 1 where something fails.

The fact to know: a product whose settings or database are broken is what a doctor is for, so neither ends the command.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

import typer

from forwarder_core.cli.at_home import core_of, present
from forwarder_core.domain.findings import Finding, State, exit_code
from forwarder_core.embedded import machine
from forwarder_core.embedded.lock import is_held
from forwarder_core.errors import ForwarderError
from forwarder_core.services import doctor
from forwarder_core.settings import Settings, load

_SIGNS = {State.OK: "ok  ", State.WARNING: "WARN", State.FAILING: "FAIL", State.SKIPPED: "skip"}


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One object on stdout.")] = False,
    offline: Annotated[bool, typer.Option(help="Call no platform.")] = False,
) -> None:
    """Look at settings, machine, database, processes, proxies, accounts and alerts."""
    found = []
    for finding in _all(offline=offline):
        found.append(finding)
        if not as_json:
            _say(finding)
    if as_json:
        print(
            json.dumps(
                {"findings": [f.as_dict() for f in found], "first_day": list(doctor.FIRST_DAY)}, ensure_ascii=False
            )
        )
    else:
        print("\nWhat only the first day on the real internet can show:")
        for line in doctor.FIRST_DAY:
            print(f"  [ ] {line}")
    raise SystemExit(exit_code(found))


def _all(*, offline: bool) -> Iterator[Finding]:
    try:
        settings = load()
    except ForwarderError as e:
        yield _failing("settings", e)
        return
    is_running = is_held(settings.home) or settings.database_url is not None
    yield from machine.examine(settings, is_running=is_held(settings.home))
    yield from _inside(settings, is_running=is_running, offline=offline)


def _inside(settings: Settings, *, is_running: bool, offline: bool) -> Iterator[Finding]:
    try:
        with present(settings) as databases, core_of(settings, databases, "forwarder-doctor") as core:
            yield from doctor.examine(core, is_running=is_running, offline=offline)
    except ForwarderError as e:
        yield _failing("database", e)


def _failing(code: str, error: ForwarderError) -> Finding:
    return Finding(code, State.FAILING, f"{error.code}: {error.message}", error.action)


def _say(finding: Finding) -> None:
    name = f"{finding.code} {finding.subject}".strip()
    print(f"{_SIGNS[finding.state]}  {name}: {finding.detail}", flush=True)
    if finding.action:
        print(f"      {finding.action}", flush=True)
