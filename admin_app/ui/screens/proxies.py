"""Proxies: which there are, whether they are up, and the form for one.

What a test means, and what follows from it, is decided in the services. The fact to know: a login is never shown again;
an empty password field leaves the stored one as it is.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from admin_app.ui import access, places, words
from admin_app.ui.widgets import attempt, badge, say_later
from admin_app.ui.words import Look, plain
from forwarder_core.domain.proxies import Assignment, Health, Proxy, ProxyType, Verdict
from forwarder_core.services import proxies, proxy_health
from forwarder_core.services.proxies import NewProxy
from forwarder_core.services.proxy_health import Checked

_LOOKS = {
    Health.HEALTHY: Look("Healthy", ":material/check_circle:", "green"),
    Health.UNHEALTHY: Look("Unhealthy", ":material/error:", "red"),
    Health.UNCHECKED: Look("Unchecked", ":material/help:", "gray"),
}
_TYPES = {ProxyType.HTTP: "HTTP", ProxyType.HTTPS: "HTTPS", ProxyType.SOCKS5: "SOCKS5"}
_ASSIGNMENTS = {
    Assignment.GLOBAL: "Global: for every call that has no proxy of its own",
    Assignment.PER_ACCOUNT: "Per account: only for accounts that name it",
    Assignment.PER_CONNECTION: "Per connection: only for connections that name it",
}
_WIDTHS = (2.4, 1.5, 2.8, 2.5, 2.5, 1.3, 4)
_COLUMNS = ("Alias", "Type", "Host:Port", "Status", "Last Check", "Latency", "Actions")
# On a telephone columns stand below each other, and a head above them says nothing.
_WIDE_ONLY = (
    "<style>.st-key-proxies-head { padding: 0 calc(1rem + 1px) }"
    " @media (max-width: 640px) { .st-key-proxies-head { display: none } }</style>"
)
_LAST = "proxies-tested"


def show() -> None:
    core = access.core()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Proxies", width="stretch")
        if st.button("Test All", icon=":material/network_check:"):
            _test_all()
        if st.button("Add Proxy", icon=":material/add:", type="primary"):
            _form(None)
    found = proxies.page(core)
    chosen_id = places.number("id")
    if chosen_id is not None:
        found = [proxy for proxy in found if proxy.id == chosen_id]
        places.link("proxies", "Show all proxies", icon=":material/arrow_back:")
    if found:
        _table(found)
    else:
        st.info(
            "There is no proxy here yet. Without one, calls go out with this server's own address; with a global "
            "proxy, every call that has no proxy of its own takes it.",
            icon=":material/lan:",
        )
    _targets()


def _table(found: list[Proxy]) -> None:
    with st.container(key="proxies-head"):
        st.html(_WIDE_ONLY)
        for column, title in zip(st.columns(_WIDTHS), _COLUMNS, strict=True):
            column.caption(f"**{title}**")
    for proxy in found:
        with st.container(border=True, key=f"proxy-{proxy.id}"):
            _row(proxy)
            _details(proxy)


def _row(proxy: Proxy) -> None:
    alias, kind, address, status, last, latency, actions = st.columns(_WIDTHS, vertical_alignment="center")
    alias.markdown(f"**{plain(proxy.alias)}**")
    kind.text(_TYPES[proxy.type])
    address.text(proxy.address)
    with status:
        badge(_LOOKS[proxy.health])
    zone = access.core().settings.zone
    last.text(words.clock_time(proxy.checked_at, zone) if proxy.checked_at else "not checked yet")
    if proxy.latency_ms is not None:
        latency.text(f"{proxy.latency_ms} ms")
    with actions, st.container(horizontal=True, gap="small"):
        if st.button("", icon=":material/network_check:", key=f"test-{proxy.id}", help="Test"):
            _test(proxy)
        if st.button("", icon=":material/edit:", key=f"edit-{proxy.id}", help="Edit"):
            _form(proxy)
        if st.button("", icon=":material/delete:", key=f"delete-{proxy.id}", help="Delete"):
            _confirm_removal(proxy)


def _details(proxy: Proxy) -> None:
    facts = [_ASSIGNMENTS[proxy.assignment].partition(":")[0], "with login" if proxy.has_login else "without login"]
    if proxy.exit_ip:
        facts.append(f"comes out as {proxy.exit_ip}" + (f" ({proxy.exit_country})" if proxy.exit_country else ""))
    st.caption(plain(" · ".join(facts)))
    if proxy.last_error:
        st.warning(
            plain(f"{proxy.last_error} (failed checks in a row: {proxy.consecutive_failures})"),
            icon=":material/warning:",
        )
    if said := st.session_state.pop(f"{_LAST}-{proxy.id}", None):
        st.dataframe(said, hide_index=True)


def _test(proxy: Proxy) -> None:
    with st.spinner(f"Testing {plain(proxy.alias)} …"):
        checked = attempt(lambda: proxy_health.check(access.core(), proxy.id))
    if checked is not None:
        _keep(checked)
        say_later(checked.summary)
        st.rerun()


def _test_all() -> None:
    with st.spinner("Testing every proxy …"):
        every = attempt(lambda: proxy_health.check_all(access.core()))
    if every is not None:
        for checked in every:
            _keep(checked)
        passed = sum(1 for checked in every if checked.verdict is Verdict.PASSED)
        say_later(f"{passed} of {len(every)} proxies passed the health check")
        st.rerun()


def _keep(checked: Checked) -> None:
    """For the run after this one, which shows it under the proxy."""
    st.session_state[f"{_LAST}-{checked.proxy.id}"] = [
        {
            "Endpoint": test.endpoint,
            "Result": "reached" if test.is_ok else f"failed: {test.error}",
            "Whose trouble": "" if test.is_ok else str(test.blame),
            "Latency": f"{test.latency_ms} ms" if test.is_ok else "",
        }
        for test in checked.tests
    ]


@st.dialog("Proxy", width="medium")
def _form(proxy: Proxy | None) -> None:
    who = access.require_user().username
    with st.form(f"proxy-form-{proxy.id if proxy else 'new'}", border=False):
        values = _fields(proxy)
        with st.container(horizontal=True):
            is_test = st.form_submit_button("Save & Test", type="primary")
            is_save = st.form_submit_button("Save")
            is_cancelled = st.form_submit_button("Cancel")
    if is_cancelled:
        st.rerun()
    if is_test or is_save:
        saved = attempt(lambda: _saved(proxy, values, who))
        if saved is not None:
            _after_saving(saved, is_new=proxy is None, is_test=is_test)


def _fields(proxy: Proxy | None) -> dict[str, Any]:
    types, scopes = list(_TYPES), list(_ASSIGNMENTS)
    values: dict[str, Any] = {"alias": st.text_input("Alias", proxy.alias if proxy else "", placeholder="US_Proxy_01")}
    kind = types.index(proxy.type) if proxy else 0
    values["type"] = st.selectbox("Type", types, kind, format_func=lambda t: _TYPES[t])
    values["host"] = st.text_input("Host", proxy.host if proxy else "")
    values["port"] = st.number_input("Port", 1, 65_535, proxy.port if proxy else 8080)
    kept = "leave empty to keep the stored one" if proxy and proxy.has_login else "optional"
    values["username"] = st.text_input(f"Username ({kept})", autocomplete="off")
    values["password"] = st.text_input(f"Password ({kept})", type="password", autocomplete="new-password")
    if proxy and proxy.has_login:
        values["without_login"] = st.checkbox("Remove the stored login")
    scope = scopes.index(proxy.assignment) if proxy else 0
    values["assignment"] = st.radio("Assignment", scopes, scope, format_func=lambda a: _ASSIGNMENTS[a])
    return values


def _saved(proxy: Proxy | None, values: dict[str, Any], who: str) -> Proxy:
    core = access.core()
    is_without_login = values.pop("without_login", False)
    if proxy is None:
        return proxies.create(core, NewProxy(**values), who=who)
    typed = {name: value for name, value in values.items() if name not in ("username", "password") or value}
    changed = {name: value for name, value in typed.items() if value != getattr(proxy, name, None)}
    return proxies.change(core, proxy.id, changed | ({"username": ""} if is_without_login else {}), who=who)


def _after_saving(saved: Proxy, *, is_new: bool, is_test: bool) -> None:
    done = "added" if is_new else "changed"
    said = f"Proxy '{saved.alias}' {done} successfully"
    if is_test:
        with st.spinner("Testing …"):
            checked = attempt(lambda: proxy_health.check(access.core(), saved.id))
        if checked is None:
            return
        _keep(checked)
        said = checked.said_after(done)
    say_later(said)
    st.rerun()


@st.dialog("Delete proxy")
def _confirm_removal(proxy: Proxy) -> None:
    who = access.require_user().username
    st.write(f"Delete **{plain(proxy.alias)}** ({plain(proxy.address)})? Its login is deleted with it.")
    if st.button("Delete it", type="primary", key=f"delete-it-{proxy.id}"):
        gone = attempt(lambda: proxies.remove(access.core(), proxy.id, who=who))
        if gone is not None:
            say_later(f"Proxy '{gone.alias}' deleted")
            st.rerun()


def _targets() -> None:
    core = access.core()
    urls, echo = proxy_health.read_targets(core)
    with st.expander("What a test asks for"), st.form("proxy-targets", border=False):
        typed = st.text_area("Targets, one address a line", "\n".join(urls))
        typed_echo = st.text_input("IP echo (an address that answers with the caller's IP; empty = none)", echo)
        if st.form_submit_button("Save") and attempt(lambda: _targets_kept(typed.splitlines(), typed_echo)):
            st.rerun()


def _targets_kept(urls: list[str], echo: str) -> bool:
    who = access.require_user().username
    proxy_health.change_targets(access.core(), urls, echo, who=who)
    say_later("Targets of the health checks changed")
    return True
