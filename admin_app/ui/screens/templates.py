"""Templates: the pictures of green-screen layouts, where they are used, and adding one of your own.

A picture is judged by the service, to its last byte; this screen only shows what it said.
"""

from __future__ import annotations

import streamlit as st

from admin_app.ui import access, places
from admin_app.ui.widgets import attempt, say_later
from admin_app.ui.words import plain, size
from forwarder_core.services import templates
from forwarder_core.services.templates import TemplateImage

_IN_A_ROW = 4


def show() -> None:
    core = access.core()
    st.title("Templates")
    st.caption("Pictures for layouts. A connection chooses one under *Video*; a PNG may be transparent in parts.")
    _new()
    found = templates.listed(core)
    for row in range(0, len(found), _IN_A_ROW):
        for column, image in zip(st.columns(_IN_A_ROW), found[row : row + _IN_A_ROW], strict=False):
            with column, st.container(border=True, key=f"template-{row}-{image.name.replace('.', '-')}"):
                _card(image)


def _card(image: TemplateImage) -> None:
    who = access.require_user().username
    places.template(image.name)
    st.markdown(f"**{plain(image.name)}**")
    st.caption(f"{image.width}×{image.height}, {size(image.size_bytes)}")
    if image.used_by:
        st.caption(f"Used by {plain(', '.join(image.used_by))}")
    if image.is_shipped:
        st.caption("Came with the product")
        return
    with st.popover("Delete", icon=":material/delete:", disabled=bool(image.used_by)):
        st.write("It is gone for good.")
        if st.button("Delete it", key=f"delete-{image.name}") and attempt(lambda: _removed(image.name, who)):
            st.rerun()


def _new() -> None:
    core, who = access.core(), access.require_user().username
    with st.expander("Add a picture", icon=":material/add_photo_alternate:"), st.form("new-template", border=False):
        file = st.file_uploader("PNG or JPEG, 5 MB and 4096 pixels a side at most", type=["png", "jpg", "jpeg"])
        name = st.text_input("Name (optional)", max_chars=64, placeholder="the file's own name").strip()
        if not st.form_submit_button("Add", type="primary"):
            return
    if file is None:
        st.error("Choose a file first.")
        return
    made = attempt(lambda: templates.add(core, name or file.name, file.getvalue(), who=who))
    if made is not None:
        say_later(f"Template {made.name} added")
        st.rerun()


def _removed(name: str, who: str) -> bool:
    templates.remove(access.core(), name, who=who)
    say_later(f"Template {name} deleted")
    return True
