"""Trying: the newest posts of a connection fetched, transformed and worded, and nothing of it sent anywhere.

What lives here: the work of one dry run, step by step, as the forward itself does it. What does not: when it runs, its
lease and its end (`dry_running`). The fact to know: no destination is ever built here, so there is nothing that could
write to one; what it would take is judged by its limits and by whose its credentials are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forwarder_core.connectors.base import Source
from forwarder_core.db import accounts, connections, posts, publications
from forwarder_core.domain import dry_runs, filters
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.dry_runs import Issue, TriedPost
from forwarder_core.domain.limits import Limits
from forwarder_core.domain.posts import SeenPost, Verdict
from forwarder_core.domain.rehearsals import Check, Outcome
from forwarder_core.domain.transforms import TooLong, TransformOptions
from forwarder_core.errors import MediaRejected, NotFound, Retry, StepFailed
from forwarder_core.logs import redact
from forwarder_core.media import frames
from forwarder_core.media.plan import Mode, Plan, plan
from forwarder_core.media.probe import Probe, probe
from forwarder_core.media.render import render
from forwarder_core.media.slots import Slots
from forwarder_core.media.store import JobFolder, MediaStore
from forwarder_core.services import drafting, exits, limits, quotas, rehearsing, templates
from forwarder_core.services.context import Core
from forwarder_core.services.quotas import QuotaView
from forwarder_core.services.transforming import ffmpeg_of

_PAGES = 3  # of the listing; each shows some twenty posts
_ALWAYS = datetime.min.replace(tzinfo=UTC)
BEFORE, AFTER = "before", "after"
Stopped = Callable[[], bool]
Say = Callable[[str, dict[str, Any]], None]


def folder_of(core: Core, request_id: int, number: int) -> JobFolder:
    return store_of(core).folder(f"{request_id}-{number}")


def store_of(core: Core) -> MediaStore:
    """The files of dry runs, apart from those of jobs: nothing here is ever published."""
    return MediaStore(core.media_root / "dry-runs")


@dataclass(frozen=True, slots=True)
class _Sketch:
    """A post worded for a destination without a job: what `drafting` asks for."""

    connection: Connection
    source: Account
    destination: Account
    post: SeenPost

    @property
    def connection_name(self) -> str:
        return self.connection.name

    @property
    def source_url(self) -> str:
        return self.post.url

    @property
    def caption(self) -> str:
        return self.post.caption

    @property
    def posted_at(self) -> datetime:
        return self.post.posted_at

    @property
    def publish_options(self) -> Any:
        return self.connection.publish


@dataclass(slots=True)
class Trial:
    """One dry run at work. `say(progress, report)` keeps what there is so far; it raises when the run was stopped."""

    core: Core
    request_id: int
    connection: Connection
    source: Account
    destination: Account
    limits: Limits
    stopped: Stopped
    say: Say
    quotas: tuple[dict[str, Any], ...] = ()
    checks: tuple[Check, ...] = ()
    found: int = 0
    tested: list[TriedPost] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)

    @classmethod
    def of(cls, core: Core, request_id: int, connection_id: int, *, stopped: Stopped, say: Say) -> Trial:
        with core.begin() as tx:
            known = connections.get(tx, connection_id)
            source = accounts.get(tx, known.source_account_id) if known else None
            destination = accounts.get(tx, known.destination_account_id) if known else None
            if known is None or source is None or destination is None:
                raise NotFound(f"There is no connection {connection_id}.")
            in_force = limits.in_force(tx, destination.platform)
        return cls(core, request_id, known, source, destination, in_force, stopped, say)

    def report(self) -> dict[str, Any]:
        quota = {"posts": len(self.tested), "posts_per_day": self.limits.posts_per_day, "today": self.quotas}
        return dry_runs.results(
            found=self.found, tested=self.tested, checks=self.checks, issues=self.issues, quota=quota
        )

    def run(self) -> dict[str, Any]:
        """The whole report. A post that fails spoils no other; an account that refuses us ends it."""
        self.say("Rehearsing", self.report())
        self.checks = rehearsing.rehearse(self.core, self.connection.id).checks
        if any(check.outcome is Outcome.FAILED and check.name in _NO_SOURCE for check in self.checks):
            return self.report()
        self.quotas = tuple(_left(view) for view in rehearsing.quotas_of(self.core, self.destination))
        try:
            source = self._open_source()
        except StepFailed as e:
            self.issues.append(_issue(e))
            return self.report()
        with quotas.counted(self.core, self.source, source):
            self._run(source)
        return self.report()

    def _run(self, source: Source) -> None:
        try:
            chosen = self._choose(source)
        except StepFailed as e:
            self.issues.append(_issue(e))
            return
        for number, post in enumerate(chosen, 1):
            self.say(f"Post {number} of {len(chosen)}", self.report())
            tested, is_over = self._try(source, number, post)
            self.tested.append(tested)
            if is_over:
                break

    def _open_source(self) -> Source:
        with self.core.begin() as tx:
            exit_ = exits.exit_of(self.core, tx, self.source, self.connection.proxy_id)
        return exits.source(self.core, self.source, exit_)

    def _choose(self, source: Source) -> list[SeenPost]:
        """The newest posts the filters let through, whenever they were posted; what we published ourselves is none."""
        self.say("Looking at the source", self.report())
        seen: dict[str, SeenPost] = {}
        page_token: str | None = None
        wanted: list[SeenPost] = []
        for _ in range(_PAGES):
            page = source.list_posts(page_token)
            seen |= {post.platform_post_id: post for post in page.posts}
            wanted = self._wanted(list(seen.values()))
            page_token = page.next
            if page_token is None or len(wanted) >= dry_runs.MOST_POSTS:
                break
        self.found = len(wanted)
        if not wanted:
            self.issues.append(_nothing_found(len(seen)))
        return wanted[: dry_runs.MOST_POSTS]

    def _wanted(self, seen: list[SeenPost]) -> list[SeenPost]:
        with self.core.begin() as tx:
            echoes = posts.roots_of_posts(tx, self.source.platform, seen)
        decisions = {
            post.platform_post_id: filters.decide(post, self.connection.filters, started_at=_ALWAYS) for post in seen
        }
        going = (Verdict.FORWARD, Verdict.HELD)
        wanted = [
            post
            for post in seen
            if post.platform_post_id not in echoes and decisions[post.platform_post_id].verdict in going
        ]
        return sorted(wanted, key=lambda post: post.posted_at, reverse=True)

    def _try(self, source: Source, number: int, post: SeenPost) -> tuple[TriedPost, bool]:
        """The post as far as it came, and whether the others need not be tried."""
        folder = store_of(self.core).open(f"{self.request_id}-{number}", expected_bytes=50_000_000)
        attempt = _Attempt(self, source, folder, post)
        try:
            attempt.fetch()
            attempt.transform()
        except StepFailed as e:
            attempt.tested = replace(attempt.tested, issues=(*attempt.tested.issues, _issue(e, post)))
            return attempt.tested, e.retry in (Retry.HOLD, Retry.AS_TOLD)
        finally:
            for video in (folder.source, folder.rendition):
                video.unlink(missing_ok=True)
        return attempt.tested, False


class _Attempt:
    """One post on its way; `tested` grows with each step."""

    def __init__(self, trial: Trial, source: Source, folder: JobFolder, post: SeenPost) -> None:
        self._trial, self._source, self._folder, self._post = trial, source, folder, post
        self._facts: Probe | None = None
        self._seconds: dict[str, float] = {}
        sketch = _Sketch(trial.connection, trial.source, trial.destination, post)
        draft = drafting.draft_of(sketch, "", drafting.words_of(sketch, trial.limits.text))
        payload = {"title": draft.title, "caption": draft.caption, "tags": list(draft.tags), "privacy": draft.privacy}
        self.tested = TriedPost(
            source_id=post.platform_post_id,
            source_url=post.url,
            caption=post.caption,
            duration_s=post.duration_s,
            payload=payload | {"options": dict(draft.options)},
            issues=tuple(_findings(trial, post)),
        )

    def fetch(self) -> None:
        def progress(done: int, total: int | None) -> None:
            self._trial.say(f"Downloading {self._post.platform_post_id} ({done / 1e6:.1f} MB)", self._trial.report())

        with self._timed("fetch_post"):
            fetched = self._source.fetch(self._post.platform_post_id, self._folder.source, progress)
            self._facts = probe(fetched.path)
        self.tested = replace(
            self.tested, duration_s=self._facts.duration_s, size_bytes=fetched.size_bytes, seconds=dict(self._seconds)
        )
        self._picture(BEFORE, self._folder.source, self._facts)

    def transform(self) -> None:
        trial, facts = self._trial, self._facts
        if facts is None:
            raise LookupError("nothing was fetched")
        ffmpeg = ffmpeg_of(trial.core.settings.ffmpeg)
        most = trial.limits.media
        chosen = plan(facts, self._options(facts, most.max_duration_s), most, can_tone_map=ffmpeg.can_tone_map)
        image = templates.layout_image(trial.core, chosen.image) if chosen.image else None
        trial.say(f"Transforming {self._post.platform_post_id}", trial.report())
        with self._timed("transform_video"):
            made = render(
                chosen,
                self._folder.source,
                self._folder.rendition,
                ffmpeg=ffmpeg,
                cancelled=trial.stopped,
                slots=Slots(MediaStore(trial.core.media_root).slots, os.cpu_count() or 1),
                image=image,
            )
            seen = made.seen or probe(made.path)
        self.tested = replace(
            self.tested,
            made_bytes=made.size_bytes,
            made_size=f"{made.width}x{made.height}",
            result=chosen.words,
            is_upscaled=_is_upscaled(facts, chosen),
            has_layout=chosen.placement is not None,
            seconds=dict(self._seconds),
            plan=chosen.to_dict(),
            issues=(*self.tested.issues, *self._compliance(seen)),
        )
        self._picture(AFTER, made.path, seen)

    def _options(self, facts: Probe, most_s: float) -> TransformOptions:
        """A dry run asks nobody: where a person would be asked about the length, the video is cut."""
        options = self._trial.connection.transform
        if options.too_long in (TooLong.TRIM, TooLong.REJECT) or facts.duration_s <= most_s:
            return options
        issue = Issue(
            code="asks_a_person",
            text=f"It runs {facts.duration_s:.0f} s, longer than {most_s:g} s: you will be asked about it.",
            action="Answer on the job when it comes, or choose cutting or leaving out in the connection.",
            source_id=self._post.platform_post_id,
            is_fatal=False,
        )
        self.tested = replace(self.tested, issues=(*self.tested.issues, issue))
        return replace(options, too_long=TooLong.TRIM)

    def _compliance(self, made: Probe) -> Iterator[Issue]:
        """The file as the destination would look at it: nothing may be left that would have to be changed."""
        most = self._trial.limits.media
        again = plan(made, TransformOptions(), most)
        if again.mode is Mode.ENCODE or made.size_bytes > most.max_bytes:
            yield Issue(
                code="not_compliant",
                text=f"{self._trial.destination.platform} would refuse the file: {'; '.join(again.reasons)}",
                action=MediaRejected.action,
                source_id=self._post.platform_post_id,
            )

    def _picture(self, which: str, video: Path, facts: Probe) -> None:
        into = self._folder.path / f"{which}.jpg"
        frames.take(
            video, facts, into, ffmpeg=ffmpeg_of(self._trial.core.settings.ffmpeg), cancelled=self._trial.stopped
        )
        if into.exists():
            self.tested = replace(self.tested, frames=(*self.tested.frames, which))

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._seconds[step] = round(time.monotonic() - began, 3)


_NO_SOURCE = ("source_account", "source_egress", "source_listing", "rights")


def _is_upscaled(facts: Probe, chosen: Plan) -> bool:
    return chosen.geometry is not None and chosen.geometry.scale_width > facts.width


def _findings(trial: Trial, post: SeenPost) -> Iterator[Issue]:
    """What we know of this post already."""
    with trial.core.begin() as tx:
        known = posts.find(tx, trial.source.id, post.platform_post_id)
        holder = publications.holder_of(tx, trial.destination.id, known.id) if known else None
    if holder is not None:
        yield Issue(
            code="duplicate",
            text=f"{trial.destination.alias} has this post already, or job {holder.job_id} is bringing it.",
            action="Nothing: it is not posted there again.",
            source_id=post.platform_post_id,
            is_fatal=False,
        )


def _left(view: QuotaView) -> dict[str, Any]:
    return {"title": view.title, "limit": view.limit, "left": max(0, view.limit - view.used - view.reserved)}


def _nothing_found(seen: int) -> Issue:
    return Issue(
        code="no_posts",
        text=f"None of the {seen} newest posts of the source would be forwarded.",
        action="Look at the connection's filters, or wait for a new post.",
        is_fatal=False,
    )


def _issue(error: StepFailed, post: SeenPost | None = None) -> Issue:
    return Issue(
        code=error.code,
        text=redact(error.message),
        action=error.action,
        source_id=post.platform_post_id if post else None,
    )
