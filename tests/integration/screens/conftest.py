"""A core that the screens find, with somebody signed in, and how a screen is opened on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from admin_app.ui import access
from admin_app.ui.screens import overview
from forwarder_core.services.context import Core
from tests.integration.screens.kit import APP, Opening, run, seated


@pytest.fixture
def core(core: Core, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    with seated(core) as user:
        monkeypatch.setattr(access, "require_user", lambda **_: user)
        yield core


@pytest.fixture
def opened(core: Core, monkeypatch: pytest.MonkeyPatch) -> Opening:
    def opened(screen: Callable[[], None], *, view: tuple[str, str] | None = None, **query: str) -> AppTest:
        """`view`: the key of a choice on the screen, and what is chosen there from the beginning."""
        monkeypatch.setattr(overview, "show", screen)
        test = AppTest.from_file(str(APP), default_timeout=120)
        if view is not None:
            test.session_state[view[0]] = view[1]
        for name, value in query.items():
            test.query_params[name] = value
        return run(test)

    return opened
