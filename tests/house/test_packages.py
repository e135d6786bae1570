"""Dependencies: bounded below, locked with hashes, the same in both locks, and no address anywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCKED = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s\\;]+)", re.MULTILINE)


def locked(path: Path) -> dict[str, Version]:
    return {canonicalize_name(name): Version(version) for name, version in LOCKED.findall(path.read_text("utf-8"))}


@pytest.fixture(scope="module")
def runtime(root: Path) -> dict[str, Version]:
    return locked(root / "requirements.lock")


@pytest.fixture(scope="module")
def dev(root: Path) -> dict[str, Version]:
    return locked(root / "requirements-dev.lock")


@pytest.fixture(scope="module")
def declared(root: Path) -> dict[str, list[Requirement]]:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    return {
        "runtime": [Requirement(line) for line in project["project"]["dependencies"]],
        "dev": [Requirement(line) for line in project["dependency-groups"]["dev"]],
    }


def test_every_direct_dependency_has_a_floor(declared: dict[str, list[Requirement]]) -> None:
    every = declared["runtime"] + declared["dev"]
    assert not [str(r) for r in every if not {s.operator for s in r.specifier} & {">=", "==", "~="}]


def test_the_locks_hold_what_is_declared(
    declared: dict[str, list[Requirement]], runtime: dict[str, Version], dev: dict[str, Version]
) -> None:
    wrong = [
        f"{requirement} is locked at {lock.get(canonicalize_name(requirement.name))}"
        for lock, kind in ((runtime, "runtime"), (dev, "runtime"), (dev, "dev"))
        for requirement in declared[kind]
        if canonicalize_name(requirement.name) not in lock
        or not requirement.specifier.contains(lock[canonicalize_name(requirement.name)], prereleases=True)
    ]
    assert not wrong


def test_the_tests_run_what_is_shipped(runtime: dict[str, Version], dev: dict[str, Version]) -> None:
    assert not {name: (version, dev.get(name)) for name, version in runtime.items() if dev.get(name) != version}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_hashes_and_no_address(root: Path, name: str) -> None:
    text = (root / name).read_text("utf-8")
    assert "://" not in text and "--index" not in text
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)
    assert not [entry.splitlines()[0] for entry in entries if LOCKED.match(entry) and "--hash=sha256:" not in entry]
