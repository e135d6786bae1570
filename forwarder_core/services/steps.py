"""The four steps of a forward, each safe to repeat: it asks first whether its result is already there.

This is what Dagster's ops call, and what drills call without Dagster. A step returns what the lineage shows of it;
files and rows carry the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from forwarder_core.connectors.base import Destination, Published
from forwarder_core.db import accounts, attempts
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.jobs import Errand, Step
from forwarder_core.egress import Exit
from forwarder_core.errors import LocalFailed, RateLimited
from forwarder_core.services import (
    approving,
    exits,
    fetching,
    forwarding,
    publishing,
    quotas,
    recognizing,
    transforming,
    verifying,
)
from forwarder_core.services.carrying import Carrier, StepReport

Facts = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Done:
    """What a step made, in facts for the lineage. `links` are addresses a person can open."""

    job_id: int
    facts: Facts = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


def fetch_post(carrier: Carrier) -> Done:
    with carrier.step(Step.FETCH) as report:
        errand = carrier.errand()
        if carrier.outset.live:
            report.info("Already published; nothing to fetch")
            return _done(carrier, errand, report)
        exit_ = _exit(carrier, errand, errand.source)
        source = exits.source(carrier.core, errand.source, exit_, carrier.outset.tuned)
        with quotas.counted(carrier.core, errand.source, source):
            file = fetching.fetch(carrier, report, errand, source)
        recognizing.refuse_what_we_brought(carrier, report, errand, file.path, file.duration_ms, file.probe)
        return _done(
            carrier,
            errand,
            report,
            bytes=file.size_bytes,
            sha256=file.sha256,
            duration_ms=file.duration_ms,
            proxy=exit_.called,
        )


def transform_video(carrier: Carrier) -> Done:
    with carrier.step(Step.TRANSFORM) as report:
        errand = carrier.errand()
        if carrier.outset.live:
            return _done(carrier, errand, report)
        source = fetching.whole(carrier.outset.files.get(fetching.FETCHED))
        if source is None:
            raise LocalFailed("The fetched file is not there any more; it is fetched again.")
        made = transforming.transform(carrier, report, errand, source)
        return _done(
            carrier,
            errand,
            report,
            bytes=made.size_bytes,
            sha256=made.sha256,
            duration_ms=made.duration_ms,
            size=f"{made.width}x{made.height}",
        )


def publish_video(carrier: Carrier) -> Done:
    with carrier.step(Step.PUBLISH) as report:
        errand = carrier.errand()
        if carrier.outset.live:
            report.info("Already published")
            return _done(carrier, errand, report)
        media = transforming.rendition_of(carrier.outset.files)
        if media is None:
            raise LocalFailed("The rendition is not there any more; it is made again.")
        approving.ask_before_publishing(carrier.core, carrier.lease, errand)
        exit_ = _exit(carrier, errand, errand.destination)
        report.info("Uploading to %s (%s)", errand.destination.platform, errand.destination.alias)
        to = _destination(carrier, errand, exit_)
        with quotas.counted(carrier.core, errand.destination, to):
            made = publishing.publish(carrier, report, errand, media, to)
        report.fact(bytes_sent=media.size_bytes)
        report.info("Upload complete: %s", made.url)
        return _done(carrier, errand, report, made.url, bytes=media.size_bytes, proxy=exit_.called)


def verify_publication(carrier: Carrier) -> Done:
    with carrier.step(Step.VERIFY) as report:
        errand = carrier.errand()
        live = carrier.outset.live
        if live is None or live.remote_id is None:
            raise LocalFailed("There is no publication to verify.")
        exit_ = _exit(carrier, errand, errand.destination)
        to = _destination(carrier, errand, exit_)
        with quotas.counted(carrier.core, errand.destination, to):
            seen = verifying.verify(carrier, report, Published(live.remote_id, live.remote_url or ""), to)
        done = _done(
            carrier,
            errand,
            report,
            seen.url,
            privacy=seen.privacy,
            destination_post_id=live.remote_id,
            sha256=live.content_sha256 or "",
            bytes=live.size_bytes or 0,
        )
    forwarding.succeed(carrier.core, carrier.lease)
    return done


def _exit(carrier: Carrier, errand: Errand, account: Account) -> Exit:
    """The way out of this step's calls, kept with the attempt."""
    now = carrier.core.clock.now()
    with carrier.core.begin() as tx:
        rests_until = accounts.rests_until(tx, account.id)
        if rests_until is not None and rests_until > now:
            # Told to another job of this account since this run began: not asked again to hear the same.
            wait_s = (rests_until - now).total_seconds()
            raise RateLimited(f"{account.platform} wants {account.alias} left in peace.", retry_after_s=wait_s)
        chosen = exits.exit_of(carrier.core, tx, account, errand.proxy_id, job_id=errand.job.id)
        proxy_id = chosen.proxy.id if chosen.proxy else None
        attempts.note(tx, carrier.lease, proxy=chosen.label, proxy_id=proxy_id)
    return chosen


def _destination(carrier: Carrier, errand: Errand, exit_: Exit) -> Destination:
    """With the credential of the account that the connection names, its own where it names none."""
    tuned = carrier.outset.tuned
    return exits.destination(carrier.core, errand.destination, exit_, token_id=errand.token_id, tuned=tuned)


def _done(
    carrier: Carrier, errand: Errand, report: StepReport, url: str | None = None, **facts: str | int | float
) -> Done:
    """`url`: of the post at its destination, where this step has learned it."""
    links = {"source_post": errand.source_url, "job": f"{carrier.core.settings.base_url}/jobs/{errand.job.id}"}
    if published := url or errand.job.destination_url:
        links["published_post"] = published
    facts = {"attempt": errand.job.attempts, "seconds": round(report.seconds, 3), **facts}
    return Done(errand.job.id, facts, links)
