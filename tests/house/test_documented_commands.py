"""Every command that README, CONTRIBUTING or a page of docs tells to type: it exists, and a test executes it or it
stands here why none does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from forwarder_core.cli.__main__ import COMMANDS, build

BLOCK = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`((?:\./run|deploy/[a-z-]+(?:\.sh)?(?= |`)|docker |sudo |python -m )[^`]*)`")
TYPED = re.compile(r"(\./run|sudo|docker|git|curl|python|uv|cp|\.venv/bin)\b|\d+ \d+ \*|FORWARDER_|CONTROL=")

# The longest beginning counts. A path: the test that executes it; anything else: why no test does.
SHOWN = {
    "./run demo --once": "tests/e2e/test_first_light.py",
    "./run demo": "tests/e2e/test_new_user.py",
    "./run up": "it leads to the real platforms: by hand, docs/install-vps.md; its parts are the demo's, and"
    " tests/integration/services/test_occupying_service.py has its refusals",
    "./run worker": "tests/unit/cli/test_worker.py",
    "./run setup": "it is the beginning of every other command",
    "./run help": "tests/house/test_documents.py",
    "./run migrate": "tests/integration/db/test_migrations.py",
    "./run backup": "tests/integration/test_backups.py",
    "./run restore": "tests/integration/test_backups.py",
    "./run rotate-keys": "tests/integration/services/test_rotating_service.py",
    "./run doctor": "tests/integration/test_doctor.py",
    "./run retention": "tests/integration/services/test_retention_service.py",
    "./run chaos --hosts": "needs root, network namespaces and Redis: by hand, docs/scaling.md has what it printed",
    "./run chaos": "tests/chaos/test_chaos.py",
    "./run soak": "tests/integration/test_soak.py",
    "./run bench": "tests/unit/test_benches.py",
    "./run test": "it is what runs these tests",
    "./run check": "CI runs it before these tests",
    "./run docs": "tests/house/test_documents.py",
    "./run settings-doc": "tests/house/test_settings.py",
    "./run screenshots": "pictures are looked at by people",
    "deploy/pin-digests": "tests/house/test_deploy.py",
    "sudo deploy/install.sh": "tests/house/test_deploy.py",
    "git pull && sudo deploy/install.sh update": "tests/house/test_deploy.py",
    "cp .env.example .env": "tests/house/test_run_script.py",
    "uv pip compile": "it asks a registry; what it wrote is read by tests/house/test_packages.py",
    "17 3 * * *": "cron's own form of ./run backup: by hand, docs/install-vps.md",
    "CONTROL=": "tests/integration/test_simulator_control.py",
    "git clone": "it is how these tests came here",
    "docker": "tests/house/test_containers.py",
    "curl": "tests/integration/test_simulator_control.py",
    'curl -H "Authorization': "tests/integration/test_api_library.py",
    "python -m bench": "tests/unit/test_benches.py",
    "python -m forwarder_core.simulator": "tests/integration/test_simulator_control.py",
    "FORWARDER_OUTBOUND_PROXY": "needs another implementation of the platforms",
    ".venv/bin/python -m pytest -m roads": "needs another implementation of the platforms",
}


def typed(root: Path) -> Iterator[tuple[str, str]]:
    """Page and command, without what a `#` explains."""
    for page in (root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))):
        text = page.read_text("utf-8")
        lines = [line.strip() for block in BLOCK.findall(text) for line in block.splitlines()]
        inline = [" ".join(found.split()) for found in INLINE.findall(text)]
        for line in [line for line in lines if TYPED.match(line)] + inline:
            yield page.name, line.partition(" #")[0].strip()


@pytest.fixture(scope="module")
def commands(root: Path) -> list[tuple[str, str]]:
    found = list(typed(root))
    assert len(found) > 40
    return found


def test_each_is_executed_by_a_test_or_says_why_not(root: Path, commands: list[tuple[str, str]]) -> None:
    unknown = [f"{page}: {line}" for page, line in commands if not any(line.startswith(known) for known in SHOWN)]
    assert not unknown
    gone = [where for where in SHOWN.values() if where.startswith("tests/") and not (root / where).is_file()]
    assert not gone
    unused = [known for known in SHOWN if not any(line.startswith(known) for _, line in commands)]
    assert not unused


def test_each_option_of_a_command_of_ours_is_one_it_has(commands: list[tuple[str, str]]) -> None:
    known = {name: _options(name) for name in COMMANDS}
    wrong = []
    for page, line in commands:
        words = line.split()
        if words[0] != "./run" or len(words) < 2 or words[1] not in known:
            continue
        asked = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
        wrong += [f"{page}: {line}: {option}" for option in asked - known[words[1]]]
    assert not wrong


def _options(name: str) -> set[str]:
    group = get_command(build((name,)))
    command = group.commands[name]  # type: ignore[attr-defined]
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
