"""Sheets of accounts: the rows of a CSV that say which accounts there are to be, and the same sheet written. Pure.

One row is one account, known by its platform and its name there. The fact to know: an empty cell says nothing, and
credentials go in by columns `credentials.<field>`; no sheet is ever written with one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from forwarder_core.domain import sheets
from forwarder_core.domain.accounts import Account
from forwarder_core.errors import FieldError, Invalid

COLUMNS = ("platform", "username", "alias", "auth_method", "rights", "rights_note", "proxy")
CREDENTIAL = "credentials."
NO_PROXY = "none"  # what a cell says to take the proxy away
LONGEST = {"username": 200, "alias": 120, "rights_note": 2_000}  # characters, as the API takes them
_OTHER_NAMES = {"type": "platform", "channel_id": "username", "proxy_id": "proxy"}
_ACTION = f"The first line names the columns, of {', '.join(COLUMNS)} and {CREDENTIAL}<field>."


@dataclass(frozen=True, slots=True)
class Row:
    """One account and the last line of the text it stands on. Empty cells are left out."""

    number: int
    values: Mapping[str, str]
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    has_too_many: bool = False

    @property
    def name(self) -> tuple[str, str]:
        return self.values.get("platform", "").lower(), self.values.get("username", "").removeprefix("@").strip()


def rows_of(text: str) -> Iterator[Row]:
    """Every row in its order; blank ones are passed over. Raises Invalid where it is no such sheet."""
    rows = sheets.reader(text)
    try:
        rows.fieldnames = _columns(rows)
        for row in rows:
            cells = {name: sheets.plain(cell.strip()) for name, cell in row.items() if isinstance(cell, str)}
            said = {name: cell for name, cell in cells.items() if cell}
            if said or row.get(""):
                plain = {name: cell for name, cell in said.items() if name in COLUMNS}
                secret = {n.removeprefix(CREDENTIAL): c for n, c in said.items() if n.startswith(CREDENTIAL)}
                yield Row(rows.line_num, plain, secret, bool(row.get("")))
    except csv.Error as e:
        wrong = FieldError("file", f"cannot be read from line {rows.line_num} on ({e})")
        raise Invalid("The sheet is no CSV.", wrong, action=_ACTION) from e


def _columns(rows: csv.DictReader[str]) -> list[str]:
    found = [_OTHER_NAMES.get(name, name) for name in sheets.columns(rows)]
    bad = [FieldError(name[:80], "is no column of it") for name in found if not _is_known(name)]
    bad += [FieldError(name, "is there twice") for name in sorted({n for n in found if found.count(n) > 1})]
    bad += [FieldError(name, "is missing") for name in ("platform", "username") if name not in found]
    if bad:
        raise Invalid("The columns of the sheet cannot be taken.", *bad[:20], action=_ACTION)
    return found


def _is_known(name: str) -> bool:
    return name in COLUMNS or (name.startswith(CREDENTIAL) and name != CREDENTIAL)


def written(accounts: Iterable[Account], proxies: Mapping[int, str]) -> str:
    """The accounts as such a sheet; `proxies`: aliases by id. Without credentials, safe to open in a spreadsheet."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    for one in accounts:
        proxy = proxies.get(one.proxy_id, "") if one.proxy_id is not None else ""
        cells = (one.platform, one.handle, one.alias, one.auth_method, one.rights.value, one.rights_note, proxy)
        rows.writerow([sheets.safe(cell) for cell in cells])
    return text.getvalue()
