"""The words and switches of a video: a Draft becomes the body of `videos.insert`, or is refused before any call.

What lives here: that body and its rules. What does not: making a title out of a caption (the engine's).
The fact to know: the description is counted in bytes, title and tags in characters, and our marker is a tag like any
other; it goes in first, because it is how a video is found again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from forwarder_core.connectors.base import Draft
from forwarder_core.errors import MetadataRejected

TITLE_CHARS = 100
DESCRIPTION_BYTES = 5000
TAGS_CHARS = 500
FORBIDDEN = "<>"
PRIVACIES = ("public", "unlisted", "private")
_DEFAULT_CATEGORY = "22"  # People & Blogs, YouTube's own default


def body(draft: Draft) -> dict[str, Any]:
    """The `video` resource of `videos.insert`. Raises MetadataRejected for what YouTube would refuse.

    `draft.options`: category_id, language (BCP 47), made_for_kids, contains_synthetic_media ("true" or "false").
    """
    check(draft)
    snippet: dict[str, Any] = {
        "title": draft.title,
        "description": clipped(draft.caption, DESCRIPTION_BYTES),
        "tags": fitting_tags([draft.marker, *draft.tags]),
        "categoryId": draft.options.get("category_id", _DEFAULT_CATEGORY),
    }
    if language := draft.options.get("language"):
        snippet |= {"defaultLanguage": language, "defaultAudioLanguage": language}
    status: dict[str, Any] = {
        "privacyStatus": draft.privacy,
        "selfDeclaredMadeForKids": is_on(draft, "made_for_kids", default=False),
    }
    if is_on(draft, "contains_synthetic_media", default=False):
        status["containsSyntheticMedia"] = True
    return {"snippet": snippet, "status": status}


def check(draft: Draft) -> None:
    if not draft.title.strip():
        raise MetadataRejected("YouTube wants a title.")
    if len(draft.title) > TITLE_CHARS:
        raise MetadataRejected(f"The title has {len(draft.title)} characters; YouTube takes {TITLE_CHARS}.")
    for what, text in (("title", draft.title), ("description", draft.caption)):
        if any("\ud800" <= c <= "\udfff" or c == "\0" for c in text):
            raise MetadataRejected(f"The {what} holds characters that cannot be sent.")
        if bad := sorted(set(FORBIDDEN) & set(text)):
            raise MetadataRejected(f"The {what} holds {' and '.join(bad)}, which YouTube refuses.")
    if draft.privacy not in PRIVACIES:
        raise MetadataRejected(f"Privacy “{draft.privacy}” is none of {', '.join(PRIVACIES)}.")


def is_on(draft: Draft, option: str, *, default: bool) -> bool:
    """A switch of `draft.options`, which holds text only."""
    return draft.options.get(option, str(default)).lower() in ("true", "1", "yes")


def clipped(text: str, max_bytes: int) -> str:
    """The beginning of `text` that fits into `max_bytes` of UTF-8, never with half a character at its end."""
    return text.encode()[:max_bytes].decode(errors="ignore")


def fitting_tags(tags: Iterable[str]) -> list[str]:
    """The tags in their order, without empty and repeated ones, as many as fit into YouTube's count."""
    kept: list[str] = []
    room = TAGS_CHARS
    for tag in (tag.strip() for tag in tags):
        tag = tag.encode("utf-8", "ignore").decode()
        if tag and tag not in kept and _cost(tag) <= room and not set(FORBIDDEN) & set(tag):
            kept.append(tag)
            room -= _cost(tag)
    return kept


def _cost(tag: str) -> int:
    """A tag with a space is counted with the quotes YouTube puts around it; each with the comma after it."""
    return len(tag) + (2 if " " in tag else 0) + 1
