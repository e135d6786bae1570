"""Publishing: make one root post exist at one destination, once, whatever dies on the way.

Before the irreversible call everything may be repeated; the call itself gets one attempt; after it this module
reconciles and never repeats. Each arrow of the publication's states is a committed row before the next thing happens.
The fact to know: nothing may stand between the destination's yes and the committed row: no thumbnail, no alert.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import timedelta

from sqlalchemy.exc import IntegrityError

from forwarder_core import crashpoints
from forwarder_core.connectors.base import (
    Destination,
    Evidence,
    MediaFile,
    Published,
    Reconciled,
    Trace,
)
from forwarder_core.db import connections, jobs, posts, publications
from forwarder_core.db.engine import Tx
from forwarder_core.domain.captions import Words
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.jobs import Errand
from forwarder_core.domain.publications import Publication, PublicationState
from forwarder_core.errors import (
    AccountDisabled,
    ActionBlocked,
    AlreadyPublished,
    AuthInvalid,
    ChallengeRequired,
    ConnectionStopped,
    DestinationDailyLimit,
    Fenced,
    MediaRejected,
    MetadataRejected,
    OutcomeUnknown,
    PolicyRejected,
    QuotaExhausted,
    RateLimited,
    Retry,
    SessionGone,
    StepFailed,
    Unconfirmed,
)
from forwarder_core.services import confirming, drafting, limits, quotas, restoring, tunables
from forwarder_core.services.carrying import Carrier, StepReport

IRREVERSIBLE_S = 300.0  # longest an irreversible call may take, its timeouts included: the lease is renewed past it
SEND_WITHIN_S = 30.0  # the call begins so soon after its lease was renewed, or not at all
_CLEAN_READS = 2  # how often a listing must be read without a trace before “not there” is believed
_ASK_AFTER_SETTLES = 3  # a destination that says nothing for so many settle times is asked no more; a person is
_AROUND = timedelta(minutes=10)  # how far a destination's clock may be from ours
_SESSION = "session"
# By these words a destination says that it did not take the post; any other failure leaves that open.
_REFUSALS = (
    MediaRejected,
    MetadataRejected,
    PolicyRejected,
    QuotaExhausted,
    DestinationDailyLimit,
    RateLimited,
    ActionBlocked,
    AuthInvalid,
    AccountDisabled,
    ChallengeRequired,
)


def publish(carrier: Carrier, report: StepReport, errand: Errand, media: MediaFile, to: Destination) -> Published:
    """Publish the file, or find that it is published already. Goes on wherever an earlier attempt stood."""
    work = _Publishing(carrier, report, errand, media, to)
    publication, session = work.plan()
    if publication.state.is_live:
        return Published(publication.remote_id or "", publication.remote_url or "")
    if publication.state is PublicationState.UNCONFIRMED:
        raise Unconfirmed("Not known whether it was published.")
    if publication.state is PublicationState.COMMITTING:
        found = work.find_out(publication, session)
        if found is not None:
            return work.adopt(publication, found)
        work.only_where_wanted()
        publication, session = work.plan()
    return work.send(publication, session)


class _Publishing:
    """One attempt to publish, with everything it works on."""

    def __init__(self, carrier: Carrier, report: StepReport, errand: Errand, media: MediaFile, to: Destination) -> None:
        self._carrier, self._report, self._errand, self._media, self._to = carrier, report, errand, media, to
        self._core = carrier.core

    def plan(self) -> tuple[Publication, str | None]:
        """The publication this job works on: the one under way, or a new one in `planned`."""
        with self._core.begin() as tx:
            if not jobs.is_held(tx, self._carrier.lease, lock=True):
                raise self._carrier.fence()
            found = publications.latest_of(tx, self._errand.job.id)
            if found is None:
                self._add(tx)
                found = publications.latest_of(tx, self._errand.job.id)
        if found is None:
            raise LookupError("a publication just made is not there")
        publication, sealed = found
        return publication, self._core.vault.unseal(sealed).get(_SESSION)

    def only_where_wanted(self) -> None:
        """A job of a stopped connection was let in to find out, not to publish. Raises ConnectionStopped."""
        with self._core.begin() as tx:
            connection = connections.get(tx, self._errand.job.connection_id)
        if connection is None or connection.status is ConnectionStatus.STOPPED:
            raise ConnectionStopped("It is not at the destination, and its connection was stopped meanwhile.")

    def _add(self, tx: Tx) -> None:
        errand = self._errand
        taken = publications.holder_of(tx, errand.destination.id, errand.job.root_post_id)
        if taken is not None and not publications.free_place(tx, taken.id):
            raise AlreadyPublished(
                f"{errand.destination.alias} has this post already, or another job is bringing it (job {taken.job_id})."
            )
        words = drafting.words_of(errand, limits.in_force(tx, errand.destination.platform).text)
        root, now = restoring.root_of(tx, errand.job.root_post_id), self._core.clock.now()
        values = {
            "job_id": errand.job.id,
            "destination_account_id": errand.destination.id,
            "root_post_id": errand.job.root_post_id,
            "marker": restoring.marker_of(tx, errand.destination.id, root),
            "caption": words.caption,
            "words": asdict(words),
            "size_bytes": self._media.size_bytes,
            "content_sha256": self._media.sha256,
            "duration_ms": self._media.duration_ms,
            "created_at": now,
        }
        values |= restoring.to_seek(tx, errand.job.id, root, now)
        try:
            publications.add(tx, values)
        except IntegrityError as e:
            raise AlreadyPublished(f"{errand.destination.alias} is getting this post from another job.") from e

    def send(self, publication: Publication, session: str | None) -> Published:
        draft = drafting.draft_of(self._errand, publication.marker, _words_of(publication))
        crashpoints.at("publish.planned")
        if session is None:
            crashpoints.at("publish.before_open")
            self._count_session()
            session = self._to.open(draft, self._media)
            crashpoints.at("publish.after_open")
            sealed = self._core.vault.seal({_SESSION: session})
            self._move(publication, PublicationState.OPENED, session_ref=sealed)
        crashpoints.at("publish.opened")
        hooks = _Hooks(self, publication)
        try:
            done = self._to.send(session, draft, self._media, hooks)
        except Fenced:
            raise
        except Exception as e:
            self._put_down(publication, e, is_committing=hooks.is_committing)
            raise
        crashpoints.at("publish.answered")
        return self.adopt(publication, done)

    def _count_session(self) -> None:
        with self._core.begin() as tx:
            quotas.session_opens(self._core, tx, self._errand)

    def _put_down(self, publication: Publication, error: Exception, *, is_committing: bool) -> None:
        """Decide what a failed send leaves behind. Raises OutcomeUnknown for anything but a definite refusal once
        the irreversible call may have gone out."""
        if is_committing and not isinstance(error, _REFUSALS):
            raw = error.raw if isinstance(error, StepFailed) else repr(error)
            raise OutcomeUnknown("The destination's answer to the upload was lost.", raw=raw) from error
        if isinstance(error, OutcomeUnknown) or (isinstance(error, SessionGone) and publication.committing_at):
            # It went out in an earlier attempt, or the destination says it may have: looked up, not sent again.
            self._move(publication, PublicationState.COMMITTING)
        elif isinstance(error, SessionGone):
            self._move(publication, PublicationState.ABANDONED, session_ref=None)
        elif isinstance(error, StepFailed) and error.retry in (Retry.NEVER, Retry.ONCE):
            self._move(publication, PublicationState.FAILED, session_ref=None)
            self._not_taken()

    def _not_taken(self) -> None:
        """It is certain that the destination has no post of this: its day has one more again."""
        with self._core.begin() as tx:
            quotas.post_refused(tx, self._errand.destination.id, self._errand.job.id)

    def adopt(self, publication: Publication, done: Published) -> Published:
        """Write down that the destination has it: publication, origin and job in one transaction."""
        now = self._core.clock.now()
        with self._core.begin() as tx:
            moved = publications.move(
                tx,
                publication.id,
                PublicationState.PUBLISHED,
                lease=self._carrier.lease,
                remote_id=done.remote_id,
                remote_url=done.url,
                published_at=now,
                session_ref=None,
                bytes_sent=self._media.size_bytes,
            )
            if not moved:
                raise self._carrier.fence()
            posts.add_origin(
                tx,
                platform=self._errand.destination.platform,
                remote_id=done.remote_id,
                root_post_id=publication.root_post_id,
                publication_id=publication.id,
                now=now,
                address=done.url if done.names_post else None,
            )
            jobs.set_published(tx, publication.job_id, done.remote_id, done.url)
        crashpoints.at("publish.published")
        return done

    def find_out(self, publication: Publication, session: str | None) -> Published | None:
        """Ask the destination what became of the irreversible call; None = it is proven not to have happened.

        Raises OutcomeUnknown while that is not proven: the job waits and asks again.
        """
        answer = self._not_anothers(publication, self._reconcile(publication, session))
        if answer.trace is Trace.PUBLISHED and answer.published is not None:
            self._report.info("Found at the destination: %s (%s)", answer.published.url, answer.evidence)
            return answer.published
        if answer.trace is Trace.RESUMABLE:
            self._move(publication, PublicationState.SENDING, unclear_since=None, clean_reads=0)
            return None
        self._wait_or_give_up(publication, answer)
        return None

    def _wait_or_give_up(self, publication: Publication, answer: Reconciled) -> None:
        """Return when the destination provably has nothing, and the publication is abandoned; else raise.

        The settle time runs from the first look after the sender was dead or its call had ended: a request already
        on the wire heeds no fence, and a listing lags.
        """
        now = self._core.clock.now()
        since = publication.unclear_since or now
        clean = publication.clean_reads
        with self._core.begin() as tx:
            settle = timedelta(seconds=tunables.read(tx).settle_s(self._errand.destination.platform))
        if answer.trace is Trace.NOT_FOUND and now >= since + settle:
            clean += 1
            if clean >= _CLEAN_READS:
                self._give_up(publication, answer.evidence)
                return
        unclear = f"Not clear whether it was published: {answer.evidence or answer.trace}."
        if answer.trace is Trace.UNKNOWN and now >= since + _ASK_AFTER_SETTLES * settle:
            self._move(publication, PublicationState.UNCONFIRMED, unconfirmed_at=now)
            raise Unconfirmed(unclear)
        self._move(publication, PublicationState.COMMITTING, unclear_since=since, clean_reads=clean)
        raise OutcomeUnknown(unclear, retry_after_s=min(settle.total_seconds() / 3, OutcomeUnknown.wait_s))

    def _give_up(self, publication: Publication, evidence: str) -> None:
        """It is proven absent. Where a person was asked and a policy answered in their place, that is on record."""
        with self._core.begin() as tx:
            gone = PublicationState.ABANDONED
            if not publications.move(tx, publication.id, gone, lease=self._carrier.lease, session_ref=None):
                raise self._carrier.fence()
            quotas.post_refused(tx, self._errand.destination.id, self._errand.job.id)
            if publication.unconfirmed_at is not None:
                confirming.note_policy(tx, publication.job_id, self._core.clock.now(), evidence)
        self._report.info("Proven not to be at the destination (%s); publishing anew", evidence)

    def _reconcile(self, publication: Publication, session: str | None) -> Reconciled:
        """A destination that cannot be asked tells nothing: that is not an answer, and not a failure of the job."""
        began = publication.committing_at or publication.created_at
        evidence = Evidence(
            session=session,
            marker=publication.marker,
            caption=publication.caption,
            duration_ms=publication.duration_ms or 0,
            not_before=began - _AROUND,
            not_after=self._core.clock.now() + _AROUND,
        )
        try:
            return self._to.reconcile(evidence)
        except StepFailed as e:
            return Reconciled(Trace.UNKNOWN, evidence=f"{e.code}: {e.message}")

    def _not_anothers(self, publication: Publication, answer: Reconciled) -> Reconciled:
        """A post that the ledger has as another one's is not this one's, however well its words and length agree."""
        found = answer.published
        if found is None:
            return answer
        with self._core.begin() as tx:
            root = posts.roots_of(tx, self._errand.destination.platform, [found.remote_id]).get(found.remote_id)
        if root in (None, publication.root_post_id):
            return answer
        return Reconciled(Trace.UNKNOWN, evidence=f"{answer.evidence}; but {found.remote_id} is post {root}'s")

    def committing(self, publication: Publication) -> None:
        """Renew the lease past the call and write down that it is about to go out. Raises Fenced when it may not."""
        crashpoints.at("publish.before_committing")
        began = time.monotonic()
        now = self._core.clock.now()
        with self._core.begin() as tx:
            if not jobs.renew(tx, self._carrier.lease, now + timedelta(seconds=IRREVERSIBLE_S)):
                raise self._carrier.fence()
            if not publications.move(
                tx, publication.id, PublicationState.COMMITTING, lease=self._carrier.lease, committing_at=now
            ):
                raise self._carrier.fence()
            quotas.post_goes_out(self._core, tx, self._errand.destination.id, self._errand.job.id)
        crashpoints.at("publish.committing")
        if time.monotonic() - began > SEND_WITHIN_S:
            # Stopped in between, and given up since, maybe: the call heeds no fence, so it is not made.
            raise self._carrier.fence()

    def sent(self, publication: Publication, total: int) -> None:
        if total:
            self._move(publication, PublicationState.SENDING, bytes_sent=total)
        crashpoints.at("publish.sending")
        size = max(self._media.size_bytes, 1)
        self._report.progress(total / size, f"{total / 1e6:.1f} MB / {size / 1e6:.1f} MB")

    def _move(self, publication: Publication, to: PublicationState, **also: object) -> None:
        with self._core.begin() as tx:
            if not publications.move(tx, publication.id, to, lease=self._carrier.lease, **also):
                raise self._carrier.fence()


def _words_of(publication: Publication) -> Words | None:
    """As planned; None for one of a version that did not keep them."""
    said = publication.words
    return Words(str(said["title"]), str(said["caption"]), tuple(said["tags"])) if said else None


class _Hooks:
    def __init__(self, work: _Publishing, publication: Publication) -> None:
        self._work, self._publication = work, publication
        self.is_committing = False

    def sent(self, total_bytes: int) -> None:
        if not self.is_committing:
            self._work.sent(self._publication, total_bytes)

    def committing(self) -> None:
        self._work.committing(self._publication)
        self.is_committing = True


def refused(carrier: Carrier, reason: str) -> None:
    """The destination took the post and refused it afterwards: it is not there, and its place is free again."""
    with carrier.core.begin() as tx:
        found = publications.latest_of(tx, carrier.lease.job_id)
        if found is not None:
            publications.move(
                tx, found[0].id, PublicationState.FAILED, lease=carrier.lease, verification={"refused": reason}
            )


def verified(carrier: Carrier, *, url: str | None = None, **verification: object) -> None:
    """Note what the destination shows of the post. `url`: its own address, where it was not known before; it goes into
    the ledger of what we created, because to another way of looking the post's id is another."""
    now = carrier.core.clock.now()
    with carrier.core.begin() as tx:
        found = publications.latest_of(tx, carrier.lease.job_id)
        if found is None:
            raise Fenced("There is no publication to verify.")
        publication = found[0]
        moved = publications.move(
            tx,
            publication.id,
            PublicationState.VERIFIED,
            lease=carrier.lease,
            verification=verification,
            verified_at=now,
            remote_url=url or publication.remote_url,
        )
        if moved and url and publication.remote_id:
            posts.add_origin(
                tx,
                platform=jobs.errand(tx, publication.job_id).destination.platform,
                remote_id=publication.remote_id,
                root_post_id=publication.root_post_id,
                publication_id=publication.id,
                now=now,
                address=url,
            )
            jobs.set_published(tx, publication.job_id, publication.remote_id, url)
