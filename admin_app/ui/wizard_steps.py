"""The fields of the wizard's first six steps. Each step draws what is known already and gives what is said now.

The fact to know: what a step gives is kept as the API has it, in the tab's session; a widget that is not drawn forgets
its value, so each is drawn from what was kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from admin_app.ui import access, delivery_fields, places, rule_fields, video_options
from forwarder_core.domain import filter_rules, schedule_rules
from forwarder_core.domain.accounts import Account, Rights
from forwarder_core.domain.connections import type_of
from forwarder_core.domain.proxies import Proxy
from forwarder_core.domain.publications import ASK
from forwarder_core.services import accounts, forms, proposing, proxies
from forwarder_core.services.forms import Role

Said = dict[str, Any]
KEY = "wizard"
_FIRST = ("instagram_to_youtube", "youtube_to_instagram")  # the two the product is for, before all others


def kinds() -> dict[str, tuple[str, str, str]]:
    """Every type of connection: its words, the source's platform, the destination's."""
    specs = forms.platforms()
    found = {
        type_of(source.platform, other.platform): (f"{source.title} → {other.title}", source.platform, other.platform)
        for source in specs
        for other in specs
        if source.platform != other.platform
        and accounts.can_be(source.platform, Role.SOURCE)
        and accounts.can_be(other.platform, Role.DESTINATION)
    }
    ordered = [kind for kind in _FIRST if kind in found] + [kind for kind in found if kind not in _FIRST]
    return {kind: found[kind] for kind in ordered}


def basic(known: Mapping[str, Any]) -> Said:
    name = st.text_input("Connection name", known.get("name", ""), max_chars=200, key=f"{KEY}-name",
                         placeholder="Travel_Insta_to_TechShorts")  # fmt: skip
    every = kinds()
    now = list(every).index(known["type"]) if known.get("type") in every else 0
    kind = st.selectbox("Connection type", list(every), now, format_func=lambda k: every[k][0], key=f"{KEY}-type")
    return {"name": (name or "").strip(), "type": kind}


def ends(known: Mapping[str, Any]) -> Said:
    """Without an account of one of the two platforms there is nothing to choose, and a way to add one."""
    _, source, destination = kinds()[known["type"]]
    return {
        "source_account_id": _account("Source account", source, known.get("source_account_id"), f"{KEY}-source"),
        "destination_account_id": _account(
            "Destination account", destination, known.get("destination_account_id"), f"{KEY}-destination"
        ),
    }


def _account(label: str, platform: str, known: int | None, key: str) -> int | None:
    owned = accounts.page(access.core(), platform=platform, limit=1_000)
    if not owned:
        st.info(f"{label}: there is no {platform} account yet.", icon=":material/person_add:")
        places.link("accounts", "Add an account", icon=":material/add:")
        return None
    now = next((n for n, one in enumerate(owned) if one.id == known), 0)
    chosen = st.selectbox(label, owned, now, format_func=account_word, key=f"{key}-{platform}")
    if not chosen.status.is_usable:
        st.warning(f"This account is {str(chosen.status).replace('_', ' ')}: it must be mended before a start.")
    elif label.startswith("Source") and chosen.rights is Rights.UNDECLARED:
        st.warning("Say under Accounts whether its posts are your own or licensed: a start needs that.")
    return chosen.id


def account_word(account: Account) -> str:
    return f"{account.alias} ({account.platform}: {account.handle})"


def proxy(known: Mapping[str, Any]) -> Said:
    every = proxies.page(access.core())
    usual, own = "Use account default", "Per-connection"
    at = 1 if known.get("proxy_id") else 0
    how = st.radio("Proxy assignment", (usual, own), at, key=f"{KEY}-proxy-how", horizontal=True)
    if how != own:
        st.caption("Each account's own proxy, else the global ones, else this server's own address.")
        return {"proxy_id": None}
    if not every:
        st.info("There is no proxy yet.", icon=":material/lan:")
        places.link("proxies", "Add a proxy", icon=":material/add:")
    options: list[Proxy | None] = [None, *every]
    now = next((n for n, one in enumerate(options) if one is not None and one.id == known.get("proxy_id")), 0)
    chosen = st.selectbox("Select proxy", options, now, format_func=_proxy_word, key=f"{KEY}-proxy")
    return {"proxy_id": None if chosen is None else chosen.id}


def _proxy_word(one: Proxy | None) -> str:
    return "None" if one is None else f"{one.alias} ({one.address})"


def rules(known: Mapping[str, Any]) -> Said:
    return {"filters": rule_fields.filters(f"{KEY}-rules", filter_rules.read(known.get("filters", {})))}


def schedule(known: Mapping[str, Any]) -> Said:
    said = known.get("schedule")
    fields = rule_fields.schedule(f"{KEY}-schedule", schedule_rules.read(said) if said else None)
    priority = st.number_input("Priority", -100, 100, known.get("priority", 0), key=f"{KEY}-priority",
                               help="Higher goes first at its destination.")  # fmt: skip
    return {"schedule": fields, "priority": int(priority)}


def transform(known: Mapping[str, Any]) -> Said:
    _, _, platform = kinds()[known["type"]]
    stored = known.get("transform_options")
    video, words, delivery = st.tabs(["Video", "Words", "Delivery"])
    with video:
        options = proposing.transform_of(stored) if stored else None
        shown = video_options.fields(f"{KEY}-video", options, platform)
    with words:
        wording = rule_fields.wording_fields(f"{KEY}-words", known.get("publish_options"))
    with delivery:
        wording["approval"] = delivery_fields.approval(KEY, known.get("publish_options") or {})
        said = {
            "token_ref": delivery_fields.token_ref(KEY, known["destination_account_id"], known.get("token_ref")),
            "retry_policy": delivery_fields.retry_policy(KEY, known.get("retry_policy")),
            "on_ambiguous": delivery_fields.on_ambiguous(KEY, known.get("on_ambiguous", ASK)),
        }
    return {"transform_options": shown, "publish_options": wording, **said}
