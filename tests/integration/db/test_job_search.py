"""Searching jobs: whatever way the words are found, the page is that of the plain query."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update

from forwarder_core.db import job_pages
from forwarder_core.db.columns import found_by
from forwarder_core.db.tables.flow import jobs, source_posts
from forwarder_core.services.context import Core
from tests import factories

pytestmark = pytest.mark.slow
LANES, JOBS = 3, 120
QUERIES = ["common", "com", "some", "rare", "old", "new", "common rare", "co so", "never", "common never", "-"]
FILTERS: list[dict[str, Any]] = [
    {},
    {"status": ["dead"]},
    {"status": ["success", "dead"]},
    {"connection_id": 0},
    {"account_id": 0},
    {"connection_id": 1, "status": ["dead"], "error": "e1"},
]
# Gone through first, at most, at once; the span of ids the index is asked for first; how dear it is. Each way is met.
WAYS = [
    (1, 2, 7, 3, 1_000),
    (2, 8, 100, 5, 0),
    (2, 2, 100, 40, 0),
    (2_000, 10_000, 100_000, 65_000, 2),
    (4, 1, 30, 1, 2),
]


@pytest.fixture
def lanes(core: Core) -> Sequence[tuple[int, int]]:
    """Connections with their sources; jobs of old posts among those of new ones, and one word of either end only."""
    random = Random(7)
    made = [factories.add_connection(core) for _ in range(LANES)]
    at = core.clock.now()
    posts = []
    for n in range(JOBS):
        words = ["Common"] * (random.random() < 0.7) + ["some"] * (n % 5 == 0) + ["rare"] * (n % 40 == 7)
        words += ["old"] * (n < 20) + ["new"] * (n >= JOBS - 20)
        lane = random.choice(made)
        posts.append((lane.id, {"account_id": lane.source_account_id, "caption": " ".join(words) or "?"}))
    with core.begin() as tx:
        same = {"url": "u", "posted_at": at, "seen_at": at}
        rows = [same | post | {"platform_post_id": f"P{n}"} for n, (_, post) in enumerate(posts)]
        ids = list(tx.execute(insert(source_posts).returning(source_posts.c.id), rows).scalars())
        lane_of = {id_: lane for id_, (lane, _) in zip(ids, posts, strict=True)}
        late = random.sample(ids, 15)
        tx.execute(
            insert(jobs),
            [
                {"connection_id": lane_of[id_], "source_post_id": id_, "root_post_id": id_, "status": status}
                | {"error_code": f"e{n % 3}", "created_at": at, "changed_at": at}
                for n, id_ in enumerate([*(id_ for id_ in ids if id_ not in late), *late])
                for status in [random.choice(["success", "dead", "queued"])]
            ],
        )
        tx.execute(update(jobs).where(jobs.c.source_post_id.in_(late[:2])).values(deleted_at=at))
    return [(lane.id, lane.source_account_id) for lane in made]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_way_of_finding_words_finds_the_same(
    core: Core, lanes: Sequence[tuple[int, int]], monkeypatch: pytest.MonkeyPatch, way: tuple[int, ...]
) -> None:
    for name, value in zip(("_FIRST", "_MOST", "_AT_ONCE", "_SPAN", "_DEARER"), way, strict=True):
        monkeypatch.setattr(f"forwarder_core.db.job_search.{name}", value)
    random = Random(3)
    words = func.to_tsvector(text("'simple'"), source_posts.c.caption)
    with core.begin() as tx:
        middle = tx.execute(select(jobs.c.id).order_by(jobs.c.id).offset(JOBS // 2).limit(1)).scalar_one()
        for typed in QUERIES:
            for asked in FILTERS:
                wanted = dict(asked)
                for name, at in (("connection_id", 0), ("account_id", 1)):
                    if name in wanted:
                        wanted[name] = lanes[wanted[name]][at]
                plain = select(jobs.c.id).join(source_posts, source_posts.c.id == jobs.c.source_post_id)
                plain = plain.where(found_by(words, typed), jobs.c.deleted_at.is_(None))
                if "status" in wanted:
                    plain = plain.where(jobs.c.status.in_(wanted["status"]))
                if "connection_id" in wanted:
                    plain = plain.where(jobs.c.connection_id == wanted["connection_id"])
                if "account_id" in wanted:
                    plain = plain.where(source_posts.c.account_id == wanted["account_id"])
                if "error" in wanted:
                    plain = plain.where(jobs.c.error_code == wanted["error"])
                every = list(tx.execute(plain.order_by(jobs.c.id)).scalars())
                assert job_pages.count(tx, q=typed, **wanted) == len(every)
                limit = random.choice([1, 4, 11, 200])
                before, oldest_first, ids = random.choice(
                    [
                        (2**62, False, every[::-1]),
                        (middle, False, [id_ for id_ in every[::-1] if id_ < middle]),
                        (0, True, every),
                        (middle, True, [id_ for id_ in every if id_ > middle]),
                    ]
                )
                where = {"before_id": before, "oldest_first": oldest_first, "limit": limit}
                shown = job_pages.page(tx, q=typed, **where, **wanted)
                assert [one.job.id for one in shown] == ids[:limit], (typed, wanted, where)
