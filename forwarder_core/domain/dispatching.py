"""Which of the due jobs start now: the most urgent first, as far as there is room at both their ends. Pure.

The fact to know: a job is passed over for its own ends only. One that waits for its source hides no later job of the
same destination, and takes no place there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from forwarder_core.domain.jobs import Dispatch

Ends = tuple[int, int]  # source account, destination account


def fitting(
    due: Iterable[Dispatch],
    under_way: Iterable[Ends],
    *,
    room: int,
    per_destination: int,
    per_source: int,
    may: Callable[[Dispatch], bool] = lambda _: True,
) -> list[Dispatch]:
    """Of `due`, most urgent first, at most `room`. `under_way`: the ends of the jobs that run or are dispatched.

    `may` is asked last, of a job there is room for; its yes is taken as the start of that job.
    """
    ends = list(under_way)
    sources, destinations = Counter(source for source, _ in ends), Counter(destination for _, destination in ends)
    chosen: list[Dispatch] = []
    for job in due:
        if len(chosen) >= room:
            break
        source, destination = job.source_account_id, job.destination_account_id
        if sources[source] < per_source and destinations[destination] < per_destination and may(job):
            sources[source] += 1
            destinations[destination] += 1
            chosen.append(job)
    return chosen
