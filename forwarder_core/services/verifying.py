"""Verifying: look at the published post until the destination shows it, and say what it shows.

The fact to know: the post is published already. A destination that cannot be asked right now does not make the job
fail; only its word that it refused the post does.
"""

from __future__ import annotations

import time

from forwarder_core import crashpoints
from forwarder_core.connectors.base import Destination, Published, Visibility
from forwarder_core.errors import AlreadyPublished, MediaRejected, PolicyRejected, Retry, StepFailed
from forwarder_core.services import publishing
from forwarder_core.services.carrying import Carrier, StepReport

_UNSEEN = Visibility(is_live=False, is_final=False, privacy="unknown", duration_ms=None, detail="not looked at yet")


def verify(carrier: Carrier, report: StepReport, published: Published, to: Destination) -> Visibility:
    """What the destination shows of the post, once that is final or `verify.patience_s` is over.

    Raises MediaRejected, PolicyRejected and AlreadyPublished when it refused the post after all, and what a person
    must mend (a login, a challenge). Nothing is ever uploaded again for it.
    """
    tuned = carrier.outset.tuned
    deadline = time.monotonic() + tuned.number("verify.patience_s")
    crashpoints.at("verify.before")
    report.info("Verifying upload...")
    seen = _look(carrier, report, published, to)
    while not seen.is_final and time.monotonic() < deadline:
        report.progress(0.5, seen.detail)
        time.sleep(tuned.number("verify.poll_s"))
        seen = _look(carrier, report, published, to)
    if seen.is_final:
        publishing.verified(
            carrier,
            url=seen.url,
            privacy=seen.privacy,
            duration_ms=seen.duration_ms,
            is_live=seen.is_live,
            detail=seen.detail,
        )
        report.info("Verification successful: %s", seen.detail)
    else:
        report.info("Published; the destination has not finished with it: %s", seen.detail)
    crashpoints.at("verify.after_row")
    return seen


def _look(carrier: Carrier, report: StepReport, published: Published, to: Destination) -> Visibility:
    try:
        return to.verify(published.remote_id)
    except (MediaRejected, PolicyRejected, AlreadyPublished) as e:
        publishing.refused(carrier, e.message)
        raise
    except StepFailed as e:
        if e.retry is Retry.HOLD:
            raise
        report.info("Could not look at it: %s", e.message)
        return _UNSEEN
