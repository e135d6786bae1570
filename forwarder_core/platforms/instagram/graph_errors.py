"""Where every refusal of Meta's Graph API ends: each becomes one class of `forwarder_core.errors`. Pure.

What lives here: the tables subcode, code and type → class, and the one function that reads them. What does not: the
calls (`graph_client`) and what a refusal means in the middle of an upload (`graph_destination`).
The fact to know: the subcode says more than the code, the code more than the HTTP status, and Meta's `is_transient`
overrules what would otherwise stop an account. How long to wait stands in the usage headers, in minutes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forwarder_core.bounds import LONGEST_WAIT_S, told_wait_s
from forwarder_core.errors import (
    AccountDisabled,
    ActionBlocked,
    AlreadyPublished,
    AuthExpired,
    AuthInvalid,
    ChallengeRequired,
    ClientOutdated,
    ContractChanged,
    DestinationDailyLimit,
    MediaRejected,
    MetadataRejected,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    RateLimited,
    SessionGone,
    SourceGone,
    StepFailed,
)

_RAW_CHARS = 400
_APP_WINDOW_S = 3600.0  # X-App-Usage counts a sliding hour
_QUOTA_ASK_AGAIN_S = 3600.0  # the posting quota slides too: a place may be free long before 24 h are over
_TOKENS = re.compile(r"\b(?:EA|IG)[A-Za-z0-9_-]{20,}")
_UPLOAD_CODE = re.compile(r"\b(2207\d{3}|3600\d)\b")


@dataclass(frozen=True, slots=True)
class Row:
    """What one of Meta's codes is to us. `action` None = the action of the class."""

    becomes: type[StepFailed]
    says: str
    action: str | None = None


_RENEW = "Connect the account with Meta again in Accounts → the account → Update token."
_EXPIRED = Row(AuthExpired, "Meta does not accept the token of this account any more.", _RENEW)
_CHECKPOINT = Row(
    ChallengeRequired,
    "Meta wants this account confirmed before it goes on.",
    "Sign in at facebook.com or in the app, finish the check there, then press Mark CAPTCHA solved on the account.",
)
_PERMISSION = Row(
    AuthInvalid,
    "The token lacks a permission that is needed.",
    "Connect the account with Meta again and grant reading and content publishing.",
)
_RATE = Row(RateLimited, "Meta asks to slow down.")
_BUSY = Row(PlatformTransient, "Meta had an error of its own.")
_NEW_CONTAINER = Row(SessionGone, "Meta could not process the upload and wants a new one.")
_NO_CONTAINER = Row(SessionGone, "Meta does not know the upload any more.")
_NOT_FETCHED = Row(NetworkFailed, "Meta could not fetch the file.")
_NOT_READY = Row(PlatformTransient, "Meta is still processing the upload.")
_FILE = Row(MediaRejected, "Instagram refused the file.")
_WORDS = Row(MetadataRejected, "Instagram refused the caption.")
_QUOTA = Row(DestinationDailyLimit, "The account has used up Instagram's posts for 24 hours.")
_RESTRICTED = Row(AccountDisabled, "Instagram has restricted this account.")
_BLOCKED = Row(ActionBlocked, "Instagram blocked this action as spam or against its rules.")
_NOT_THERE = Row(SourceGone, "Meta does not show this object, or not to this token.")
_OLD_VERSION = Row(ClientOutdated, "Meta has switched off the version of its API that is used here.")
_UNKNOWN_CALL = Row(ContractChanged, "Meta refused the call in a form not known here.")
_UNKNOWN_PUBLISHING = Row(PlatformTransient, "Instagram refused the upload for a reason not known here.")

BY_SUBCODE: Mapping[int, Row] = {
    33: _NOT_THERE,
    458: Row(AuthExpired, "The app was removed from this account.", _RENEW),
    459: _CHECKPOINT,
    460: Row(AuthExpired, "The token ended because the account's password was changed.", _RENEW),
    463: Row(AuthExpired, "The token of this account has expired.", _RENEW),
    464: _CHECKPOINT,
    467: _EXPIRED,
    2207001: _NEW_CONTAINER,
    2207003: _NOT_FETCHED,
    2207004: Row(MediaRejected, "The file is larger than Instagram takes."),
    2207006: _NO_CONTAINER,
    2207008: _NO_CONTAINER,
    2207010: _WORDS,
    2207020: _NO_CONTAINER,
    2207023: _FILE,
    2207026: _FILE,
    2207027: _NOT_READY,
    2207032: _NEW_CONTAINER,
    2207042: _QUOTA,
    2207050: _RESTRICTED,
    2207051: _BLOCKED,
    2207052: _NOT_FETCHED,
    2207053: _NEW_CONTAINER,
    2207057: Row(MetadataRejected, "Instagram refused the position of the cover frame."),
    2207077: _NOT_FETCHED,
    2207082: _NEW_CONTAINER,
    36000: _FILE,
    36001: _FILE,
    36002: _FILE,
    36003: _FILE,
    36004: _FILE,
}

