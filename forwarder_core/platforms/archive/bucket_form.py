"""What a person types of a bucket: endpoint, bucket, prefix, region and key, checked by their form alone.

What lives here: the reading of the form. What does not: whether the endpoint may be reached, which is asked anew
whenever it is (bucket.py). The fact to know: nothing here is looked up; a name that is good today may lead into a
private network tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from forwarder_core.errors import FieldError, Invalid

DEFAULT_REGION = "us-east-1"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_PREFIX = re.compile(r"[\w.=-]{1,80}(?:/[\w.=-]{1,80}){0,9}", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,512}", re.ASCII)


def _is_endpoint(typed: str) -> bool:
    try:
        parts = urlsplit(typed)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    is_bare = not (parts.username or parts.password or parts.query or parts.fragment) and parts.path in ("", "/")
    return parts.scheme in ("https", "http") and bool(host) and is_bare and typed.isprintable()


def _is_prefix(typed: str) -> bool:
    return not typed or (_PREFIX.fullmatch(typed) is not None and not {".", ".."} & set(typed.split("/")))


_RULES: Mapping[str, tuple[Callable[[str], object], str]] = {
    "endpoint": (_is_endpoint, "must be https://host or https://host:port, without a path"),
    "bucket": (_BUCKET.fullmatch, "must be 3 to 63 of a-z, 0-9, hyphen and dot"),
    "prefix": (_is_prefix, "must be names of letters, digits, . _ = - joined by single slashes"),
    "region": (_REGION.fullmatch, "must be of a-z, 0-9 and hyphen, such as eu-central-1"),
    "access_key_id": (_KEY.fullmatch, "must be the key's id, without blanks"),
    "secret_access_key": (_KEY.fullmatch, "must be the key's secret, without blanks"),
}
FIELDS = frozenset(_RULES)


def secrets_from_form(fields: Mapping[str, str]) -> dict[str, str]:
    """What is given, as it is stored: all of it for a new account, a key alone to replace one. Raises Invalid naming
    every field that is wrong."""
    bad = [FieldError(name, "is not a field of a bucket") for name in fields if name not in FIELDS]
    typed = {name: value.strip() for name, value in fields.items()}
    typed |= {name: typed[name].strip("/") for name in ("endpoint", "prefix") if name in typed}
    if not typed.get("region", "-"):
        typed["region"] = DEFAULT_REGION
    bad += [FieldError(name, words) for name, (is_right, words) in _RULES.items()
            if name in typed and not is_right(typed[name])]  # fmt: skip
    if bad:
        raise Invalid("The bucket cannot be used as it is written.", *bad)
    return typed
