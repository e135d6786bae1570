"""What Python's collector looks at after each run of a screen, and what is kept of memory once all is loaded.

The fact to know: Streamlit collects all garbage after every run, whole pages and live parts alike, and that walks
everything this process has ever loaded: 0.15 s of CPU, while nobody else's run moves. What is loaded stays loaded, so
it is taken out of the collector's sight; what a run leaves behind is still found.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress

_loaded = 0


def set_aside() -> None:
    """To be called at the end of a run, or once much was loaded; costs nothing unless that has happened."""
    global _loaded
    if len(sys.modules) != _loaded:
        _loaded = len(sys.modules)
        gc.collect()
        gc.freeze()
        with suppress(AttributeError, OSError):  # glibc's alone: what loading left free goes back to the system
            ctypes.CDLL(None).malloc_trim(0)
