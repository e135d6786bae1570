"""Connections over the wire, with the rules as the functional specification writes them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from admin_app.api.schemas.base import Body, Out, PageQuery, RowId
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.filters import FilterMode
from forwarder_core.domain.proxies import Mode
from forwarder_core.domain.transforms import (
    MAX_BORDER,
    MAX_SIZE,
    MIN_SIZE,
    Fit,
    Position,
    Quality,
    Template,
    TooLong,
)
from forwarder_core.services.overview import ConnectionView


class DateRange(Body):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    from_: date | None = Field(None, alias="from")
    to: date | None = None


class FiltersIn(Body):
    mode: FilterMode = FilterMode.ALL_NEW
    caption_keywords: list[str] = Field(default_factory=list, max_length=100)
    include_old_posts: bool = False
    date_range: DateRange | None = None


class ScheduleIn(Body):
    type: Literal["continuous"] = "continuous"
    check_interval_minutes: float = Field(5, ge=0.05, le=1_440)


class GreenscreenIn(Body):
    """The layout a video is put into; the images are those of the templates folder."""

    enabled: bool = True
    template: Template = Template.SPLIT_SCREEN
    background_image: str | None = Field(None, max_length=200)
    position: Position = Position.CENTER
    size: int | None = Field(None, ge=MIN_SIZE, le=MAX_SIZE, description="% of the canvas' width")
    border_color: str = Field("#000000", pattern="^#[0-9a-fA-F]{6}$")
    border_width: int = Field(2, ge=0, le=MAX_BORDER)
    key_color: str = Field("#00d000", pattern="^#[0-9a-fA-F]{6}$")


class TransformIn(Body):
    upscale: bool | Literal["4k"] = False
    upscale_to_4k: bool = False
    greenscreen: bool | GreenscreenIn = False
    quality: Quality = Quality.OPTIMIZED
    too_long: TooLong = TooLong.TRIM
    fit: Fit = Fit.PAD


class RetryPolicyIn(Body):
    """What is left out follows the installation's settings (`retry.*`)."""

    max_attempts: int = Field(3, ge=0, le=20)
    backoff_strategy: Literal["exponential", "fixed"] = "exponential"
    backoff_multiplier: float = Field(6, ge=1, le=100)
    initial_delay_seconds: float = Field(10, ge=0, le=86_400)
    max_delay_seconds: float = Field(600, ge=0, le=86_400)
    retry_on_errors: list[str] = Field(default_factory=list, max_length=50)
    no_retry_on_errors: list[str] = Field(default_factory=list, max_length=50)


class ProxyPolicyIn(Body):
    """Which proxies a connection takes, and how; an empty pool follows the account's and the global ones."""

    mode: Mode = Mode.STICKY
    pool: list[RowId] = Field(default_factory=list, max_length=100)
    fallback_to_direct: bool = False
    max_retry_per_proxy: int = Field(2, ge=1, le=20)


class PublishIn(Body):
    privacy: Literal["public", "unlisted", "private"] = "public"


class ConnectionChange(Body):
    """Only what is given changes; a rule object is replaced as a whole."""

    name: str = Field("", max_length=120)
    proxy_id: RowId | None = None
    proxy_policy: ProxyPolicyIn = Field(default_factory=lambda: ProxyPolicyIn.model_validate({}))
    filters: FiltersIn = Field(default_factory=FiltersIn)
    schedule: ScheduleIn = Field(default_factory=lambda: ScheduleIn.model_validate({}))
    transform_options: TransformIn = Field(default_factory=TransformIn)
    publish_options: PublishIn = Field(default_factory=PublishIn)
    retry_policy: RetryPolicyIn = Field(default_factory=lambda: RetryPolicyIn.model_validate({}))
    priority: int = Field(0, ge=-100, le=100)

    def values(self) -> dict[str, Any]:
        """What was said and nothing else, as it is stored."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class ConnectionIn(ConnectionChange):
    """With `status: active` it is started at once; where that cannot be, it is stored and `reasons` says why."""

    name: str = Field(max_length=120, examples=["Travel_Insta_to_TechShorts"])
    type: str = Field("", max_length=80, examples=["instagram_to_youtube"])
    source_account_id: RowId
    destination_account_id: RowId
    status: Literal["active", "inactive", "stopped"] = "inactive"


class ConnectionQuery(PageQuery):
    status: list[str] = Field(default_factory=list)
    q: str | None = Field(None, max_length=120)


class EndOut(Out):
    id: int
    alias: str


class ConnectionOut(Out):
    id: int
    name: str
    type: str
    source_account: EndOut
    destination_account: EndOut
    proxy: EndOut | None
    proxy_policy: dict[str, Any]
    status: ConnectionStatus
    status_reason: str | None
    filters: dict[str, Any]
    schedule: dict[str, Any]
    transform_options: dict[str, Any]
    publish_options: dict[str, Any]
    retry_policy: dict[str, Any]
    priority: int
    created_at: datetime | None
    started_at: datetime | None
    last_run: datetime | None
    next_check: datetime | None
    total_forwarded: int
    success_count: int
    failure_count: int

    @classmethod
    def of(cls, view: ConnectionView) -> ConnectionOut:
        c = view.connection
        days = {"from": c.filters.old_from, "to": c.filters.old_to}
        return cls(
            id=c.id,
            name=c.name,
            type=c.type,
            source_account=EndOut(id=view.source.id, alias=view.source.alias),
            destination_account=EndOut(id=view.destination.id, alias=view.destination.alias),
            proxy=EndOut(id=c.proxy_id, alias=view.proxy_alias) if c.proxy_id and view.proxy_alias else None,
            proxy_policy=dict(c.proxy_policy),
            status=c.status,
            status_reason=c.status_reason,
            filters={
                "mode": c.filters.mode,
                "caption_keywords": list(c.filters.caption_keywords),
                "include_old_posts": c.filters.include_old_posts,
                "date_range": days if any(days.values()) else None,
            },
            schedule={"type": "continuous", "check_interval_minutes": c.schedule.check_interval_s / 60},
            transform_options={
                "upscale": c.transform.upscale,
                "upscale_to_4k": c.transform.upscale_to_4k,
                "greenscreen": c.transform.layout.to_dict(),
                "quality": c.transform.quality,
                "too_long": c.transform.too_long,
                "fit": c.transform.fit,
            },
            publish_options=dict(c.publish),
            retry_policy=dict(c.retry_policy),
            priority=c.priority,
            created_at=c.created_at,
            started_at=c.started_at,
            last_run=c.last_run_at,
            next_check=view.next_look_at,
            total_forwarded=view.forwarded,
            success_count=view.succeeded,
            failure_count=view.failed,
        )


class ConnectionDone(Out):
    """`reasons`: why a connection that was to be active is not."""

    status: Literal["success"] = "success"
    connection: ConnectionOut
    message: str
    reasons: list[str] = Field(default_factory=list)


class ConnectionMoved(Out):
    status: Literal["success"] = "success"
    message: str
    connection_id: int
    new_status: ConnectionStatus
    next_check: datetime | None = None


class JobMade(Out):
    job_id: int
    source_post_id: str
    status: str


class ConnectionRan(Out):
    status: Literal["success"] = "success"
    message: str
    jobs_created: list[JobMade]
