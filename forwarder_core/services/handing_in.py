"""Handing files in: videos from the user's own disk become posts of library accounts, all of them or none.

What lives here: the checks of an upload and of its sheet, who gets which file, and the list of what is there. What does
not: where the files are kept (the platform's intake) and what is forwarded (detection, as with any source).
The fact to know: a sheet may send one file to several accounts, and everything is staged and looked into before the
first file is kept. Who gave no sheet hands everything to the one account of the address.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO

from forwarder_core.connectors import registry
from forwarder_core.connectors.intakes import Intake, KeptFile, Offered, Staged
from forwarder_core.db import accounts as rows
from forwarder_core.db import handed_in, people
from forwarder_core.domain import sheets
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.posts import Fate
from forwarder_core.domain.sheets import SHEET, Line
from forwarder_core.errors import FieldError, ForwarderError, Invalid, LocalFailed, MediaRejected
from forwarder_core.media.probe import probe
from forwarder_core.media.sniff import sniff
from forwarder_core.services import accounts
from forwarder_core.services.context import Core
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.services.journal import about

MOST_FILES = 100  # of one upload; a folder of thousands is better put into the library's folder itself
MOST_SHEET_BYTES = 1_000_000
MOST_CAPTION_CHARS = 20_000  # no destination takes a quarter of it
_MOST_PROBLEMS_SAID = 50
_COMES_TO_REST = timedelta(seconds=3)  # the library waits two seconds before a file is a post


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file as it arrived. `content` can be read again from its beginning."""

    name: str
    content: BinaryIO
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """`stored_as` None: a file of the same content, called `same_as`, was there already; nothing was added."""

    name: str
    account_id: int
    account: str
    id: str
    stored_as: str | None
    same_as: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryFile:
    """A file of the library and what became of it: waiting, unseen (nobody has looked since), seen."""

    file: KeptFile
    state: str
    fates: tuple[Fate, ...]


@dataclass(frozen=True, slots=True)
class _Wish:
    """One file for one account. `where`: how a mistake in it is named."""

    upload: Upload
    account: Account
    line: Line
    where: str


def hand_in(
    core: Core, account_id: int, uploads: Sequence[Upload], sheet: bytes | None = None, *, who: str
) -> list[HandedIn]:
    """All of them or none. Raises Invalid with every mistake by its line or file, NotFound, LocalFailed."""
    known = accounts.get(core, account_id)
    wishes = _wishes(core, known, _named(uploads), sheet)
    intakes = {wish.account.id: _intake(core, wish.account) for wish in wishes}
    with _staged(wishes, intakes) as staged:
        made = _keep(wishes, staged, intakes)
    _note(core, [one for one in made if one.stored_as is not None], who)
    about(account_id=account_id).info("%s files handed in by %s", len(made), who)
    return made


def _note(core: Core, added: Sequence[HandedIn], who: str) -> None:
    """The libraries are looked at as soon as the new files have come to rest."""
    now = core.clock.now()
    with core.begin() as tx:
        for id_, count in Counter(one.account_id for one in added).items():
            rows.ask_at_once(tx, id_, now + _COMES_TO_REST)
            details = {"files": count}
            people.audit(tx, who=who, what="files_handed_in", target=f"account:{id_}", now=now, details=details)


def listed(core: Core, account_id: int, *, offset: int = 0, limit: int = 100) -> list[LibraryFile]:
    """Newest first. Raises NotFound, Invalid for an account of another kind, LocalFailed."""
    kept = _intake(core, accounts.get(core, account_id)).listed()[offset : offset + limit]
    with core.begin() as tx:
        known = handed_in.fates(tx, account_id, [file.id for file in kept])
    return [LibraryFile(file=f, state=_state(f, known), fates=tuple(known.get(f.id, ()))) for f in kept]


def _state(file: KeptFile, known: Mapping[str, list[Fate]]) -> str:
    if file.id in known:
        return "seen"
    return "waiting" if file.waits_for else "unseen"


def _intake(core: Core, account: Account) -> Intake:
    return registry.intake(account, StoredCredentials(core, account.id))


def _named(uploads: Sequence[Upload]) -> dict[str, Upload]:
    """By name. Raises Invalid for too many, none, two of one name, and names no sheet could say."""
    if not 0 < len(uploads) <= MOST_FILES:
        raise Invalid(f"Hand in 1 to {MOST_FILES} files at once.", FieldError("files", f"there are {len(uploads)}"))
    found: dict[str, Upload] = {}
    for upload in uploads:
        name = sheets.key(upload.name)
        if not name or not name.isprintable() or "/" in name or "\\" in name or len(name) > 200:
            raise Invalid("A file has no usable name.", FieldError("files", f"{name[:80]!r} is no plain file name"))
        if name in found:
            raise Invalid("Two files have one name.", FieldError("files", f"{name!r} is there twice"))
        found[name] = upload
    return found


