"""A bucket as the archive, at a store by another author: one object with its card, whatever is lost on the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trustme

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Destination, Draft, Identity, MediaFile, Published, Trace
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import (
    AuthInvalid,
    Fenced,
    Invalid,
    LocalFailed,
    MediaRejected,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    RateLimited,
    SessionGone,
    StepFailed,
)
from forwarder_core.platforms.archive import bucket as bucket_module
from forwarder_core.platforms.archive.bucket_destination import BucketDestination
from forwarder_core.platforms.archive.bucket_errors import failure_of
from tests.contract.test_archive_destination import NOW, Hooks
from tests.contract.test_bucket_kit import LOOPBACK, Line, Store, box_of, line_to, store
from tests.contract.test_library_kit import evidence, media_of
from tests.integration.other_proxies import opens_tls, own_http
from tests.unit.test_egress import file_server, whole

__all__ = ["store"]
NAME = "2026/11/2026-11-20_मानसून-at-the-harbour_fw-0000000001.mp4"
KEY = f"forwarder/films/{NAME}"
DRAFT = Draft(title="मानसून / at: the harbour", caption="Rain #travel", tags=("travel",), marker="fw-0000000001")
ACCOUNT = Account(id=1, platform="archive", alias="Films", handle="films", auth_method="s3")
BIG = bytes(range(256)) * 4096 * 20  # 20 MB: three parts


class Bucket:
    def __init__(self, store: Store) -> None:
        self.store, self.name = store, store.new_bucket()

    def to(self, exit_: Exit = LOOPBACK, /, **typed: str) -> BucketDestination:
        """A new one, as a new process would have it."""
        box = box_of(self.store.typed(self.name, **typed))
        return BucketDestination(ACCOUNT, box, exit_, clock=ManualClock(NOW))

    def identify(self, exit_: Exit = LOOPBACK, /, **typed: str) -> Identity:
        box = box_of(self.store.typed(self.name, **typed))
        return registry.authenticator(ACCOUNT, box, exit_).identify()

    @property
    def keys(self) -> list[str]:
        return sorted(self.store.objects(self.name))


@pytest.fixture
def bucket(store: Store) -> Bucket:
    return Bucket(store)


@pytest.fixture(params=[b"a video", BIG], ids=["small", "in parts"])
def media(request: pytest.FixtureRequest, tmp_path: Path) -> MediaFile:
    return media_of(tmp_path / "rendition.mp4", request.param)


@pytest.fixture
def small(tmp_path: Path) -> MediaFile:
    return media_of(tmp_path / "small.mp4")


@pytest.fixture
def line(store: Store) -> Iterator[Line]:
    with line_to(store) as made:
        yield made


def send(to: Destination, media: MediaFile) -> Published:
    return to.send(to.open(DRAFT, media), DRAFT, media, Hooks())


def test_a_post_becomes_an_object_and_a_card(bucket: Bucket, media: MediaFile) -> None:
    hooks = Hooks()
    session = bucket.to().open(DRAFT, media)
    assert bucket.keys == [] and bucket.to().reconcile(evidence(DRAFT.marker, session)).trace is Trace.RESUMABLE
    published = bucket.to().send(session, DRAFT, media, hooks)
    assert published == Published(NAME, f"s3://{bucket.name}/{KEY}")
    assert hooks.told[-2:] == [media.size_bytes, "committing"]
    objects = bucket.store.objects(bucket.name)
    assert set(objects) == {KEY, KEY.replace(".mp4", ".json")} and objects[KEY] == media.path.read_bytes()
    card = json.loads(objects[KEY.replace(".mp4", ".json")])
    assert (card["title"], card["caption"], card["sha256"]) == (DRAFT.title, DRAFT.caption, media.sha256)
    seen = bucket.to().verify(published.remote_id)
    assert (seen.is_live, seen.is_final, seen.duration_ms) == (True, True, 2_000)
    for known in (session, None):
        assert bucket.to().reconcile(evidence(DRAFT.marker, known, NOW)).published == published


def test_sending_again_in_the_same_session_changes_nothing(bucket: Bucket, media: MediaFile, line: Line) -> None:
    session = bucket.to().open(DRAFT, media)
    first = bucket.to().send(session, DRAFT, media, Hooks())
    through = bucket.to(endpoint=f"http://127.0.0.1:{line.port}")
    assert through.send(session, DRAFT, media, again := Hooks()) == first
    assert again.told == [] and not [head for head in line.heads if head.startswith((b"PUT", b"POST"))]


def test_an_answer_that_is_lost_is_found_out_and_nothing_is_written_twice(
    bucket: Bucket, media: MediaFile, line: Line
) -> None:
    session = bucket.to().open(DRAFT, media)
    through = bucket.to(endpoint=f"http://127.0.0.1:{line.port}")
    line.loses = rb"(PUT .*\.mp4 HTTP|POST .*uploadId=)"  # what makes it one whole object
    hooks = Hooks()
    with pytest.raises((NetworkFailed, PlatformTransient)):
        through.send(session, DRAFT, media, hooks)
    assert "committing" in hooks.told
    found = bucket.to().reconcile(evidence(DRAFT.marker, session))
    assert found.trace is Trace.PUBLISHED and found.published and found.published.remote_id == NAME
    line.loses, before = None, len(line.heads)
    assert through.send(session, DRAFT, media, Hooks()) == found.published
    assert not [head for head in line.heads[before:] if b".mp4" in head and head.startswith((b"PUT", b"POST"))]


def test_a_worker_thought_dead_that_wakes_up_leaves_the_one_object(bucket: Bucket, media: MediaFile) -> None:
    session = bucket.to().open(DRAFT, media)

    def overtaken() -> None:
        other = threading.Thread(target=bucket.to().send, args=(session, DRAFT, media, Hooks()))
        other.start()
        other.join()
        assert bucket.store.videos(bucket.name) == [media.sha256]

    late = bucket.to().send(session, DRAFT, media, Hooks(overtaken))
    assert late.remote_id == NAME and bucket.store.videos(bucket.name) == [media.sha256]


def test_a_fenced_worker_leaves_no_video_and_no_parts(bucket: Bucket, media: MediaFile) -> None:
    def fence() -> None:
        raise Fenced("another worker holds this job")

    session = bucket.to().open(DRAFT, media)
    with pytest.raises(Fenced):
        bucket.to().send(session, DRAFT, media, Hooks(fence))
    assert bucket.keys == [KEY.replace(".mp4", ".json")] and bucket.store.unfinished(bucket.name) == []


def test_why_a_sending_ended_is_told_where_the_store_does_not_drop_its_parts(
    bucket: Bucket, media: MediaFile, line: Line
) -> None:
    def fence() -> None:
        raise Fenced("another worker holds this job")

    session = bucket.to().open(DRAFT, media)
    line.loses = rb"DELETE .*uploadId="
    with pytest.raises(Fenced):
        bucket.to(endpoint=f"http://127.0.0.1:{line.port}").send(session, DRAFT, media, Hooks(fence))
    assert bucket.store.videos(bucket.name) == []


def test_a_rendition_that_is_not_the_one_that_was_made_is_not_archived(bucket: Bucket, media: MediaFile) -> None:
    session = bucket.to().open(DRAFT, media)
    media.path.write_bytes(media.path.read_bytes()[:-1] + b"!")
    with pytest.raises(LocalFailed):
        bucket.to().send(session, DRAFT, media, hooks := Hooks())
    assert "committing" not in hooks.told and not bucket.store.videos(bucket.name)


def test_another_file_of_that_name_is_never_written_over(bucket: Bucket, small: MediaFile) -> None:
    session = bucket.to().open(DRAFT, small)
    bucket.store.client().put_object(Bucket=bucket.name, Key=KEY, Body=b"somebody's own")
    with pytest.raises(SessionGone):
        bucket.to().send(session, DRAFT, small, Hooks())
    assert bucket.to().reconcile(evidence(DRAFT.marker, session)).trace is Trace.UNKNOWN
    with pytest.raises(MediaRejected):
        bucket.to().verify(NAME)
    bucket.store.client().delete_object(Bucket=bucket.name, Key=KEY)

    def somebody_is_quicker() -> None:
        bucket.store.client().put_object(Bucket=bucket.name, Key=KEY, Body=b"somebody's own")

    with pytest.raises(SessionGone):
        bucket.to().send(session, DRAFT, small, Hooks(somebody_is_quicker))
    assert bucket.store.objects(bucket.name)[KEY] == b"somebody's own"


def test_what_is_gone_does_not_pass_the_look_and_what_never_came_is_not_found(bucket: Bucket, small: MediaFile) -> None:
    assert bucket.to().reconcile(evidence(DRAFT.marker, None, NOW)).trace is Trace.NOT_FOUND
    for name in (NAME, "../x.mp4", ""):
        with pytest.raises(MediaRejected):
            bucket.to().verify(name)
    for session in ("no session", json.dumps({"name": "../../x.mp4", "sha256": ""}), json.dumps([])):
        with pytest.raises(SessionGone):
            bucket.to().send(session, DRAFT, small, Hooks())


def test_wrong_keys_are_told_apart_and_hold_the_account(store: Store, bucket: Bucket, small: MediaFile) -> None:
    good, reader = store.new_key("s3:*"), store.new_key("s3:ListBucket", "s3:GetObject")
    with store.asking_for_keys():
        assert bucket.identify(**good).remote_id.startswith("bucket-")
        with pytest.raises(AuthInvalid, match="does not know the access key"):
            bucket.identify(access_key_id="AKIAOFNOBODY")
        with pytest.raises(AuthInvalid, match="refuses the secret"):
            bucket.identify(**good | {"secret_access_key": "another"})
        session = bucket.to(**reader).open(DRAFT, small)
        with pytest.raises(AuthInvalid, match="may not do this"):
            bucket.to(**reader).send(session, DRAFT, small, Hooks())
        assert send(bucket.to(**good), small).remote_id == NAME
    with pytest.raises(AuthInvalid, match="not there"):
        bucket.identify(bucket="no-such-bucket")


@pytest.mark.parametrize(
    ("exit_", "endpoint", "words"),
    [
        (Exit(), "{endpoint}", "private network"),
        (Exit(), "http://169.254.169.254", "private network"),
        (Exit(), "https://[::ffff:127.0.0.1]:9000", "private network"),
        (Exit(), "http://93.184.215.14", "only used by https"),
        (Exit(proxy=ProxyAddress("socks5h", "127.0.0.1", 1)), "https://s3.example.com", "SOCKS"),
    ],
)
def test_an_endpoint_is_only_used_where_the_way_out_allows_it(
    bucket: Bucket, small: MediaFile, exit_: Exit, endpoint: str, words: str
) -> None:
    typed = endpoint.format(endpoint=bucket.store.endpoint)
    for call in (
        lambda: bucket.identify(exit_, endpoint=typed),
        lambda: bucket.to(exit_, endpoint=typed).open(DRAFT, small),
    ):
        with pytest.raises(AuthInvalid, match=words) as caught:
            call()
        assert caught.value.action


def test_storage_is_reached_through_the_proxy_and_trusts_our_certificates_alone(bucket: Bucket, tmp_path: Path) -> None:
    issuer, bundle = trustme.CA(), tmp_path / "ca.pem"
    issuer.cert_pem.write_to_path(str(bundle))
    with own_http(opens_tls(issuer)) as port:
        through = Exit(proxy=ProxyAddress("http", "127.0.0.1", port))
        with pytest.raises(StepFailed) as untrusted:
            bucket.identify(through, endpoint="https://s3.example.com")
        trusting = Exit(proxy=through.proxy, ca_bundle=bundle)
        with pytest.raises(PlatformTransient):  # the page it gets there is no listing
            bucket.identify(trusting, endpoint="https://s3.example.com")
    assert not isinstance(untrusted.value, PlatformTransient)
    with pytest.raises(ProxyFailed):
        bucket.identify(trusting, endpoint="https://s3.example.com")


def test_nothing_of_the_environment_says_where_or_as_whom(
    bucket: Bucket, small: MediaFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_SESSION_TOKEN": "of somebody else",
        "AWS_SKIP_SIGNATURE": "true",
    }.items():
        monkeypatch.setenv(name, value)
    to = bucket.to()
    published = send(to, small)
    monkeypatch.undo()
    assert bucket.to().verify(published.remote_id).is_live


def test_the_form_names_every_field_that_is_wrong() -> None:
    bad = {
        "endpoint": "https://user:pw@host/path",
        "bucket": "No_Bucket",
        "prefix": "a/../b",
        "region": "EU 1",
        "access_key_id": "",
        "secret_access_key": "a b",
        "acl": "public",
    }
    with pytest.raises(Invalid) as caught:
        registry.secrets_from_form("archive", bad)
    assert {field.field for field in caught.value.fields} == set(bad)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ("non-2xx status code: 503 <Error><Code>SlowDown</Code>", RateLimited),
        ("non-2xx status code: 500 <html>", PlatformTransient),
        ("non-2xx status code: 403 <Error><Code>RequestTimeTooSkewed</Code>", LocalFailed),
        ("non-2xx status code: 301", AuthInvalid),
        ("HTTP error: request timed out kind: Timeout", NetworkFailed),
    ],
)
def test_what_the_store_says_has_its_class(said: str, failure: type[StepFailed]) -> None:
    assert type(failure_of(f"Error performing PUT http://h/secret-bucket/key {said}", Exit())) is failure
    assert "secret-bucket" not in str(failure_of(said, Exit()).raw)


def test_the_part_size_keeps_the_largest_file_within_the_parts_a_store_takes() -> None:
    largest = int(registry.limit_entries("archive")["media.max_bytes"].value)
    assert largest // (largest // bucket_module._MOST_PARTS + 1) < 10_000
    assert bucket_module.PART_BYTES >= 5 * 1024 * 1024, "the smallest part a store takes"


def test_a_storage_that_leads_on_to_another_host_leads_nowhere(bucket: Bucket) -> None:
    """The client follows redirects by itself; only the host that was checked is reached."""

    def leads_on(handler: BaseHTTPRequestHandler) -> None:
        whole(handler, b"", status=307, Location=inner.replace("127.0.0.1", "localhost"))

    with file_server(whole) as (inner, reached), file_server(leads_on) as (url, asked), pytest.raises(StepFailed):
        bucket.identify(endpoint=url.rpartition("/")[0])
    assert asked and reached == []
