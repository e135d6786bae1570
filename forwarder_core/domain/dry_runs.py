"""Dry runs: what a forward of the newest posts would do, found out without writing anything at the destination. Pure.

What lives here: the findings and the report made of them, with the keys of the functional specification (4.3.4). The
fact to know: `issues` holds everything an admin may want to act on, typed; `sample_posts` what became of each post.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from forwarder_core.domain.rehearsals import Check, Outcome

MOST_POSTS = 5
# Mbit/s of a small server's upload, slow and quick; own assumption, the estimate says a range.
_SLOW_MBITS, _QUICK_MBITS = 5.0, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Something to know or to act on. `source_id` None: it concerns the connection, not one post."""

    code: str
    text: str
    action: str
    source_id: str | None = None
    is_fatal: bool = True

    def to_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": "error" if self.is_fatal else "warning",
            "text": self.text,
            "action": self.action,
            "source_id": self.source_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedPost:
    """One post, as far as it came. Sizes in bytes; `seconds` by step; `payload` is what would be sent beside the file.

    `frames`: which of `before` and `after` there is a picture of.
    """

    source_id: str
    source_url: str
    caption: str
    duration_s: float | None = None
    size_bytes: int = 0
    made_bytes: int = 0
    made_size: str = ""
    result: str = "not reached"
    is_upscaled: bool = False
    has_layout: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict)
    payload: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    frames: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "source_id": self.source_id,
            "source_url": self.source_url,
            "caption": self.caption,
            "duration_sec": round(self.duration_s, 1) if self.duration_s is not None else None,
            "size_mb": _mb(self.size_bytes),
            "transformation_result": self.result,
            "made_mb": _mb(self.made_bytes),
            "made_size": self.made_size,
            "seconds": dict(self.seconds),
            "payload": dict(self.payload),
            "reasons": list(self.plan.get("reasons", ())),
            "notes": list(self.plan.get("notes", ())),
            "frames": list(self.frames),
            "issues": [issue.to_dict() for issue in self.issues],
        }


def results(
    *,
    found: int,
    tested: Sequence[TriedPost],
    checks: Sequence[Check],
    issues: Sequence[Issue],
    quota: Mapping[str, Any],
) -> dict[str, Any]:
    """The report so far; complete as soon as every chosen post is in `tested`."""
    downloaded = [post for post in tested if post.size_bytes]
    every = [*issues, *(issue_of(check) for check in checks if check.outcome is not Outcome.OK)]
    every += [issue for post in tested for issue in post.issues]
    return {
        "posts_found": found,
        "posts_tested": len(tested),
        "videos_downloaded": len(downloaded),
        "total_size_mb": _mb(sum(post.size_bytes for post in downloaded)),
        "transformations": {
            "upscale_applied": sum(post.is_upscaled for post in tested),
            "greenscreen_applied": sum(post.has_layout for post in tested),
        },
        "destination_validation": _validation(checks, tested),
        "estimated_upload_time_minutes": upload_minutes(sum(post.made_bytes for post in tested)),
        "quota_cost": dict(quota),
        "issues": [issue.to_dict() for issue in every],
        "sample_posts": [post.to_dict() for post in tested],
        "checks": [{"name": c.name, "outcome": c.outcome, "text": c.text, "action": c.action} for c in checks],
    }


def issue_of(check: Check) -> Issue:
    return Issue(code=check.name, text=check.text, action=check.action, is_fatal=check.outcome is Outcome.FAILED)


def upload_minutes(size_bytes: int) -> str:
    """A range in whole minutes, as `8-12`."""
    quick, slow = (size_bytes * 8 / (mbits * 1_000_000 * 60) for mbits in (_QUICK_MBITS, _SLOW_MBITS))
    return f"{math.floor(quick)}-{max(1, math.ceil(slow))}"


def _validation(checks: Sequence[Check], tested: Sequence[TriedPost]) -> str:
    """`passed`: the destination is ours to post to, and would take every file that was made."""
    at_destination = [check for check in checks if check.name.startswith("destination")]
    refused = any(check.outcome is Outcome.FAILED for check in at_destination)
    unfit = any(issue.code == "not_compliant" for post in tested for issue in post.issues)
    if refused or unfit:
        return "failed"
    known = any(check.name == "destination_identity" and check.outcome is Outcome.OK for check in at_destination)
    return "passed" if known else "unknown"


def _mb(size_bytes: int) -> float:
    return round(size_bytes / 1_000_000, 2)
