"""The table of acceptance cases in docs/test-plan.md is what tests/e2e/test_acceptance.py has, with its last results.

`python -m tests.house.test_plan_table` writes the table; with the JUnit file of a run of that module (`./run test
tests/e2e/test_acceptance.py --junit-xml FILE`) it keeps the results of that run in docs/acceptance.json first.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "e2e" / "test_acceptance.py"
PAGE, RESULTS = ROOT / "docs" / "test-plan.md", ROOT / "docs" / "acceptance.json"
BEGIN, END = "<!-- acceptance: begin -->\n", "<!-- acceptance: end -->"
HEAD = "| case | asks for | shown by | last result |\n|---|---|---|---|\n"


def cases() -> dict[str, tuple[str, list[str], list[str]]]:
    """By number: what the client asks, the tests of that case, and where more of it is shown."""
    module = ast.parse(TESTS.read_text("utf-8"))
    told = next(node.value for node in module.body if isinstance(node, ast.AnnAssign) and _name(node.target) == "CASES")
    names = [node.name for node in module.body if isinstance(node, ast.FunctionDef)]
    return {
        str(number): (asked, [name for name in names if name.startswith(f"test_case_{number}_")], list(also))
        for number, (asked, also) in ast.literal_eval(told).items()
    }


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def table(results: Mapping[str, Mapping[str, str]]) -> str:
    rows = []
    for number, (asked, tests, also) in sorted(cases().items()):
        shown = [f"`{name}`" for name in tests] + list(also)
        found = [_told(results.get(name)) for name in tests] or ["see there"]
        rows.append(f"| {number} | {asked} | {'<br>'.join(shown)} | {'<br>'.join(found)} |\n")
    return HEAD + "".join(rows)


def _told(result: Mapping[str, str] | None) -> str:
    return f"{result['outcome']}, {result['seconds']} s, {result['on']}" if result else "not run yet"


def page() -> str:
    text = PAGE.read_text("utf-8")
    kept = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    return text.partition(BEGIN)[0] + BEGIN + table(kept) + END + text.partition(END)[2]


def results_of(junit: Path) -> dict[str, dict[str, str]]:
    """By test. What neither failed nor was left out has passed."""
    found = {}
    for suite in ElementTree.parse(junit).getroot().iter("testsuite"):
        day = suite.attrib["timestamp"][:10]
        for case in suite.iter("testcase"):
            bad = next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), None)
            told = {"outcome": bad or "passed", "seconds": f"{float(case.attrib['time']):.0f}", "on": day}
            found[case.attrib["name"]] = told
    return {name: told for name, told in sorted(found.items()) if name.startswith("test_case_")}


def test_every_case_is_shown_by_a_test_or_says_where() -> None:
    found = cases()
    assert list(found) == [str(number) for number in range(1, 9)]
    assert not [number for number, (_, tests, also) in found.items() if not tests and not also]
    in_prose = [name for _, _, also in found.values() for text in also for name in re.findall(r"`(\w+\.py)`", text)]
    assert not [name for name in in_prose if not list((ROOT / "tests").rglob(name))]


def test_the_table_of_the_test_plan_is_fresh() -> None:
    assert PAGE.read_text("utf-8") == page(), __doc__


if __name__ == "__main__":
    if len(sys.argv) > 1:
        RESULTS.write_text(json.dumps(results_of(Path(sys.argv[1])), indent=1, sort_keys=True) + "\n", "utf-8")
    PAGE.write_text(page(), "utf-8")
