"""Instagram as the registry sees it: complete, and without loading the client library."""

from __future__ import annotations

import subprocess
import sys

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Role


def test_listing_the_platforms_loads_no_client_library() -> None:
    code = (
        "import sys; from forwarder_core.platforms.instagram import SPEC;"
        "sys.exit(any(name.split('.')[0] in {'instagrapi', 'requests', 'curl_cffi'} for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_form_and_the_roles() -> None:
    spec = registry.spec("instagram")
    assert [field.name for field in spec.auth_methods[0].fields] == ["password", "session_id", "totp_seed"]
    assert all(field.is_secret for field in spec.auth_methods[0].fields)
    assert set(spec.roles) == {Role.SOURCE, Role.DESTINATION, Role.AUTHENTICATOR}


def test_the_limits_are_read() -> None:
    limits = registry.limits("instagram")
    assert (limits.settle_s, limits.media.max_duration_s, limits.text.caption_chars) == (300, 90.0, 2200)
