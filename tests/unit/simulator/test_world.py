"""The simulated world: what is accepted stays, whatever happens to the process."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors.base import World
from forwarder_core.domain.limits import Limits, MediaLimits, TextLimits
from forwarder_core.simulator.probe import NotAVideo
from forwarder_core.simulator.world import SimulatedWorld, Taken

Upload = Callable[[str], Path]


def test_it_is_the_world_that_fakes_are_given(world: SimulatedWorld) -> None:
    promised: World = world

    assert promised.accounts("instagram") == []


def test_an_account_is_found_by_id_and_by_username(world: SimulatedWorld) -> None:
    made = world.add_account("instagram", "alice", password="secret", challenge="email")

    assert world.account("instagram", made.id) == world.account("instagram", "alice") == made
    assert world.account("youtube", "alice") is None


def test_a_name_is_given_once_per_platform(world: SimulatedWorld) -> None:
    world.add_account("instagram", "alice")
    world.add_account("youtube", "alice")

    with pytest.raises(Taken):
        world.add_account("instagram", "alice")


def test_an_account_changes_field_by_field(world: SimulatedWorld) -> None:
    made = world.add_account("instagram", "alice", challenge="email", secrets_={"totp_seed": "ABC"})

    changed = world.update_account("instagram", made.id, challenge=None, password="new")

    assert (changed.challenge, changed.password, changed.secrets) == (None, "new", {"totp_seed": "ABC"})
    with pytest.raises(KeyError):
        world.update_account("instagram", made.id, shoe_size="43")
    with pytest.raises(KeyError):
        world.update_account("instagram", "nobody", password="x")


def test_instagram_ids_have_19_digits_and_rise_even_when_the_clock_stands(world: SimulatedWorld) -> None:
    ids = [world.new_id("instagram") for _ in range(50)]

    assert all(re.fullmatch(r"\d{19}", each) for each in ids)
    assert ids == sorted(set(ids))


def test_youtube_ids_have_11_url_safe_characters(world: SimulatedWorld) -> None:
    ids = {world.new_id("youtube") for _ in range(200)}

    assert len(ids) == 200
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{11}", each) for each in ids)


def test_ids_do_not_repeat_after_a_restart(tmp_path: Path) -> None:
    before = SimulatedWorld(tmp_path, seed=7)
    seen = [before.new_id("youtube") for _ in range(5)]
    before.close()

    after = SimulatedWorld(tmp_path, seed=7)

    assert after.new_id("youtube") not in seen
    after.close()


def test_the_same_seed_gives_the_same_ids(tmp_path: Path) -> None:
    one, two = SimulatedWorld(tmp_path / "1", seed=7), SimulatedWorld(tmp_path / "2", seed=7)

    assert one.new_id("youtube") == two.new_id("youtube")
    one.close()
    two.close()


def test_ids_are_distinct_over_threads(world: SimulatedWorld) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: world.new_id("instagram"), range(200)))

    assert len(set(ids)) == 200


def test_an_upload_is_stored_hashed_and_measured(world: SimulatedWorld, upload: Upload) -> None:
    account, file = world.add_account("youtube", "channel"), upload("half.mp4")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()

    post = world.publish("youtube", account.id, file, title="T", caption="C", tags=("a", "b"), privacy="unlisted")

    assert (post.sha256, post.width, post.height, post.uploaded) == (digest, 144, 256, True)
    assert 950 <= post.duration_ms <= 1100
    assert post.path.is_file()
    assert not file.exists()
    assert world.post("youtube", post.id) == post
    assert post.url == f"https://www.youtube.com/shorts/{post.id}"


def test_publishing_the_same_post_twice_gives_the_one_there_is(world: SimulatedWorld, upload: Upload) -> None:
    account, id_ = world.add_account("youtube", "channel"), world.new_id("youtube")
    first = world.publish("youtube", account.id, upload("a.mp4"), caption="C", post_id=id_)

    assert world.publish("youtube", account.id, Path("gone.mp4"), caption="C", post_id=id_) == first
    assert len(world.listing("youtube", None, uploads_only=True)) == 1


def test_an_accepted_upload_is_there_after_the_process_was_killed(tmp_path: Path, clip: Path) -> None:
    before = SimulatedWorld(tmp_path)
    account = before.add_account("instagram", "alice")
    post = before.publish("instagram", account.id, clip, caption="kept")

    after = SimulatedWorld(tmp_path)  # the first was never closed

    assert after.posts("instagram", account.id) == [post]
    assert hashlib.sha256(post.path.read_bytes()).hexdigest() == post.sha256
    before.close()
    after.close()


def test_what_is_no_video_is_refused_and_left_where_it_is(world: SimulatedWorld) -> None:
    account = world.add_account("instagram", "alice")
    file = world.upload_dir() / "text.mp4"
    file.write_bytes(b"hello" * 1000)

    with pytest.raises(NotAVideo):
        world.publish("instagram", account.id, file, caption="")

    assert file.exists()
    assert world.posts("instagram", account.id) == []


def test_posts_come_newest_first(tmp_path: Path, clip: Path) -> None:
    clock = ManualClock()
    world = SimulatedWorld(tmp_path, clock=clock)
    account = world.add_account("instagram", "alice")
    first = world.add_post("instagram", account.id, clip, caption="1")
    second = world.add_post("instagram", account.id, clip, caption="2")
    clock.move(1)
    third = world.add_post("instagram", account.id, clip, caption="3")

    assert [post.id for post in world.posts("instagram", account.id)] == [third.id, second.id, first.id]
    assert clip.exists()
    world.close()


def test_a_persons_post_is_no_publication(world: SimulatedWorld, clip: Path) -> None:
    account = world.add_account("instagram", "alice")
    world.add_post("instagram", account.id, clip, caption="")

    assert world.listing("instagram", account.id, uploads_only=True) == []
    assert len(world.listing("instagram", account.id, uploads_only=False)) == 1


def test_a_deleted_post_is_gone_with_its_file(world: SimulatedWorld, clip: Path) -> None:
    account = world.add_account("instagram", "alice")
    post = world.add_post("instagram", account.id, clip, caption="")

    world.delete_post("instagram", post.id)

    assert world.post("instagram", post.id) is None
    assert not post.path.exists()


def test_notes_are_written_through_and_survive(tmp_path: Path) -> None:
    before = SimulatedWorld(tmp_path)
    before.notes("youtube")["token"] = {"scope": ["upload"], "n": 1}
    before.notes("instagram")["token"] = "other"

    after = SimulatedWorld(tmp_path)

    assert dict(after.notes("youtube")) == {"token": {"scope": ["upload"], "n": 1}}
    assert after.notes("youtube").pop("token")["n"] == 1
    assert len(after.notes("youtube")) == 0
    with pytest.raises(KeyError):
        del after.notes("youtube")["token"]
    before.close()
    after.close()


def test_an_upload_is_judged_by_the_platforms_limits(tmp_path: Path, clip: Path) -> None:
    media = MediaLimits(
        min_duration_s=3,
        max_duration_s=60,
        max_bytes=10**9,
        min_width=144,
        max_width=1080,
        min_height=144,
        max_height=1920,
        target_width=1080,
        target_height=1920,
        aspect_min=0.5,
        aspect_max=1,
        min_fps=23,
        max_fps=60,
        max_video_kbps=25_000,
        max_audio_hz=48_000,
        max_audio_channels=2,
    )
    text = TextLimits(title_chars=0, caption_chars=10, tags_chars=0, hashtags=1, forbidden="<>")
    limits = Limits(media=media, text=text, posts_per_day=25, settle_s=1)
    world = SimulatedWorld(tmp_path, limits_of=lambda platform: limits)
    account = world.add_account("instagram", "alice")

    world.publish("instagram", account.id, clip, caption="#one #two <b>")

    (shown,) = world.listing("instagram", account.id, uploads_only=True)
    verdict = " | ".join(shown["verdict"])
    assert "duration" in verdict
    assert "characters, more than 10" in verdict
    assert "2 hashtags" in verdict
    assert "forbidden characters: < >" in verdict
    assert "codec" not in verdict
    world.close()


@pytest.mark.parametrize("platform", ["instagram", "youtube"])
def test_a_reset_forgets_everything_and_gives_no_id_twice(world: SimulatedWorld, clip: Path, platform: str) -> None:
    account = world.add_account(platform, "alice")
    post = world.add_post(platform, account.id, clip, caption="")

    world.reset()

    assert world.accounts(platform) == []
    assert not post.path.exists()
    again = world.add_account(platform, "alice")
    assert again.id != account.id
    assert world.add_post(platform, again.id, clip, caption="").id != post.id
