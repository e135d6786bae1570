"""Decisions as the screens show them. What they say in words stands in `domain.decisions`."""

from __future__ import annotations

from admin_app.ui.words import Look
from forwarder_core.domain.decisions import why
from forwarder_core.domain.posts import Verdict

__all__ = ["LOOKS", "why"]
LOOKS = {
    Verdict.FORWARD: Look("Forwarded", ":material/arrow_forward:", "green"),
    Verdict.FILTERED: Look("Left out", ":material/filter_alt:", "gray"),
    Verdict.DUPLICATE: Look("Duplicate", ":material/content_copy:", "gray"),
    Verdict.TOO_LATE: Look("Too late", ":material/history:", "gray"),
    Verdict.BEFORE_START: Look("Old post", ":material/history:", "gray"),
    Verdict.HELD: Look("Held", ":material/hourglass_top:", "orange"),
}
