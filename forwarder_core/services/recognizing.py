"""Recognizing: the fingerprint of what was fetched, and whether it is a video we brought to that account ourselves.

Only an account that is a destination of ours too can show an echo; a creator who posts a video twice on an account
nothing is forwarded to has posted twice. The fact to know: pictures and sound alone decide nothing: the words must
agree as well, because different posts may share both (a series, a logo, a test card).
"""

from __future__ import annotations

from pathlib import Path

from forwarder_core.db import connections, publications
from forwarder_core.domain.echoes import same_words
from forwarder_core.domain.jobs import Errand
from forwarder_core.errors import StepFailed
from forwarder_core.media import fingerprint
from forwarder_core.media.fingerprint import MOST_LENGTH_DIFFERENCE_S, Kept, Likeness, Seen
from forwarder_core.media.probe import Probe, probe
from forwarder_core.media.tools import find_ffmpeg
from forwarder_core.services import echoes
from forwarder_core.services.carrying import Carrier, StepReport
from forwarder_core.services.context import Core
from forwarder_core.services.echoes import SameVideo


def fingerprint_of(core: Core, errand: Errand, path: Path, facts: Probe) -> bytes | None:
    """What is kept of a fetched file's pictures and sound, for when its destination shows it again.

    None where posts are taken from that account by no connection (it costs 0.6 CPU-s), and where the pictures cannot
    be read: the transform says what is wrong with them.
    """
    with core.read() as tx:
        if not connections.has_source(tx, errand.destination.id):
            return None
    seen = _seen(core, path, facts)
    return seen.keep().data if seen else None


def _seen(core: Core, path: Path, facts: Probe) -> Seen | None:
    try:
        return fingerprint.take(path, facts, find_ffmpeg(core.settings.ffmpeg))
    except StepFailed:
        return None


def refuse_what_we_brought(
    carrier: Carrier, report: StepReport, errand: Errand, path: Path, duration_ms: int, facts: Probe | None
) -> None:
    """Raises SameVideo where the file is one we published at the source account, unless a person retried it since."""
    core, now = carrier.core, carrier.core.clock.now()
    most_ms = round(MOST_LENGTH_DIFFERENCE_S * 1000)
    with core.read() as tx:
        ours = publications.fingerprints_at(tx, errand.source.id, duration_ms, within_ms=most_ms)
    seen = _seen(core, path, facts or probe(path)) if ours else None
    if seen is None:
        return
    for one in ours:
        if fingerprint.likeness(Kept(one.duration_ms / 1000, one.fingerprint), seen) is not Likeness.SAME:
            continue
        if not same_words(errand.caption, *one.captions):
            report.info("The pictures are those of post %s, the words are others: forwarded", one.root_post_id)
            continue
        with core.begin() as tx:
            if echoes.is_wanted_all_the_same(tx, errand, now):
                return
        raise SameVideo(
            f"It is the video of post {one.root_post_id}, which was published on {errand.source.alias} by this "
            "installation and put up there again by hand.",
            root_post_id=one.root_post_id,
        )
