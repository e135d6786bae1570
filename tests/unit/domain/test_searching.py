"""What is typed becomes a question that cannot be broken, and numbers become ids only where they fit."""

from __future__ import annotations

import pytest

from forwarder_core.domain.searching import exact_id, prefix_query


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("temple", "'temple':*"),
        ("  ancient   temp ", "'ancient':* & 'temp':*"),
        ("my-video", "'my-video':*"),
        ("it's \\ & | ! :* (", "'its':*"),
        ("", None),
        ("&&& '", None),
    ],
)
def test_every_part_is_the_beginning_of_a_word(typed: str, query: str | None) -> None:
    assert prefix_query(typed) == query


@pytest.mark.parametrize(
    ("typed", "found"), [("42", 42), (" #42 ", 42), ("4x", None), ("", None), ("9" * 19, None), ("٤", None)]
)
def test_a_number_is_an_id_where_it_may_be_one(typed: str, found: int | None) -> None:
    assert exact_id(typed) == found
