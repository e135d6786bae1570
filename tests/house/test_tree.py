"""The rules of the house that a linter does not know. CONTRIBUTING.md gives the reasons."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

MOST_LINES = 400
# A longer file needs a reason here.
LONGER: dict[str, str] = {}

MOST_FUNCTION_LINES = 60  # aim at 40; beyond 60 it is two functions
NOT_A_NAME = {"utils.py", "util.py", "helpers.py", "helper.py", "misc.py", "common.py"}
READERS_OF_THE_ENVIRONMENT = {
    "forwarder_core/settings.py",
    # These only pass PATH and the like on to their children.
    "forwarder_core/embedded/environment.py",
    "forwarder_core/media/probe.py",
    "forwarder_core/media/process.py",
    # Puts back what a run has changed.
    "forwarder_pipelines/launching/succession.py",
}
# Spelled apart, or this file would break its own rules.
UNDECIDED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
REGISTRY = re.compile(r"(py" + r"pi\.org|python" + r"hosted\.org|--(extra-)?index-" + r"url[ =]|registry\.npm" + r"js)")
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".lock", ".txt", ".cfg", ".ini", ".sh", ".service", ".conf", ""}


def name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def ours(sources: dict[Path, str], root: Path, *packages: str) -> dict[str, str]:
    wanted = packages or ("forwarder_core", "forwarder_pipelines", "admin_app", "bench")
    named = {name(path, root): text for path, text in sources.items()}
    return {path: text for path, text in named.items() if path.startswith(tuple(f"{p}/" for p in wanted))}


def test_no_file_is_longer_than_can_be_read_in_one_go(sources: dict[Path, str], root: Path) -> None:
    lengths = {name(path, root): text.count("\n") for path, text in sources.items() if "versions" not in path.parts}
    largest = sorted(lengths.items(), key=lambda item: -item[1])[:5]
    too_long = [path for path, lines in lengths.items() if lines > MOST_LINES and path not in LONGER]
    assert not too_long, f"the largest: {largest}"


def test_no_function_is_longer_than_a_screen(sources: dict[Path, str], root: Path) -> None:
    long = {}
    for path, text in ours(sources, root).items():
        for node in ast.walk(ast.parse(text)) if "/versions/" not in path else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_FUNCTION_LINES:
                    long[f"{path}:{node.name}"] = lines
    assert not long


def test_every_module_says_what_it_is_for(sources: dict[Path, str], root: Path) -> None:
    silent = [
        path
        for path, text in ours(sources, root).items()
        if text.strip() and not ast.get_docstring(ast.parse(text)) and "/versions/" not in path
    ]
    assert not silent


def test_nothing_is_left_undecided(sources: dict[Path, str], root: Path) -> None:
    assert not [name(path, root) for path, text in sources.items() if UNDECIDED.search(text)]


def test_no_module_is_named_after_nothing(files: list[Path], root: Path) -> None:
    assert not [name(path, root) for path in files if path.name in NOT_A_NAME]


def test_no_registry_address_stands_in_the_repository(files: list[Path], root: Path) -> None:
    texts = [path for path in files if path.suffix in TEXT and path.stat().st_size < 2_000_000]
    assert not [name(p, root) for p in texts if REGISTRY.search(p.read_text("utf-8", "replace"))]


def test_the_domain_is_standard_library_only(sources: dict[Path, str], root: Path) -> None:
    foreign = {
        f"{path}: {module}"
        for path, text in ours(sources, root, "forwarder_core/domain").items()
        for module in imported(text)
        if module.split(".")[0] not in sys.stdlib_module_names
        and not module.startswith(("forwarder_core.domain", "forwarder_core.errors", "forwarder_core.clock"))
    }
    assert not foreign


def imported(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def test_only_the_settings_read_the_environment(sources: dict[Path, str], root: Path) -> None:
    readers = {
        path
        for path, text in ours(sources, root).items()
        if re.search(r"\bos\.(environ|getenv)\b", text) and "/simulator/" not in path and "/cli/" not in path
    }
    assert readers <= READERS_OF_THE_ENVIRONMENT


def test_no_two_locks_of_the_database_have_one_number(sources: dict[Path, str], root: Path) -> None:
    lock = re.compile(r"^_[A-Z_]+ = (\d[\d_]{6,}\d)  #", re.MULTILINE)
    numbers = [int(number) for text in ours(sources, root, "forwarder_core").values() for number in lock.findall(text)]
    assert len(numbers) >= 8 and len(set(numbers)) == len(numbers)


def test_the_readme_stays_readable(root: Path) -> None:
    assert (root / "README.md").read_text("utf-8").count("\n") < 200
