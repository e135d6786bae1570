"""What yt-dlp's troubles mean: each becomes one class of `forwarder_core.errors`. Pure.

What lives here: the table of its words. What does not: running it (download.py). The fact to know: yt-dlp wraps
everything in one class and often keeps the reason only in its words, some of them its warnings. So the order of the
table matters: YouTube says “sign in” to robots, minors and strangers to a private video alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from forwarder_core.addresses import HOW_TO_ALLOW
from forwarder_core.egress import Exit
from forwarder_core.errors import (
    BotCheck,
    ClientOutdated,
    ContractChanged,
    GeoBlocked,
    LocalFailed,
    MediaRejected,
    NetworkFailed,
    PlatformTransient,
    ProxyBlocked,
    ProxyFailed,
    RateLimited,
    SourceGone,
    SourceLoginRequired,
    StepFailed,
)
from forwarder_core.platforms.youtube.errors import redacted

UPDATE = "Update yt-dlp on this server (docs/operations.md): YouTube changes often, and old versions stop working."


class FileRefused(PlatformTransient):
    """The file server refuses an address that was just given out: it has expired, or was made for another client."""


Rule = tuple[re.Pattern[str], type[StepFailed], str]


def _rule(pattern: str, failure: type[StepFailed], words: str) -> Rule:
    return re.compile(pattern, re.IGNORECASE), failure, words


BY_WORDS: tuple[Rule, ...] = (
    _rule(r"not a bot|captcha|confirm you.{0,3}re not", BotCheck, "YouTube asks whether this is a robot."),
    _rule(r"HTTP Error 429|rate.?limited by YouTube|Too Many Requests", RateLimited, "YouTube asks to slow down."),
    _rule(
        r"not made this video available in your country|blocked it in your country|geo.?restrict|in your country",
        GeoBlocked,
        "YouTube does not show this video in the country of this server or proxy.",
    ),
    _rule(r"private video|video is private", SourceGone, "The video is private."),
    _rule(r"Join this channel|members.only|members on level", SourceLoginRequired, "The video is for members only."),
    _rule(
        r"confirm your age|age.restricted|inappropriate for some users", SourceLoginRequired, "YouTube asks for age."
    ),
    _rule(
        r"registered users|sign in to|login required|only available for (?:registered|logged)",
        SourceLoginRequired,
        "YouTube shows this video only to people who are signed in.",
    ),
    _rule(r"premieres in|will begin in|is offline", PlatformTransient, "The video has not been shown yet."),
    _rule(r"IP is likely being blocked", ProxyBlocked, "YouTube refuses the address of this server or proxy."),
    _rule(r"DRM protected", MediaRejected, "The video is copy-protected."),
    _rule(
        r"video unavailable|not available|unavailable video|has been removed|no longer available"
        r"|account.{0,60}terminated|does(?:n't| not) exist|HTTP Error (?:404|410)",
        SourceGone,
        "YouTube does not show this video any more.",
    ),
)
# Words that say only that nothing was found; why, stands in the warnings, else the downloader is too old.
_VAGUE = re.compile(
    r"requested format is not available|no video formats found|only images are available|report this issue"
    r"|failed to extract|unable to extract|All player responses are invalid",
    re.IGNORECASE,
)
_PROXY = re.compile(r"connect to proxy|tunnel connection failed|proxy authentication|socks", re.IGNORECASE)
_DISK = re.compile(r"no space left|disk quota|unable to (?:open for writing|write data)|read-only file", re.IGNORECASE)
_NETWORK = {"TransportError", "IncompleteRead", "SSLError", "CertificateVerifyError", "ContentTooShortError"}
_SERVER_TROUBLE = re.compile(r"HTTP Error 5\d\d")


def failure(report: Mapping[str, Any], exit_: Exit) -> StepFailed:
    """Our class for what the child has told (`_described` there)."""
    text, kinds, status = str(report["text"]), set(report["kinds"]), report["status"]
    everything = f"{text}\n{report['warnings']}"
    raw = redacted(everything)
    known = _of_this_machine(everything, kinds, raw) or _of_the_way(everything, kinds, raw, exit_)
    if known:
        return known
    if status in (403, 404, 410) and report["in_file"]:
        return FileRefused(f"YouTube's file server refuses the address YouTube gave for it (HTTP {status}).", raw=raw)
    is_vague = _VAGUE.search(text) is not None
    if rule := (None if is_vague else _named(text)) or _named(str(report["warnings"])):
        return rule[1](rule[2], raw=raw)
    if status == 403 or "HTTP Error 403" in everything:
        return ProxyBlocked("YouTube refuses the address of this server or proxy (HTTP 403).", raw=raw)
    if (status or 0) >= 500 or _SERVER_TROUBLE.search(everything):
        return PlatformTransient("YouTube had an error of its own.", raw=raw)
    if kinds & _NETWORK:
        return NetworkFailed("The connection to YouTube failed.", raw=raw)
    if is_vague:
        return ClientOutdated("yt-dlp does not understand YouTube's answer.", raw=raw, action=UPDATE)
    return ContractChanged("yt-dlp failed in words not known here.", raw=raw, action=UPDATE)


def _named(text: str) -> Rule | None:
    return next((rule for rule in BY_WORDS if rule[0].search(text)), None)


def _of_this_machine(text: str, kinds: set[str], raw: str) -> StepFailed | None:
    if "_TooLarge" in kinds:
        return MediaRejected("The source file is larger than may be fetched.")
    if kinds & {"MemoryError", "SystemError"} or "failed to map segment" in text:  # as imports put it
        return LocalFailed("Fetching the video took more memory than it may have.", raw=raw)
    if "ImportError" in kinds:
        return LocalFailed("yt-dlp is not installed, or is broken.", raw=raw, action=UPDATE)
    if _DISK.search(text):
        return LocalFailed("The fetched file could not be written.", raw=raw)
    if "CookieLoadError" in kinds:
        return SourceLoginRequired(
            "The cookies of this account cannot be read.", raw=raw, action="Export them again, in Netscape form."
        )
    return None


def _of_the_way(text: str, kinds: set[str], raw: str, exit_: Exit) -> StepFailed | None:
    if "PermissionError" in kinds and "private network" in text:
        return PlatformTransient("YouTube led to an address that is not called.", raw=raw, action=HOW_TO_ALLOW)
    if exit_.proxy and ("ProxyError" in kinds or _PROXY.search(text)):
        return ProxyFailed(f"Proxy {exit_.called} could not be used.", raw=raw)
    if "CertificateVerifyError" in kinds or "CERTIFICATE_VERIFY_FAILED" in text:
        words = "YouTube's certificate was not accepted: something between here and there opens the connection."
        return NetworkFailed(words, raw=raw, action="Check the proxy, and FORWARDER_CA_BUNDLE where one is set.")
    return None
