"""The containers' entry point: the database URL from a secret file, Dagster's folder for the compose network."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from forwarder_core.cli import container
from forwarder_core.embedded.databases import Databases
from forwarder_core.errors import StartError


def test_the_database_url_is_put_together_from_the_secret(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p@ss/word\n")
    url = container.database_url({"DATABASE_PASSWORD_FILE": str(secret), "DATABASE_HOST": "db"})
    assert url == "postgresql://forwarder:p%40ss%2Fword@db:5432/forwarder"


def test_a_missing_secret_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be read"):
        container.database_url({"DATABASE_PASSWORD_FILE": str(tmp_path / "none")})


def test_a_part_gets_dagsters_folder_for_the_network_of_the_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "external", lambda url: Databases(url, "postgresql+psycopg2://x/forwarder_dagster"))
    given = {
        "FORWARDER_HOME": str(tmp_path),
        "FORWARDER_DATABASE_URL": "postgresql://x/forwarder",
        "DATABASE_HOST": "h",
    }
    env = container.environment(given)
    assert env["DAGSTER_PG_URL"].startswith("postgresql+psycopg2://")
    assert "DATABASE_HOST" not in env
    workspace = yaml.safe_load((Path(env["DAGSTER_HOME"]) / "workspace.yaml").read_text())
    assert workspace["load_from"][0]["grpc_server"] == {"host": "code", "port": 4000, "location_name": "forwarder"}
