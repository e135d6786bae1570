"""Sheets of accounts: which columns there are, what a cell says, and that what is written can be read again."""

from __future__ import annotations

import pytest

from forwarder_core.domain.account_sheets import COLUMNS, rows_of, written
from forwarder_core.domain.accounts import Account, Rights
from forwarder_core.errors import Invalid

NAMED = {"platform": "instagram", "username": "a.b"}


def test_an_empty_cell_says_nothing_and_a_blank_row_is_none() -> None:
    (row,) = rows_of("Type; Username;alias;credentials.password\ninstagram;@a.b ;;pass\n;;;\n")
    assert row.values == {"platform": "instagram", "username": "@a.b"} and row.name == ("instagram", "a.b")
    assert row.credentials == {"password": "pass"} and not row.has_too_many and "pass" not in repr(row)
    (row,) = rows_of("platform,username\ninstagram,a,b\n")
    assert row.has_too_many


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("platform,username,password\n", "password"),
        ("platform,username,credentials.\n", "credentials."),
        ("platform,alias\n", "username"),
        ("platform,type,username\n", "platform"),
        ("", "platform"),
        ('platform,username\n"instagram', "file"),
    ],
)
def test_a_sheet_of_another_kind_is_refused_by_its_column(text: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        list(rows_of(text))
    assert refused.value.fields[0].field == field


def test_what_is_written_is_read_again_and_no_cell_is_a_formula() -> None:
    evil = '=HYPERLINK("http://evil")'
    account = Account(
        id=7, platform="youtube", alias=evil, handle="UC1", auth_method="oauth", rights=Rights.OWN, proxy_id=3
    )
    text = written([account], {3: "+proxy"})
    assert text.splitlines()[0] == ",".join(COLUMNS) and "'=HYPERLINK" in text and "'+proxy" in text
    (row,) = rows_of(text)
    assert row.values["alias"] == evil and row.values["proxy"] == "+proxy" and row.values["rights"] == "own"
