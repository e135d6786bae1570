"""`run retention`: what the hourly sweep deletes, now or only counted. Dagster's history is swept by its job."""

from __future__ import annotations

from typing import Annotated

import typer

from forwarder_core.cli.at_home import core_of, present
from forwarder_core.services import retention
from forwarder_core.settings import load


def command(dry_run: Annotated[bool, typer.Option(help="Only say what would go.")] = False) -> None:
    """Delete what is past its time."""
    settings = load()
    with present(settings) as databases, core_of(settings, databases, "forwarder-retention") as core:
        swept = retention.sweep(core, dry_run=dry_run)
    words = "Would go" if dry_run else "Gone"
    print(f"{words}: {swept.job_folders} folders of jobs, {swept.dry_run_folders} of dry runs")
    print(f"{words}: {swept.freed_bytes / 1e6:.1f} MB of files")
    for name, count in swept.rows.items():
        print(f"{words}: {count} {name.replace('_', ' ')}")
