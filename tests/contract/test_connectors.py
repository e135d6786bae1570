"""The contract of `connectors.base`, asked of every platform the registry finds: what the engine relies on.

What stands here holds for all of them; what only one vendor does is in that platform's own tests. A folder put under
`platforms/` is asked the same without a line changed here (test_connectors_toy.py proves it).
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path

import pytest
import yaml

from forwarder_core import platforms
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import (
    AuthMethod,
    ConnectorSpec,
    Destination,
    Draft,
    InteractiveAuthenticator,
    MediaFile,
    Role,
    Source,
    Trace,
)
from forwarder_core.domain.posts import SeenPost
from forwarder_core.egress import Exit
from forwarder_core.errors import Invalid, StepFailed
from forwarder_core.simulator.testing import Simulator, eventually
from tests.contract.test_bucket_kit import store
from tests.contract.test_connectors_kit import (
    ODD,
    FarEnd,
    Hooks,
    SourceEnd,
    account_of,
    evidence_of,
    far_end,
    hurried,
    make_clip,
    roads,
    source_end,
)
from tests.contract.test_library_kit import Box, home

__all__ = ["home", "store"]
SPECS = [pytest.param(spec, id=platform) for platform, spec in registry.specs().items()]
DESTINATIONS = [pytest.param(spec, id=p) for p, spec in registry.specs().items() if Role.DESTINATION in spec.roles]
VENDORS = ("instagrapi", "googleapiclient", "google.auth", "yt_dlp", "httplib2", "obstore")
MakeEnd = Callable[[ConnectorSpec, AuthMethod], FarEnd]
MakeSource = Callable[[ConnectorSpec, AuthMethod], SourceEnd]


@pytest.fixture(scope="session")
def clip_pair(tmp_path_factory: pytest.TempPathFactory) -> list[MediaFile]:
    folder = tmp_path_factory.mktemp("contract")
    return [make_clip(folder, seed) for seed in (61, 62)]


@pytest.fixture
def simulated(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Simulator]]:
    """The simulator for whoever needs one."""
    hurried(monkeypatch)
    used: list[Simulator] = []

    def simulator() -> Simulator:
        used.append(request.getfixturevalue("simulator"))
        return used[-1]

    yield simulator
    for each in used:
        each.disarm()


@pytest.fixture
def make_source(home: Path, simulated: Callable[[], Simulator]) -> MakeSource:
    return lambda spec, method: source_end(spec, method, simulated, home)


@pytest.fixture
def make_end(home: Path, simulated: Callable[[], Simulator], request: pytest.FixtureRequest) -> MakeEnd:
    return lambda spec, method: far_end(spec, method, simulated, home, lambda: request.getfixturevalue("store"))


# ---- what can be said without a far end -------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_says_what_forms_and_services_need(spec: ConnectorSpec) -> None:
    assert registry.specs()[spec.platform] is spec and re.fullmatch(r"[a-z][a-z0-9_]{1,30}", spec.platform)
    assert importlib.util.find_spec(f"{platforms.__name__}.{spec.platform}"), "the folder is named like the platform"
    assert spec.title.strip() and spec.handle_label.strip()
    assert Role.AUTHENTICATOR in spec.roles and spec.roles.keys() & {Role.SOURCE, Role.DESTINATION}
    assert all(re.fullmatch(r"(\*\.)?[a-z0-9.-]+", host) for host in spec.hosts)
    names = [method.name for method in spec.auth_methods]
    assert names and len(set(names)) == len(names)
    for method in spec.auth_methods:
        fields = [f.name for f in method.fields]
        assert fields and len(set(fields)) == len(fields) and method.label.strip()
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", f.name) and f.label.strip() for f in method.fields)
        assert all(f.is_secret for f in method.fields if f.is_file), "an uploaded file is never shown back"


def test_listing_the_platforms_loads_no_vendor_library() -> None:
    code = (
        "import sys; from forwarder_core.connectors import registry; registry.specs();"
        f"print([name for name in {VENDORS!r} if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("spec", SPECS)
def test_every_role_can_be_made_of_an_account_a_box_and_an_exit(spec: ConnectorSpec) -> None:
    makers = {
        Role.SOURCE: registry.source,
        Role.DESTINATION: registry.destination,
        Role.AUTHENTICATOR: registry.authenticator,
    }
    offered = {
        Role.SOURCE: ("list_posts", "fetch"),
        Role.DESTINATION: ("open", "send", "reconcile", "verify"),
        Role.AUTHENTICATOR: ("identify",),
    }
    for method in spec.auth_methods:
        account = account_of(spec, method)
        for role in spec.roles:
            made = makers[role](account, Box({}), Exit())
            assert all(callable(getattr(made, name)) for name in offered[role])
            if role is Role.AUTHENTICATOR and method.asks_code:
                assert isinstance(made, InteractiveAuthenticator)
        for role in set(makers) - set(spec.roles):
            with pytest.raises(Invalid):
                makers[role](account, Box({}), Exit())


@pytest.mark.parametrize("spec", DESTINATIONS)
def test_every_limit_of_a_destination_has_a_value_a_source_and_a_date(spec: ConnectorSpec) -> None:
    text = resources.files(f"{platforms.__name__}.{spec.platform}").joinpath("limits.yaml").read_text("utf-8")
    said = yaml.safe_load(text)
    entries = [*said["media"].values(), *said["text"].values(), said["posts_per_day"], said["settle_s"]]
    for entry in entries:
        assert set(entry) == {"value", "source", "checked_at"}
        assert entry["source"].strip() and isinstance(entry["checked_at"], date)
    limits = registry.limits(spec.platform)
    media = limits.media
    assert 0 < media.min_duration_s < media.max_duration_s and media.max_bytes > 0
    assert 0 < media.min_width <= media.target_width <= media.max_width
    assert 0 < media.min_height <= media.target_height <= media.max_height
    assert 0 < media.aspect_min <= media.target_width / media.target_height <= media.aspect_max
    assert 0 < media.min_fps <= media.max_fps and media.max_video_kbps > 0
    assert limits.posts_per_day > 0 and limits.settle_s >= 0
    assert all(value >= 0 for name, value in asdict(limits.text).items() if name != "forbidden")


@pytest.mark.parametrize("spec", SPECS)
def test_a_form_that_is_not_right_is_refused_by_field(spec: ConnectorSpec, home: Path) -> None:
    with pytest.raises(Invalid) as caught:
        registry.secrets_from_form(spec.platform, {"no_such_field": "x"}, home)
    assert caught.value.fields
    if all(any(f.is_required for f in method.fields) for method in spec.auth_methods):
        with pytest.raises(Invalid) as caught:
            registry.secrets_from_form(spec.platform, {}, home)
        known = {f.name for method in spec.auth_methods for f in method.fields}
        assert {f.field for f in caught.value.fields} <= known


@pytest.mark.parametrize("spec", SPECS)
def test_a_platform_with_hosts_has_a_fake_and_one_without_has_none(spec: ConnectorSpec) -> None:
    has_fake = importlib.util.find_spec(f"{platforms.__name__}.{spec.platform}.fake") is not None
    assert has_fake == bool(spec.hosts)


# ---- at its far end ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "method"), roads(Role.AUTHENTICATOR))
def test_an_account_is_told_whose_it_is(spec: ConnectorSpec, method: AuthMethod, make_end: MakeEnd) -> None:
    end = make_end(spec, method)
    identity = registry.authenticator(end.account, end.box, end.exit).identify()
    assert identity.remote_id and identity.handle
    if end.account.remote_id:
        assert identity.remote_id == end.account.remote_id
    again = registry.authenticator(end.account, end.box, end.exit).identify()
    assert again.remote_id == identity.remote_id


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "method"), roads(Role.SOURCE))
def test_a_source_shows_every_post_once_and_brings_its_file(
    spec: ConnectorSpec, method: AuthMethod, make_source: MakeSource, clip_pair: list[MediaFile], tmp_path: Path
) -> None:
    end = make_source(spec, method)
    assert all_posts(registry.source(end.account, end.box, end.exit)) == []
    for number, clip in enumerate(clip_pair):
        end.post(clip, f"Clip {number} #travel")
    seen = eventually(lambda: _at_least(2, registry.source(end.account, end.box, end.exit)), within_s=8)
    assert sorted(post.caption for post in seen) == ["Clip 0 #travel", "Clip 1 #travel"]
    assert len({post.platform_post_id for post in seen}) == 2
    for post in seen:
        assert post.url and post.is_video and post.posted_at.utcoffset() is not None
        told: list[int] = []
        into = tmp_path / f"{post.platform_post_id}.mp4"
        got = registry.source(end.account, end.box, end.exit).fetch(
            post.platform_post_id,
            into,
            lambda done, total, told=told: told.append(done),  # type: ignore[misc]
        )
        assert got.path == into and got.size_bytes == into.stat().st_size == told[-1]
    assert len(list(tmp_path.glob("*.mp4"))) == 2 and not list(tmp_path.glob("*.part"))
    with pytest.raises(StepFailed):
        registry.source(end.account, end.box, end.exit).fetch(seen[0].platform_post_id[::-1], into, lambda *said: None)


@pytest.mark.slow
@pytest.mark.parametrize("how", ODD)
@pytest.mark.parametrize(("spec", "method"), roads(Role.SOURCE))
def test_an_odd_answer_of_a_source_is_a_failure_and_never_no_posts(
    spec: ConnectorSpec, method: AuthMethod, how: str, make_source: MakeSource
) -> None:
    end = make_source(spec, method)
    end.fail(how)
    with pytest.raises(StepFailed):
        registry.source(end.account, end.box, end.exit).list_posts()


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "method"), roads(Role.DESTINATION))
def test_a_destination_publishes_once_and_knows_its_own_again(
    spec: ConnectorSpec, method: AuthMethod, make_end: MakeEnd, clip_pair: list[MediaFile]
) -> None:
    end, since, media = make_end(spec, method), datetime.now(UTC), clip_pair[0]
    draft = Draft(title="First snow", caption="First snow #winter", tags=("winter",), marker="fw-00c0ffee00")

    def to() -> Destination:
        """A new one each time, as a new process would have it."""
        return registry.destination(end.account, end.box, end.exit)

    assert to().reconcile(evidence_of(draft, media, None, since)).trace in (Trace.NOT_FOUND, Trace.UNKNOWN)
    session = to().open(draft, media)
    assert session and end.published() == []
    published = to().send(session, draft, media, hooks := Hooks())
    assert hooks.committed, "announced before the irreversible call, and before each further ask for its outcome"
    assert hooks.sent_bytes == sorted(hooks.sent_bytes) and all(n <= media.size_bytes for n in hooks.sent_bytes)
    assert end.published() == [media.sha256]
    assert published.remote_id and published.url
    assert eventually(lambda: to().verify(published.remote_id).is_final, within_s=8)
    assert to().verify(published.remote_id).is_live
    found = to().reconcile(evidence_of(draft, media, session, since))
    assert found.trace is Trace.PUBLISHED and found.published and found.evidence
    assert found.published.remote_id == published.remote_id
    assert end.published() == [media.sha256]


def all_posts(source: Source) -> list[SeenPost]:
    """Every page of the listing; it must come to an end."""
    seen: list[SeenPost] = []
    page = source.list_posts()
    for _ in range(20):
        seen += page.posts
        if page.next is None:
            return seen
        page = source.list_posts(page.next)
    raise AssertionError("the listing has no end")


def _at_least(many: int, source: Source) -> list[SeenPost]:
    seen = all_posts(source)
    return seen if len(seen) >= many else []
