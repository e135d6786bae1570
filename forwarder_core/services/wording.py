"""Wording: how a caption would read at its destination, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from forwarder_core.connectors import registry
from forwarder_core.domain import caption_rules, captions
from forwarder_core.domain.captions import Origin, Words
from forwarder_core.domain.limits import TextLimits
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.services import accounts, connections, limits
from forwarder_core.services.context import Core


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A caption to be tried. `options` None: the connection's own."""

    caption: str
    connection_id: int | None = None
    platform: str | None = None
    options: Mapping[str, Any] | None = None
    source_url: str = ""
    source_handle: str = ""
    posted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """`notes`: what the destination's limits changed, in words."""

    words: Words
    notes: tuple[str, ...]


def preview(core: Core, sketch: Sketch) -> Preview:
    """Raises Invalid for a template that makes no sense, and where neither connection nor platform is named."""
    handle, fallback, name, source = sketch.source_handle, sketch.source_handle or "Untitled", "", ""
    platform, options = sketch.platform, sketch.options or {}
    if sketch.connection_id is not None:
        known = connections.get(core, sketch.connection_id)
        origin = accounts.get(core, known.source_account_id)
        platform = accounts.get(core, known.destination_account_id).platform
        handle, fallback, name = handle or origin.handle, origin.alias, known.name
        source = registry.spec(origin.platform).title
        options = known.publish if sketch.options is None else sketch.options
    if platform not in limits.platforms():
        raise Invalid("Say where the post is to go.", FieldError("platform", "a destination, or name a connection"))
    try:
        rules = caption_rules.read(options)
    except (ValueError, TypeError) as e:
        raise Invalid("The wording cannot be read.", FieldError("publish_options", str(e))) from e
    text = limits.of_platform(core, platform).text
    words = captions.compose(
        sketch.caption,
        text,
        fallback_title=fallback,
        rules=rules,
        origin=Origin(
            url=sketch.source_url, handle=handle, platform=source, connection=name, posted_at=sketch.posted_at
        ),
    )
    return Preview(words, tuple(_notes(words, text)))


def _notes(words: Words, text: TextLimits) -> list[str]:
    notes = []
    if words.title.removesuffix(f" #{captions.SHORTS_TAG}").endswith("…"):
        notes.append(f"The title is cut to {text.title_chars} characters.")
    if "…" in words.caption and len(words.caption) > text.caption_chars - 200:
        notes.append(f"The caption is cut to {text.caption_chars} characters.")
    if not text.title_chars:
        notes.append("This destination has no titles.")
    return notes
