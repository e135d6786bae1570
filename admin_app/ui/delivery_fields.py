"""How a connection delivers, as fields of a form: whether it asks first, as whom it publishes, what it retries, what it
does when unsure.

Used where a connection is made and where one is changed. The fact to know: nothing is decided here; each function gives
its part as the API takes it, and the services judge those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from admin_app.ui import access, proxy_fields, retry_classes, words
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.publications import ASK
from forwarder_core.services import editing, tokens

_AGAIN = "publish_again_after_s"
_STRATEGIES = {"exponential": "Longer each time", "fixed": "Always the same"}
_AMBIGUOUS = {False: "Ask me", True: "Ask me, and the destination again and again"}


def approval(key: str, known: Mapping[str, Any]) -> bool:
    """`known`: the connection's `publish_options`."""
    return st.toggle("Ask me before each post is published", bool(known.get("approval")), key=f"{key}-approval",
                     help="It waits, finished, until you approve it here or by a button in Telegram.")  # fmt: skip


def token_ref(key: str, destination_account_id: int, known: int | None = None) -> int | None:
    """The credential to publish with; None for the account's own. Drawn only where there is a choice."""
    views = attempt(lambda: tokens.of_account(access.core(), destination_account_id)) or []
    labels = {None if view.token.is_own else view.token.id: view.token.label for view in views}
    labels[None] = "The account's own"
    if len(labels) == 1:
        return None
    choices = sorted(labels, key=lambda token_id: token_id or 0)
    at = choices.index(known) if known in labels else 0
    chosen: int | None = st.selectbox(
        "Credential to publish with", choices, at, format_func=lambda i: words.plain(labels[i]), key=f"{key}-token",
        help="Further credentials of the destination are added on its account, under Update token, with a label.",
    )  # fmt: skip
    return chosen


def retry_policy(key: str, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Empty: as the installation does. What is said for single errors over the API stays."""
    known = known or {}
    if not st.toggle("A retry policy of its own", bool(known), key=f"{key}-retry",
                     help="Otherwise that of Settings holds."):  # fmt: skip
        return {}
    count, waits = st.columns([1, 2])
    retries = count.number_input("Retries", 0, 20, int(known.get("max_attempts", 3)), key=f"{key}-retries")
    listed = waits.text_input("Waits (s)", ", ".join(f"{s:g}" for s in known.get("delays_seconds", ())),
                              key=f"{key}-waits", placeholder="10, 60, 300",
                              help="Each wait by itself. Empty: by the formula below.")  # fmt: skip
    said = {"per_class": known["per_class"]} if known.get("per_class") else {}
    said |= {"max_attempts": int(retries)}
    said |= {"delays_seconds": retry_classes.numbers(listed)} if listed else _formula(key, known)
    for name, label in (("retry_on_errors", "Retry also"), ("no_retry_on_errors", "Never retry")):
        kept = [code for code in known.get(name, ()) if code in retry_classes.every_code()]
        if chosen := st.multiselect(label, retry_classes.every_code(), kept, key=f"{key}-{name}"):
            said[name] = list(chosen)
    return said


def _formula(key: str, known: Mapping[str, Any]) -> dict[str, Any]:
    strategy = known.get("backoff_strategy", "exponential")
    kind, first, times, most = st.columns(4)
    chosen = kind.selectbox("Waits grow", list(_STRATEGIES), list(_STRATEGIES).index(strategy),
                            format_func=_STRATEGIES.__getitem__, key=f"{key}-strategy")  # fmt: skip
    return {
        "backoff_strategy": chosen,
        "initial_delay_seconds": first.number_input(
            "First wait (s)", 0.0, 86_400.0, float(known.get("initial_delay_seconds", 10)), key=f"{key}-first"
        ),
        "backoff_multiplier": times.number_input(
            "Times", 1.0, 100.0, float(known.get("backoff_multiplier", 6)), key=f"{key}-times"
        ),
        "max_delay_seconds": most.number_input(
            "Longest (s)", 0.0, 86_400.0, float(known.get("max_delay_seconds", 600)), key=f"{key}-longest"
        ),
    }


def on_ambiguous(key: str, known: str | Mapping[str, Any] = ASK) -> str | dict[str, float]:
    """What happens when nobody can say whether a post is live."""
    now = known.get(_AGAIN) if isinstance(known, Mapping) else None
    asks_again = st.radio("Not known whether a post is live", list(_AMBIGUOUS), int(now is not None),
                          format_func=_AMBIGUOUS.__getitem__, key=f"{key}-ambiguous",
                          help="It is published again only once the destination proves it absent.")  # fmt: skip
    if not asks_again:
        return ASK
    hours = st.number_input("Ask the destination every … hours", 0.25, 720.0, float(now or 21_600) / 3600,
                            step=0.25, key=f"{key}-again")  # fmt: skip
    return {_AGAIN: hours * 3600}


@st.dialog("Delivery", width="medium")
def edit(connection: Connection) -> None:
    """Change whether a connection asks first, by which proxies and as whom it publishes, what it retries, and what it
    does when unsure."""
    who, key = access.require_user().username, f"delivery-{connection.id}"
    is_asked = approval(key, connection.publish)
    said = {
        **proxy_fields.way_out(key, connection),
        "token_ref": token_ref(key, connection.destination_account_id, connection.token_ref),
        "retry_policy": retry_policy(key, connection.retry_policy),
        "on_ambiguous": on_ambiguous(key, connection.on_ambiguous),
    }
    if is_asked != bool(connection.publish.get("approval")):
        said["publish_options"] = {**connection.publish, "approval": is_asked}
    if not st.button("Save", type="primary", icon=":material/save:", key=f"{key}-save"):
        return
    if attempt(lambda: editing.change_connection(access.core(), connection.id, said, who=who)):
        say_later(f"Connection '{connection.name}' changed")
        st.rerun()
