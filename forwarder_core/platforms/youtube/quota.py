"""What a Google project may use a day, and what each of our calls takes of it.

What lives here: whose quota an account uses, and the price of a call. What does not: counting (client.py) and the
ledger (the engine's).
The fact to know: a client id begins with its project's number, so two OAuth clients of one project share one allowance.
"""

from __future__ import annotations

from forwarder_core.connectors.base import Secrets
from forwarder_core.connectors.metering import SharedQuota

UPLOADS, UNITS = "uploads", "units"
PACIFIC = "America/Los_Angeles"  # at its midnight Google resets the counters
READ_COST = 1  # units of every list call we make (Data API, quota cost of channels, playlistItems and videos .list)


def shared(secrets: Secrets) -> tuple[SharedQuota, ...]:
    """Of the project the account's OAuth client belongs to; nothing while there is no client."""
    project = secrets.get("client_id", "").partition("-")[0]
    if not project:
        return ()
    return (
        SharedQuota(name=UPLOADS, key=project, zone=PACIFIC, is_per_post=True),
        SharedQuota(name=UNITS, key=project, zone=PACIFIC),
    )
