"""First light: a reel that appears on an Instagram account comes out on a YouTube channel, through every real part."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from forwarder_core.embedded.lock import running
from forwarder_core.media.tools import find_ffmpeg
from tests.e2e import stack as stacks
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

CHAIN = ["source_post", "fetched_media", "rendition", "published_post"]
STEPS = {"fetch_post", "transform_video", "publish_video", "verify_publication"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with stacks.new_home() as home:
        running_stack = stacks.start(home, "--no-seed")
        yield running_stack
        assert stacks.stop(running_stack) == 0


@pytest.fixture(scope="module")
def crossed(stack: Stack) -> dict[str, Any]:
    return stack.once()


def test_a_reel_crosses_and_says_what_happened(stack: Stack, crossed: dict[str, Any]) -> None:
    assert crossed["assets"] == CHAIN
    assert set(crossed["steps"]) == STEPS and all(seconds > 0 for seconds in crossed["steps"].values())
    assert crossed["cpu_s"] > 0
    published = stack.control.publications("youtube")
    assert [p["id"] for p in published] == [crossed["destination_post_id"]]
    assert (published[0]["sha256"], published[0]["bytes"]) == (crossed["sha256"], crossed["bytes"])
    assert published[0]["privacy"] == "public"


def test_a_second_run_forwards_the_next_reel(stack: Stack, crossed: dict[str, Any]) -> None:
    second = stack.once()
    assert second["source_post_id"] != crossed["source_post_id"]
    ids = [p["id"] for p in stack.control.publications("youtube")]
    assert sorted(ids) == sorted({crossed["destination_post_id"], second["destination_post_id"]})


def test_a_webm_of_another_shape_is_made_fit(stack: Stack, crossed: dict[str, Any], tmp_path: Path) -> None:
    wide = tmp_path / "wide.webm"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=4"]
    sound = ["-f", "lavfi", "-i", "sine=duration=4"]
    codecs = ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"]
    subprocess.run([str(find_ffmpeg().path), "-v", "error", *picture, *sound, *codecs, str(wide)], check=True)
    outcome = stack.once("--video", str(wide))
    made = next(p for p in stack.control.publications("youtube") if p["id"] == outcome["destination_post_id"])
    assert (made["width"], made["height"]) == (1080, 1920)
    assert abs(made["duration_ms"] - 4_000) < 200
    assert made["verdict"] == []


def test_a_broken_file_is_refused_and_leaves_nothing(stack: Stack, crossed: dict[str, Any], tmp_path: Path) -> None:
    before = stack.control.publications("youtube")
    whole = next((stack.home / "demo" / "media" / "jobs").glob("*/rendition.mp4")).read_bytes()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole[: len(whole) // 2])
    done = stacks.run(stack.home, "demo", "--once", "--json", "--video", str(broken))
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "media_rejected" and error["message"] and error["action"]
    assert stack.control.publications("youtube") == before
    kept = {path.parent.name for path in (stack.home / "demo" / "media" / "jobs").glob("*/*.mp4")}
    assert str(crossed["job_id"]) in kept and len(kept) == len(before)


def test_no_secret_stands_in_anything_dagster_keeps(stack: Stack, crossed: dict[str, Any]) -> None:
    accounts = stack.control.call("GET", "/accounts")
    secrets = {value for account in accounts for value in _secrets_of(account["credentials"])} | {stack.password}
    state = running(stack.home / "demo")
    assert state is not None and len(secrets) >= 4
    kept = "\n".join(_texts(state.dagster_database.replace("+psycopg2", "")))
    assert crossed["run_id"] in kept
    assert [secret for secret in secrets if secret in kept] == []
    assert "upload_id=" not in kept
    logs = "".join(path.read_text("utf-8", "replace") for path in (stack.home / "demo" / "logs").glob("*.log"))
    assert [secret for secret in secrets if secret in logs] == []


def test_nothing_went_to_a_place_that_is_not_simulated(stack: Stack, crossed: dict[str, Any]) -> None:
    assert stack.control.call("GET", "/failures") == []


def _secrets_of(credentials: dict[str, str]) -> Iterator[str]:
    for value in credentials.values():
        if not value.startswith("{"):
            yield value
            continue
        told = json.loads(value)
        flat = next(iter(told.values())) if isinstance(next(iter(told.values())), dict) else told
        yield from (str(flat[name]) for name in ("client_secret", "refresh_token", "token") if flat.get(name))


def _texts(database: str) -> Iterator[str]:
    """Every text of every table of Dagster's database."""
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            yield from (row[0] for row in cursor.fetchall())
