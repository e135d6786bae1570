"""docs/api.md names every route there is. After a change: `python -m tests.unit.admin_app.test_api_reference`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from admin_app.api.main import create_api
from admin_app.api.reference import in_document
from forwarder_core.clock import ManualClock
from tests.factories import make_core

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "api.md"
NOWHERE = "postgresql+psycopg://forwarder:x@127.0.0.1:9/forwarder"


def written(home: Path) -> str:
    """The document as it should be; no database is asked."""
    with make_core(NOWHERE, ManualClock(), home) as core:
        return in_document(DOCUMENT.read_text("utf-8"), create_api(core).openapi())


def test_the_reference_names_every_route_there_is(tmp_path: Path) -> None:
    assert DOCUMENT.read_text("utf-8") == written(tmp_path), __doc__


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        DOCUMENT.write_text(written(Path(folder)), "utf-8")
