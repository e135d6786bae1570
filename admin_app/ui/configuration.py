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
    "theme.baseRadius": "0.6rem",
    "theme.showWidgetBorder": True,
    "theme.baseFontSize": 15,
    "theme.headingFontSizes": ["2rem", "1.4rem", "1.15rem", "1rem", "1rem", "1rem"],
    # Which of the two is shown follows the person's own system.
    "theme.light.primaryColor": "#4f46e5",
    "theme.light.borderColor": "#d9dce6",
    "theme.light.chartCategoricalColors": ["#4f46e5", "#0d9488", "#d97706", "#dc2626", "#7c3aed"],
    "theme.light.sidebar.backgroundColor": "#f3f4fa",
    "theme.dark.primaryColor": "#6a6df3",  # white words on it, and itself on black: each above 4 to 1
    "theme.dark.backgroundColor": "#10131b",
    "theme.dark.secondaryBackgroundColor": "#1b1f2a",
    "theme.dark.textColor": "#e8eaf2",
    "theme.dark.borderColor": "#3a4152",
    "theme.dark.chartCategoricalColors": ["#818cf8", "#2dd4bf", "#fbbf24", "#f87171", "#a78bfa"],
    "theme.dark.sidebar.backgroundColor": "#151924",
}


def apply() -> None:
    for name, value in OPTIONS.items():
        config.set_option(name, value)
