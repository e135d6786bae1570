"""The calls all clients of a process share: built once, and with no way out of their own."""

from __future__ import annotations

import pytest

from forwarder_core.platforms.youtube import client


def test_a_request_that_was_given_no_transport_goes_nowhere() -> None:
    request = client._calls("videos").list(part="id", id="abc")
    with pytest.raises(RuntimeError, match="no transport"):
        request.execute()


def test_the_librarys_methods_are_built_once() -> None:
    client.warm()
    assert client._calls("videos") is client._calls("videos")


def test_what_one_request_asks_is_not_in_the_next() -> None:
    first = client._calls("videos").list(part="id", id="abc", maxHeight=8192)
    second = client._calls("videos").list(part="snippet", id="def")
    assert "maxHeight=8192" in first.uri
    assert "maxHeight" not in second.uri
    assert "abc" not in second.uri
