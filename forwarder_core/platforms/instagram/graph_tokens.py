"""When a Meta token ends and what keeps it alive.

What lives here: the names of an account's secrets on this road, the dates, and the two calls about a token. What does
not: the lock under which one of many renews (`graph_session`).
The fact to know: a token of the Instagram login lives 60 days and can be renewed without a person from its second day
to its last; one of the Facebook login cannot, but `debug_token` says when a person must come back. `debug_token`
takes the token it is asked about in the query, there is no other way; the renewal is tried by header first, and as
Meta documents it, in the query, only where the header is not accepted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from forwarder_core.connectors.base import Secrets
from forwarder_core.domain.tokens import TokenFacts
from forwarder_core.errors import AuthExpired, ContractChanged
from forwarder_core.platforms.instagram.graph_client import APIS, GraphClient, Json, Variant, text

TOKEN, EXPIRY, ISSUED = "access_token", "access_token_expiry", "issued_at"
IG_USER, PAGE, VARIANT = "ig_user_id", "facebook_page_id", "variant"
APP_ID, APP_SECRET, LOGIN = "app_id", "app_secret", "login"  # of the Meta app, for the sign-in on Meta's page
KNOWN = "token_known"  # digest of the token that the derived facts belong to: another token means to look again
CHECKED = "token_checked_at"  # when its dates were last asked for, with or without success

_BEFORE_ITS_END = timedelta(days=10)  # of 60: renewed on day 50
_YOUNGEST = timedelta(hours=25)  # Meta renews no token younger than 24 h
_ASK_AGAIN = timedelta(hours=1)  # after a renewal that failed
_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
_LOOK_AGAIN = timedelta(hours=24)  # at the dates of a token that only a person can renew


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:24]


def is_settled(secrets: Secrets) -> bool:
    """Do the facts beside the token belong to it?"""
    return bool(secrets.get(VARIANT) and secrets.get(IG_USER)) and secrets.get(KNOWN) == digest(secrets.get(TOKEN, ""))


def is_due(secrets: Secrets, now: datetime) -> bool:
    """Should the token be renewed, or its dates be looked at, before the next call?"""
    checked = instant(secrets.get(CHECKED))
    if secrets.get(VARIANT) == Variant.FACEBOOK:
        return checked is None or now - checked >= _LOOK_AGAIN
    if checked is not None and now - checked < _ASK_AGAIN:
        return False
    expiry, issued = instant(secrets.get(EXPIRY)), instant(secrets.get(ISSUED))
    if expiry is None:  # a pasted token: a day later it is old enough whenever it was issued, and then its end is known
        return issued is not None and now - issued >= _YOUNGEST
    return now >= expiry - _BEFORE_ITS_END


def may_be_renewed(secrets: Secrets, now: datetime) -> bool:
    """Would Meta renew it, or tell its dates?"""
    issued = instant(secrets.get(ISSUED))
    return secrets.get(VARIANT) == Variant.FACEBOOK or issued is None or now - issued >= _YOUNGEST


def token_facts(secrets: Secrets) -> TokenFacts:
    """Without a renewal both logins end on the same day; the Instagram login is renewed on its 50th."""
    ends, issued = instant(secrets.get(EXPIRY)), instant(secrets.get(ISSUED))
    is_facebook = (secrets.get(VARIANT) or secrets.get(LOGIN)) == Variant.FACEBOOK
    return TokenFacts(
        kind="meta_facebook_login" if is_facebook else "meta_instagram_login",
        title=f"{'Facebook' if is_facebook else 'Instagram'} Graph API access token",
        is_signed_in=bool(secrets.get(TOKEN)),
        issued_at=issued,
        access_expires_at=ends,
        expires_at=ends,
        refresh_from=_refresh_from(secrets, ends, issued) if secrets.get(TOKEN) else None,
        client_id=secrets.get(APP_ID, ""),
        by_hand="Connect with Meta again: Accounts → the account → Authorise, or Update token.",
    )


OF_ONE_TOKEN = (TOKEN, EXPIRY, ISSUED, CHECKED, KNOWN, VARIANT)


def replaced_secrets(present: Secrets, new: Secrets) -> dict[str, str]:
    """With a new token what was found out about the old one is forgotten."""
    stale = OF_ONE_TOKEN if new.get(TOKEN) not in (None, present.get(TOKEN)) else ()
    return {**{name: value for name, value in present.items() if name not in stale}, **new}


def _refresh_from(secrets: Secrets, ends: datetime | None, issued: datetime | None) -> datetime:
    checked = instant(secrets.get(CHECKED))
    if not is_settled(secrets):
        return _AT_ONCE
    if secrets.get(VARIANT) == Variant.FACEBOOK:
        return checked + _LOOK_AGAIN if checked else _AT_ONCE
    due = ends - _BEFORE_ITS_END if ends else (issued or _AT_ONCE) + _YOUNGEST
    return max(due, checked + _ASK_AGAIN) if checked else due


def is_alive(secrets: Secrets, now: datetime) -> bool:
    expiry = instant(secrets.get(EXPIRY))
    return expiry is None or now < expiry


def renewed(secrets: Secrets, client: GraphClient, now: datetime) -> dict[str, str]:
    """The secrets after one call about the token. Raises `AuthExpired` where only a person can help."""
    if client.variant is Variant.FACEBOOK:
        return {**secrets, **dates(debug(client)), CHECKED: now.isoformat()}
    answer = _renewal(client)
    token, lasts_s = text(answer, TOKEN), answer.get("expires_in")
    if not isinstance(lasts_s, int) or lasts_s <= 0:
        raise ContractChanged("Meta renewed the token but did not say until when.")
    return {
        **secrets,
        TOKEN: token,
        EXPIRY: (now + timedelta(seconds=lasts_s)).isoformat(),
        ISSUED: now.isoformat(),
        CHECKED: now.isoformat(),
        KNOWN: digest(token),
    }


def _renewal(client: GraphClient) -> Json:
    url = f"https://{APIS[Variant.INSTAGRAM].host}/refresh_access_token"
    query = {"grant_type": "ig_refresh_token"}
    try:
        return client.ask(url, query)
    except (AuthExpired, ContractChanged):
        return client.ask(url, {**query, TOKEN: client.token})


def debug(client: GraphClient) -> Json:
    """What Meta knows of the token itself. Raises `AuthExpired` for one that is not valid."""
    data = client.get("debug_token", input_token=client.token).get("data")
    if not isinstance(data, Mapping):
        raise ContractChanged("Meta's answer about the token came without its data.")
    if not isinstance(data.get("is_valid"), bool):
        raise ContractChanged("Meta's answer about the token does not say whether it is valid.")
    if not data["is_valid"]:
        raise AuthExpired(
            "Meta says that the token of this account is not valid any more.",
            action="Connect the account with Meta again in Accounts → the account → Update token.",
        )
    return data


def dates(data: Json) -> dict[str, str]:
    """Issued and expiry, ISO 8601. Meta writes 0 for a page token, which has no end of its own; its access to data
    ends all the same unless a person comes back within 90 days."""
    ends = [data[name] for name in ("expires_at", "data_access_expires_at") if _is_time(data.get(name))]
    found = {EXPIRY: _iso(min(ends))} if ends else {}
    return {**found, ISSUED: _iso(data["issued_at"])} if _is_time(data.get("issued_at")) else found


def instant(value: str | None) -> datetime | None:
    if not value:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _is_time(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
