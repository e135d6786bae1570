"""What the admin tunes: every bad value is named, all or none are stored, and what is stored is obeyed at once."""

from __future__ import annotations

from typing import Any

import pytest

from forwarder_core.db import events
from forwarder_core.errors import Invalid
from forwarder_core.services import tunables
from forwarder_core.services.context import Core

pytestmark = pytest.mark.slow


def refused(core: Core, values: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as e:
        tunables.change(core, values)
    return sorted(field.field for field in e.value.fields)


def test_what_nobody_changed_has_its_default(core: Core) -> None:
    with core.begin() as tx:
        tuned = tunables.read(tx)
    assert tuned.as_dict() == {key: tunable.default for key, tunable in tunables.ALL.items()}
    assert tuned.numbers("retry.delays_s") == (10, 60, 300)


def test_a_changed_value_is_obeyed_by_the_next_who_reads(core: Core) -> None:
    tunables.change(core, {"dispatch.max_running": 3, "retry.delays_s": [1, 2.5], "publish.settle_s.youtube": 7})
    with core.begin() as tx:
        tuned = tunables.read(tx)
    assert (tuned.count("dispatch.max_running"), tuned.numbers("retry.delays_s")) == (3, (1.0, 2.5))
    assert tuned.settle_s("youtube") == 7 and tuned.settle_s("elsewhere") == tuned.number("publish.settle_s.default")


@pytest.mark.parametrize("value", [0, -1, 201, True, "3", None, [3], float("nan"), float("inf"), {}])
def test_a_value_of_the_wrong_kind_or_size_is_refused(core: Core, value: Any) -> None:
    assert refused(core, {"dispatch.max_running": value}) == ["dispatch.max_running"]


@pytest.mark.parametrize("value", [5, [], ["1"], [1, -1], [None], "1,2", [1, 10**9]])
def test_a_list_of_waits_is_a_list_of_numbers_within_bounds(core: Core, value: Any) -> None:
    assert refused(core, {"retry.delays_s": value}) == ["retry.delays_s"]


def test_all_bad_ones_are_named_and_the_good_one_beside_them_is_not_stored(core: Core) -> None:
    bad = {"dispatch.max_running": 0, "lease.seconds": "long", "no.such.key": 1}
    assert refused(core, {**bad, "retry.max_retries": 5}) == sorted(bad)
    with core.begin() as tx:
        assert events.setting_values(tx) == {}


def test_a_stored_value_of_a_key_that_is_gone_is_passed_over(core: Core) -> None:
    with core.begin() as tx:
        events.keep_setting(tx, "of.an.older.version", 1, core.clock.now())
        assert "of.an.older.version" not in tunables.read(tx).as_dict()


def test_every_tunable_has_a_unit_a_text_and_a_default_within_its_bounds() -> None:
    for tunable in tunables.ALL.values():
        assert tunable.unit and tunable.text, tunable.key
        if tunable.is_number:
            parts = tunable.default if isinstance(tunable.default, tuple) else (tunable.default,)
            assert all(tunable.least <= float(part) <= tunable.most for part in parts), tunable.key  # type: ignore[arg-type]
        elif tunable.check:
            assert tunable.check(tunable.default) == []
        else:
            assert tunable.default in tunable.choices


def test_a_word_is_one_of_its_choices_and_a_policy_is_refused_at_the_place_that_is_wrong(core: Core) -> None:
    bad = {
        "retry.strategy": "quadratic",
        "retry.retry_on": ["network_timeout", "nonsense"],
        "retry.no_retry_on": 3,
        "retry.per_class": {"network_error": {"max_attempts": -1}, "nonsense": {}},
    }
    assert refused(core, bad) == [
        "retry.no_retry_on",
        "retry.per_class.network_error.max_attempts",
        "retry.per_class.nonsense",
        "retry.retry_on.1",
        "retry.strategy",
    ]
    tunables.change(core, {"retry.strategy": "fixed", "retry.per_class": {"network_timeout": {"max_attempts": 1}}})
    with core.begin() as tx:
        assert tunables.read(tx).word("retry.strategy") == "fixed"
