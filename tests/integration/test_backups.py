"""Backup and restore as the commands do them: two real databases, pg_dump, a sealed file, and what is refused."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.cli.__main__ import main
from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import accounts, flow, upkeep
from forwarder_core.embedded import backup_files, sealed_file
from forwarder_core.embedded.postgres import Server
from forwarder_core.services.context import Core
from tests.factories import add_account, add_connection, add_job, make_core, rows

pytestmark = pytest.mark.slow
SECRET_WORD = "swordfish"  # in every credential the factories make


@pytest.fixture
def home(database_url: str, postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installation on a server of the admin's, as the commands find it."""
    name = database_url.rpartition("/")[2]
    monkeypatch.setenv("FORWARDER_HOME", str(tmp_path))
    monkeypatch.setenv("FORWARDER_DATABASE_URL", postgres.url(name, None))
    (tmp_path / "pass").write_text("correct horse\nnot this\n", "utf-8")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "mine.png").write_bytes(b"a picture")
    yield tmp_path
    for other in (f"{name}_replaced", f"{name}_dagster", f"{name}_dagster_replaced"):
        postgres.address.drop(other)


@pytest.fixture
def seen(home: Path, database_url: str, clock: ManualClock) -> Callable[[Callable[[Core], Any]], Any]:
    """Look into the database, and leave: a restore is refused while somebody is in it."""

    def look(what: Callable[[Core], Any]) -> Any:
        with make_core(database_url, clock, home) as core:
            return what(core)

    return look


def test_a_sealed_backup_comes_back_and_what_follows_is_looked_for_first(home: Path, seen: Any) -> None:
    job = seen(lambda core: add_job(core, add_connection(core)))
    file, sealed = home / "b" / "one.backup", ["--passphrase-file", str(home / "pass")]
    assert main(["backup", str(file), *sealed]) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert SECRET_WORD.encode() not in file.read_bytes() and b"manifest" not in file.read_bytes()
    seen(lambda core: add_account(core, alias="made after the backup"))
    (home / "templates" / "mine.png").unlink()

    assert main(["restore", str(file), *sealed]) == 2, "the database is not empty"
    assert main(["restore", str(file), *sealed, "--dry-run", "--force"]) == 0
    assert len(seen(lambda core: rows(core, flow.jobs))) == 1 and not seen(lambda core: rows(core, upkeep.restores))
    assert main(["restore", str(file), *sealed, "--force"]) == 0
    assert [row["id"] for row in seen(lambda core: rows(core, flow.jobs))] == [job]
    assert len(seen(lambda core: rows(core, upkeep.restores))) == 1, "the mark that makes publishing look first"
    assert not [a for a in seen(lambda core: rows(core, accounts.accounts)) if "after" in a["alias"]]
    assert (home / "templates" / "mine.png").read_bytes() == b"a picture"


def test_a_restore_is_refused_where_it_would_do_harm(
    home: Path, seen: Any, database_url: str, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    seen(lambda core: add_account(core))
    file = home / "plain.backup"
    assert main(["backup", str(file)]) == 0
    assert main(["backup", str(file)]) == 2, "it is there already"
    with make_core(database_url, clock, home) as core, core.begin():
        assert main(["restore", str(file), "--force"]) == 2
    assert "in use by test" in capsys.readouterr().err
    (home / "secret-keys").rename(home / "elsewhere")
    assert main(["restore", str(file)]) == 2
    assert "lacks 1 of the keys" in capsys.readouterr().err
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)
    assert main(["restore", str(file), "--force"]) == 2
    assert "backup_unreadable" in capsys.readouterr().err
    assert len(seen(lambda core: rows(core, accounts.accounts))) == 1, "and nothing was changed"


def test_the_report_of_an_installation_never_restored_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", "--report"]) == 0
    assert json.loads(capsys.readouterr().out) == {"restored": None}


@pytest.mark.parametrize("size", [0, 5, sealed_file.CHUNK_BYTES, 2 * sealed_file.CHUNK_BYTES + 1])
def test_a_sealed_file_opens_with_its_passphrase_alone_and_only_whole(tmp_path: Path, size: int) -> None:
    plain, out, back = tmp_path / "plain", tmp_path / "sealed", tmp_path / "back"
    plain.write_bytes(bytes(n % 251 for n in range(size)))
    with plain.open("rb") as source, out.open("wb") as target:
        sealed_file.seal(source, target, "a passphrase")
    with out.open("rb") as source, back.open("wb") as target:
        sealed_file.unseal(source, target, "a passphrase")
    assert back.read_bytes() == plain.read_bytes()
    whole = out.read_bytes()
    last_chunk = size % sealed_file.CHUNK_BYTES or min(size, sealed_file.CHUNK_BYTES)
    for passphrase, content in (
        ("another one", whole),
        ("a passphrase", whole[:-1]),
        ("a passphrase", whole[: -(last_chunk + 16)]),
        ("a passphrase", whole[:-1] + bytes([whole[-1] ^ 1])),
    ):
        out.write_bytes(content)
        with pytest.raises(sealed_file.BackupUnreadable), out.open("rb") as source, back.open("wb") as target:
            sealed_file.unseal(source, target, passphrase)


def _outside(tar: tarfile.TarFile) -> None:
    member = tarfile.TarInfo("../outside")
    member.size = 4
    tar.addfile(member, io.BytesIO(b"mine"))


def _link(tar: tarfile.TarFile) -> None:
    member = tarfile.TarInfo("manifest.json")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/hostname"
    tar.addfile(member)


@pytest.mark.parametrize("hostile", [_outside, _link], ids=["a way out", "a link"])
def test_a_tar_of_somebody_elses_is_no_backup_and_writes_nothing(
    tmp_path: Path, hostile: Callable[[tarfile.TarFile], None]
) -> None:
    file, beside = tmp_path / "a.backup", tmp_path / "beside"
    beside.mkdir()
    with tarfile.open(file, "w") as tar:
        hostile(tar)
    refused = pytest.raises(sealed_file.BackupUnreadable, match="no backup of this product")
    with refused, backup_files.opened(file, beside, None):
        raise AssertionError("it was opened")
    assert list(beside.iterdir()) == [] and {one.name for one in tmp_path.iterdir()} == {"a.backup", "beside"}