BY_CODE: Mapping[int, Row] = {
    1: _BUSY,
    2: _BUSY,
    3: _PERMISSION,
    4: _RATE,
    9: _QUOTA,
    10: _PERMISSION,
    12: _OLD_VERSION,
    17: _RATE,
    24: _NO_CONTAINER,
    25: _RESTRICTED,
    32: _RATE,
    102: _EXPIRED,
    190: _EXPIRED,
    **dict.fromkeys(range(200, 300), _PERMISSION),
    341: _RATE,
    368: _BLOCKED,
    506: Row(AlreadyPublished, "Meta says that this was posted already."),
    613: _RATE,
    803: _NOT_THERE,
    2500: _EXPIRED,
    2635: _OLD_VERSION,
    9004: _NOT_FETCHED,
    9007: _NOT_READY,
    80002: _RATE,
    **{code: BY_SUBCODE[code] for code in range(36000, 36005)},
}

BY_UPLOAD_TYPE: Mapping[str, Row] = {
    "NotAuthorizedError": _PERMISSION,
    "OffsetInvalidError": Row(PlatformTransient, "Meta has another part of the file than was thought."),
    "ProcessingFailedError": Row(PlatformTransient, "Meta took the file but had trouble processing it."),
}

BY_STATUS: Mapping[int, Row] = {
    401: _EXPIRED,
    403: _PERMISSION,
    404: _NOT_THERE,
    407: Row(ProxyFailed, "The proxy refused the login (HTTP 407)."),
    408: _BUSY,
    413: Row(MediaRejected, "The file is larger than Meta takes."),
    429: _RATE,
}

_KEEPS_ITS_WAIT = (RateLimited, DestinationDailyLimit)  # Meta calls these transient too


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> StepFailed:
    """Our class for an answer that is no success, with the wait Meta asks for."""
    said = _object(body)
    error, upload = said.get("error"), said.get("debug_info")
    if isinstance(error, Mapping):
        row, words = row_for(error), _words_of(error)
    elif isinstance(upload, Mapping):
        row, words = _upload_row(upload), f"{upload.get('type')}: {upload.get('message')}"
    else:
        row, words = _by_status(status), ""
    raw = _TOKENS.sub("***", f"HTTP {status} {words}".strip())[:_RAW_CHARS]
    return row.becomes(row.says, retry_after_s=_wait_s(row, headers), raw=raw, action=row.action)


def row_for(error: Mapping[str, Any]) -> Row:
    """The row of an `error` object."""
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    row = BY_SUBCODE.get(subcode) or BY_CODE.get(code)
    if row is None:
        row = _UNKNOWN_PUBLISHING if subcode // 1000 == 2207 else _UNKNOWN_CALL
    if error.get("is_transient") is True and row.becomes not in _KEEPS_ITS_WAIT:
        return row if issubclass(row.becomes, PlatformTransient) else _BUSY
    return row


def is_unknown_parameter(error: ContractChanged) -> bool:
    """Was it Meta that did not know a parameter or field, rather than we who could not read its answer?"""
    return error.message == _UNKNOWN_CALL.says


def processing_failure(words: str) -> StepFailed:
    """A container that ended as ERROR: its `status` names the reason by number. It is dead either way, so what may
    pass by itself means a new container."""
    number = _UPLOAD_CODE.search(words)
    row = BY_SUBCODE.get(int(number[1])) if number else None
    if row is None or issubclass(row.becomes, PlatformTransient | NetworkFailed):
        row = _NEW_CONTAINER
    return row.becomes(row.says, raw=_TOKENS.sub("***", words)[:_RAW_CHARS], action=row.action)


def _upload_row(upload: Mapping[str, Any]) -> Row:
    if upload.get("retriable") is True:
        return _BUSY
    return BY_UPLOAD_TYPE.get(str(upload.get("type")), _NEW_CONTAINER)


def _by_status(status: int) -> Row:
    return BY_STATUS.get(status) or (_BUSY if status >= 500 else _UNKNOWN_CALL)


def _words_of(error: Mapping[str, Any]) -> str:
    codes = "/".join(str(error[name]) for name in ("code", "error_subcode") if name in error)
    return f"{codes} {error.get('type', '')}: {error.get('error_user_msg') or error.get('message') or ''}"


def _wait_s(row: Row, headers: Mapping[str, str]) -> float | None:
    if row.becomes is DestinationDailyLimit:
        return _QUOTA_ASK_AGAIN_S
    if row.becomes is not RateLimited:
        return None
    told = [told_wait_s(headers) or 0.0]
    for uses in _object(headers.get("x-business-use-case-usage", "").encode()).values():
        for use in uses if isinstance(uses, list) else ():
            told.append(60.0 * _number(use.get("estimated_time_to_regain_access") if isinstance(use, dict) else 0))
    app = _object(headers.get("x-app-usage", "").encode())
    if any(_number(percent) >= 100 for percent in app.values()):
        told.append(_APP_WINDOW_S)
    return min(max(told), LONGEST_WAIT_S) or None


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}
