"""Which platforms there are: the folders under `platforms/` that hold a `SPEC`. There is no list to edit.

Listing loads no vendor library; a connector's module is imported when the first account of that platform is used.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

import yaml

from forwarder_core import platforms
from forwarder_core.connectors.base import (
    Authenticator,
    AuthenticatorFactory,
    AuthMethod,
    ConnectorSpec,
    CredentialBox,
    Destination,
    DestinationFactory,
    Role,
    Secrets,
    Source,
    SourceFactory,
)
from forwarder_core.connectors.intakes import Intake, IntakeFactory
from forwarder_core.connectors.metering import SharedQuota
from forwarder_core.connectors.sign_ins import WebSignIn
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.limits import LimitEntry, Limits, limits_of
from forwarder_core.domain.tokens import NOTHING_KNOWN, TokenFacts
from forwarder_core.egress import Exit
from forwarder_core.errors import Invalid


@cache
def specs() -> dict[str, ConnectorSpec]:
    """Every platform by its name, in alphabetical order."""
    found = {}
    for module in pkgutil.iter_modules(platforms.__path__):
        if module.ispkg:
            spec = importlib.import_module(f"{platforms.__name__}.{module.name}").SPEC
            found[spec.platform] = cast(ConnectorSpec, spec)
    return found


def spec(platform: str) -> ConnectorSpec:
    try:
        return specs()[platform]
    except KeyError:
        raise Invalid(f"There is no platform “{platform}”.", action=f"Choose one of: {', '.join(specs())}.") from None


def source(account: Account, box: CredentialBox, exit_: Exit) -> Source:
    return cast(SourceFactory, _factory(account.platform, Role.SOURCE))(account, box, exit_)


def destination(account: Account, box: CredentialBox, exit_: Exit) -> Destination:
    return cast(DestinationFactory, _factory(account.platform, Role.DESTINATION))(account, box, exit_)


def authenticator(account: Account, box: CredentialBox, exit_: Exit) -> Authenticator:
    return cast(AuthenticatorFactory, _factory(account.platform, Role.AUTHENTICATOR))(account, box, exit_)


def token_facts(platform: str, auth_method: str, secrets: Secrets) -> TokenFacts:
    """What the platform reads out of an account's secrets. A platform that says nothing has credentials without end."""
    read = getattr(_authenticator_module(platform), "token_facts", None)
    return NOTHING_KNOWN if read is None else cast(TokenFacts, read(auth_method, secrets))


def replaced_secrets(platform: str, present: Secrets, new: Secrets) -> dict[str, str]:
    """What is stored when `new` is handed in beside `present`: facts of a token that is replaced are forgotten."""
    replaced = getattr(_authenticator_module(platform), "replaced_secrets", None)
    return {**present, **new} if replaced is None else cast(dict[str, str], replaced(present, new))


def auth_method(account: Account) -> AuthMethod | None:
    """How this account signs in; None for one made by a version that knew more."""
    return next((m for m in spec(account.platform).auth_methods if m.name == account.auth_method), None)


def web_sign_in(account: Account) -> WebSignIn | None:
    """The sign-in on the platform's own page, where this account's way of signing in has one."""
    method = auth_method(account)
    if method is None or not method.web_sign_in:
        return None
    return cast(WebSignIn, importlib.import_module(f"{platforms.__name__}.{account.platform}.{method.web_sign_in}"))


def secrets_from_form(platform: str, fields: Mapping[str, str], home: Path | None = None) -> dict[str, str]:
    """What a person typed, as the platform keeps it. Raises Invalid naming each field that is wrong.

    The authenticator's module offers this beside it, because both know what the secrets of the platform are. `home`
    (FORWARDER_HOME) is handed on where a form asks for a folder of this server, and needed there.
    """
    read = _authenticator_module(platform).secrets_from_form
    asks_folder = any(field.is_folder for method in spec(platform).auth_methods for field in method.fields)
    made: dict[str, str] = read(fields, home) if asks_folder else read(fields)
    return made


@cache
def plain_fields() -> frozenset[str]:
    """The names of the fields people type that are no secrets, on any platform."""
    fields = [field for spec in specs().values() for method in spec.auth_methods for field in method.fields]
    return frozenset({f.name for f in fields if not f.is_secret} - {f.name for f in fields if f.is_secret})


def _authenticator_module(platform: str) -> Any:
    module = spec(platform).roles[Role.AUTHENTICATOR].partition(":")[0]
    return importlib.import_module(f"{platforms.__name__}.{platform}.{module}")


def shared_quotas(platform: str, secrets: Secrets) -> tuple[SharedQuota, ...]:
    """The daily allowances an account with these secrets shares with others."""
    module, _, name = spec(platform).quotas.partition(":")
    if not module:
        return ()
    found = getattr(importlib.import_module(f"{platforms.__name__}.{platform}.{module}"), name)(secrets)
    return cast(tuple[SharedQuota, ...], found)


def intake(account: Account, box: CredentialBox) -> Intake:
    """What takes files for this account. Raises Invalid where the platform takes none."""
    known = spec(account.platform)
    if not known.intake:
        raise Invalid(
            f"No files can be handed to {account.alias}: it is on {known.title}.", action="Choose a library account."
        )
    return cast(IntakeFactory, _named(account.platform, known.intake))(account, box)


def _factory(platform: str, role: Role) -> Any:
    known = spec(platform)
    if role not in known.roles:
        raise Invalid(f"{known.title} cannot be a {role}.", action="Choose another account.")
    return _named(platform, known.roles[role])


def _named(platform: str, place: str) -> Any:
    """What a SPEC names as `module:attribute` of its folder."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(f"{platforms.__name__}.{platform}.{module}"), attribute)


@cache
def limit_entries(platform: str) -> dict[str, LimitEntry]:
    """Every entry of the platform's `limits.yaml` by its name: `media.max_duration_s`, `posts_per_day` …"""
    text = resources.files(f"{platforms.__name__}.{spec(platform).platform}").joinpath("limits.yaml").read_text("utf-8")
    return dict(_entries("", yaml.safe_load(text)))


@cache
def limits(platform: str) -> Limits:
    """What the platform accepts, from its `limits.yaml`: each entry there is `{value, source, checked_at}`."""
    return limits_of({name: entry.value for name, entry in limit_entries(platform).items()})


def _entries(above: str, data: Mapping[str, Any]) -> Iterator[tuple[str, LimitEntry]]:
    for name, entry in data.items():
        if "value" in entry:
            yield above + name, LimitEntry(entry["value"], entry["source"], entry["checked_at"])
        else:
            yield from _entries(f"{above}{name}.", entry)
