"""The installer and the units of a plain server: what can be said of them without one."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

RELEASES = "/opt/snapcore-forwarder/releases/"


def install(root: Path, *arguments: str, below: Path | None = None) -> subprocess.CompletedProcess[str]:
    script = root / "deploy" / "install.sh"
    env = {**os.environ, "INSTALL_ROOT": str(below)} if below else None
    return subprocess.run(
        [script, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, env=env
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """What an earlier installation left, as far as an update asks: a release in use, and the one before it."""
    base = tmp_path / "opt" / "snapcore-forwarder"
    for release in ("1.0-old", "0.9-older"):
        (base / "releases" / release / "deploy" / "systemd").mkdir(parents=True)
        (base / "releases" / release / "deploy" / "systemd" / "snapcore-forwarder.service").touch()
    (base / "current").symlink_to("releases/1.0-old")
    (base / "previous").write_text("0.9-older 0012\n")
    return tmp_path


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


def in_order(text: str, *steps: str) -> bool:
    places = [text.find(step) for step in steps]
    return -1 not in places and places == sorted(places)


def test_an_update_takes_a_backup_of_what_stands_still_before_anything_changes(root: Path, installed: Path) -> None:
    ran = install(root, "update", "--dry-run", below=installed)
    assert ran.returncode == 0, ran.stderr
    steps = (
        "run setup",
        "systemctl stop",
        "run backup",
        "previous",
        "current.new",
        "systemctl restart",
        "updated: 1.0-old",
    )
    assert in_order(ran.stdout, *steps), ran.stdout
    assert (installed / "opt/snapcore-forwarder/current").readlink() == Path("releases/1.0-old"), (
        "a dry run took a step"
    )


def test_a_rollback_leads_the_database_back_before_the_older_release_starts(root: Path, installed: Path) -> None:
    ran = install(root, "rollback", "--dry-run", below=installed)
    assert ran.returncode == 0, ran.stderr
    steps = (
        "systemctl stop",
        "current/run migrate --to 0012",
        "releases/0.9-older",
        "systemctl restart",
        "running: 0.9-older",
    )
    assert in_order(ran.stdout, *steps), ran.stdout


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


DIGEST = "sha256:" + 64 * "a"


@pytest.fixture
def pinned(root: Path, tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """`deploy/pin-digests` on copies of both files; docker, the far end, answers what the test says."""
    for name in ("Dockerfile", "docker-compose.yml"):
        shutil.copy(root / name, tmp_path / name)

    def pin(answer: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        docker = tmp_path / "bin" / "docker"
        docker.parent.mkdir(exist_ok=True)
        docker.write_text(f"#!/bin/sh\n{answer}\n")
        docker.chmod(0o755)
        env = {"PATH": f"{docker.parent}:{os.environ['PATH']}", "PIN_ROOT": str(tmp_path)}
        return subprocess.run(
            [root / "deploy" / "pin-digests", *arguments], env=env, capture_output=True, text=True, check=False
        )

    return pin


def test_every_image_of_others_is_pinned_to_what_its_registry_says_and_again_to_the_next(
    pinned: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    assert pinned("exit 1", "--check").returncode == 0, "an image of others is not pinned"
    for digest in (DIGEST, DIGEST.replace("aa", "bb")):
        ran = pinned(f"echo '\"{digest}\"'")
        assert ran.returncode == 0, ran.stderr
        texts = [(tmp_path / name).read_text("utf-8") for name in ("Dockerfile", "docker-compose.yml")]
        named = [line for text in texts for line in text.splitlines() if re.match(r"FROM | +image: .*:", line)]
        assert len(named) > 6 and not [line for line in named if f"@{digest}" not in line]
        assert texts[0].count(" AS packages") == 1 and "image: snapcore-forwarder\n" in texts[1]
    assert pinned("exit 1", "--check").returncode == 0
    loose = tmp_path / "docker-compose.yml"
    loose.write_text(re.sub(r"(postgres:\S+)@sha256:\S+", r"\1", loose.read_text("utf-8")), "utf-8")
    told = pinned("exit 1", "--check")
    assert told.returncode == 1 and told.stdout.startswith("not pinned: postgres:")


@pytest.mark.parametrize("answer", ["exit 1", "echo latest"])
def test_no_digest_is_made_up(
    pinned: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, root: Path, answer: str
) -> None:
    assert pinned(answer).returncode == 1
    for name in ("Dockerfile", "docker-compose.yml"):
        assert (tmp_path / name).read_text("utf-8") == (root / name).read_text("utf-8")
