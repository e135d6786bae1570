"""Settings come from the environment, all bad ones are named at once, and no secret is printed on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder_core.errors import SettingsError
from forwarder_core.settings import Launcher, load


def refused(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as e:
        load(environ)
    assert e.value.action
    return str(e.value)


def test_without_any_setting_the_defaults_hold() -> None:
    settings = load({"PATH": "/bin", "HOME": "/root"})
    assert settings.home == Path("data").resolve()
    assert (settings.bind, settings.timezone, settings.log_level) == ("127.0.0.1:8080", "UTC", "INFO")
    assert settings.launcher in Launcher
    assert settings.database_url is None and settings.admin_password is None
    assert settings.key_file == settings.home / "secret-keys"
    assert settings.base_url == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "proxy",
    [
        "http://user:hunter2:more@proxy.example:port",
        "http://user:hunter2@proxy.example:99999",
        "http://user:hunter2@proxy.example:hunter2",
        "http://proxy.example:hunter2",
        "http://user:hunter2@[proxy.example:8080",
        "ftp://user:hunter2@proxy.example:21",
    ],
)
def test_no_part_of_a_proxy_s_login_is_printed(proxy: str) -> None:
    said = refused({"FORWARDER_OUTBOUND_PROXY": proxy})
    assert said.startswith("FORWARDER_OUTBOUND_PROXY: ") and "hunter2" not in said


def test_every_bad_value_is_named_at_once() -> None:
    said = refused(
        {
            "FORWARDER_BIND": "8080",
            "FORWARDER_TIMEZONE": "Mars/Olympus",
            "FORWARDER_LAUNCHER": "rocket",
            "FORWARDER_DATABASE_URL": "mysql://db/x",
            "FORWARDER_ALLOW_PRIVATE_NETWORKS": "10.0.0.0/8, nonsense",
            "FORWARDER_CA_BUNDLE": "/no/such/file.pem",
            "FORWARDER_LOG_LEVEL": "loud",
            "FORWARDER_COLOUR": "red",
        }
    )
    lines = said.splitlines()
    assert len(lines) == 8
    for name in ("BIND", "TIMEZONE", "LAUNCHER", "DATABASE_URL", "ALLOW_PRIVATE_NETWORKS", "CA_BUNDLE", "LOG_LEVEL"):
        assert [line for line in lines if line.startswith(f"FORWARDER_{name}: ")], name
    assert "FORWARDER_COLOUR: there is no such setting" in lines


@pytest.mark.parametrize("bind", ["8080", ":8080", "host:", "host:port", "host:0", "host:65536", "host:-1"])
def test_a_door_that_is_no_host_and_port_is_refused(bind: str) -> None:
    assert refused({"FORWARDER_BIND": bind}).startswith("FORWARDER_BIND: must be host:port")


@pytest.mark.parametrize("password", ["password", "PASSWORD", "changeme", "some_key", "admin", "12345678", "short"])
def test_a_default_or_short_admin_password_is_refused_without_printing_it(password: str) -> None:
    said = refused({"FORWARDER_ADMIN_PASSWORD": password})
    assert said.startswith("FORWARDER_ADMIN_PASSWORD: ")
    assert f"'{password}'" not in said


def test_no_secret_value_is_in_the_message_of_a_refusal() -> None:
    said = refused(
        {
            "FORWARDER_DATABASE_URL": "mysql://forwarder:canary-db@db/x",
            "FORWARDER_ADMIN_PASSWORD": "canary-" * 20,
            "FORWARDER_OUTBOUND_PROXY": "ftp://user:canary-proxy@10.0.0.1:1",
            "FORWARDER_BIND": "nowhere",
        }
    )
    assert said.count("\n") == 3
    assert "canary" not in said


def test_a_value_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse\n", "utf-8")
    assert load({"FORWARDER_ADMIN_PASSWORD_FILE": str(file)}).admin_password == "correct horse"


def test_a_file_that_cannot_be_read_is_named_beside_the_other_bad_values(tmp_path: Path) -> None:
    said = refused({"FORWARDER_ADMIN_PASSWORD_FILE": str(tmp_path / "gone"), "FORWARDER_BIND": "x"})
    assert "FORWARDER_ADMIN_PASSWORD_FILE: " in said and "cannot be read" in said and "FORWARDER_BIND: " in said


def test_the_key_ring_is_a_setting_of_its_own_and_not_a_file_of_another(tmp_path: Path) -> None:
    assert load({"FORWARDER_SECRET_KEYS_FILE": str(tmp_path / "ring")}).key_file == tmp_path / "ring"


def test_a_blank_value_is_no_value() -> None:
    assert load({"FORWARDER_DATABASE_URL": "", "FORWARDER_BIND": "  "}) == load({})


def test_lists_are_comma_separated_and_stripped() -> None:
    settings = load({"FORWARDER_ALLOW_PRIVATE_NETWORKS": " 10.0.0.0/8 ,127.0.0.0/8,"})
    assert settings.allow_private_networks == ("10.0.0.0/8", "127.0.0.0/8")


def test_a_child_process_reads_back_exactly_these_settings(tmp_path: Path) -> None:
    settings = load(
        {
            "FORWARDER_HOME": str(tmp_path),
            "FORWARDER_DATABASE_URL": "postgresql://u:p@h:5432/n",
            "FORWARDER_TIMEZONE": "Asia/Kolkata",
            "FORWARDER_LAUNCHER": "docker",
            "FORWARDER_ALLOW_PRIVATE_NETWORKS": "10.0.0.0/8,127.0.0.0/8",
            "FORWARDER_OUTBOUND_PROXY": "http://10.0.0.1:3128",
            "FORWARDER_ADMIN_PASSWORD": "correct horse",
            "FORWARDER_PUBLIC_URL": "https://forwarder.example/",
        }
    )
    assert load(settings.environment()) == settings
    assert load(load({}).environment()) == load({})
    assert all(key.startswith("FORWARDER_") and isinstance(value, str) for key, value in settings.environment().items())


def test_the_way_out_of_a_call_without_a_proxy_of_its_own() -> None:
    exit_ = load({"FORWARDER_OUTBOUND_PROXY": "socks5://10.0.0.1:1080"}).default_exit
    assert exit_.proxy is not None and exit_.proxy.url == "socks5h://10.0.0.1:1080"
    assert load({}).default_exit.label == "direct"


def test_the_public_address_loses_its_last_slash() -> None:
    assert load({"FORWARDER_PUBLIC_URL": "https://forwarder.example/"}).base_url == "https://forwarder.example"


def test_a_relative_home_becomes_absolute_so_that_a_child_elsewhere_means_the_same() -> None:
    assert load({"FORWARDER_HOME": "here"}).home == Path.cwd() / "here"
