"""Streamlit's own settings, set by code: a file of its kind lies where personal ones do and is left out of copies.

The fact to know: they must be set before the first `st.App` is made, because that reads them.
"""

from __future__ import annotations

from typing import Any

from streamlit import config

OPTIONS: dict[str, Any] = {
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.maxUploadSize": 1,  # MB; a client's credential files are at most 64 KiB
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "runner.magicEnabled": False,
    "theme.primaryColor": "#4f46e5",
    "theme.baseRadius": "0.6rem",
    "theme.borderColor": "#d9dce6",
    "theme.showWidgetBorder": True,
    "theme.baseFontSize": 15,
    "theme.headingFontSizes": ["2rem", "1.4rem", "1.15rem", "1rem", "1rem", "1rem"],
    "theme.chartCategoricalColors": ["#4f46e5", "#0d9488", "#d97706", "#dc2626", "#7c3aed"],
    "theme.sidebar.backgroundColor": "#f3f4fa",
}


def apply() -> None:
    for name, value in OPTIONS.items():
        config.set_option(name, value)
