"""The admin's first password: the setting, else the one in `<home>/admin-password`, else a new one put there.

The fact to know: it counts at the first start only. Later the file is a reminder, not the password's home.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from forwarder_core.errors import StartError
from forwarder_core.settings import Settings


def password_file(home: Path) -> Path:
    return home / "admin-password"


def with_admin_password(settings: Settings) -> Settings:
    """These settings with a password in them. Never print it where a log may catch it."""
    if settings.admin_password:
        return settings
    path = password_file(settings.home)
    try:
        password = path.read_text("utf-8").strip() if path.exists() else _generate(path)
    except OSError as e:
        raise StartError(f"{path} cannot be used ({e.strerror}).", action="Make it a file of this user's own.") from e
    return settings.model_copy(update={"admin_password": password})


def _generate(path: Path) -> str:
    password = secrets.token_urlsafe(12)
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as out:
        out.write(password + "\n")
    return password
