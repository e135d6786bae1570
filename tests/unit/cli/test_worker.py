"""A machine that only carries runs: what it is told, and what it refuses to begin without."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from forwarder_core.cli import worker
from forwarder_core.embedded.databases import Databases
from forwarder_core.errors import StartError
from forwarder_core.settings import Launcher, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "secret-keys").write_text("a key ring, brought here\n")
    return Settings(home=tmp_path, database_url="postgresql://f:pw@db/forwarder", launcher=Launcher.CELERY)


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database and the broker of another machine."""
    answer = Databases("postgresql+psycopg://f:pw@db/forwarder", "postgresql+psycopg2://f:pw@db/forwarder_dagster")
    monkeypatch.setattr(worker, "external", lambda _url: answer)
    monkeypatch.setenv("REDIS_BROKER", "redis://r/0")
    monkeypatch.setenv("REDIS_BACKEND", "redis://r/1")


def test_it_is_told_of_both_databases_the_broker_and_a_folder_of_dagsters_own(settings: Settings) -> None:
    env = worker.environment(settings)
    assert env["DAGSTER_PG_URL"].endswith("/forwarder_dagster") and env["REDIS_BROKER"] == "redis://r/0"
    assert env["FORWARDER_DATABASE_URL"].endswith("@db/forwarder")
    instance = yaml.safe_load((Path(env["DAGSTER_HOME"]) / "dagster.yaml").read_text("utf-8"))
    assert instance["run_launcher"]["class"] == "CeleryLauncher"
    assert "pw" not in str(instance), "no secret stands in the file"


def test_it_makes_no_key_ring_of_its_own(settings: Settings) -> None:
    settings.key_file.unlink()
    with pytest.raises(StartError, match="secret-keys is not here"):
        worker.environment(settings)
    assert not settings.key_file.exists()


@pytest.mark.parametrize(
    ("change", "missing"),
    [({"launcher": Launcher.LOCAL}, "FORWARDER_LAUNCHER=celery"), ({"database_url": None}, "FORWARDER_DATABASE_URL")],
)
def test_what_is_missing_is_named(settings: Settings, change: dict[str, object], missing: str) -> None:
    with pytest.raises(StartError, match=missing):
        worker.environment(settings.model_copy(update=change))


def test_a_broker_nobody_named_is_asked_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_BACKEND")
    with pytest.raises(StartError, match="REDIS_BACKEND"):
        worker.environment(settings)
