"""The few column shapes every table is made of, and the one MetaData they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    MetaData,
    Text,
    false,
    func,
    literal_column,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from forwarder_core.domain.searching import prefix_query

# Names of constraints are fixed by rule, so that migrations can name what they drop.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_BATCH_ROWS = 2_000
Row = TypeVar("Row")
WORKSPACE = 1  # the one workspace of a single-administrator installation


def row_id() -> Column[int]:
    return Column("id", BigInteger, Identity(), primary_key=True)


def workspace() -> Column[int]:
    """The tenant. One row today; in every root table and every unique key, so that many can come later."""
    return Column(
        "workspace_id", BigInteger, ForeignKey("workspaces.id"), nullable=False, server_default=text(str(WORKSPACE))
    )


def ref(
    name: str, target: str, *, nullable: bool = False, ondelete: str | None = None, index: bool = True
) -> Column[int]:
    return Column(name, BigInteger, ForeignKey(f"{target}.id", ondelete=ondelete), nullable=nullable, index=index)


def at(name: str, *, nullable: bool = True, index: bool = False) -> Column[Any]:
    """An instant, UTC. Always written by the product from its Clock, never by the server's default."""
    return Column(name, DateTime(timezone=True), nullable=nullable, index=index)


def word(name: str, *, default: str | None = None, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable, server_default=None if default is None else text(f"'{default}'"))


class Spelled(Text):
    """A word of our own vocabulary: a statement that looks for one has it written out and not as a parameter. A plan
    made once for all parameters knows neither that of a million jobs none is running nor the index of those that are.
    """

    class Comparator(Text.Comparator[str]):
        def operate(self, op: Any, *other: Any, **options: Any) -> Any:
            return super().operate(op, *map(_spelled_out, other), **options)

    comparator_factory = Comparator


def _spelled_out(value: Any) -> Any:
    if isinstance(value, list | tuple | set | frozenset):
        return [_spelled_out(one) for one in value]
    if isinstance(value, str) and value.isidentifier():  # any other is no word of ours, and may have quotes
        return literal_column(f"'{value}'", Text())
    return value


def state(name: str, *, default: str | None = None) -> Column[str]:
    """As `word`, of our own vocabulary."""
    return Column(name, Spelled(), nullable=False, server_default=None if default is None else text(f"'{default}'"))


def facts(name: str) -> Column[Any]:
    """A JSON object; empty where nothing was said."""
    return Column(name, JSONB, nullable=False, server_default=text("'{}'::jsonb"))


def searchable(column: str) -> Column[Any]:
    """The words of another column, kept by the database itself; found by `domain.searching`'s queries."""
    return Column("search", TSVECTOR, Computed(f"to_tsvector('simple'::regconfig, {column})", persisted=True))


def found_by(search: ColumnElement[Any], typed: str) -> ColumnElement[bool]:
    """Rows whose words begin as somebody typed; none where nothing of it is a word."""
    asked = prefix_query(typed)
    return false() if asked is None else search.bool_op("@@")(func.to_tsquery(text("'simple'"), asked))


def has_part(search: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """`part`: one of `parts_of`."""
    return search.bool_op("@@")(func.to_tsquery(text("'simple'"), part))


def listed_by(search: ColumnElement[Any], parts: Sequence[str], rare: set[int]) -> list[ColumnElement[bool]]:
    """Rows with all parts, the rare ones by the index of words; the others are checked row by row."""
    found = (has_part(search, part) for part in parts)
    return [one if n in rare else one.is_(true()) for n, one in enumerate(found)]


def storable(text: str) -> str:
    """Without the two things that Python has in a text and PostgreSQL takes in none: NUL and half a surrogate pair."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def in_batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """So many at a time that their values fit one statement (PostgreSQL takes 65,535)."""
    return (rows[start : start + _BATCH_ROWS] for start in range(0, len(rows), _BATCH_ROWS))
