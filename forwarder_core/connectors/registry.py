"""Which platforms there are: the folders under `platforms/` that hold a `SPEC`. There is no list to edit.

Listing loads no vendor library; a connector's module is imported when the first account of that platform is used.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, cast

import yaml

from forwarder_core import platforms
from forwarder_core.connectors.base import (
    Authenticator,
    AuthenticatorFactory,
    ConnectorSpec,
    CredentialBox,
    Destination,
    DestinationFactory,
    Role,
    Source,
    SourceFactory,
)
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.limits import Limits, MediaLimits, TextLimits
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


def secrets_from_form(platform: str, fields: Mapping[str, str]) -> dict[str, str]:
    """What a person typed, as the platform keeps it. Raises Invalid naming each field that is wrong.

    The authenticator's module offers this beside it, because both know what the secrets of the platform are.
    """
    module = spec(platform).roles[Role.AUTHENTICATOR].partition(":")[0]
    made: dict[str, str] = importlib.import_module(f"{platforms.__name__}.{platform}.{module}").secrets_from_form(
        fields
    )
    return made


def _factory(platform: str, role: Role) -> Any:
    known = spec(platform)
    if role not in known.roles:
        raise Invalid(f"{known.title} cannot be a {role}.", action="Choose another account.")
    module, _, attribute = known.roles[role].partition(":")
    return getattr(importlib.import_module(f"{platforms.__name__}.{platform}.{module}"), attribute)


@cache
def limits(platform: str) -> Limits:
    """What the platform accepts, from its `limits.yaml`: each entry there is `{value, source, checked_at}`."""
    text = resources.files(f"{platforms.__name__}.{spec(platform).platform}").joinpath("limits.yaml").read_text("utf-8")
    data = yaml.safe_load(text)
    media, words = ({k: v["value"] for k, v in data[part].items()} for part in ("media", "text"))
    return Limits(
        media=MediaLimits(**media),
        text=TextLimits(**words),
        posts_per_day=data["posts_per_day"]["value"],
        settle_s=data["settle_s"]["value"],
    )
