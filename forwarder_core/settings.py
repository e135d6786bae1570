"""Settings from the environment: the only reader of os.environ. What the admin edits lives in the database instead.

Every setting may be given as `NAME` or as `NAME_FILE` (a path to a file that holds the value). All bad values are
reported at once. `docs/configuration.md` and `.env.example` list each with default, unit and meaning.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import SettingsError

PREFIX = "FORWARDER_"
_WEAK = frozenset({"admin", "password", "changeme", "secret", "some_key", "12345678", "letmein"})


class Launcher(StrEnum):
    LOCAL = "local"
    DEFAULT = "default"
    DOCKER = "docker"
    CELERY = "celery"


def _networks(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Settings(BaseModel):
    """One start's settings. Frozen; passed to whoever needs one, never fetched."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    home: Path = Field(Path("data"), description="Folder of everything this installation keeps")
    database_url: str | None = Field(
        None, description="postgresql://user:password@host:port/name of a server ≥ 15; empty = the embedded one"
    )
    bind: str = Field("127.0.0.1:8080", description="host:port of the one door")
    public_url: str | None = Field(None, description="How people reach the door; used in links and OAuth callbacks")
    app_name: str = Field("SnapcoreForwarder", min_length=1, max_length=40, description="Name in alerts and titles")
    timezone: str = Field("UTC", description="Zone of the times shown")
    secret_keys_file: Path | None = Field(None, description="Key ring; default <home>/secret-keys")
    admin_username: str = Field("admin", min_length=1, max_length=64, description="First start only")
    admin_password: str | None = Field(
        None, min_length=8, max_length=72, description="First start only; default: generated into <home>/admin-password"
    )
    outbound_proxy: str | None = Field(None, description="Proxy of every call that has none of its own")
    ca_bundle: Path | None = Field(None, description="CA certificates to trust instead of the system's")
    allow_private_networks: Annotated[tuple[str, ...], BeforeValidator(_networks)] = Field(
        (), description="Networks (CIDR, comma-separated) that proxies, webhooks and targets may lie in"
    )
    launcher: Launcher = Field(
        Launcher.LOCAL, description="How runs start: local (forked from a warm process), default, docker, celery"
    )
    ffmpeg: Path | None = Field(None, description="ffmpeg binary; default: the system's, else the wheel's")
    browser: Path | None = Field(None, description="Chromium for the browser tests")
    simulator_url: str | None = Field(None, description="The simulator's control address (demo only)")
    crash_at: str | None = Field(None, description="point[:nth][:kill|term|raise], for fault drills only")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$", description="Least level logged")

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise ValueError("must be postgresql://user:password@host:port/name")
        return value

    @field_validator("bind")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError("must be host:port, such as 127.0.0.1:8080")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as e:
            raise ValueError("is not a zone name such as Asia/Kolkata") from e
        return value

    @field_validator("admin_password")
    @classmethod
    def _not_a_default(cls, value: str | None) -> str | None:
        if value is not None and value.lower() in _WEAK:
            raise ValueError("is a well-known default; choose another, or leave it out to have one generated")
        return value

    @field_validator("outbound_proxy")
    @classmethod
    def _proxy(cls, value: str | None) -> str | None:
        if value is not None:
            ProxyAddress.parse(value)
        return value

    @field_validator("ca_bundle", "ffmpeg", "browser")
    @classmethod
    def _exists(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"{value} is not a file")
        return value

    @field_validator("allow_private_networks")
    @classmethod
    def _cidr(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            ipaddress.ip_network(part)
        return value

    @property
    def key_file(self) -> Path:
        return self.secret_keys_file or self.home / "secret-keys"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def base_url(self) -> str:
        """Without a slash at its end."""
        return (self.public_url or f"http://{self.bind}").rstrip("/")

    @property
    def default_exit(self) -> Exit:
        """The way out of every call that has no proxy of its own."""
        proxy = ProxyAddress.parse(self.outbound_proxy) if self.outbound_proxy else None
        return Exit(proxy=proxy, ca_bundle=self.ca_bundle, allowed_networks=self.allow_private_networks)

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for a child process."""
        dumped = self.model_dump(exclude_none=True)
        return {
            PREFIX + name.upper(): ",".join(value) if isinstance(value, tuple) else str(value)
            for name, value in dumped.items()
        }


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment. Raises SettingsError naming every bad value, without printing a secret one."""
    env = os.environ if environ is None else environ
    values, problems = _values(env)
    try:
        settings = Settings(**values)
    except ValidationError as e:
        for error in e.errors():
            name = PREFIX + str(error["loc"][0]).upper()
            problems.append(f"{name}: {error['msg'].removeprefix('Value error, ')}")
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def brokers(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Where runs on other machines are handed over and answered, by the names dagster.yaml has for it; with a login."""
    env = os.environ if environ is None else environ
    return {name: env.get(name, "").strip() for name in ("REDIS_BROKER", "REDIS_BACKEND")}


def _values(env: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key in sorted(env):
        if not key.startswith(PREFIX) or not env[key].strip():
            continue
        name = key.removeprefix(PREFIX).lower()
        if name in Settings.model_fields:
            values[name] = env[key].strip()
        elif name.endswith("_file") and name.removesuffix("_file") in Settings.model_fields:
            try:
                values[name.removesuffix("_file")] = Path(env[key]).read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as e:
                problems.append(f"{key}: {env[key]} cannot be read ({type(e).__name__})")
        else:
            problems.append(f"{key}: there is no such setting")
    return values, problems
