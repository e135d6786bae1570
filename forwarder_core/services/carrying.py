"""Carrying: one worker, one job, from the claim to the end of the run.

A `Carrier` holds the lease and keeps it alive from a thread; `step` frames each of the four steps: it tells where the
job stands, measures, and turns whatever goes wrong into the engine's next move. The same frame serves Dagster's
ops and a drill without Dagster.
The fact to know: each transaction costs a forward as much as three questions in it, so a step asks what it must know
in the one that says where it stands, and facts and messages wait for one that is made anyway.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.clock import cpu_used_s
from forwarder_core.db import attempts, jobs, publications, schema
from forwarder_core.db.engine import Tx
from forwarder_core.domain.jobs import Errand, JobStatus, Lease, Step
from forwarder_core.domain.publications import JobFile, Publication
from forwarder_core.errors import Bug, Fenced, LocalFailed, StepFailed
from forwarder_core.logs import redact
from forwarder_core.services import failing, forwarding, journal, tunables
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about
from forwarder_core.services.tunables import Tuned

_REPORT_EVERY_S = 2.0  # what moves on the screens is drawn anew every two seconds
_REPORT_AGAIN_EVERY_S = 5.0  # where there is nothing new to say, as while an encode waits for its turn
_FIRST_BEAT_S = 1.0
_MESSAGES_WAIT_S = 1.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outset:
    """What was known when a step began. `publication`: that of the job which still counts; `files`: by kind."""

    errand: Errand
    publication: Publication | None
    files: Mapping[str, JobFile]
    tuned: Tuned

    @classmethod
    def read(cls, tx: Tx, job_id: int) -> Self:
        tuned, files, found = tunables.read(tx), publications.files_of(tx, job_id), publications.latest_of(tx, job_id)
        return cls(errand=jobs.errand(tx, job_id), publication=found[0] if found else None, files=files, tuned=tuned)

    @property
    def live(self) -> Publication | None:
        """The publication, where the destination has it already."""
        return self.publication if self.publication and self.publication.state.is_live else None


class Carrier:
    """The right to carry one job in this process. Use `claim` first; `let_go` at the end, whatever happened."""

    def __init__(self, core: Core, job_id: int, dispatch_no: int | None, run_id: str) -> None:
        """`dispatch_no` None: a run somebody re-executed by hand, which opens the job's next attempt."""
        self.core = core
        self._job_id, self._dispatch_no, self._run_id = job_id, dispatch_no, run_id
        self._lease: Lease | None = None
        self._ended = threading.Event()
        self._fenced = threading.Event()
        self._pulse: threading.Thread | None = None
        self._outset: Outset | None = None
        self.journal = journal.of(core)
        self._cpu_before_s = cpu_used_s()

    @property
    def lease(self) -> Lease:
        if self._lease is None or self._fenced.is_set():
            raise Fenced(f"Job {self._job_id} is not carried by this worker.")
        return self._lease

    @property
    def cpu_s(self) -> float:
        """CPU seconds spent since this carrier was made, by the process and its ended children: it has them to itself,
        but may have carried other jobs before."""
        return round(cpu_used_s() - self._cpu_before_s, 3)

    def claim(self) -> bool:
        """Take the job; True also when this run holds it already."""
        if self._lease is None:
            self.journal.begin_holding()
            try:
                self._lease = self._take()
            finally:
                if self._lease is None:
                    self.journal.end_holding()
            if self._lease is not None:
                self._pulse = threading.Thread(target=self._beat, name="lease", daemon=True)
                self._pulse.start()
        return self._lease is not None

    def _take(self) -> Lease | None:
        if self._dispatch_no is None:
            return forwarding.claim_again(self.core, self._job_id, self._run_id)
        return forwarding.claim(self.core, self._job_id, self._dispatch_no, self._run_id)

    def why_not(self) -> str:
        """Why the claim was refused, in words."""
        with self.core.begin() as tx:
            job, is_ours = jobs.get(tx, self._job_id), schema.is_ours(tx)
        if not is_ours:
            return "this process is of another version than the database's tables; start it again from the present one"
        if job is None:
            return f"there is no job {self._job_id}"
        if job.status is JobStatus.SUCCESS:
            return f"already published ({job.destination_url})"
        return f"the job is {job.status}, and this launch is spent, or its connection or an account may not act now"

    @property
    def outset(self) -> Outset:
        """Of the step under way."""
        if self._outset is None:
            raise LookupError("no step has begun")
        return self._outset

    def errand(self) -> Errand:
        """As it was when the step under way began."""
        return self.outset.errand

    def let_go(self) -> None:
        self._ended.set()
        if self._pulse is not None:
            self._pulse.join(timeout=5)
            self._pulse = None
            self.journal.end_holding()

    @contextmanager
    def step(self, step: Step) -> Iterator[StepReport]:
        """Frame a step. On any failure the attempt is closed in the database before the error goes on."""
        report = StepReport(self, step)
        self._outset = report.begin()
        try:
            yield report
        except Fenced:
            raise
        except StepFailed as e:
            self._fail(report, e)
            raise
        except SQLAlchemyError as e:
            raise self._failed(report, LocalFailed("The database did not answer.", raw=type(e).__name__)) from e
        except Exception as e:  # the run boundary: whatever it is, the job must get a named state
            raise self._failed(report, Bug(f"Unexpected {type(e).__name__} in {step}.", raw=redact(repr(e)))) from e
        report.end()

    def _failed(self, report: StepReport, error: StepFailed) -> StepFailed:
        self._fail(report, error)
        return error

    def _fail(self, report: StepReport, error: StepFailed) -> None:
        if self._lease is not None and not self._fenced.is_set():
            try:
                report.keep_facts()
            except SQLAlchemyError as e:  # figures; why it failed is written in any case
                log.warning("Job %s: the figures of its step are lost: %s", self._job_id, type(e).__name__)
            failing.fail(self.core, self._lease, error)
        self._ended.set()

    def interrupt(self, *, because: str, cancel: bool) -> None:
        """Somebody ended this run on purpose: hand the job back in good order."""
        if self._lease is not None and not self._fenced.is_set():
            forwarding.hand_back(self.core, self._lease, because=because, cancel=cancel)
        self._ended.set()

    def fence(self) -> Fenced:
        """The job was taken from this worker: from now on it changes nothing, and says so once."""
        if not self._fenced.is_set():
            self._fenced.set()
            self._ended.set()
            told = about(job_id=self._job_id)
            told.warning(
                "Job %s: it was taken from this worker, which stops", self._job_id, extra={"code": Fenced.code}
            )
        return Fenced(f"Job {self._job_id} is carried by another worker now.")

    def _beat(self) -> None:
        """Renew the lease three times in its span, and let no message wait for long. A database that is away is waited
        for: losing the lease is safe."""
        every_s = _FIRST_BEAT_S
        due = time.monotonic() + every_s
        while not self._ended.wait(max(0.0, min(_MESSAGES_WAIT_S, due - time.monotonic()))):
            self.journal.write_held()
            if time.monotonic() < due:
                continue
            try:
                every_s = forwarding.renew(self.core, self.lease) / 3
            except Fenced:
                self.fence()
            except SQLAlchemyError as e:
                log.warning("Lease not renewed: %s", type(e).__name__)
            due = time.monotonic() + every_s


