"""The report of a dry run: the keys and numbers of the functional specification, whatever became of the posts."""

from __future__ import annotations

import json

import pytest

from forwarder_core.domain.dry_runs import Issue, TriedPost, results, upload_minutes
from forwarder_core.domain.rehearsals import Check

FINE = Check.ok("destination_identity", "It is the channel.")


def tried(n: int, **more: object) -> TriedPost:
    values = {"size_bytes": 25_000_000, "made_bytes": 20_000_000, "duration_s": 28.04}
    return TriedPost(source_id=f"C{n}", source_url="", caption="Sunset", **(values | more))  # type: ignore[arg-type]


def test_the_numbers_add_up_over_the_posts() -> None:
    posts = [tried(1, is_upscaled=True), tried(2, has_layout=True), tried(3, size_bytes=0, made_bytes=0)]
    told = results(found=7, tested=posts, checks=[FINE], issues=[], quota={"posts": 3})
    assert (told["posts_found"], told["posts_tested"], told["videos_downloaded"]) == (7, 3, 2)
    assert told["total_size_mb"] == 50 and told["quota_cost"] == {"posts": 3}
    assert told["transformations"] == {"upscale_applied": 1, "greenscreen_applied": 1}
    assert told["sample_posts"][0]["duration_sec"] == 28.0 and told["sample_posts"][0]["size_mb"] == 25
    json.dumps(told)


def test_the_destination_passes_only_where_it_was_asked_and_would_take_every_file() -> None:
    unfit = Issue(code="not_compliant", text="Too wide.", action="", source_id="C1")

    def validation(*checks: Check, **more: object) -> str:
        return str(
            results(found=1, tested=[tried(1, **more)], checks=checks, issues=[], quota={})["destination_validation"]
        )

    assert validation(FINE) == "passed"
    assert validation() == "unknown", "nobody was asked"
    assert validation(FINE, Check.failed("destination_scopes", "It may not upload.", "")) == "failed"
    assert validation(FINE, issues=(unfit,)) == "failed"


def test_every_issue_stands_in_one_list_with_what_to_do() -> None:
    own = Issue(code="no_posts", text="None.", action="Wait.", is_fatal=False)
    of_post = Issue(code="media_rejected", text="Too short.", action="Leave it.", source_id="C1")
    circle = Check.warning("loop", "A circle.", "Nothing.")
    told = results(found=1, tested=[tried(1, issues=(of_post,))], checks=[FINE, circle], issues=[own], quota={})
    assert [(i["code"], i["severity"], i["source_id"]) for i in told["issues"]] == [
        ("no_posts", "warning", None),
        ("loop", "warning", None),
        ("media_rejected", "error", "C1"),
    ]


@pytest.mark.parametrize(("mb", "words"), [(0, "0-1"), (125, "0-4"), (1_500, "10-40")])
def test_an_upload_is_estimated_as_a_range_of_minutes(mb: int, words: str) -> None:
    assert upload_minutes(mb * 1_000_000) == words
