"""A sheet of captions: the rows of a CSV that say which words and which date belong to which video.

What lives here: reading such a text, row by row, and what every sheet of ours has in common. Pure. What does not:
where the text comes from (a watched folder's captions.csv, or one handed in with an upload), and what becomes of a bad
row there.
The fact to know: a row is never half right. What is wrong with it is said in words, and its values are not used.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from forwarder_core.errors import LocalFailed

SHEET = "captions.csv"
MEND = f"Mend {SHEET}; its first line names the columns: file, caption, date."
_SEPARATORS = ",;\t"  # spreadsheets write the one of their country
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Line:
    """What the sheet says of one file. `at` None = no date given. `account`: the one an upload's row is meant for, by
    alias or number; a watched folder has no use for it."""

    caption: str = ""
    at: datetime | None = None
    account: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row and the last line of the text it stands on. `wrong` is empty where it can be used."""

    number: int
    name: str
    line: Line
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """`lines` by file name; `held`: files whose row is bad."""

    lines: Mapping[str, Line] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()

    def line(self, name: str) -> Line:
        return self.lines.get(key(name), Line())

    def holds(self, name: str) -> bool:
        return key(name) in self.held


def parse(text: str) -> Sheet:
    """The sheet of a folder, where each file has one row. Raises LocalFailed as `rows_of` does."""
    lines: dict[str, Line] = {}
    held: set[str] = set()
    problems: list[str] = []
    for row in rows_of(text):
        wrong = "this file has a row already" if row.name in lines or row.name in held else row.wrong
        if wrong:
            problems.append(f"line {row.number}: {wrong}")
            held.add(row.name)
            lines.pop(row.name, None)
        else:
            lines[row.name] = row.line
    return Sheet(lines, frozenset(held), tuple(problems))


def rows_of(text: str) -> Iterator[Row]:
    """Every row in its order. Raises LocalFailed without a column “file”, or where it is no CSV from some line on."""
    rows = reader(text)
    try:
        rows.fieldnames = columns(rows)
        if "file" not in rows.fieldnames:
            raise LocalFailed(f"{SHEET} has no column “file”.", action=MEND)
        for row in rows:
            name = key((row.get("file") or "").strip())
            line, wrong = _line(row)
            if not _is_plain(name):
                wrong = wrong or "it names no file of this folder"
            yield Row(rows.line_num, name, line, wrong)
    except csv.Error as e:
        raise LocalFailed(f"{SHEET} cannot be read from line {rows.line_num} on ({e}).", action=MEND) from e


def reader(text: str) -> csv.DictReader[str]:
    """The rows of a CSV by the names of its first line; what has no name stands under "". Raises csv.Error."""
    separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restkey="", strict=True)


def columns(rows: csv.DictReader[str]) -> list[str]:
    """The names of its first line, as people mean them."""
    return [name.strip().lower() for name in rows.fieldnames or ()]


def safe(value: Any) -> Any:
    """Text that a spreadsheet would calculate, made text by an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and _is_formula(value) else value


def plain(text: str) -> str:
    """What `safe` was given."""
    return text[1:] if text.startswith("'") and _is_formula(text[1:]) else text


def _is_formula(text: str) -> bool:
    return text.lstrip(" ").startswith(_FORMULA)


def key(name: str) -> str:
    """Some systems write “é” as two characters in file names, people type it as one."""
    return unicodedata.normalize("NFC", name)


def _line(row: Mapping[str, str | list[str] | None]) -> tuple[Line, str]:
    """The row, or what is wrong with it."""
    if row.get(""):
        return Line(), "it has more values than columns; put a caption with separators in quotes"
    caption, written, account = (str(row.get(name) or "").strip() for name in ("caption", "date", "account"))
    try:
        return Line(caption.replace("\x00", ""), _instant(written) if written else None, account), ""
    except (ValueError, OverflowError):
        return Line(), "its date is not of the form 2026-11-20 or 2026-11-20T18:00+05:30"


def _instant(written: str) -> datetime:
    """A time without a zone is UTC. Raises ValueError, and OverflowError at the ends of the calendar."""
    at = datetime.fromisoformat(written)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _is_plain(name: str) -> bool:
    return bool(name) and name.isprintable() and "/" not in name and "\\" not in name
