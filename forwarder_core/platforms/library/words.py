"""The words of the user's own videos: a card or a text file beside each, or one captions.csv for all.

What lives here: finding them. What does not: how a sheet is read (domain.sheets), cutting captions to a destination's
limits (domain.captions).
The fact to know: a bad row is reported and holds back only its own video. To post that without the caption or before
the date its owner wrote for it could not be taken back; a row mended later lets it go.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from forwarder_core.domain.sheets import MEND, SHEET, Line, Sheet, parse
from forwarder_core.errors import LocalFailed
from forwarder_core.platforms.library.folder import Facts, open_file

CARD = ".words.json"  # behind the name of a video that was handed in (intake.py)
_MOST_SHEET_BYTES = 8 * 1024 * 1024
_MOST_WORDS_BYTES = 64 * 1024
_MOST_PROBLEMS_SAID = 20
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside one video. `name`: what the file was called when it was handed in; "" = as it is called."""

    line: Line
    facts: Facts
    name: str = ""


def sheet_of(folder: Path) -> tuple[Sheet, Facts | None]:
    """The sheet and the state of its file, None where there is none. Raises LocalFailed when the whole of it is of no
    use, because then no caption is known."""
    path = folder / SHEET
    try:
        facts = Facts.of(path.stat(follow_symlinks=False))
        return _read_sheet(str(path), facts), facts
    except FileNotFoundError:
        return Sheet(), None


def beside(video: Path) -> Beside | None:
    """The card `clip.mp4.words.json`, or the words in `clip.mp4.txt` or `clip.txt`, beside `clip.mp4`."""
    for path in (card_of(video), video.with_name(f"{video.name}.txt"), video.with_suffix(".txt")):
        try:
            with open_file(path) as file:
                data, facts = file.read(_MOST_WORDS_BYTES), Facts.of(os.fstat(file.fileno()))
        except FileNotFoundError:
            continue
        return _of_card(data, facts) if path.name.endswith(CARD) else Beside(Line(_text(data)), facts)
    return None


def card_of(video: Path) -> Path:
    return video.with_name(f"{video.name}{CARD}")


def card(name: str, line: Line) -> bytes:
    """The content of a card."""
    at = line.at.isoformat() if line.at else None
    said = {"name": name, "caption": line.caption, "date": at}
    return json.dumps(said, ensure_ascii=False, indent=1).encode("utf-8", "replace")


def _of_card(data: bytes, facts: Facts) -> Beside:
    """One that somebody spoiled holds its video back until it is mended."""
    try:
        said = json.loads(data)
        at = datetime.fromisoformat(said["date"]) if said["date"] else None
        caption, name = (str(said[word]).encode("utf-8", "replace").decode() for word in ("caption", "name"))
        return Beside(Line(caption.replace("\x00", ""), at if at is None or at.tzinfo else _NEVER), facts, name)
    except (ValueError, KeyError, TypeError):
        logging.getLogger(__name__).warning("The words of a video in the library cannot be read; it is held back")
        return Beside(Line(at=_NEVER), facts)


@lru_cache(maxsize=64)
def _read_sheet(path: str, facts: Facts) -> Sheet:
    """Read, and its problems told, once for each state of the file. `facts` is the key of that memory."""
    if facts.size_bytes > _MOST_SHEET_BYTES:
        raise LocalFailed(f"{SHEET} is larger than {_MOST_SHEET_BYTES // 1024 // 1024} MiB.", action=MEND)
    with open_file(path) as file:
        data = file.read(_MOST_SHEET_BYTES)
    try:
        made = parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError as e:
        raise LocalFailed(f"{SHEET} is not in UTF-8.", action=f"Save it as “CSV UTF-8”. {MEND}") from e
    log = logging.getLogger(__name__)
    for problem in made.problems[:_MOST_PROBLEMS_SAID]:
        log.warning("%s of the library: %s", SHEET, problem)
    if len(made.problems) > _MOST_PROBLEMS_SAID:
        log.warning("%s of the library: and %s more", SHEET, len(made.problems) - _MOST_PROBLEMS_SAID)
    return made


def _text(data: bytes) -> str:
    return data.decode("utf-8-sig", "replace").replace("\x00", "").strip()
