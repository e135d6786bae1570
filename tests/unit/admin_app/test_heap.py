"""What is loaded for good is out of the collector's sight; garbage made afterwards is not."""

from __future__ import annotations

import gc
import sys
import weakref
from types import ModuleType

import pytest

from admin_app.ui import heap


class Ring:
    def __init__(self) -> None:
        self.itself = self


def test_only_what_was_loaded_since_is_set_aside_and_garbage_is_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_loaded", 0)
    try:
        heap.set_aside()
        known = gc.get_freeze_count()
        assert known > 10_000
        ring = weakref.ref(Ring())
        kept = [Ring() for _ in range(100)]
        heap.set_aside()
        assert gc.get_freeze_count() <= known, "nothing was loaded since"
        gc.collect()
        assert ring() is None
        monkeypatch.setitem(sys.modules, "just_loaded", ModuleType("just_loaded"))
        heap.set_aside()
        assert gc.get_freeze_count() >= known + len(kept)
    finally:
        gc.unfreeze()
