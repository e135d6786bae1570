"""What a day was: rows computed from jobs, attempts and checks, one set per calendar day of the installation's zone.

Everything here can be deleted and computed anew; docs/analytics.md defines each figure. A day is written whole, in one
transaction, so no reader sees half of one.
"""

from sqlalchemy import BigInteger, Column, Date, Double, ForeignKey, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from forwarder_core.db.columns import WORKSPACE, at, facts, metadata, word


def _workspace() -> Column[int]:
    return Column(
        "workspace_id",
        BigInteger,
        ForeignKey("workspaces.id"),
        primary_key=True,
        autoincrement=False,
        server_default=text(str(WORKSPACE)),
    )


def _day(name: str = "day") -> Column[object]:
    return Column(name, Date, primary_key=True)


def _of(name: str, target: str, *, ondelete: str | None = None) -> Column[int]:
    """Whose figures these are; a part of the key."""
    return Column(name, BigInteger, ForeignKey(f"{target}.id", ondelete=ondelete), primary_key=True)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


def _total(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _seconds(name: str) -> Column[float]:
    return Column(name, Double, nullable=False, server_default=text("0"))


analytics_days = Table(
    "analytics_days",
    metadata,
    # Which days are computed, of which zone, and from what: a day whose source is as it was is not computed again.
    _workspace(),
    _day(),
    word("zone"),
    _count("source_rows"),
    at("source_changed_at"),
    at("computed_at", nullable=False),
)

analytics_marks = Table(
    "analytics_marks",
    metadata,
    # How far changes of jobs were looked through.
    _workspace(),
    Column("name", Text, primary_key=True),
    at("at", nullable=False),
)

connection_daily = Table(
    "connection_daily",
    metadata,
    _workspace(),
    _day(),
    _of("connection_id", "connections"),
    _count("succeeded"),  # jobs that ended on this day
    _count("failed"),
    _count("attempts_succeeded"),  # attempts that ended on this day
    _count("attempts_failed"),
    _count("blocked"),  # jobs that were open from before this day to after it
    _count("retries"),  # burnt by the jobs that succeeded
    _count("succeeded_after_retry"),
    _seconds("duration_s"),  # first start to success, all together
    _seconds("wait_s"),  # queued to first start, of the jobs that ended, all together
    _count("started"),  # so many of them had started
    _seconds("busy_s"),  # of all attempts
    _total("bytes_fetched"),
    _total("bytes_sent"),
    facts("hours"),  # {"15": [succeeded, failed]}, local hours
    at("last_failed_at"),
)

account_daily = Table(
    "account_daily",
    metadata,
    _workspace(),
    _day(),
    _of("account_id", "accounts", ondelete="CASCADE"),
    Column("role", Text, primary_key=True),  # source | destination
    _count("succeeded"),
    _count("failed"),
    _count("blamed"),  # failed attempts at this end of the job
    _count("attempts_succeeded"),
    _count("attempts_failed"),
    _count("blocked"),
    at("last_failed_at"),
)

failure_daily = Table(
    "failure_daily",
    metadata,
    _workspace(),
    _day(),
    _of("connection_id", "connections"),
    Column("code", Text, primary_key=True),
    Column("side", Text, primary_key=True),  # source | destination: whose step it was
    _count("jobs"),  # ended with it for good
    _count("attempts"),
    _count("recovered"),  # of the attempts: their job arrived in the end
)

proxy_daily = Table(
    "proxy_daily",
    metadata,
    _workspace(),
    _day(),
    _of("proxy_id", "proxies", ondelete="CASCADE"),
    _count("checks"),
    _count("failed"),
    _total("latency_ms"),  # of the checks that succeeded, all together
)

system_daily = Table(
    "system_daily",
    metadata,
    _workspace(),
    _day(),
    _count("created"),
    _count("cancelled"),
    _count("filtered"),
    _count("slots"),  # runs at once that were allowed when the day was computed
    _seconds("elapsed_s"),  # of the day when it was computed
    Column("latency_p50_s", Double),  # posted at the source to seen at the destination; old posts aside
    Column("latency_p95_s", Double),
    _count("latencies"),
)

rollups = Table(
    "rollups",
    metadata,
    # Weeks (from Monday) and months, from the daily rows.
    _workspace(),
    Column("period", Text, primary_key=True),  # week | month
    _day("starts_on"),
    _count("forwarded"),
    _count("succeeded"),
    _count("failed"),
    Column("avg_retries", Double),
    Column("top_errors", JSONB, nullable=False, server_default=text("'[]'::jsonb")),  # [{code, jobs}]
    at("computed_at", nullable=False),
)
