"""Every call the connectors make, one row each: where it goes, what brings it about, and what a true result is.

A new platform's calls are put in by a function of this kind; the garbage and its judgement (test_garbage.py) stay as
they are. Each act is made by a connector of its own, as a new process would have it, with short total timeouts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Draft, Identity, MediaFile, Page, Published, Reconciled, Trace, Visibility
from forwarder_core.platforms.instagram.client import Pace
from forwarder_core.platforms.instagram.destination import InstagramDestination
from forwarder_core.platforms.instagram.graph_auth import GraphAuthenticator
from forwarder_core.platforms.instagram.graph_destination import GraphDestination
from forwarder_core.platforms.instagram.graph_uploads import Patience
from forwarder_core.platforms.youtube.destination import YouTubeDestination
from forwarder_core.platforms.youtube.download import DownloadLimits
from forwarder_core.platforms.youtube.shorts import Forms
from forwarder_core.platforms.youtube.source import YouTubeSource
from forwarder_core.platforms.youtube.wire import Timeouts
from forwarder_core.simulator.testing import Simulator
from tests.contract.test_connectors_kit import Hooks, Simulated, evidence_of
from tests.contract.test_library_kit import Box

ANSWER_S = 0.7
_numbers = count()
Act = Callable[["Road"], Any]


@dataclass
class Road:
    """One account of one way of signing in, with a post of its own and a publication, made before any garbage."""

    simulator: Simulator
    platform: str
    method: str
    clip: MediaFile
    folder: Path
    end: Simulated = field(init=False)
    post_id: str = field(init=False)
    published: Published = field(init=False)
    secrets: dict[str, str] = field(init=False)
    typed: dict[str, str] = field(init=False)
    draft: Draft = field(init=False)
    since: datetime = field(init=False)
    opened: tuple[Draft, str] = field(init=False)

    def __post_init__(self) -> None:
        spec = registry.spec(self.platform)
        method = next(m for m in spec.auth_methods if m.name == self.method)
        self.since = datetime.now(UTC)
        self.end = Simulated(self.simulator, spec, method)
        self.typed = dict(self.end.box.secrets)
        self.post_id = str(
            self.simulator.add_post(self.platform, self.account_id, "By hand", file=str(self.clip.path))["id"]
        )
        self.draft = self.new_draft()
        registry.authenticator(self.end.account, self.end.box, self.exit).identify()  # signs in, and stores it
        self.secrets = dict(self.end.box.secrets)
        to = self.destination()
        self.published = to.send(to.open(self.draft, self.clip), self.draft, self.clip, Hooks())

    @property
    def account_id(self) -> str:
        return str(self.end.account.remote_id)

    @property
    def exit(self) -> Any:
        return replace(self.end.exit, answer_s=ANSWER_S)

    def box(self) -> Box:
        """The account's secrets as they were before any garbage."""
        return Box(self.secrets)

    def new_draft(self) -> Draft:
        number = next(_numbers)
        return Draft(title=f"Clip {number}", caption=f"Clip {number} #garbage", marker=f"fw-{number:010x}")

    def source(self) -> Any:
        if self.platform == "youtube":
            limits = DownloadLimits(seconds=8.0)
            forms = Forms()
            return YouTubeSource(self.end.account, self.box(), self.exit, timeouts=HASTY, limits=limits, forms=forms)
        return registry.source(self.end.account, self.box(), self.exit)

    def destination(self) -> Any:
        account, box, exit_ = self.end.account, self.box(), self.exit
        if self.platform == "youtube":
            return YouTubeDestination(account, box, exit_, timeouts=HASTY, pause=lambda seconds: None)
        if self.method == "graph_api":
            return GraphDestination(account, box, exit_, patience=Patience(looks_s=(0.05, 0.1, 0.2)))
        if self.method == "private":
            return InstagramDestination(account, box, exit_, pace=Pace(between_calls_s=0, configure_s=0))
        return registry.destination(account, box, exit_)

    def open_one(self) -> None:
        """An upload begun before the garbage comes."""
        draft = self.new_draft()
        self.opened = (draft, self.destination().open(draft, self.clip))

    def live(self) -> set[str]:
        return {str(each["id"]) for each in self.simulator.publications(self.platform, self.account_id)}


