"""Drafting: the words a post gets at its destination, the same for a forward and for its dry run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Draft
from forwarder_core.domain import caption_rules, captions
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.captions import CaptionRules, Origin, Words
from forwarder_core.domain.limits import TextLimits


class Worded(Protocol):
    """What the words are made of: an errand, or a post that is only tried."""

    @property
    def connection_name(self) -> str: ...
    @property
    def source(self) -> Account: ...
    @property
    def destination(self) -> Account: ...
    @property
    def source_url(self) -> str: ...
    @property
    def caption(self) -> str: ...
    @property
    def posted_at(self) -> datetime: ...
    @property
    def publish_options(self) -> Mapping[str, object]: ...


def words_of(post: Worded, limits: TextLimits | None = None) -> Words:
    """By the connection's rules, within `limits` (those of the platform's own file where none are given)."""
    return captions.compose(
        post.caption,
        limits or registry.limits(post.destination.platform).text,
        fallback_title=post.source.alias,
        rules=_rules_of(post.publish_options),
        origin=Origin(
            url=post.source_url,
            handle=post.source.handle,
            platform=registry.spec(post.source.platform).title,
            connection=post.connection_name,
            posted_at=post.posted_at,
        ),
    )


def _rules_of(options: Mapping[str, object]) -> CaptionRules:
    """Rules stored before they were checked say nothing: a post must never fail for its wording."""
    try:
        return caption_rules.read(options)
    except (ValueError, TypeError):
        return CaptionRules()


def draft_of(post: Worded, marker: str, words: Words | None = None) -> Draft:
    """`marker`: what lets us find the post again; "" where none is made. `words`: those it was planned with."""
    words = words or words_of(post)
    return Draft(
        title=words.title,
        caption=words.caption,
        tags=words.tags,
        privacy=str(post.publish_options.get("privacy", "public")),
        marker=marker,
        source_url=post.source_url,
        options={key: str(value) for key, value in post.publish_options.items()},
    )
