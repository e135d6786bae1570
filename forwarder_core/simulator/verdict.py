"""The verdict of a drill: what the simulated platforms really have, held against what our rows say.

What lives here: the rules of lost, duplicated, stuck, and their counting. What does not: reading rows (db.verdicts)
and making trouble (chaos, soak).
The fact to know: a post is known at its destination by the token in its caption, which no two drill posts share; a
publication without one is looked up by its id in our own ledger, and one that nobody owns counts as a duplicate.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from forwarder_core.db import verdicts
from forwarder_core.db.verdicts import PostStory
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.posts import Verdict
from forwarder_core.services.context import Core
from forwarder_core.simulator.client import ControlClient
from forwarder_core.simulator.drill import Lane

_TOKEN = re.compile(r"drill[0-9a-f]+n\d+")
_MOST_PROBLEMS = 40
_DUPLICATE_OF_OURS = "duplicate"  # the error code of a job that found its post already there


class End(StrEnum):
    """How a post ended on one connection."""

    PUBLISHED = "published"
    LOST = "lost"
    STUCK = "stuck"
    UNCONFIRMED = "unconfirmed"
    DEAD = "dead"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Every post of every connection is in exactly one of the ends; `duplicated` counts publications too many.

    `problems` says in words what is lost, duplicated, stuck or dead, and what else is not as it should be.
    """

    posts: int
    ends: Mapping[End, int]
    duplicated: int
    problems: Sequence[str] = field(default_factory=tuple)

    def count(self, end: End) -> int:
        return self.ends.get(end, 0)

    @property
    def is_clean(self) -> bool:
        return not (self.count(End.LOST) or self.duplicated or self.count(End.STUCK))

    def as_dict(self) -> dict[str, Any]:
        counts = {"published": self.count(End.PUBLISHED), "lost": self.count(End.LOST), "duplicated": self.duplicated}
        rest = {end.value: self.count(end) for end in (End.STUCK, End.UNCONFIRMED, End.DEAD, End.FILTERED)}
        return {"posts": self.posts, **counts, **rest}


@dataclass(frozen=True, slots=True)
class Posted:
    """A post that a person made, as the world has it."""

    id: str
    token: str


def judge(core: Core, world: ControlClient, lanes: Sequence[Lane]) -> Findings:
    """Compare both truths now. `stuck` is whatever has not ended: ask when everything had time to."""
    with core.begin() as tx:
        rows = verdicts.stories(tx, [lane.connection_id for lane in lanes])
    told = {(story.connection_id, story.platform_post_id): story for story in rows}
    ends: Counter[End] = Counter()
    problems: list[str] = []
    posts = duplicated = 0
    for lane in lanes:
        there = _publications(core, world, lane)
        for post in _posted(world, lane):
            posts += 1
            found = len(there.pop(post.token, []))
            end, why = end_of(told.get((lane.connection_id, post.id)), found)
            ends[end] += 1
            duplicated += max(0, found - 1)
            problems += [f"{lane.name}: post {post.token}: {why}"] if why else []
        for token, ids in there.items():
            duplicated += len(ids)
            problems.append(f"{lane.name}: published without a post: {token} ({', '.join(ids)})")
    return Findings(posts=posts, ends=ends, duplicated=duplicated, problems=tuple(problems[:_MOST_PROBLEMS]))


def end_of(story: PostStory | None, found: int) -> tuple[End, str]:
    """How a post ended that was made while its connection was active, and what is wrong about it, if anything.

    `found`: how many publications of it the destination has.
    """
    end, why = _end_in_rows(story)
    if found > 1:
        return end, f"{found} publications; our rows say {end}"
    if end is End.PUBLISHED and not found:
        return End.LOST, "our rows say published, but the destination has nothing"
    if found and end in (End.DEAD, End.FILTERED, End.LOST):
        return end, f"the destination has it, but our rows say {end}. {why}"
    return end, why


def _end_in_rows(story: PostStory | None) -> tuple[End, str]:
    if story is None:
        return End.LOST, "never seen"
    if story.verdict is None:
        return End.LOST, "seen, and nothing decided"
    if story.verdict is Verdict.BEFORE_START:
        return End.LOST, "taken for one from before the start"
    if story.verdict is Verdict.HELD:
        return End.STUCK, f"held ({story.rule})"
    if story.verdict is not Verdict.FORWARD:
        return End.FILTERED, ""
    if story.job_id is None or story.status is None:
        return End.LOST, "to be forwarded, and there is no job"
    return _end_of_job(story, story.status)


def _end_of_job(story: PostStory, status: JobStatus) -> tuple[End, str]:
    said = f"job {story.job_id} is {status}" + (f" ({story.error_code})" if story.error_code else "")
    match status:
        case JobStatus.SUCCESS:
            return End.PUBLISHED, ""
        case JobStatus.UNCONFIRMED:
            return End.UNCONFIRMED, ""
        case JobStatus.CANCELLED if story.error_code == _DUPLICATE_OF_OURS:
            return End.FILTERED, ""
        case JobStatus.DEAD | JobStatus.CANCELLED:
            return End.DEAD, said
        case _:
            return End.STUCK, f"{said}, waits for {story.wait_reason}" if story.wait_reason else said


def _posted(world: ControlClient, lane: Lane) -> Iterable[Posted]:
    """The drill's own posts at the lane's source: what we published there ourselves is none of them."""
    query = {"platform": lane.source.platform, "account": lane.source.id}
    made = {p["id"] for p in world.publications(lane.source.platform, lane.source.id)}
    for post in world.call("GET", "/posts", params=query):
        token = _TOKEN.search(post["caption"])
        if token and post["id"] not in made:
            yield Posted(str(post["id"]), token[0])


def _publications(core: Core, world: ControlClient, lane: Lane) -> dict[str, list[str]]:
    """What the lane's destination has, as ids by token."""
    end = lane.destination
    with core.begin() as tx:
        roots = verdicts.roots_by_remote_id(tx, end.platform)
    tokens = {p["id"]: p["caption"] for p in world.call("GET", "/posts", params=_place(lane))}
    found: dict[str, list[str]] = {}
    for publication in world.publications(end.platform, end.id):
        token = _TOKEN.search(f"{publication['caption']} {publication['title']}")
        root = _TOKEN.search(tokens.get(roots.get(publication["id"], ""), ""))
        key = token or root
        found.setdefault(key[0] if key else f"unknown {publication['id']}", []).append(str(publication["id"]))
    return found


def _place(lane: Lane) -> dict[str, str]:
    return {"platform": lane.source.platform, "account": lane.source.id}
