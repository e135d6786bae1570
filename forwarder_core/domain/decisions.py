"""Decisions in words: why a post was or was not forwarded. Pure; screens and the API say the same."""

from __future__ import annotations

from forwarder_core.domain.posts import Decision

_RULES = {
    "matches": "It passes every rule of this connection.",
    "backfill": "It is an old post somebody asked for.",
    "not_a_video": "It holds no video.",
    "posted_before_start": "It was posted before this connection was started, and old posts were not asked for.",
    "date_range": "It lies outside the days that were asked for.",
    "caption_keywords": "Its caption holds none of the keywords.",
    "caption_excluded": "Its caption holds a word that leaves posts out.",
    "hashtags_any": "It has none of the hashtags wanted.",
    "hashtags_all": "It lacks a hashtag that is wanted.",
    "hashtags_none": "It has a hashtag that leaves posts out.",
    "duration": "It is shorter or longer than wanted.",
    "has_audio": "Its sound is not as wanted.",
    "licensed_music": "It plays music under licence.",
    "min_age_h": "It is not old enough yet.",
    "max_age_h": "It was found too late.",
    "newest_n": "More posts were found at once than are wanted.",
    "popularity": "It is not seen or liked enough.",
    "by_hand": "Somebody asked for it.",
    "echo": "We published it ourselves.",
    "echo_guard": "Something of ours is on its way to this very account; it is decided again with the next look.",
}


def why(decision: Decision) -> str:
    """One sentence, with the value that was looked at."""
    said = _RULES.get(decision.rule, decision.rule.replace("_", " ").capitalize() + ".")
    return f"{said} ({decision.value})" if decision.value else said
