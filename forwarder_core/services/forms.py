"""What forms ask for: the platforms there are, and the fields each way of signing in wants.

Taken from the platforms' specs, so that a new platform folder has its form without a line of screen code.
"""

from __future__ import annotations

from collections.abc import Mapping

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import AuthMethod, ConnectorSpec, CredentialField, Role
from forwarder_core.errors import FieldError, Invalid

__all__ = [
    "AuthMethod",
    "ConnectorSpec",
    "CredentialField",
    "Role",
    "auth_method",
    "credential_names",
    "known_only",
    "platforms",
]


def platforms() -> list[ConnectorSpec]:
    """In alphabetical order of their titles."""
    return sorted(registry.specs().values(), key=lambda spec: spec.title)


def auth_method(platform: str, wanted: str | None) -> AuthMethod:
    """`wanted`; where nothing is said the platform's only one, or its first where that needs nothing. Raises Invalid
    naming those there are."""
    spec = registry.spec(platform)
    first = spec.auth_methods[0]
    if wanted is None and (len(spec.auth_methods) == 1 or not any(field.is_required for field in first.fields)):
        return first
    found = next((method for method in spec.auth_methods if method.name == wanted), None)
    if found is None:
        known = ", ".join(method.name for method in spec.auth_methods)
        raise Invalid(
            f"{spec.title} has no auth_method “{wanted or ''}”.", FieldError("auth_method", f"one of {known}")
        )
    return found


def credential_names() -> frozenset[str]:
    """The fields of every way of signing in there is."""
    return frozenset(f.name for spec in platforms() for method in spec.auth_methods for f in method.fields)


def known_only(method: AuthMethod, tolerated: Mapping[str, str | None]) -> dict[str, str]:
    """Of facts that may stand beside the credentials, those this method knows; the others say nothing to it."""
    names = {field.name for field in method.fields}
    return {name: value for name, value in tolerated.items() if value and name in names}
