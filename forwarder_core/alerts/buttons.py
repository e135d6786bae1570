"""The buttons below a message, and what comes back when one is pressed. Pure.

The fact to know: Telegram gives 64 bytes for the data of a button and hands them to whoever presses it, so they name
what is meant and carry no right: who may press is checked when they come back.
"""

from __future__ import annotations

from forwarder_core.alerts.facts import Facts
from forwarder_core.alerts.kinds import AlertKind
from forwarder_core.alerts.text import Button, safe

_MOST_BYTES = 64
_LABEL_CHARS = 40


def buttons_of(kind: str, f: Facts) -> tuple[Button, ...]:
    """`answer:<job>:<choice>`, `confirm:<job>:live|again`, `solved:<account>`."""
    job, account = f.count("job_id"), f.count("account_id")
    if kind == AlertKind.APPROVAL and job:
        pairs = [pair for pair in f.items("choices") if isinstance(pair, (list, tuple)) and len(pair) == 2]
        return _fitting(*(Button(safe(label, _LABEL_CHARS), f"answer:{job}:{word}") for word, label in pairs))
    if kind == AlertKind.JOB_UNCONFIRMED and job:
        return _fitting(Button("It is live", f"confirm:{job}:live"), Button("Publish again", f"confirm:{job}:again"))
    if kind == AlertKind.CAPTCHA and account:
        return _fitting(Button("Mark as solved", f"solved:{account}"))
    return ()


def _fitting(*buttons: Button) -> tuple[Button, ...]:
    return tuple(button for button in buttons if button.label and len(button.data.encode()) <= _MOST_BYTES)
