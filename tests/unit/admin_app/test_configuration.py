"""Streamlit is set up as we want it, and takes every option by its name."""

from __future__ import annotations

from streamlit import config

from admin_app.ui import configuration


def test_every_option_is_taken() -> None:
    configuration.apply()
    assert {name: config.get_option(name) for name in configuration.OPTIONS} == configuration.OPTIONS
