"""Handing files in from the browser: videos for a library account, and a sheet of their captions where there is one.

The fact to know: the browser sends them to the API itself, with the session's own cookie and token, so that checks and
limits are the API's and no video passes through the memory of the screens.
"""

from __future__ import annotations

import streamlit as st

from forwarder_core.services import handing_in

_LOOK = "library-look"
_FORM = """<style>
#hand-in { display: grid; gap: .6rem; justify-items: start }
#hand-in input, #hand-in button { font: inherit; color: inherit; max-width: 100% }
#hand-in button { padding: .3rem .9rem; border: 1px solid #8888; border-radius: .6rem; background: none }
#hand-in button:disabled { opacity: .5 } #hand-in progress { width: 100% } #hand-in output { white-space: pre-wrap }
</style>
<div id="hand-in" data-account="ACCOUNT">
  <label>Videos<br><input type="file" name="files" multiple accept="video/*,.mp4,.mov,.m4v,.webm,.mkv"></label>
  <label>Sheet of captions (optional CSV)<br><input type="file" name="captions" accept=".csv,text/csv"></label>
  <button type="button">Hand in</button>
  <progress max="1" value="0" hidden aria-label="Sent"></progress>
  <output></output>
</div>"""
_SEND = """<script>(() => {
  const form = document.getElementById("hand-in");
  if (!form || form.dataset.ready) return;
  form.dataset.ready = "1";
  const [files, sheet] = form.querySelectorAll("input");
  const button = form.querySelector("button"), bar = form.querySelector("progress");
  const out = form.querySelector("output");
  const over = said => { out.textContent = said; button.disabled = false; bar.hidden = true; };
  const told = answer => [answer.detail || answer.title || "It was refused.",
    ...(answer.errors || []).map(e => `${e.field}: ${e.message}`), answer.action || ""].filter(Boolean).join("\\n");
  button.addEventListener("click", async () => {
    if (!files.files.length) return over("Choose one or more videos first.");
    button.disabled = true; out.textContent = "Sending …"; bar.hidden = false; bar.value = 0;
    const body = new FormData();
    for (const file of files.files) body.append("files", file);
    if (sheet.files.length) body.append("captions", sheet.files[0]);
    const send = new XMLHttpRequest();
    send.responseType = "json";
    send.upload.onprogress = e => { if (e.lengthComputable) bar.value = e.loaded / e.total; };
    send.onerror = () => over("The server does not answer. Nothing was handed in; try again.");
    send.onload = () => {
      if (send.status !== 201) return over(told(send.response || {}));
      over(send.response.message); files.value = ""; sheet.value = "";
      document.querySelector(".st-key-LOOK button")?.click();
    };
    try {
      const known = await (await fetch("/api/auth/check")).json();
      send.open("POST", `/api/library/${form.dataset.account}/files`);
      send.setRequestHeader("X-CSRF-Token", known.csrf_token);
      send.send(body);
    } catch { send.onerror(); }
  });
})()</script>"""


def panel(account_id: int) -> None:
    """The form; what became of the files is read from the list below it, drawn anew when they have arrived."""
    with st.container(border=True, key="library-hand-in"):
        st.markdown("**Hand videos in**")
        st.caption(f"At most {handing_in.MOST_FILES} files and 1 GB at once; all of them are taken, or none.")
        page = _FORM.replace("ACCOUNT", str(int(account_id))) + _SEND.replace("LOOK", _LOOK)
        st.html(page, unsafe_allow_javascript=True)
        st.button("Look again", icon=":material/refresh:", key=_LOOK, type="tertiary")