def _wishes(core: Core, known: Account, uploads: Mapping[str, Upload], sheet: bytes | None) -> list[_Wish]:
    """Who gets which file with which words. Raises Invalid with every bad row, each by its line."""
    if sheet is None:
        return [_Wish(upload, known, Line(), f"files.{name}") for name, upload in uploads.items()]
    bad: list[FieldError] = []
    wishes: dict[tuple[str, int], _Wish] = {}
    named: dict[str, Account | None] = {"": known}
    for row in _rows(sheet):
        where = f"{SHEET} line {row.number}"
        if row.line.account not in named:
            named[row.line.account] = _account(core, row.line.account)
        account, upload = named[row.line.account], uploads.get(row.name)
        if wrong := row.wrong or _wrong(row, account, upload):
            bad.append(FieldError(where, wrong))
        elif account is not None and upload is not None:
            if (row.name, account.id) in wishes:
                bad.append(FieldError(where, f"{row.name!r} has a row for {account.alias} already"))
            wishes[row.name, account.id] = _Wish(upload, account, row.line, where)
    said = {name for name, _ in wishes}
    if not bad:
        bad = [FieldError(f"files.{name}", f"has no row in {SHEET}") for name in uploads if name not in said]
    if bad:
        raise Invalid(f"{len(bad)} mistakes; nothing was taken.", *bad[:_MOST_PROBLEMS_SAID], action=sheets.MEND)
    return list(wishes.values())


def _rows(sheet: bytes) -> list[sheets.Row]:
    if len(sheet) > MOST_SHEET_BYTES:
        raise Invalid(f"{SHEET} is too large.", FieldError("captions", f"at most {MOST_SHEET_BYTES:,} bytes"))
    try:
        return list(sheets.rows_of(sheet.decode("utf-8-sig")))
    except UnicodeDecodeError as e:
        raise Invalid(f"{SHEET} is not in UTF-8.", FieldError("captions", "save it as “CSV UTF-8”")) from e
    except LocalFailed as e:
        raise Invalid(e.message, FieldError("captions", e.message), action=sheets.MEND) from e


def _wrong(row: sheets.Row, account: Account | None, upload: Upload | None) -> str:
    if account is None:
        return f"there is no account {row.line.account!r} that takes files"
    if upload is None:
        return f"{row.name!r} was not handed in"
    if len(row.line.caption) > MOST_CAPTION_CHARS:
        return f"its caption is longer than {MOST_CAPTION_CHARS:,} characters"
    return ""


def _account(core: Core, said: str) -> Account | None:
    """By its alias, or by its number where no alias is that number."""
    with core.begin() as tx:
        able = [
            account
            for platform, spec in registry.specs().items()
            if spec.intake
            for account in rows.page(tx, after=0, limit=1_000, platform=platform)
        ]
    by_alias = next((account for account in able if account.alias == said), None)
    return by_alias or next((account for account in able if str(account.id) == said), None)


@contextlib.contextmanager
def _staged(wishes: Sequence[_Wish], intakes: Mapping[int, Intake]) -> Iterator[list[Staged]]:
    """Every file as a copy nobody sees, looked into. Whatever goes wrong until the end of the block takes all back."""
    done: list[tuple[int, Staged]] = []
    bad: list[FieldError] = []
    try:
        for wish in wishes:
            try:
                one = intakes[wish.account.id].stage(_offered(wish))
                done.append((wish.account.id, one))
                _check(one)
            except (Invalid, MediaRejected) as e:
                bad.append(FieldError(wish.where, _reason(e)))
        if bad:
            raise Invalid(f"{len(bad)} files cannot be taken; nothing was.", *bad[:_MOST_PROBLEMS_SAID])
        yield [one for _, one in done]
    except BaseException:
        for account_id, one in done:
            intakes[account_id].drop([one])
        raise


def _offered(wish: _Wish) -> Offered:
    upload = wish.upload
    return Offered(name=upload.name, content=upload.content, size_bytes=upload.size_bytes, line=wish.line)


def _check(one: Staged) -> None:
    """Is it a video at all? What a destination wants of it is asked when it is forwarded."""
    sniff(one.path)
    probe(one.path)


def _reason(error: ForwarderError) -> str:
    return error.fields[0].message if isinstance(error, Invalid) and error.fields else error.message


def _keep(wishes: Sequence[_Wish], staged: Sequence[Staged], intakes: Mapping[int, Intake]) -> list[HandedIn]:
    """The new ones are kept; a content that is there already, or comes twice, is kept once."""
    first: dict[tuple[int, str], str] = {}
    made: list[HandedIn] = []
    for wish, one in zip(wishes, staged, strict=True):
        intake = intakes[wish.account.id]
        same_as = one.same_as or first.get((wish.account.id, one.id))
        if same_as is not None:
            intake.drop([one])
        stored = None if same_as is not None else intake.keep([one])[0]
        first.setdefault((wish.account.id, one.id), one.name)
        made.append(
            HandedIn(
                name=one.name,
                account_id=wish.account.id,
                account=wish.account.alias,
                id=one.id,
                stored_as=stored,
                same_as=same_as,
            )
        )
    return made
