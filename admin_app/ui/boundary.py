"""The screens' boundary: what a page says when something unexpected happens in it.

The error goes to the log, redacted like everything there; the page says a sentence and what to do, and none of our
insides. Without this Streamlit would offer to send its own words about the error to a search engine.
"""

from __future__ import annotations

import logging

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from admin_app.ui.widgets import refusal
from forwarder_core.errors import Bug, ForwarderError

log = logging.getLogger(__name__)


def on_error(error: Exception) -> bool:
    """True: it has been shown. A refusal of a use case is no error of ours and is not logged as one."""
    if isinstance(error, ForwarderError):
        refusal(error)
        return True
    log.error("Unexpected %s on a screen", type(error).__name__, exc_info=error)
    if isinstance(error, SQLAlchemyError):
        st.error("The database does not answer. Reload in a few seconds.", icon=":material/cloud_off:")
    else:
        st.error(f"**Something unexpected happened.**  \n{Bug.action}", icon=":material/error:")
    return True