CLIENTS: dict[str, dict[str, str]] = {
    "instagram": {"app_id": "1234567890", "app_secret": "0123456789abcdef0123456789abcdef"}
}
HASTY = Timeouts(connect_s=2.0, read_s=ANSWER_S, upload_s=ANSWER_S)


@dataclass(frozen=True)
class Call:
    """`route` and `host` say where the garbage comes from; `act` brings the call about; `is_true` judges a result that
    came in spite of it. `opens_first`: the upload is begun before. `only`: the garbage that is worth its time;
    `is_by_hand`: a person waits for it, and may be told to try again."""

    name: str
    act: Act
    is_true: Callable[[Road, Any], bool]
    route: str | None = None
    host: str | None = None
    publishes: bool = False
    opens_first: bool = False
    only: tuple[str, ...] = ()
    is_by_hand: bool = False

    def match(self, road: Road) -> dict[str, str]:
        here = {"platform": road.platform}
        return here | {key: value for key, value in (("route", self.route), ("host", self.host)) if value}


# ---- acts and judgements every platform shares --------------------------------------------------------------------


def look(road: Road) -> Page:
    page: Page = road.source().list_posts()
    return page


def look_further(road: Road) -> Page:
    page: Page = road.source().list_posts("list")
    return page


def shows_all(road: Road, page: Page) -> bool:
    return {road.post_id, road.published.remote_id} <= {post.platform_post_id for post in page.posts}


def fetch(road: Road) -> str:
    into = road.folder / f"{next(_numbers)}.mp4"
    return str(road.source().fetch(road.post_id, into, lambda done, total: None).sha256)


def is_the_file(road: Road, sha256: str) -> bool:
    return sha256 == road.clip.sha256


def send(road: Road) -> Published:
    to, draft = road.destination(), road.new_draft()
    made: Published = to.send(to.open(draft, road.clip), draft, road.clip, Hooks())
    return made


def send_opened(road: Road) -> Published:
    draft, session = road.opened
    made: Published = road.destination().send(session, draft, road.clip, Hooks())
    return made


def is_live(road: Road, made: Published) -> bool:
    return made.remote_id in road.live()


def verify(road: Road) -> Visibility:
    seen: Visibility = road.destination().verify(road.published.remote_id)
    return seen


def is_seen_or_open(road: Road, seen: Visibility) -> bool:
    return not seen.is_final or seen.is_live


def reconcile(road: Road) -> Reconciled:
    found: Reconciled = road.destination().reconcile(evidence_of(road.draft, road.clip, None, road.since))
    return found


def is_unsure_or_right(road: Road, found: Reconciled) -> bool:
    if found.trace is Trace.PUBLISHED:
        return found.published is not None and found.published.remote_id == road.published.remote_id
    return found.trace is Trace.UNKNOWN


def identify(road: Road) -> Identity:
    return registry.authenticator(road.end.account, road.box(), road.exit).identify()


def sign_in(road: Road) -> Identity:
    """With what was typed in and nothing else: the whole login."""
    return registry.authenticator(road.end.account, Box(road.typed), road.exit).identify()


def exchange(road: Road) -> Any:
    """The last step of the sign-in on the platform's own page: the code it sent back for a token."""
    signing = registry.web_sign_in(road.end.account)
    assert signing is not None
    secrets = {**road.typed, **CLIENTS.get(road.platform, {})}
    started = signing.begin(secrets, "https://forwarder.example/oauth2callback")
    query = {"state": started.pending.state, "code": "a-code"}
    return signing.finish(secrets, started.pending, query, road.exit, datetime.now(UTC))


def never(road: Road, result: Any) -> bool:
    return False


def is_the_owner(road: Road, who: Identity) -> bool:
    return who.remote_id == road.account_id


# ---- the calls of each road -----------------------------------------------------------------------------------------


def private_calls() -> Iterator[Call]:
    for name, route in (
        ("device", "/graphql_www"),
        ("preflight", "*caa.login.process_client_data_and_redirect/"),
        ("keystore", "/api/v1/attestation/create_android_keystore/"),
        ("token", "*caa.login.oauth.token.fetch.async/"),
        ("key", "/api/v1/qe/sync/"),
        ("login", "*caa.login.async.send_login_request/"),
    ):
        yield Call(f"sign in: {name}", sign_in, is_the_owner, route=route)
    yield Call("identify", identify, is_the_owner, route="/api/v1/accounts/current_user/")
    yield Call("list", look, shows_all, route="/api/v1/clips/user/")
    yield Call("address", fetch, is_the_file, route="/api/v1/media/*/info/")
    yield Call("file", fetch, is_the_file, host="*.cdninstagram.com")
    for name, route in (
        ("settings", "/upload_settings/"),
        ("video", "/rupload_igvideo/"),
        ("cover", "/rupload_igphoto/"),
        ("publish", "/api/v1/media/configure_to_clips/"),
    ):
        yield Call(f"send: {name}", send_opened, is_live, route=route, publishes=True, opens_first=True)
    yield Call("verify", verify, is_seen_or_open, route="/api/v1/media/*/info/")
    yield Call("reconcile", reconcile, is_unsure_or_right, route="/api/v1/clips/user/")


