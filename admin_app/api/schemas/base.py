"""What all bodies share: strictness, the page of a list, the instant with its zone, the plain acknowledgement."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

T = TypeVar("T")


class Body(BaseModel):
    """Of a request: a field we do not know is a mistake of the caller, never silently dropped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False, allow_inf_nan=False)


class Out(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _with_zone(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def _storable(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain the character NUL")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must not contain half a character")
    return value


Words = Annotated[str, AfterValidator(_storable)]  # what PostgreSQL can keep
Instant = Annotated[datetime, AfterValidator(_with_zone), Field(description="ISO 8601; without a zone it is UTC")]
RowId = Annotated[int, Field(ge=1, le=2**62)]


class Page(Out, Generic[T]):
    """A list, newest or lowest id first. `next_cursor` goes into `cursor` of the next call; null = the end."""

    items: list[T]
    next_cursor: str | None = None


class PageQuery(Body):
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, pattern=r"^\d{1,18}$", description="next_cursor of the page before")

    @property
    def before(self) -> int:
        return int(self.cursor) if self.cursor else 2**62

    @property
    def after(self) -> int:
        return int(self.cursor) if self.cursor else 0


class SortedQuery(PageQuery):
    """Ids are given in the order of creation, so both names sort alike."""

    sort: Literal["-created_at", "created_at", "-id", "id"] = Field("-created_at", description="- = newest first")

    @property
    def oldest_first(self) -> bool:
        return not self.sort.startswith("-")

    @property
    def beyond(self) -> int:
        """The id the page begins after, in the order asked for."""
        return self.after if self.oldest_first else self.before


class Done(Out):
    status: Literal["success"] = "success"
    message: str


def split(words: list[str]) -> tuple[str, ...]:
    """`status=a,b` and `status=a&status=b` say the same."""
    return tuple(part.strip() for word in words for part in word.split(",") if part.strip())
