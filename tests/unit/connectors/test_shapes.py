"""The guard around reading answers: a misreading becomes one class, and nothing is guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from forwarder_core.connectors.shapes import objects_in, text_at, understood
from forwarder_core.errors import ContractChanged, Fenced, RateLimited


@pytest.mark.parametrize(
    "read",
    [
        lambda answer: answer["missing"],
        lambda answer: answer["items"][0],
        lambda answer: answer["items"]["id"],
        lambda answer: answer.items_of(),
        lambda answer: int("x"),
        lambda answer: int(float("inf")),
        lambda answer: json.loads("[" * 100_000),
        lambda answer: b"\xff".decode(),
    ],
)
def test_every_way_of_misreading_ends_in_one_class(read: Any) -> None:
    with pytest.raises(ContractChanged) as caught, understood("Toy"):
        read({"items": []})
    assert "Toy" in caught.value.message and caught.value.raw and caught.value.__cause__


def test_our_own_errors_and_bugs_of_another_kind_pass() -> None:
    for error in (Fenced("x"), RateLimited("x"), ZeroDivisionError(), OSError(), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, understood("Toy"):
            raise error
        assert caught.value is error


def test_the_raw_words_are_kept_short_and_without_secrets() -> None:
    with pytest.raises(ContractChanged) as caught, understood("Toy"):
        raise KeyError("access_token=ya29.verysecretindeed " + "x" * 5000)
    assert caught.value.raw and len(caught.value.raw) <= 300 and "verysecret" not in caught.value.raw


def test_it_decorates_too() -> None:
    @understood("Toy")
    def read(answer: dict[str, str]) -> str:
        """Its words."""
        return answer["id"]

    assert read({"id": "1"}) == "1" and read.__doc__ == "Its words."
    for _ in range(2):
        with pytest.raises(ContractChanged):
            read({})


@pytest.mark.parametrize("value", [None, 7, "", ["x"], {"a": "b"}, True])
def test_a_text_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        text_at({"snippet": {"title": value}}, "snippet", "title")
    assert text_at({"snippet": {"title": "T"}}, "snippet", "title") == "T"
    for odd in (None, [], "x", {"snippet": None}):
        with pytest.raises((TypeError, KeyError)):
            text_at(odd, "snippet", "title")


@pytest.mark.parametrize("value", [None, {}, "x", [1], [{}, None]])
def test_a_list_that_is_none_is_refused_and_a_missing_one_is_not_empty(value: object) -> None:
    with pytest.raises(TypeError):
        objects_in({"items": value}, "items")
    with pytest.raises(KeyError):
        objects_in({}, "items")
    assert objects_in({"items": [{}]}, "items") == [{}] and objects_in({"items": []}, "items") == []
