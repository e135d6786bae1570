"""The installer and the units of a plain server: what can be said of them without one."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest

RELEASES = "/opt/snapcore-forwarder/releases/"


def install(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = root / "deploy" / "install.sh"
    return subprocess.run([script, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


@pytest.fixture
def dry(root: Path) -> str:
    """Every step of an installation, none of them taken."""
    answers = (
        "--host",
        "forward.example.org",
        "--email",
        "me@example.org",
        "--firewall",
        "yes",
        "--ssh-keys-only",
        "no",
    )
    ran = install(root, "install", "--dry-run", "--yes", *answers)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_dry_run_says_every_step_and_takes_none(dry: str) -> None:
    for step in ("apt-get install", "useradd", "certbot certonly", "nginx -t", "ufw --force enable", "run setup"):
        assert step in dry, step
    assert not Path(RELEASES).exists() or "would run: rm" in dry
    assert "URL: https://forward.example.org" in dry


def test_ssh_stays_open_before_the_firewall_closes(dry: str) -> None:
    lines = dry.splitlines()
    ssh = next(n for n, line in enumerate(lines) if "ufw allow" in line)
    assert "/tcp" in lines[ssh] and "80/tcp" not in lines[ssh] and "443/tcp" not in lines[ssh]
    assert ssh < next(n for n, line in enumerate(lines) if "ufw --force enable" in line)


def test_the_certificate_is_asked_for_when_the_door_is_up(dry: str) -> None:
    assert dry.index("systemctl restart") < dry.index("certbot certonly")


@pytest.mark.parametrize("host", ["", "a b", "../etc", "x;reboot", "-a.example", "a..b"])
def test_what_is_no_host_name_is_refused(root: Path, host: str) -> None:
    ran = install(root, "install", "--dry-run", "--yes", "--self-signed", "--host", host)
    assert ran.returncode == 1
    assert "is no host name" in ran.stderr


def test_a_stranger_is_told_how_to_use_it(root: Path) -> None:
    ran = install(root, "--dry-run")
    assert ran.returncode != 0
    assert "--host" in install(root, "help", "--dry-run").stdout


def test_nothing_outside_its_own_folders_is_removed_without_purge(root: Path) -> None:
    ran = install(root, "uninstall", "--dry-run")
    assert ran.returncode == 0
    assert "kept: /var/lib/snapcore-forwarder" in ran.stdout
    assert "rm -rf /var/lib" not in ran.stdout and "userdel" not in ran.stdout


def test_the_service_runs_as_a_plain_user_and_sees_little(root: Path) -> None:
    service = _unit(root / "deploy" / "systemd" / "snapcore-forwarder.service")["Service"]
    assert service["User"] == "forwarder"
    assert service["NoNewPrivileges"] == service["ProtectHome"] == service["PrivateTmp"] == "yes"
    assert service["ProtectSystem"] == "strict" and service["CapabilityBoundingSet"] == ""
    assert service["EnvironmentFile"] == "/etc/snapcore-forwarder/environment"
    assert "/opt/snapcore-forwarder/current/run " in service["ExecStart"]


def test_the_units_are_what_systemd_takes(root: Path, tmp_path: Path) -> None:
    units = sorted((root / "deploy" / "systemd").iterdir())
    assert [path.name for path in units] == ["snapcore-forwarder.service"]
    program = shutil.which("systemd-analyze")
    if program is None:  # the readings above hold without it
        return
    for path in units:
        text = path.read_text("utf-8").replace("/opt/snapcore-forwarder/current/run", str(root / "run"))
        (tmp_path / path.name).write_text(text)
    said = subprocess.run(
        [program, "verify", "--man=no", *(str(tmp_path / path.name) for path in units)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    ).stderr
    assert not [line for line in said.splitlines() if "snapcore-forwarder" in line]


def _unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser
