"""The words of the user's own videos: a text file beside each, or one captions.csv for all.

What lives here: reading both. What does not: cutting captions to a destination's limits (domain.captions).
The fact to know: a bad row is reported and holds back only its own video. To post that without the caption or before
the date its owner wrote for it could not be taken back; a row mended later lets it go.
"""

from __future__ import annotations

import csv
import io
import logging
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from forwarder_core.errors import LocalFailed
from forwarder_core.platforms.library.folder import Facts, open_file

SHEET = "captions.csv"
_MOST_SHEET_BYTES = 8 * 1024 * 1024
_MOST_WORDS_BYTES = 64 * 1024
_MOST_PROBLEMS_SAID = 20
_SEPARATORS = ",;\t"  # spreadsheets write the one of their country
_MEND = f"Mend {SHEET} in the library folder; its first line names the columns: file, caption, date."


@dataclass(frozen=True, slots=True)
class Line:
    """What the sheet says of one file. `at` None = no date given."""

    caption: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """`lines` by file name; `held`: files whose row is bad."""

    lines: Mapping[str, Line] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()

    def line(self, name: str) -> Line:
        return self.lines.get(_key(name), Line())

    def holds(self, name: str) -> bool:
        return _key(name) in self.held


def sheet_of(folder: Path) -> tuple[Sheet, Facts | None]:
    """The sheet and the state of its file, None where there is none. Raises LocalFailed when the whole of it is of no
    use, because then no caption is known."""
    path = folder / SHEET
    try:
        facts = Facts.of(path.stat(follow_symlinks=False))
        return _read_sheet(str(path), facts), facts
    except FileNotFoundError:
        return Sheet(), None


def beside(video: Path) -> tuple[str, Facts] | None:
    """The words in `clip.mp4.txt` or `clip.txt` beside `clip.mp4`, and the state of that file."""
    for path in (video.with_name(f"{video.name}.txt"), video.with_suffix(".txt")):
        try:
            with open_file(path) as file:
                return _text(file.read(_MOST_WORDS_BYTES)), Facts.of(os.fstat(file.fileno()))
        except FileNotFoundError:
            continue
    return None


@lru_cache(maxsize=64)
def _read_sheet(path: str, facts: Facts) -> Sheet:
    """Read, and its problems told, once for each state of the file. `facts` is the key of that memory."""
    if facts.size_bytes > _MOST_SHEET_BYTES:
        raise LocalFailed(f"{SHEET} is larger than {_MOST_SHEET_BYTES // 1024 // 1024} MiB.", action=_MEND)
    with open_file(path) as file:
        data = file.read(_MOST_SHEET_BYTES)
    try:
        made = parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError as e:
        raise LocalFailed(f"{SHEET} is not in UTF-8.", action=f"Save it as “CSV UTF-8”. {_MEND}") from e
    log = logging.getLogger(__name__)
    for problem in made.problems[:_MOST_PROBLEMS_SAID]:
        log.warning("%s of the library: %s", SHEET, problem)
    if len(made.problems) > _MOST_PROBLEMS_SAID:
        log.warning("%s of the library: and %s more", SHEET, len(made.problems) - _MOST_PROBLEMS_SAID)
    return made


def parse(text: str) -> Sheet:
    """A sheet from its text. Raises LocalFailed without a column “file”."""
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restkey="", strict=True)
    lines: dict[str, Line] = {}
    held: set[str] = set()
    problems: list[str] = []
    try:
        rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or ()]
        if "file" not in rows.fieldnames:
            raise LocalFailed(f"{SHEET} has no column “file”.", action=_MEND)
        for row in rows:
            name = _key((row.get("file") or "").strip())
            line, wrong = _line(row)
            if name in lines or name in held:
                wrong = "this file has a row already"
            if wrong or not _is_plain(name):
                problems.append(f"line {rows.line_num}: {wrong or 'it names no file of this folder'}")
                held.add(name)
                lines.pop(name, None)
            else:
                lines[name] = line
    except csv.Error as e:
        raise LocalFailed(f"{SHEET} cannot be read from line {rows.line_num} on ({e}).", action=_MEND) from e
    return Sheet(lines, frozenset(held), tuple(problems))


def _line(row: Mapping[str, str | list[str] | None]) -> tuple[Line, str]:
    """The row, or what is wrong with it."""
    if row.get(""):
        return Line(), "it has more values than columns; put a caption with separators in quotes"
    caption, written = (str(row.get(name) or "").strip() for name in ("caption", "date"))
    try:
        return Line(caption.replace("\x00", ""), _instant(written) if written else None), ""
    except (ValueError, OverflowError):
        return Line(), "its date is not of the form 2026-11-20 or 2026-11-20T18:00+05:30"


def _instant(written: str) -> datetime:
    """A time without a zone is UTC. Raises ValueError, and OverflowError at the ends of the calendar."""
    at = datetime.fromisoformat(written)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _is_plain(name: str) -> bool:
    return bool(name) and name.isprintable() and "/" not in name and "\\" not in name


def _key(name: str) -> str:
    """Some systems write “é” as two characters in file names, people type it as one."""
    return unicodedata.normalize("NFC", name)


def _text(data: bytes) -> str:
    return data.decode("utf-8-sig", "replace").replace("\x00", "").strip()
