"""The forms of how a connection delivers and of what an account's downloads are: what is typed is what is stored."""

from __future__ import annotations

from typing import Any

import pytest

from admin_app.ui import delivery_fields, downloads, sign_ins
from admin_app.ui.screens import account, connection
from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.db import tokens
from forwarder_core.domain.accounts import Rights
from forwarder_core.domain.proxies import Assignment, ProxyType
from forwarder_core.services import accounts, connections, forms, proxies
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.context import Core
from forwarder_core.services.proxies import NewProxy
from tests import factories
from tests.integration.screens.kit import Opening, press, told
from tests.integration.services.far_ends import Feed

pytestmark = pytest.mark.slow


def labelled(elements: Any, label: str) -> Any:
    return next(each for each in elements if each.label == label)


def test_a_connection_is_given_a_credential_retries_and_a_word_for_the_unclear(core: Core, opened: Opening) -> None:
    id_ = factories.add_connection(core).id
    destination = connections.get(core, id_).destination_account_id
    with core.begin() as tx:
        second = tokens.add(tx, destination, "Second channel key", core.vault.seal({}), core.clock.now())
    page = opened(lambda: delivery_fields.edit(connections.get(core, id_)))
    labelled(page.selectbox, "Credential to publish with").select(second)
    labelled(page.toggle, "A retry policy of its own").set_value(True).run()
    labelled(page.number_input, "Retries").set_value(5)
    labelled(page.text_input, "Waits (s)").set_value("5, 50")
    labelled(page.multiselect, "Never retry").select("network_error")
    labelled(page.radio, "Not known whether a post is live").set_value(True).run()
    labelled(page.number_input, "Ask the destination every … hours").set_value(2.0)
    press(page, "Save")
    stored = connections.get(core, id_)
    assert stored.token_ref == second and stored.on_ambiguous == {"publish_again_after_s": 7_200.0}
    assert stored.retry_policy == {
        "max_attempts": 5,
        "delays_seconds": [5.0, 50.0],
        "no_retry_on_errors": ["network_error"],
    }
    page = opened(lambda: delivery_fields.edit(connections.get(core, id_)))
    labelled(page.selectbox, "Credential to publish with").select_index(0)
    labelled(page.toggle, "A retry policy of its own").set_value(False)
    labelled(page.radio, "Not known whether a post is live").set_value(False)
    press(page, "Save")
    plain = connections.get(core, id_)
    assert (plain.token_ref, plain.retry_policy, plain.on_ambiguous) == (None, {}, "ask")


def test_a_connection_asks_first_and_gets_a_pool_and_both_are_taken_back(core: Core, opened: Opening) -> None:
    new = {"type": ProxyType.HTTP, "host": "8.8.8.8", "assignment": Assignment.PER_CONNECTION}
    first, second = (
        proxies.create(core, NewProxy(alias=alias, port=port, **new), who="admin").id  # type: ignore[arg-type]
        for alias, port in (("US_01", 8080), ("US_02", 8081))
    )
    id_ = factories.add_connection(core, publish_options={"privacy": "unlisted"}).id
    page = opened(lambda: delivery_fields.edit(connections.get(core, id_)))
    labelled(page.toggle, "Ask me before each post is published").set_value(True)
    labelled(page.multiselect, "Proxies").select(first).select(second).run()
    labelled(page.selectbox, "Taken in turn").select("round_robin")
    press(page, "Save")
    stored = connections.get(core, id_)
    assert stored.publish == {"privacy": "unlisted", "approval": True}
    assert stored.proxy_policy == {
        "mode": "round_robin", "pool": [first, second], "fallback_to_direct": False, "max_retry_per_proxy": 2
    }  # fmt: skip
    page = opened(lambda: delivery_fields.edit(connections.get(core, id_)))
    labelled(page.toggle, "Ask me before each post is published").set_value(False)
    labelled(page.multiselect, "Proxies").set_value([]).run()
    press(page, "Save")
    stored = connections.get(core, id_)
    assert (stored.publish["approval"], stored.proxy_policy["pool"]) == (False, [])


def test_a_formula_of_waits_is_kept_and_what_the_api_said_beside_it(core: Core, opened: Opening) -> None:
    said = {"max_attempts": 2, "backoff_strategy": "fixed", "per_class": {"proxy_error": {"max_attempts": 7}}}
    id_ = factories.add_connection(core, retry_policy=said).id
    page = opened(lambda: delivery_fields.edit(connections.get(core, id_)))
    labelled(page.number_input, "First wait (s)").set_value(30.0)
    press(page, "Save")
    stored = connections.get(core, id_).retry_policy
    assert stored["per_class"] == {"proxy_error": {"max_attempts": 7}}
    assert (stored["backoff_strategy"], stored["initial_delay_seconds"]) == ("fixed", 30.0)


def test_the_login_of_metas_page_is_chosen_and_not_typed(opened: Opening) -> None:
    (field,) = [f for f in forms.auth_method("instagram", "graph_api").fields if f.name == "login"]
    page = opened(lambda: sign_ins.credential(field))
    assert list(page.selectbox[0].options)[1:] == [words for _, words in field.choices]
    for value, _ in field.choices:
        typed = {"access_token": "IGAAtoken", "login": value}
        assert registry.secrets_from_form("instagram", typed)["login"] == value


def test_posts_are_downloaded_by_form_shown_and_cancelled(
    core: Core, opened: Opening, feed: Feed, clock: ManualClock
) -> None:
    feed.posts = [factories.seen_post(factories.later(core, -86_400 * n)) for n in range(1, 5)]
    source = factories.add_account(core, rights=Rights.OWN)
    assert "Add an archive account first" in told(opened(lambda: downloads.panel(source)))
    accounts.create(core, NewAccount(platform="archive", alias="Films", handle="films", auth_method="folder"))
    page = opened(lambda: downloads.panel(source))
    labelled(page.number_input, "Only the newest … (0 = all of those days)").set_value(3)
    press(page, "Download them")
    page = opened(lambda: downloads.panel(source))
    (made,) = connections.page(core)
    assert connections.outcomes(core, [made.id]) == {made.id: {"queued": 3}}
    press(page, "Cancel")
    assert connections.outcomes(core, [made.id]) == {made.id: {"cancelled": 3}}


def test_the_pages_of_a_connection_and_of_its_account_show_their_last_days(core: Core, opened: Opening) -> None:
    made = factories.add_connection(core)
    days = ("connection-tab", "Last 30 days")
    shown = told(opened(lambda: connection.show(made.id), view=days))
    assert "Its days show here once it forwards." in shown
    source = accounts.get(core, made.source_account_id)
    page = opened(lambda: account.show(source))
    assert "Its health shows once it forwards." in told(page)
    assert {"Health, of 100", "As source", "As destination"} <= {metric.label for metric in page.metric}
