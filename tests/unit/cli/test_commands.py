"""The command line as a user meets it: errors in words, never a traceback."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from forwarder_core.cli import __main__ as cli
from forwarder_core.cli.passwords import password_file, with_admin_password
from forwarder_core.embedded.supervisor import Stopped
from forwarder_core.errors import NotFound, PortTaken
from forwarder_core.settings import Settings

UP = [sys.executable, "-m", "forwarder_core.cli", "up"]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def up(home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.defpath, "FORWARDER_HOME": str(home), **environ}
    root = Path(cli.__file__).parents[2]
    return subprocess.run(UP, cwd=root, env=env, capture_output=True, text=True, timeout=60, check=False)


def fails_in_words(done: subprocess.CompletedProcess[str], code: str) -> bool:
    first, *rest = done.stderr.splitlines()
    return done.returncode == 2 and first.startswith(f"error [{code}]: ") and rest[-1].startswith("what to do: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({"FORWARDER_FFMPEG": "/no/such/ffmpeg"}, "settings_invalid"),
        ({"FORWARDER_NO_SUCH": "1"}, "settings_invalid"),
        ({"FORWARDER_ADMIN_PASSWORD": "changeme"}, "settings_invalid"),
        ({"FORWARDER_SECRET_KEYS_FILE": "{home}/short"}, "secret_weak"),
        ({"FORWARDER_DATABASE_URL": "postgresql://me:s3cret@127.0.0.1:1/x"}, "database_unreachable"),
    ],
)
def test_a_wrong_setting_is_one_line_and_what_to_do(tmp_path: Path, environ: dict[str, str], code: str) -> None:
    (tmp_path / "short").write_text("too short\n")
    done = up(tmp_path, **{name: value.format(home=tmp_path) for name, value in environ.items()})
    assert fails_in_words(done, code), done.stderr
    assert "Traceback" not in done.stderr and "s3cret" not in done.stderr


@pytest.mark.slow
def test_a_port_set_by_hand_and_taken_is_refused(tmp_path: Path, taken: int) -> None:
    done = up(tmp_path, FORWARDER_BIND=f"127.0.0.1:{taken}")
    assert fails_in_words(done, "port_taken") and str(taken) in done.stderr
    assert not (tmp_path / "postgres").exists()


@pytest.mark.slow
def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert fails_in_words(up(tmp_path / "file"), "start_failed")


def raising(error: BaseException) -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def _nothing() -> None: ...

    @app.command("up", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def _fails() -> None:
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "arguments", "code"),
    [
        (PortTaken("Port 1 is taken."), ["up"], 2),
        (NotFound("There is none."), ["up"], 1),
        (Stopped(), ["up"], 0),
        (Stopped(), ["up", "--once"], 130),
    ],
)
def test_exit_codes_tell_what_kind_of_end_it_was(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, arguments: list[str], code: int
) -> None:
    monkeypatch.setattr(cli, "build", lambda _names: raising(error))
    assert cli.main(arguments) == code


def test_a_program_gets_the_error_as_an_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "build", lambda _names: raising(PortTaken("Port 1 is taken.")))
    cli.main(["up", "--json"])
    out, err = capsys.readouterr()
    assert json.loads(out)["error"] == {
        "code": "port_taken",
        "message": "Port 1 is taken.",
        "action": PortTaken.action,
    }
    assert err.startswith("error [port_taken]: Port 1 is taken.\nwhat to do: ")


def test_a_password_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    first = with_admin_password(Settings(home=tmp_path))
    path = password_file(tmp_path)
    assert first.admin_password and len(first.admin_password) >= 12
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().strip() == first.admin_password
    assert with_admin_password(Settings(home=tmp_path)).admin_password == first.admin_password


def test_a_password_of_the_settings_is_not_written_down(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, admin_password="a long enough one")
    assert with_admin_password(settings) == settings
    assert not password_file(tmp_path).exists()
