"""The tables of moves: every state has a row, ended ones stay ended but by hand, and `before` reads the table back."""

from __future__ import annotations

from forwarder_core.domain import jobs, publications
from forwarder_core.domain.jobs import SYNONYMS, Dispatch, JobStatus
from forwarder_core.domain.publications import CLOSED, PublicationState, marker_of

J, P = JobStatus, PublicationState


def test_every_state_has_a_row_and_every_target_is_a_state() -> None:
    assert set(jobs.MOVES) == set(J)
    assert set(publications.MOVES) == set(P)
    assert all(targets <= set(J) for targets in jobs.MOVES.values())
    assert all(targets <= set(P) for targets in publications.MOVES.values())


def test_before_is_the_table_read_the_other_way() -> None:
    assert {(a, b) for a, targets in jobs.MOVES.items() for b in targets} == {(a, b) for b in J for a in jobs.before(b)}
    assert {(a, b) for a, targets in publications.MOVES.items() for b in targets} == {
        (a, b) for b in P for a in publications.before(b)
    }


def test_an_ended_job_leaves_its_end_only_by_a_retry_by_hand() -> None:
    exits = {status: jobs.MOVES[status] for status in J if status.is_terminal}
    assert exits == {J.SUCCESS: frozenset(), J.DEAD: frozenset({J.QUEUED}), J.CANCELLED: frozenset({J.QUEUED})}


def test_only_a_job_that_waits_may_start_and_every_job_that_is_held_can_be_queued_again() -> None:
    assert jobs.before(J.RUNNING) == {J.QUEUED, J.RETRY_WAIT}
    assert {J.CAPTCHA, J.PAUSED, J.UNCONFIRMED, J.RETRY_WAIT} <= jobs.before(J.QUEUED)


def test_success_comes_from_a_worker_or_from_a_person_who_saw_it_live() -> None:
    assert jobs.before(J.SUCCESS) == {J.RUNNING, J.UNCONFIRMED}


def test_every_job_that_is_not_ended_can_end() -> None:
    for status in J:
        reached, todo = set(), [status]
        while todo:
            state = todo.pop()
            reached.add(state)
            todo += [target for target in jobs.MOVES[state] if target not in reached]
        assert status.is_terminal or {J.SUCCESS, J.DEAD} <= reached, status


def test_a_job_that_may_be_live_is_never_cancelled_without_being_asked_about() -> None:
    assert J.CANCELLED not in jobs.MOVES[J.UNCONFIRMED]


def test_the_clients_words_for_states_are_states() -> None:
    assert set(SYNONYMS.values()) <= set(J)
    assert not set(SYNONYMS) & set(J), "a synonym never hides a state of its own"


def test_a_publication_once_live_is_looked_at_and_stays_unless_the_destination_refused_it_afterwards() -> None:
    assert publications.MOVES[P.PUBLISHED] == {P.VERIFIED, P.FAILED}
    assert publications.MOVES[P.VERIFIED] == frozenset()
    assert [state for state in P if state.is_live] == [P.PUBLISHED, P.VERIFIED]


def test_a_publication_that_was_given_up_stays_so_and_gives_its_place_free() -> None:
    assert set(CLOSED) == {P.ABANDONED, P.FAILED}
    assert all(publications.MOVES[state] == frozenset() for state in CLOSED)


def test_after_the_irreversible_call_nothing_goes_back_before_it_but_a_session_that_proved_open() -> None:
    assert publications.MOVES[P.COMMITTING] & {P.PLANNED, P.OPENED} == frozenset()
    assert publications.MOVES[P.UNCONFIRMED] == {P.PUBLISHED, P.ABANDONED, P.COMMITTING}, "or it is asked again"


def test_what_may_not_be_known_by_name_at_the_destination_is_exactly_what_was_sent_and_not_confirmed() -> None:
    assert set(publications.NAMELESS) == {P.SENDING, P.COMMITTING, P.UNCONFIRMED}


def test_a_run_key_is_new_for_each_launch_and_the_partition_is_the_post_on_its_connection() -> None:
    first, second = (
        Dispatch(
            job_id=7,
            dispatch_no=n,
            connection_id=3,
            source_post_id=9,
            priority=0,
            source_account_id=1,
            destination_account_id=2,
        )
        for n in (1, 2)
    )
    assert first.partition_key == second.partition_key == "3|9"
    assert first.run_key != second.run_key


def test_a_marker_is_the_same_for_one_post_at_one_place_and_unguessable_without_the_key() -> None:
    marker = marker_of("key", 7, 3, "314")
    assert marker.startswith("fw-") and len(marker) == 13 and marker == marker_of("key", 7, 3, "314")
    others = {marker_of("other", 7, 3, "314"), marker_of("key", 8, 3, "314"), marker_of("key", 7, 3, "315")}
    assert len(others | {marker}) == 4
