"""The simulator does not run beside real credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder_core.simulator.guard import RealCredentials, refuse_beside_real_credentials

DATABASE = {"FORWARDER_DATABASE_URL": "postgresql://u:p@db.example/forwarder"}


def test_a_database_of_its_own_means_a_real_installation(tmp_path: Path) -> None:
    with pytest.raises(RealCredentials, match="FORWARDER_DATABASE_URL"):
        refuse_beside_real_credentials(tmp_path, DATABASE)


def test_a_simulated_installation_says_so(tmp_path: Path) -> None:
    simulated = {**DATABASE, "FORWARDER_SIMULATOR_URL": "http://127.0.0.1:1/__control"}

    refuse_beside_real_credentials(tmp_path, simulated)


def test_a_home_with_keys_of_its_own_is_real_unless_it_was_simulated_from_the_first_day(tmp_path: Path) -> None:
    refuse_beside_real_credentials(tmp_path, {})

    (tmp_path / "secret-keys").write_text("key")
    with pytest.raises(RealCredentials, match="keys of a real installation"):
        refuse_beside_real_credentials(tmp_path, {})

    (tmp_path / "simulator").mkdir()
    refuse_beside_real_credentials(tmp_path, {})


def test_a_ca_bundle_that_the_simulator_has_yet_to_make_is_no_obstacle(tmp_path: Path) -> None:
    refuse_beside_real_credentials(tmp_path, {"FORWARDER_CA_BUNDLE": str(tmp_path / "simulator" / "ca.pem")})
