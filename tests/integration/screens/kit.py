"""What the tests of screens share: reading and pressing, and the states a screen is looked at in.

Screens are run without a browser. The guard and the session are proven elsewhere; here a user is taken for granted, and
the screen under test stands in the place of the first one, because the test runner opens no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from admin_app import process
from forwarder_core.db.tables.people import audit_log
from forwarder_core.domain.accounts import Account
from forwarder_core.services import challenges
from forwarder_core.services.context import Core
from forwarder_core.services.signing_in import SignedIn
from tests import factories
from tests.unit.admin_app.doorway import HOSTILE, USER

APP = Path(__file__).resolve().parents[3] / "admin_app" / "ui" / "app.py"
Opening = Callable[..., AppTest]


@contextmanager
def seated(core: Core) -> Iterator[SignedIn]:
    """The process's core, and who looks at it."""
    process.use(core)
    ends = core.clock.now() + timedelta(days=1)
    yield SignedIn(user_id=1, username=USER, csrf_token="", is_remembered=False, expires_at=ends)
    process._held.clear()


def run(test: AppTest) -> AppTest:
    test.run()
    assert not test.exception, test.exception
    return test


def press(test: AppTest, label: str) -> AppTest:
    (button,) = (b for b in test.button if b.label == label)
    button.click()
    return run(test)


def told(test: AppTest) -> str:
    kinds = (test.markdown, test.caption, test.text, test.error, test.warning, test.info, test.success)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def in_view(opened: Opening, screen: Any, key: str, view: Any) -> AppTest:
    return opened(screen, view=(key, view))


def challenged(core: Core) -> Account:
    account = factories.add_account(core, alias="TravelReels_Insta", handle="travel_reels_official")
    factories.add_job(core, factories.add_connection(core, account), status="captcha")
    with core.begin() as tx:
        challenges.raise_on(tx, account, HOSTILE, core.clock.now())
    return account


def audited(core: Core) -> list[str]:
    return [row["what"] for row in factories.rows(core, audit_log)]
