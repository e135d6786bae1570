"""docs/api.md and docs/openapi.json are what the code says. After a change of a route:
`python -m tests.unit.admin_app.test_api_reference` writes both.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from admin_app.api.main import create_api
from admin_app.api.reference import in_document
from forwarder_core.clock import ManualClock
from tests.factories import make_core

DOCS = Path(__file__).resolve().parents[3] / "docs"
DOCUMENT, DESCRIPTION = DOCS / "api.md", DOCS / "openapi.json"
NOWHERE = "postgresql+psycopg://forwarder:x@127.0.0.1:9/forwarder"


def described(home: Path) -> dict[str, Any]:
    """The description as the server gives it; no database is asked."""
    with make_core(NOWHERE, ManualClock(), home) as core:
        return create_api(core).openapi()


def document(openapi: dict[str, Any]) -> str:
    return in_document(DOCUMENT.read_text("utf-8"), openapi)


def as_text(openapi: dict[str, Any]) -> str:
    return json.dumps(openapi, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def test_the_reference_names_every_route_there_is(tmp_path: Path) -> None:
    assert DOCUMENT.read_text("utf-8") == document(described(tmp_path)), __doc__


def test_the_committed_description_is_the_one_the_server_gives(tmp_path: Path) -> None:
    assert DESCRIPTION.read_text("utf-8") == as_text(described(tmp_path)), __doc__


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found = described(Path(folder))
    DOCUMENT.write_text(document(found), "utf-8")
    DESCRIPTION.write_text(as_text(found), "utf-8")
