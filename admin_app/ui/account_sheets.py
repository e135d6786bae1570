"""The expander of the Accounts screen for many accounts at once: a sheet looked at, then taken; and all of them as one.

The fact to know: what is imported is the very text that was looked at, so the button takes what the table shows.
"""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access
from admin_app.ui.widgets import attempt, say_later
from forwarder_core.domain.account_sheets import COLUMNS
from forwarder_core.services import importing
from forwarder_core.services.importing import Action, Line

_SIGNS = {Action.CREATE: "new", Action.CHANGE: "changes", Action.UNCHANGED: "as it is", Action.ERROR: "mistake"}


def show() -> None:
    core = access.core()
    with st.expander("Import or export accounts", icon=":material/table_view:"):
        st.caption(
            f"A CSV with the columns {', '.join(COLUMNS)} and credentials.<field>: your own accounts only, with your "
            "rights to their posts. Credentials are never exported."
        )
        if st.button("Make the export", icon=":material/download:"):
            text = attempt(lambda: importing.export_sheet(core))
            if text is not None:
                st.download_button("Download accounts.csv", text, "accounts.csv", "text/csv")
        given = st.file_uploader("Sheet", type="csv", key="accounts-sheet")
        if given is not None:
            _looked_at(given.getvalue())


def _looked_at(sheet: bytes) -> None:
    core, who = access.core(), access.require_user().username
    lines = attempt(lambda: importing.import_sheet(core, sheet, who=who, dry_run=True))
    if lines is None:
        return
    st.dataframe([_row(line) for line in lines], hide_index=True)
    bad = sum(line.action is Action.ERROR for line in lines)
    if bad:
        st.error(f"{bad} rows cannot be taken. Mend them and choose the sheet again; until then nothing is imported.")
    elif all(line.action is Action.UNCHANGED for line in lines):
        st.info("Everything in this sheet is there already.")
    elif st.button("Import", type="primary", key="accounts-import"):
        made = attempt(lambda: importing.import_sheet(core, sheet, who=who))
        if made is not None:
            say_later(f"{sum(line.action is not Action.UNCHANGED for line in made)} accounts imported or changed")
            st.rerun()


def _row(line: Line) -> dict[str, str | int]:
    """Table cells show text as it is: nothing in them is markup."""
    changes = [f"{name}: {now or '–'} → {then}" for name, (now, then) in line.changes.items()]
    wrong = [f"{error.field} {error.message}".strip() for error in line.errors]
    said = "; ".join([*wrong, *changes, *([line.note] if line.note else [])])
    return {
        "line": line.number,
        "does": _SIGNS[line.action],
        "platform": line.platform,
        "username": line.username,
        "alias": line.alias,
        "what": said,
    }
