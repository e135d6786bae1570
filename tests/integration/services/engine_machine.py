"""The engine as a whole under whatever order of events: nothing twice, nothing lost, nothing ended that moves again.

One source, three connections (two to one destination, one to another), workers that fail, lose answers and die, and an
administrator who stops, starts, retries and cancels. At the end of every run all that is left is carried to its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import update

from forwarder_core.clock import ManualClock
from forwarder_core.db import accounts, connections, jobs, posts
from forwarder_core.db.tables import flow
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.jobs import JobStatus, Step
from forwarder_core.domain.publications import PublicationState
from forwarder_core.errors import Conflict, Fenced, StepFailed, failure_classes
from forwarder_core.services import challenges, detection, editing, forwarding, publishing, recovery
from forwarder_core.services import connections as connecting
from forwarder_core.services import jobs as handling
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from tests.factories import add_account, add_connection, emptied, rows, seen_post
from tests.integration.services.far_ends import MEDIA, Death, Feed, Mode, NoRuns, Shop

DEAD_WORKER = {"pid": 2**22 + 1, "born": 0.0}
FAILURES = sorted(code for code, cls in failure_classes().items() if cls is not StepFailed)
any_number = st.integers(0, 20)
Rows = list[Mapping[str, Any]]


class EngineMachine(RuleBasedStateMachine):
    core: Core
    clock: ManualClock
    feed: Feed

    def __init__(self) -> None:
        super().__init__()
        emptied(self.core.engine)
        self.feed.posts, self.feed.error = [], None
        self.source = add_account(self.core)
        shops = [add_account(self.core, "youtube", auth_method="oauth") for _ in range(2)]
        self.shops = {shop.id: Shop(name=f"video-{shop.id}") for shop in shops}
        ends = (shops[0], shops[0], shops[1])
        self.connections = [add_connection(self.core, self.source, end, started_at=self.clock.now()) for end in ends]
        with self.core.begin() as tx:
            accounts.watch(tx, self.source.id, self.clock.now())
        self.launches: list[Any] = []
        self.workers: list[Carrier] = []
        self.fences: set[tuple[int, int]] = set()
        self.ended: dict[int, str] = {}

    # ---- what the world does ------------------------------------------------------------------------------------

    @initialize()
    def two_posts_are_seen(self) -> None:
        for _ in range(2):
            self.a_post_appears_and_is_seen()

    @rule()
    def a_post_appears_and_is_seen(self) -> None:
        self.clock.move(1)
        if len(self.feed.posts) < 6:
            self.feed.posts.append(seen_post(self.clock.now()))
        detection.poll_now(self.core, self.source.id)
        with self.core.begin() as tx:
            assert posts.count_undecided(tx) == 0, "every seen post has a decision of every active connection"

    @rule(seconds=st.sampled_from([11, 130, 700, 4_000]))
    def time_passes(self, seconds: int) -> None:
        self.clock.move(seconds)

    @rule(shop=any_number, is_mute=st.booleans())
    def a_destination_forgets_its_sessions(self, shop: int, is_mute: bool) -> None:
        found = list(self.shops.values())[shop % 2]
        found.is_mute = is_mute
        found.sessions.clear()

    # ---- what the product does ----------------------------------------------------------------------------------

    @rule(which=any_number)
    def what_is_due_is_launched_and_a_run_claims(self, which: int) -> None:
        self.launches += forwarding.dispatchable(self.core)
        if not self.launches:
            return
        launch = self.launches[-1 - which % len(self.launches)]  # maybe a stale one, maybe one claimed before
        carrier = Carrier(self.core, launch.job_id, launch.dispatch_no, f"run-{len(self.fences)}")
        if not carrier.claim():
            return
        held = (launch.job_id, carrier.lease.fence)
        assert held not in self.fences, "a fence has one holder, ever"
        self.fences.add(held)
        self.workers.append(carrier)
        with self.core.begin() as tx:  # whoever reaps finds a dead process, not this one
            tx.execute(update(flow.jobs).where(flow.jobs.c.id == launch.job_id).values(worker=self.dead()))

    @rule(which=any_number, code=st.sampled_from(FAILURES))
    def a_step_fails(self, which: int, code: str) -> None:
        if worker := self.worker(which):
            self.step(worker, Step.FETCH, failure_classes()[code]("It failed."))

    @rule(which=any_number, modes=st.lists(st.sampled_from(Mode), min_size=1, max_size=4))
    def workers_publish(self, which: int, modes: list[Mode]) -> None:
        for mode in modes:
            self.clock.move(100)
            if worker := self.worker(which):
                self.publish(worker, mode)

    @rule()
    def the_dead_are_buried(self) -> None:
        self.clock.move(publishing.IRREVERSIBLE_S + 1)
        recovery.reap(self.core, NoRuns())
        assert not [job for job in rows(self.core, flow.jobs) if job["status"] == JobStatus.RUNNING]

    # ---- what the administrator does ----------------------------------------------------------------------------

    @rule(which=any_number, act=st.sampled_from([connecting.stop, connecting.pause, connecting.start]))
    def a_connection_is_switched(self, which: int, act: Any) -> None:
        try:
            act(self.core, self.connections[which % 3].id)
        except Conflict:
            assert act is not connecting.stop, "a stop is never refused"

    @rule(which=any_number, shop=any_number)
    def a_connection_is_led_elsewhere(self, which: int, shop: int) -> None:
        to = list(self.shops)[shop % 2]
        try:
            editing.change_connection(
                self.core, self.connections[which % 3].id, {"destination_account_id": to}, who="admin"
            )
        except Conflict as e:
            assert "on its way" in e.message

    @rule(which=any_number, act=st.sampled_from([handling.retry, handling.cancel]))
    def a_job_is_moved_by_hand(self, which: int, act: Any) -> None:
        made = [row["id"] for row in rows(self.core, flow.jobs)]
        if made:
            job = made[which % len(made)]
            try:
                act(self.core, job, who="admin")
            except Conflict:
                return
            self.ended.pop(job, None)

    @rule()
    def the_accounts_are_mended(self) -> None:
        for account in (self.source.id, *self.shops):
            challenges.resolve(self.core, account, notes="done", who="admin")
            with self.core.begin() as tx:
                accounts.change(tx, account, {"status": AccountStatus.ACTIVE, "cool_down_until": None})
        held = [row["id"] for row in rows(self.core, flow.jobs) if row["status"] in (JobStatus.PAUSED, "captcha")]
        with self.core.begin() as tx:
            jobs.move(tx, held, JobStatus.QUEUED, now=self.clock.now(), wait_reason=None)

    # ---- what is always true ------------------------------------------------------------------------------------

    @invariant()
    def it_is_sound(self) -> None:
        made, sent = rows(self.core, flow.jobs), rows(self.core, flow.publications)
        self.no_destination_has_a_post_twice(sent)
        self.success_means_a_live_publication(made, sent)
        self.an_ended_job_stays_ended(made)
        self.the_counters_count_what_they_are_named_for(made, rows(self.core, flow.attempts))
        self.a_job_exists_exactly_where_the_decision_was_to_forward(made, rows(self.core, flow.decisions))

    def no_destination_has_a_post_twice(self, sent: Rows) -> None:
        places = {p["marker"]: (p["destination_account_id"], p["root_post_id"]) for p in sent}
        live = Counter(places[marker] for shop in self.shops.values() for marker, _ in shop.videos)
        assert not [place for place, times in live.items() if times > 1]

    def success_means_a_live_publication(self, made: Rows, sent: Rows) -> None:
        live = {p["job_id"] for p in sent if PublicationState(p["state"]).is_live}
        assert {job["id"] for job in made if job["status"] == JobStatus.SUCCESS} <= live

    def an_ended_job_stays_ended(self, made: Rows) -> None:
        for job in made:
            status = JobStatus(job["status"])
            assert self.ended.get(job["id"], status) == status
            assert (job["completed_at"] is not None) == status.is_terminal
            if status.is_terminal:
                self.ended[job["id"]] = status

    def the_counters_count_what_they_are_named_for(self, made: Rows, tried: Rows) -> None:
        for job in made:
            mine = Counter(attempt["state"] for attempt in tried if attempt["job_id"] == job["id"])
            assert job["attempts"] == mine.total() <= job["dispatch_no"]
            assert job["retries_used"] <= mine["failed"] and job["rescues"] <= mine["lost"]
            assert mine["running"] == (job["status"] == JobStatus.RUNNING) == (job["lease_until"] is not None)

    def a_job_exists_exactly_where_the_decision_was_to_forward(self, made: Rows, decided: Rows) -> None:
        wanted = {(d["connection_id"], d["source_post_id"]) for d in decided if d["verdict"] == "forward"}
        assert wanted == {(job["connection_id"], job["source_post_id"]) for job in made}

    # ---- the end ------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Everything that was wanted and not given up arrives, once the trouble is over."""
        for worker in self.workers:
            worker.let_go()
        for shop in self.shops.values():
            shop.is_mute = False
        with self.core.begin() as tx:
            for connection in self.connections:
                connections.change(tx, connection.id, {"status": "active"})
        for _ in range(60):
            self.the_dead_are_buried()
            self.clock.move(25 * 3_600)
            self.the_accounts_are_mended()
            due = forwarding.dispatchable(self.core)
            if not due:
                break
            for launch in due:
                carrier = Carrier(self.core, launch.job_id, launch.dispatch_no, "last-run")
                assert carrier.claim()
                self.publish(carrier, Mode.FINE)
                carrier.let_go()
        left = {JobStatus(job["status"]) for job in rows(self.core, flow.jobs)}
        assert left <= {JobStatus.SUCCESS, JobStatus.DEAD, JobStatus.CANCELLED, JobStatus.UNCONFIRMED}
        self.it_is_sound()

    # ---- inside -------------------------------------------------------------------------------------------------

    def worker(self, which: int) -> Carrier | None:
        """One that has a job, or had one once; a new one where there is none."""
        if not self.workers:
            self.what_is_due_is_launched_and_a_run_claims(0)
        return self.workers[which % len(self.workers)] if self.workers else None

    def dead(self) -> dict[str, Any]:
        return {**forwarding.this_worker(), **DEAD_WORKER}

    def step(self, worker: Carrier, step: Step, error: StepFailed) -> None:
        try:
            with worker.step(step):
                raise error
        except (Fenced, StepFailed):
            self.let_go(worker)

    def publish(self, worker: Carrier, mode: Mode) -> None:
        try:
            with worker.step(Step.PUBLISH) as report:
                errand = worker.errand()
                shop = self.shops[errand.destination.id]
                shop.mode = mode
                publishing.publish(worker, report, errand, MEDIA, shop)
            forwarding.succeed(self.core, worker.lease)
        except (Fenced, StepFailed, Death):
            """The database says what became of it."""
        self.let_go(worker)

    def let_go(self, worker: Carrier) -> None:
        worker.let_go()
        self.workers = [other for other in self.workers if other is not worker]
