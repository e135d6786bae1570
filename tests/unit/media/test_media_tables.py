"""The index of an MP4 as a second reader, beside the child that counts packets, and what it leaves to the child."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from forwarder_core.media import tables
from forwarder_core.media.probe import probe, probe_made
from tests.unit.media.samples import AAC, CLEAN, X264, make_clip

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
MARKED = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv")


@pytest.mark.parametrize(
    "made",
    [
        {"video": (*H264, "-preset", "veryfast", "-profile:v", "high")},
        {"video": (*H264, "-profile:v", "baseline"), "fps": "30000/1001", "sound": "22050"},
        {"video": (*X264, "-bf", "3"), "sound": None, "fps": "60"},
        {"video": (*X264, "-vf", "setsar=4/3"), "audio": (*AAC, "-ac", "2"), "sound": "48000"},
    ],
    ids=["high", "baseline at 29.97, 22 kHz", "no sound", "wide pixels, stereo"],
)
def test_an_index_says_what_a_reader_of_every_packet_finds(tmp_path: Path, made: dict[str, object]) -> None:
    path = make_clip(tmp_path / "made.mp4", **made, more=(*MARKED, *CLEAN))  # type: ignore[arg-type]
    assert tables.facts(path) is not None, "nothing was left to the child"
    by_packets = probe(path)
    assert probe_made(path, sound_from_s=by_packets.sound_from_s) == by_packets
    assert probe_made(path, sound_from_s=7.0) == replace(by_packets, sound_from_s=7.0)


@pytest.mark.parametrize(
    "made",
    [
        {"more": ("-movflags", "+faststart")},
        {"more": (*CLEAN, "-movflags", "+frag_keyframe+empty_moov")},
        {"video": (*H264[:4], "-pix_fmt", "yuv444p")},
        {"video": ("-c:v", "mpeg4")},
        {"audio": ("-c:a", "libmp3lame")},
        {"video": (*X264, "-vf", "select=not(eq(n\\,3))", "-fps_mode", "vfr")},
        {"video": (*X264, *MARKED, "-color_range", "pc")},
        {},
    ],
    ids=["edit list", "fragments", "4:4:4", "MPEG-4", "MP3", "uneven", "full range", "unmarked"],
)
def test_what_is_not_plain_is_left_to_the_child(tmp_path: Path, made: dict[str, object]) -> None:
    path = make_clip(tmp_path / "made.mp4", **made)  # type: ignore[arg-type]
    assert tables.facts(path) is None
    assert probe_made(path, sound_from_s=None) == probe(path)


def test_a_broken_index_is_never_more_than_a_question_for_the_child(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "made.mp4", seconds=0.3, more=(*MARKED, *CLEAN)).read_bytes()
    index = range(whole.index(b"moov"), whole.index(b"mdat"))
    broken, dice = tmp_path / "broken.mp4", random.Random(7)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            data[dice.choice(index)] = dice.randrange(256)
        broken.write_bytes(data[: dice.choice((len(data), dice.randrange(len(data))))])
        said = tables.facts(broken)
        assert said is None or said["streams"][0]["packets"] > 0
    broken.write_bytes(whole[:-1])
    assert tables.facts(broken) is None, "its last byte is missing"
