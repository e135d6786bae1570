"""Buckets of calls: a minute's worth at once, then the rate, and the wait is said."""

from __future__ import annotations

import pytest

from admin_app.door.limits import Buckets
from forwarder_core.errors import TooManyRequests


def test_a_bucket_empties_and_fills_at_its_rate() -> None:
    now = [0.0]
    calls = Buckets(lambda: now[0])
    for _ in range(60):
        calls.take("me", 60)
    with pytest.raises(TooManyRequests) as refused:
        calls.take("me", 60)
    assert refused.value.retry_after_s == 1
    calls.take("somebody else", 60)
    now[0] = 1.0
    calls.take("me", 60)
    with pytest.raises(TooManyRequests):
        calls.take("me", 60)