class StepReport:
    """What a step says while it works."""

    def __init__(self, carrier: Carrier, step: Step) -> None:
        self._carrier = carrier
        self._step = step
        self._said_at = 0.0
        self._said = (0.0, "")
        self._began = time.monotonic()
        self._facts: dict[str, Any] = {}

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def begin(self) -> Outset:
        with self._carrier.journal.along() as tx:
            outset = Outset.read(tx, self._carrier.lease.job_id) if self._report(tx, 0.0, "") else None
        if outset is None:
            raise self._carrier.fence()
        return outset

    def end(self) -> None:
        spent = {self._step: round(self.seconds, 3), "cpu": self._carrier.cpu_s}
        with self._carrier.journal.along() as tx:
            is_ours = attempts.note(tx, self._carrier.lease, seconds=spent, **self._facts)
        if not is_ours:
            raise self._carrier.fence()

    def keep_facts(self) -> None:
        """Write down at once what the end of the step would."""
        if self._facts:
            with self._carrier.core.begin() as tx:
                attempts.note(tx, self._carrier.lease, **self._facts)
            self._facts = {}

    def progress(self, fraction: float, note: str = "") -> None:
        """`fraction` 0..1 of this step. Written at most every two seconds, and every five where nothing changed.
        Raises Fenced when the job was taken away."""
        said = (max(0.0, min(fraction, 1.0)), note)
        every_s = _REPORT_EVERY_S if said != self._said else _REPORT_AGAIN_EVERY_S
        if time.monotonic() - self._said_at >= every_s:
            with self._carrier.journal.along() as tx:
                is_ours = self._report(tx, *said)
            if not is_ours:
                raise self._carrier.fence()

    def fact(self, **values: Any) -> None:
        """Keep a fact with the attempt, at the latest when the step ends: bytes_fetched, bytes_sent."""
        self._facts |= values

    def info(self, text: str, *parts: object) -> None:
        """A step message, as the admin reads it beside the job."""
        job = self._carrier.lease.job_id
        about(job_id=job).info(f"Job {job}: {text}", *parts, extra={"step": self._step})

    def _report(self, tx: Tx, fraction: float, note: str) -> bool:
        """False = the job is another worker's by now."""
        self._said_at, self._said = time.monotonic(), (fraction, note)
        now = self._carrier.core.clock.now()
        return jobs.report(tx, self._carrier.lease, step=self._step, progress=fraction, note=note, now=now)
