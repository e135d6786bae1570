"""Whose trouble is it? Windows of runs written by hand, each with its known answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from forwarder_core.domain import diagnoses
from forwarder_core.domain.diagnoses import Met, Run, Verdict

Spell = tuple[str | None, int, str, int, int]  # proxy, account, platform, went well, failed


def window(*spells: Spell) -> list[Met]:
    return [
        Met(proxy, account, platform, is_failed)
        for proxy, account, platform, good, bad in spells
        for is_failed in [False] * good + [True] * bad
    ]


@pytest.mark.parametrize(
    ("spells", "verdict", "key"),
    [
        pytest.param(
            [
                ("p1", 1, "instagram", 0, 4),
                ("p1", 2, "youtube", 0, 4),
                ("p2", 3, "instagram", 5, 0),
                ("p2", 4, "youtube", 5, 0),
            ],
            Verdict.PROXY,
            "p1",
            id="two accounts of two platforms fail by one proxy, the others work",
        ),
        pytest.param(
            [("p1", 1, "instagram", 0, 5), ("p1", 2, "instagram", 6, 0), ("p1", 3, "youtube", 6, 0)],
            Verdict.ACCOUNT,
            "1",
            id="one account fails where others get through by the same proxy at the same platform",
        ),
        pytest.param(
            [
                ("p1", 1, "instagram", 0, 3),
                ("p2", 2, "instagram", 0, 3),
                (None, 3, "instagram", 0, 3),
                ("p1", 4, "youtube", 5, 0),
                ("p2", 5, "youtube", 5, 0),
            ],
            Verdict.PLATFORM,
            "instagram",
            id="every account of one platform fails by whatever proxy",
        ),
        pytest.param(
            [("p1", 1, "instagram", 0, 6), ("p2", 2, "youtube", 8, 0)],
            Verdict.CANNOT_TELL,
            None,
            id="the account, its proxy and its platform are always together",
        ),
        pytest.param([("p1", 1, "instagram", 0, 6)], Verdict.CANNOT_TELL, None, id="nothing else ran"),
        pytest.param(
            [("p1", 1, "instagram", 9, 1), ("p2", 2, "youtube", 9, 1), ("p3", 3, "instagram", 9, 1)],
            Verdict.CANNOT_TELL,
            None,
            id="spread failures are nobody's",
        ),
        pytest.param([("p1", 1, "instagram", 9, 1)], Verdict.NOTHING, None, id="one failure is no question"),
        pytest.param(
            [(None, 1, "instagram", 0, 4), (None, 2, "instagram", 7, 0), (None, 3, "youtube", 7, 0)],
            Verdict.ACCOUNT,
            "1",
            id="without any proxy",
        ),
        pytest.param(
            [
                ("p1", 1, "instagram", 0, 4),
                ("p2", 1, "instagram", 0, 4),
                ("p1", 2, "instagram", 6, 0),
                ("p2", 3, "youtube", 6, 0),
            ],
            Verdict.ACCOUNT,
            "1",
            id="an account fails by two proxies that carry others",
        ),
    ],
)
def test_the_guilty_one_is_named_or_nobody(spells: list[Spell], verdict: Verdict, key: str | None) -> None:
    found = diagnoses.diagnose(window(*spells))
    assert (found.verdict, found.key) == (verdict, key), found.why
    assert found.why


def test_the_evidence_is_counted_out() -> None:
    found = diagnoses.diagnose(window(("p1", 1, "instagram", 0, 4), ("p1", 2, "instagram", 5, 1)))
    first = found.evidence[0]
    assert (first.suspect.value, first.key, first.runs, first.failed) == ("account", "1", 4, 4)
    assert (first.elsewhere, first.failed_elsewhere) == (6, 1)
    assert first.said() == "account 1: 4 of 4 failed; 1 of 6 without it"
    # Of 10 with 5 failures, 4 fall all on it: C(6,1) of C(10,5).
    assert first.chance == pytest.approx(6 / 252)


def test_a_failed_run_speaks_for_the_source_where_that_did_its_part() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    run = Run(
        at=at, job_id=1, connection_id=1, post_id=1, source_id=7, destination_id=8, source_platform="instagram",
        destination_platform="youtube", proxy="p", is_fetch=False, code="quota", is_last=True,
    )  # fmt: skip
    assert [(m.account, m.is_failed) for m in diagnoses.meetings([run])] == [(8, True), (7, False)]
