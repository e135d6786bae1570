"""What the control API accepts, as models. Unknown fields are refused everywhere; only a fault's extra ones are kept,
because they are what the fault needs (`seconds`, `status`, `after_bytes` …).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from forwarder_core.simulator.clips import CODECS
from forwarder_core.simulator.faults import ALL_FAULTS, PROXY_FAULTS

Name = Annotated[str, Field(min_length=1, max_length=200)]
_NUMBERS = ("seconds", "every_s", "bytes_per_s", "after_bytes", "bytes", "status", "retry_after")


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class NewPost(_Input):
    """`file` is the path of a video on this machine; without it a clip is made, the same one for the same seed."""

    platform: Name
    account: Name
    caption: str = ""
    title: str = ""
    file: Path | None = None
    seconds: float = Field(6.0, ge=0.5, le=600)
    width: int = Field(720, ge=64, le=3840, multiple_of=2)
    height: int = Field(1280, ge=64, le=3840, multiple_of=2)
    fps: float = Field(30.0, ge=1, le=120)
    codec: str = "h264"
    audio: bool = True
    audio_hz: int = Field(48_000, ge=8_000, le=96_000)
    audio_channels: int = Field(2, ge=1, le=2)
    faststart: bool = True
    seed: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _known(self) -> NewPost:
        if self.codec not in CODECS:
            raise ValueError(f"codec must be one of {', '.join(CODECS)}")
        if self.file is not None and not self.file.is_file():
            raise ValueError(f"{self.file} is not a file")
        return self


class NewAccount(_Input):
    platform: Name
    username: Name
    password: str | None = Field(None, min_length=1)
    challenge: str | None = None
    secrets: dict[str, str] = Field(default_factory=dict)
    id: str | None = Field(None, min_length=1)


class AccountChange(_Input):
    username: Name | None = None
    password: str | None = Field(None, min_length=1)
    challenge: str | None = None
    secrets: dict[str, str] | None = None


class Match(_Input):
    platform: str | None = None
    route: str | None = None
    account: str | None = None
    host: str | None = None
    proxy: str | None = None


class NewFault(BaseModel):
    """`count` null = until it is deleted."""

    model_config = ConfigDict(extra="allow")

    match: Match = Field(default_factory=Match)
    fault: str
    count: int | None = Field(1, ge=1)

    @model_validator(mode="after")
    def _possible(self) -> NewFault:
        if self.fault not in ALL_FAULTS:
            raise ValueError(f"fault must be one of {', '.join(ALL_FAULTS)}")
        if self.fault in PROXY_FAULTS and (self.match.route or self.match.account):
            raise ValueError("a proxy sees hosts, not routes or accounts: match by platform, host or proxy")
        for name in _NUMBERS:
            value = self.value.get(name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
                raise ValueError(f"{name} must be a number, 0 or more")
        return self

    @property
    def value(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class NewProxy(_Input):
    username: str | None = Field(None, min_length=1, max_length=255)
    password: str | None = Field(None, min_length=1, max_length=255)
    port: int = Field(0, ge=0, le=65535)

    @model_validator(mode="after")
    def _both(self) -> NewProxy:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        return self


class ClockChange(_Input):
    """The world's clock stands from now on: at `at`, else where it was, and moved on by `seconds`."""

    at: AwareDatetime | None = None
    seconds: float = Field(0.0, ge=0)


class NewUpdate(_Input):
    """A person writes to the bot, or presses a button under one of its messages."""

    chat_id: int
    text: str | None = None
    data: str | None = None
    message_id: int | None = None
    from_id: int | None = None
    username: str = "operator"
    chat_type: Literal["private", "group", "supergroup", "channel"] = "private"

    @model_validator(mode="after")
    def _one(self) -> NewUpdate:
        if (self.text is None) == (self.data is None):
            raise ValueError("give either text (a message) or data (a pressed button)")
        if self.data is not None and self.message_id is None:
            raise ValueError("a pressed button belongs to a message_id")
        return self
