"""The rules of a connection over the wire: which posts, when, and in which words; and what previews and drops answer.

Shapes and types are refused here, by name; what a rule means, and which rules contradict each other, the domain says.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field

from admin_app.api.schemas.base import Body, Instant, Out, RowId, Words
from forwarder_core.domain.backlog import Order
from forwarder_core.domain.captions import CAPTION, Links, Mentions
from forwarder_core.domain.filters import FilterMode, LicensedMusic
from forwarder_core.domain.patterns import MOST_CHARS
from forwarder_core.domain.schedules import WindowsFor

_WINDOWS = ("windows", "scheduled", "scheduled_windows", "daily")
Hours = Annotated[float, Field(ge=0, le=8_760)]
Seconds = Annotated[float, Field(ge=0, le=43_200)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Tags = Annotated[list[Words], Field(max_length=100)]
Pattern = Annotated[str, Field(max_length=MOST_CHARS)]


class DateRange(Body):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    from_: date | None = Field(None, alias="from")
    to: date | None = None


class HashtagsIn(Body):
    """With or without the hash, in any case of letters."""

    any: Tags = Field(default_factory=list, description="One of these must be there")
    all: Tags = Field(default_factory=list, description="Every one of these must be there")
    none: Tags = Field(default_factory=list, description="None of these may be there")


class DurationIn(Body):
    min_s: Seconds | None = None
    max_s: Seconds | None = None


class AgeIn(Body):
    """Of the post, in hours. A younger one waits; one found later than `max_h` is too late."""

    min_h: Hours | None = None
    max_h: Hours | None = None


class PopularityIn(Body):
    """Decided once the post is `after_h` hours old, by what the source says then; each count given must be reached."""

    after_h: Hours = 24
    min_views: Count | None = None
    min_likes: Count | None = None


class OldPostsIn(Body):
    """Of the posts from before the start: how many, how many a day, in which order."""

    newest_n: int | None = Field(None, ge=1, le=100_000)
    per_day: int | None = Field(None, ge=1, le=1_000)
    order: Order = Order.OLDEST


class FiltersIn(Body):
    """What is left out lets everything through. A post the source says too little about is left, and says so."""

    mode: FilterMode = FilterMode.ALL_NEW
    caption_keywords: Tags = Field(default_factory=list, description="In mode caption_keywords: one must be there")
    caption_pattern: Pattern | None = Field(None, description="Or this regular expression matches; linear time")
    excluded_keywords: Tags = Field(default_factory=list, description="None may be in the caption")
    excluded_pattern: Pattern | None = None
    hashtags: HashtagsIn = Field(default_factory=HashtagsIn)
    duration: DurationIn = Field(default_factory=lambda: DurationIn.model_validate({}))
    age: AgeIn = Field(default_factory=AgeIn)
    popularity: PopularityIn = Field(default_factory=PopularityIn)
    has_audio: bool | None = None
    licensed_music: LicensedMusic = Field(LicensedMusic.FORWARD, description="Where the source tells of such music")
    newest_n: int | None = Field(None, ge=1, le=100_000, description="Of posts found together, as after an outage")
    include_old_posts: bool = False
    date_range: DateRange | None = Field(None, description="Of old posts; days in UTC, both included")
    old_posts: OldPostsIn = Field(default_factory=lambda: OldPostsIn.model_validate({}))


class WindowIn(Body):
    """Local times; an end before the start lies on the next day."""

    start: str = Field(validation_alias=AliasChoices("start", "from"), pattern=r"^\d\d:\d\d$", examples=["09:00"])
    end: str = Field(validation_alias=AliasChoices("end", "to"), pattern=r"^\d\d:\d\d$", examples=["21:30"])


def _kind(value: Any) -> Any:
    return "windows" if isinstance(value, str) and value in _WINDOWS else value


class ScheduleIn(Body):
    """`windows`: publish at these hours only. The source is looked at all the time, so nothing is found late."""

    type: Annotated[Literal["continuous", "windows"], BeforeValidator(_kind)] = "continuous"
    check_interval_minutes: float = Field(5, ge=0.05, le=1_440)
    windows: list[WindowIn] = Field(default_factory=list, max_length=24)
    windows_for: WindowsFor = WindowsFor.ALL
    timezone: str = Field("UTC", max_length=60, examples=["Asia/Kolkata"])


class WordingIn(Body):
    """The words a post gets at its destination. Variables in braces: `{caption}` `{title}` `{hashtags}` `{source_url}`
    `{source_handle}` `{source_platform}` `{date}` `{connection}`."""

    title_template: str = Field("", max_length=5_000, examples=["{title} by {source_handle}"])
    caption_template: str = Field(CAPTION, max_length=5_000)
    credit_line: bool | Annotated[str, Field(max_length=5_000)] = Field(False, description="true = “Source: …”")
    add_hashtags: list[Words] = Field(default_factory=list, max_length=60)
    remove_hashtags: Literal["all"] | list[Words] = Field(default_factory=list)
    mentions: Mentions = Field(Mentions.KEEP, description="“@name” names another person there than here")
    links: Links = Links.KEEP
    shorts_tag: bool = Field(False, description="“#Shorts” at the end of the title")


class PreviewIn(Body):
    """With `connection` its accounts and rules are used; `publish_options` are tried in place of its own."""

    caption: Words = Field(max_length=100_000)
    connection: RowId | None = None
    platform: str | None = Field(None, max_length=40, examples=["youtube"], description="Where there is no connection")
    publish_options: WordingIn = Field(default_factory=lambda: WordingIn.model_validate({}))
    source_url: str = Field("", max_length=2_000)
    source_handle: str = Field("", max_length=200)
    posted_at: Instant | None = None


class PreviewOut(Out):
    title: str
    caption: str
    tags: list[str]
    notes: list[str]


class DropIn(Body):
    connection: RowId


class NextPost(Out):
    """A post that waits: when it goes at the earliest, and for what it waits until then."""

    job_id: int
    source_post_id: str
    wait_reason: str | None
    at: datetime | None