def renewal(road: Road) -> Identity:
    """Fifty days later the token is due. A renewal that fails is put off: the call goes on with the token it has."""
    clock = ManualClock(datetime.now(UTC) + timedelta(days=50))
    return GraphAuthenticator(road.end.account, road.box(), road.exit, clock=clock).identify()


def graph_calls() -> Iterator[Call]:
    yield Call("exchange", exchange, never, is_by_hand=True)
    yield Call("owner", sign_in, is_the_owner, host="graph.*")
    yield Call("renewal", renewal, is_the_owner, route="/v25.0/debug_token")
    yield Call("list", look, shows_all, route="/v25.0/*/media")
    yield Call("address", fetch, is_the_file, host="graph.*")
    yield Call("file", fetch, is_the_file, host="*.cdninstagram.com")
    yield Call("quota", send, is_live, route="/v25.0/*/content_publishing_limit", publishes=True)
    yield Call("container", send, is_live, route="/v25.0/*/media", publishes=True)
    yield Call("standing", send_opened, is_live, host="graph.*", publishes=True, opens_first=True)
    file, publish = {"host": "rupload.facebook.com"}, {"route": "/v25.0/*/media_publish"}
    for name, place in (("send: file", file), ("publish", publish)):
        yield Call(name, send_opened, is_live, publishes=True, opens_first=True, **place)
    yield Call("verify", verify, is_seen_or_open, host="graph.*")
    yield Call("reconcile", reconcile, is_unsure_or_right, host="graph.*")


def youtube_calls() -> Iterator[Call]:
    yield Call("exchange", exchange, never, route="/token", is_by_hand=True)
    yield Call("token", sign_in, is_the_owner, route="/token")
    yield Call("identify", identify, is_the_owner, route="/youtube/v3/channels")
    yield Call("feed", look, shows_all, route="/feeds/videos.xml")
    yield Call("lengths", look, shows_all, route="/youtube/v3/videos")
    yield Call("playlist", look_further, shows_all, route="/youtube/v3/playlistItems")
    few = ("wrong_json", "html_200", "truncated", "drip")  # each starts a downloader of its own
    yield Call("player", fetch, is_the_file, host="*youtube.com", only=few)
    yield Call("file", fetch, is_the_file, host="*.googlevideo.com", only=few)
    yield Call("open", send, is_live, route="/upload/youtube/v3/videos", publishes=True)
    yield Call("publish", send_opened, is_live, route="/upload/youtube/v3/videos", publishes=True, opens_first=True)
    yield Call("verify", verify, is_seen_or_open, route="/youtube/v3/videos")
    yield Call("reconcile: channel", reconcile, is_unsure_or_right, route="/youtube/v3/channels")
    yield Call("reconcile: playlist", reconcile, is_unsure_or_right, route="/youtube/v3/playlistItems")
    yield Call("reconcile: videos", reconcile, is_unsure_or_right, route="/youtube/v3/videos")


def any_calls() -> Iterator[Call]:
    """Of a platform that has no row here: whatever it asks of anywhere is answered with garbage."""
    yield Call("sign in", sign_in, is_the_owner)
    yield Call("list", look, shows_all)
    yield Call("fetch", fetch, is_the_file)
    yield Call("open", send, is_live, publishes=True)
    yield Call("send", send_opened, is_live, publishes=True, opens_first=True)
    yield Call("verify", verify, is_seen_or_open)
    yield Call("reconcile", reconcile, is_unsure_or_right)


CALLS: dict[tuple[str, str], Callable[[], Iterator[Call]]] = {
    ("instagram", "private"): private_calls,
    ("instagram", "graph_api"): graph_calls,
    ("youtube", "oauth"): youtube_calls,
}
