"""Connections over the wire, with the rules as the functional specification writes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from admin_app.api.schemas.base import Body, Out, PageQuery, RowId
from admin_app.api.schemas.rules import FiltersIn, NextPost, ScheduleIn, WordingIn
from forwarder_core.domain import filter_rules, schedule_rules
from forwarder_core.domain.connections import ConnectionStatus
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
    normalize_loudness: bool = False
    measure_quality: bool = Field(False, description="SSIM and VMAF of every rendition into its receipt")


class RetryRuleIn(Body):
    """When a failure is tried again. `max_attempts` counts retries; `delays_seconds` says each wait and wins over the
    formula of the others."""

    max_attempts: int = Field(3, ge=0, le=20)
    delays_seconds: list[float] = Field(default_factory=lambda: [10.0, 60.0, 300.0], min_length=1, max_length=20)
    backoff_strategy: Literal["exponential", "fixed"] = "exponential"
    backoff_multiplier: float = Field(6, ge=1, le=100)
    initial_delay_seconds: float = Field(10, ge=0, le=86_400)
    max_delay_seconds: float = Field(600, ge=0, le=86_400)


class RetryPolicyIn(RetryRuleIn):
    """What is left out follows the installation's settings (`retry.*`). Errors by our codes or the names of the
    functional specification; `per_class`: a policy for single errors, over the connection's own."""

    retry_on_errors: list[str] = Field(default_factory=list, max_length=50, examples=[["network_timeout"]])
    no_retry_on_errors: list[str] = Field(default_factory=list, max_length=50, examples=[["video_too_large"]])
    per_class: dict[str, RetryRuleIn] = Field(
        default_factory=dict, max_length=50, examples=[{"network_error": {"max_attempts": 5}}]
    )


class PublishAgainIn(Body):
    """Ask the destination again after so many seconds, as often as it takes; publish anew once it proves the post
    absent."""

    publish_again_after_s: float = Field(ge=1, le=2_592_000)


class ProxyPolicyIn(Body):
    """Which proxies a connection takes, and how; an empty pool follows the account's and the global ones."""

    mode: Mode = Mode.STICKY
    pool: list[RowId] = Field(default_factory=list, max_length=100)
    fallback_to_direct: bool = False
    max_retry_per_proxy: int = Field(2, ge=1, le=20)


class PublishIn(WordingIn):
    """`approval`: nothing is published before a person said yes, here or in Telegram."""

    privacy: Literal["public", "unlisted", "private"] = "public"
    approval: bool = False


class ConnectionChange(Body):
    """Only what is given changes; a rule object is replaced as a whole.

    Another destination cancels what waits, and is refused (409) while a post is on its way to the present one.
    """

    name: str = Field("", max_length=120)
    destination_account_id: RowId = 0
    proxy_id: RowId | None = None
    token_ref: RowId | None = Field(None, description="A credential of the destination account; null = its own")
    proxy_policy: ProxyPolicyIn = Field(default_factory=lambda: ProxyPolicyIn.model_validate({}))
    filters: FiltersIn = Field(default_factory=lambda: FiltersIn.model_validate({}))
    schedule: ScheduleIn = Field(default_factory=lambda: ScheduleIn.model_validate({}))
    transform_options: TransformIn = Field(default_factory=lambda: TransformIn.model_validate({}))
    publish_options: PublishIn = Field(default_factory=lambda: PublishIn.model_validate({}))
    retry_policy: RetryPolicyIn = Field(default_factory=lambda: RetryPolicyIn.model_validate({}))
    on_ambiguous: Literal["ask"] | PublishAgainIn = Field("ask", description="Not known whether a post is live")
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
    """`looks_by_itself`: false for one with the filter `only_asked_for`, whose source is looked at when somebody asks;
    it has no `next_check`."""

    id: int
    name: str
    type: str
    source_account: EndOut
    destination_account: EndOut
    proxy: EndOut | None
    token_ref: int | None
    proxy_policy: dict[str, Any]
    status: ConnectionStatus
    status_reason: str | None
    filters: dict[str, Any]
    schedule: dict[str, Any]
    transform_options: dict[str, Any]
    publish_options: dict[str, Any]
    retry_policy: dict[str, Any]
    on_ambiguous: str | dict[str, Any]
    priority: int
    created_at: datetime | None
    started_at: datetime | None
    last_run: datetime | None
    looks_by_itself: bool
    next_check: datetime | None
    total_forwarded: int
    success_count: int
    failure_count: int
    success_rate_7_days: float | None = Field(description="Percent per post of the last seven days; null: none ended")
    next_posts: list[NextPost] = Field(default_factory=list, description="Of one connection alone")

    @classmethod
    def of(cls, view: ConnectionView) -> ConnectionOut:
        c = view.connection
        return cls(
            id=c.id,
            name=c.name,
            type=c.type,
            source_account=EndOut(id=view.source.id, alias=view.source.alias),
            destination_account=EndOut(id=view.destination.id, alias=view.destination.alias),
            proxy=EndOut(id=c.proxy_id, alias=view.proxy_alias) if c.proxy_id and view.proxy_alias else None,
            token_ref=c.token_ref,
            proxy_policy=dict(c.proxy_policy),
            status=c.status,
            status_reason=c.status_reason,
            filters=filter_rules.write(c.filters),
            schedule=schedule_rules.write(c.schedule),
            transform_options={
                "upscale": c.transform.upscale,
                "upscale_to_4k": c.transform.upscale_to_4k,
                "greenscreen": c.transform.layout.to_dict(),
                "quality": c.transform.quality,
                "too_long": c.transform.too_long,
                "fit": c.transform.fit,
                "normalize_loudness": c.transform.normalize_loudness,
                "measure_quality": c.transform.measure_quality,
            },
            publish_options=dict(c.publish),
            retry_policy=dict(c.retry_policy),
            on_ambiguous=c.on_ambiguous if isinstance(c.on_ambiguous, str) else dict(c.on_ambiguous),
            priority=c.priority,
            created_at=c.created_at,
            started_at=c.started_at,
            last_run=view.last_run_at,
            looks_by_itself=c.looks_by_itself,
            next_check=view.next_look_at,
            total_forwarded=view.forwarded,
            success_count=view.succeeded,
            failure_count=view.failed,
            success_rate_7_days=view.success_7_days,
        )


class ConnectionDone(Out):
    """`reasons`: why a connection that was to be active is not; `warnings`: what is allowed and worth knowing, such as
    a circle of connections."""

    status: Literal["success"] = "success"
    connection: ConnectionOut
    message: str
    reasons: list[str] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)


class ConnectionMoved(Out):
    status: Literal["success"] = "success"
    message: str
    connection_id: int
    new_status: ConnectionStatus
    next_check: datetime | None = None
    warnings: list[str] = Field(default_factory=list)


class JobMade(Out):
    job_id: int
    source_post_id: str
    status: str


class ConnectionRan(Out):
    """`poll_id`: of the look, under /api/polls."""

    status: Literal["success"] = "success"
    message: str
    jobs_created: list[JobMade]
    poll_id: int
