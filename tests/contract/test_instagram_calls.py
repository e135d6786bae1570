"""Which calls the private client library makes, as recorded: an upgrade that adds one, drops one or sends it elsewhere
fails here, before Instagram sees a client that behaves like no other.

Recorded with instagrapi 3.2.2. The simulator reports every path it does not know as a failure besides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import instagrapi

from forwarder_core.connectors.base import Draft, Trace
from tests.contract.test_connectors_kit import Hooks, evidence_of, make_clip
from tests.contract.test_instagram_kit import Insta, clip, insta, make, nothing_unknown, sim

__all__ = ["clip", "insta", "make", "nothing_unknown", "sim"]

ACTION = "/api/v1/bloks/async_action/com.bloks.www."
LOGIN = {
    ("POST", "b.i.instagram.com", "/graphql_www"),
    ("POST", "b.i.instagram.com", f"{ACTION}bloks.caa.login.process_client_data_and_redirect/"),
    ("POST", "b.i.instagram.com", "/api/v1/attestation/create_android_keystore/"),
    ("POST", "b.i.instagram.com", f"{ACTION}caa.login.oauth.token.fetch.async/"),
    ("GET", "i.instagram.com", "/api/v1/qe/sync/"),
    ("POST", "b.i.instagram.com", f"{ACTION}bloks.caa.login.async.send_login_request/"),
    ("POST", "i.instagram.com", "/api/v1/feed/reels_tray/"),
    ("POST", "i.instagram.com", "/api/v1/feed/timeline/"),
}
IDENTIFY = {("GET", "i.instagram.com", "/api/v1/accounts/current_user/")}
LIST = {("POST", "i.instagram.com", "/api/v1/clips/user/")}
FETCH = {
    ("GET", "i.instagram.com", "/api/v1/media/<n>/info/"),
    ("GET", "scontent.cdninstagram.com", "/v/<n>/<file>"),
}
SEND = {
    ("POST", "i.instagram.com", "/upload_settings/<x>"),
    ("GET", "i.instagram.com", "/rupload_igvideo/<x>"),
    ("POST", "i.instagram.com", "/rupload_igvideo/<x>"),
    ("POST", "i.instagram.com", "/rupload_igphoto/<x>"),
    ("POST", "i.instagram.com", "/api/v1/media/configure_to_clips/"),
}
VERIFY = {("GET", "i.instagram.com", "/api/v1/media/<n>/info/")}

Called = set[tuple[str, str, str]]


def calls_of(insta: Insta, act: Callable[[], object]) -> Called:
    """What the simulator saw of the account, or of nobody, while this was done."""
    before = len(insta.sim.requests())
    act()
    seen = insta.sim.requests()[before:]
    return {
        (each["method"], each["host"], general(each["path"]))
        for each in seen
        if each["platform"] == "instagram" and each["account"] in (None, insta.remote_id)
    }


def general(path: str) -> str:
    """Without what is another each time."""
    for place in ("/upload_settings/", "/rupload_igvideo/", "/rupload_igphoto/"):
        if path.startswith(place):
            return f"{place}<x>"
    path = re.sub(r"^/v/\d+/.+$", "/v/<n>/<file>", path)
    return re.sub(r"/\d{6,}", "/<n>", path)


def test_a_login_a_look_a_fetch_and_an_upload_make_the_recorded_calls(insta: Insta, clip: Path, tmp_path: Path) -> None:
    media, since = make_clip(tmp_path, 81), datetime.now(UTC)
    draft = Draft(title="", caption="Recorded #calls", marker="fw-00c0ffee11")
    post = insta.post(clip, "By hand")
    source, to = insta.source, insta.destination
    made: list[str] = []

    def send() -> None:
        made.append(to.send(to.open(draft, media), draft, media, Hooks()).remote_id)

    assert calls_of(insta, lambda: insta.authenticator.identify()) == LOGIN | IDENTIFY
    assert calls_of(insta, lambda: insta.authenticator.identify()) == IDENTIFY, "the session is used again"
    assert calls_of(insta, source.list_posts) == LIST
    assert calls_of(insta, lambda: source.fetch(post, tmp_path / "f.mp4", lambda *said: None)) == FETCH
    assert calls_of(insta, send) == IDENTIFY | SEND
    assert calls_of(insta, lambda: to.verify(made[0])) == VERIFY
    evidence = evidence_of(draft, media, None, since)
    assert calls_of(insta, lambda: to.reconcile(evidence)) == LIST
    assert to.reconcile(evidence).trace is Trace.PUBLISHED


def test_the_calls_were_recorded_with_the_version_that_is_installed() -> None:
    recorded = re.search(r"instagrapi (\d+\.\d+\.\d+)", __doc__ or "")
    assert recorded and recorded[1] == instagrapi.__version__, "look at the calls again, then at this number"
