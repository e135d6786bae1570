"""The compose file against the published schema of the Compose Specification, and our own rules for containers.

compose-spec.schema.json: github compose-spec/compose-spec, schema/compose-spec.json at 170098b (Apache-2.0).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((root / "docker-compose.yml").read_text("utf-8"))
    return loaded


def test_the_compose_file_follows_the_schema(root: Path, compose: dict[str, Any]) -> None:
    schema = json.loads((root / "tests" / "house" / "compose-spec.schema.json").read_text("utf-8"))
    errors = jsonschema.Draft7Validator(schema).iter_errors(compose)
    assert not [f"{'/'.join(map(str, error.path))}: {error.message}" for error in errors]


def test_every_part_of_the_product_has_its_container(compose: dict[str, Any]) -> None:
    core = {name for name, service in compose["services"].items() if "profiles" not in service}
    assert core == {"postgres", "migrate", "code", "daemon", "webserver", "keeper", "door"}


def test_more_machines_https_and_figures_are_profiles(compose: dict[str, Any]) -> None:
    profiles: dict[str, set[str]] = {}
    for name, service in compose["services"].items():
        for profile in service.get("profiles", ()):
            profiles.setdefault(profile, set()).add(name)
    assert profiles == {
        "celery": {"redis", "worker"},
        "docker": {"engine"},
        "nginx": {"nginx"},
        "monitoring": {"prometheus", "grafana"},
        "demo": {"demo"},
    }
    assert "--appendonly" in compose["services"]["redis"]["command"], "a broker that forgets loses runs"


def test_what_is_published_is_on_loopback_but_for_https(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert set(published) == {"door", "nginx", "grafana", "demo"}
    inner = [port for name, ports in published.items() if name != "nginx" for port in ports]
    assert all(port.startswith("127.0.0.1:") for port in inner)


def test_the_celery_profile_starts_what_is_there(root: Path, compose: dict[str, Any]) -> None:
    command = compose["services"]["worker"]["command"]
    assert (root / f"{command[0].replace('.', '/')}.py").is_file()
    assert {"REDIS_BROKER", "REDIS_BACKEND"} <= compose["services"]["daemon"]["environment"].keys()
    scraped = yaml.safe_load((root / "deploy" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    assert scraped["scrape_configs"][0]["static_configs"][0]["targets"] == ["door:8080"]


def test_no_container_is_privileged_and_every_one_is_looked_after(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert "privileged" not in service
        assert service["restart"] in ("unless-stopped", "no" if name == "migrate" else "unless-stopped"), name
        assert service["logging"]["options"]["max-size"], name


def test_no_secret_stands_in_the_compose_file(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        secrets = [key for key in service.get("environment", {}) if "PASSWORD" in key or "SECRET" in key]
        assert all(key.endswith("_FILE") for key in secrets)


def test_names_between_containers_agree(root: Path, compose: dict[str, Any]) -> None:
    workspace = yaml.safe_load((root / "workspace.yaml").read_text("utf-8"))["load_from"][0]["grpc_server"]
    assert workspace["host"] == "code" and str(workspace["port"]) in compose["services"]["code"]["command"]
    assert compose["services"]["door"]["environment"]["DAGSTER_WEBSERVER_URL"].startswith("http://webserver:")
