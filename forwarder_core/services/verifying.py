"""Verifying: look at the published post until the destination shows it, and say what it shows."""

from __future__ import annotations

import time

from forwarder_core import crashpoints
from forwarder_core.connectors.base import Destination, Published, Visibility
from forwarder_core.errors import PlatformTransient
from forwarder_core.services import publishing, tunables
from forwarder_core.services.carrying import Carrier, StepReport


def verify(carrier: Carrier, report: StepReport, published: Published, to: Destination) -> Visibility:
    """What the destination shows of the post, once it is final.

    Raises PlatformTransient when it is still being processed after `verify.patience_s`; a later attempt looks again,
    and nothing is ever uploaded for it.
    """
    with carrier.core.begin() as tx:
        tuned = tunables.read(tx)
    deadline = time.monotonic() + tuned.number("verify.patience_s")
    crashpoints.at("verify.before")
    report.info("Verifying upload...")
    while True:
        seen = to.verify(published.remote_id)
        if seen.is_final:
            break
        if time.monotonic() > deadline:
            raise PlatformTransient(f"The destination is still processing the post: {seen.detail}.")
        report.progress(0.5, seen.detail)
        time.sleep(tuned.number("verify.poll_s"))
    publishing.verified(
        carrier, privacy=seen.privacy, duration_ms=seen.duration_ms, is_live=seen.is_live, detail=seen.detail
    )
    crashpoints.at("verify.after_row")
    report.info("Verification successful: %s", seen.detail)
    return seen
