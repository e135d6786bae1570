"""What YouTube's own words about a video mean. Pure: `video` resources in, our classes out.

The fact to know: a video that is not processed yet has a duration of zero, written `P0D`. That is “not known”, and
neither a mismatch nor a match.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from forwarder_core.connectors.base import Visibility
from forwarder_core.errors import AccountDisabled, AlreadyPublished, MediaRejected, PolicyRejected, StepFailed

Json = Mapping[str, Any]

NOT_SHOWN = Visibility(
    is_live=False, is_final=False, privacy="", duration_ms=None, detail="YouTube does not show it, or not yet."
)

FAILURE_WORDS: Mapping[str, str] = {
    "codec": "its codec is not supported",
    "conversion": "it could not be converted",
    "emptyFile": "the file is empty",
    "invalidFile": "the file is no video",
    "tooSmall": "the file is too small",
    "uploadAborted": "the upload was broken off",
}
REJECTIONS: Mapping[str, tuple[type[StepFailed], str]] = {
    "duplicate": (AlreadyPublished, "the channel has this video already"),
    "length": (MediaRejected, "it is longer than this channel may post"),
    "copyright": (PolicyRejected, "of a copyright violation"),
    "claim": (PolicyRejected, "someone claims its content"),
    "inappropriate": (PolicyRejected, "of inappropriate content"),
    "legal": (PolicyRejected, "of a legal complaint"),
    "termsOfUse": (PolicyRejected, "of the terms of use"),
    "trademark": (PolicyRejected, "of a trademark violation"),
    "uploaderAccountClosed": (AccountDisabled, "the account was closed"),
    "uploaderAccountSuspended": (AccountDisabled, "the account is suspended"),
}


def of(video: Json) -> Visibility:
    """How YouTube shows it. Raises the class of its refusal where YouTube has failed or rejected it."""
    status = video.get("status", {})
    state = str(status.get("uploadStatus", ""))
    _raise_refusal(state, status, video.get("processingDetails", {}))
    privacy = str(status.get("privacyStatus", ""))
    return Visibility(
        is_live=state == "processed" and not _is_blocked_everywhere(video),
        is_final=state in ("processed", "deleted"),
        privacy=privacy,
        duration_ms=duration_ms(video),
        detail=_detail(state, privacy, video),
    )


def duration_ms(video: Json) -> int | None:
    """From ISO 8601, which YouTube gives in whole seconds; None while it is not known."""
    text = video.get("contentDetails", {}).get("duration", "")
    if not isinstance(text, str):
        raise TypeError("a duration is no text")
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text)
    if not match:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 or None


def _raise_refusal(state: str, status: Json, processing: Json) -> None:
    if state == "failed" or processing.get("processingStatus") == "failed":
        reason = str(status.get("failureReason") or processing.get("processingFailureReason") or "no reason given")
        raise MediaRejected(f"YouTube could not use the file: {FAILURE_WORDS.get(reason, reason)}.", raw=reason)
    if state == "rejected":
        reason = str(status.get("rejectionReason", "no reason given"))
        failure, words = REJECTIONS.get(reason, (PolicyRejected, reason))
        raise failure(f"YouTube rejected the video: {words}.", raw=reason)


def _detail(state: str, privacy: str, video: Json) -> str:
    if state == "deleted":
        return "It was deleted on YouTube."
    if state != "processed":
        return "YouTube is still processing it."
    if _is_blocked_everywhere(video):
        return "YouTube blocks it in every country."
    if blocked := _restriction(video).get("blocked"):
        return f"YouTube blocks it in {len(blocked)} countries."
    if publish_at := video.get("status", {}).get("publishAt"):
        return f"It is private until {publish_at}."
    if privacy == "private":
        return "It is private: only the channel sees it. If it was to be public, YouTube has locked it."
    return f"It is {privacy}."


def _is_blocked_everywhere(video: Json) -> bool:
    return _restriction(video).get("allowed") == []


def _restriction(video: Json) -> Json:
    found: Json = video.get("contentDetails", {}).get("regionRestriction", {})
    return found
