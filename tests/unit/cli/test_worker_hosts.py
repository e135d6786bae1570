"""The machines of a drill: what has to be here for them."""

from __future__ import annotations

import pytest

from forwarder_core.cli import worker_hosts
from forwarder_core.cli.__main__ import main
from forwarder_core.cli.worker_hosts import HostsImpossible, check_possible


def test_what_is_missing_is_said_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_hosts.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(worker_hosts.shutil, "which", lambda name: None if name == "redis-server" else f"/bin/{name}")
    with pytest.raises(HostsImpossible, match="redis-server, root's rights"):
        check_possible(2)


def test_one_machine_proves_nothing() -> None:
    with pytest.raises(HostsImpossible, match="proves nothing"):
        check_possible(1)


def test_the_command_ends_with_two_where_it_cannot_be_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worker_hosts.os, "geteuid", lambda: 1000)
    assert main(["chaos", "--hosts", "2"]) == 2
    assert "root's rights" in capsys.readouterr().err
