"""4K, costs and the ladder of tries below a size cap."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.domain.transforms import Layout, Template, TransformOptions
from forwarder_core.media import costs, graph, ladder
from forwarder_core.media.plan import Mode, Plan, plan
from forwarder_core.media.tools import Ffmpeg
from tests.unit.media.samples import LIMITS, a_probe, limits

FFMPEG = Ffmpeg(Path("/opt/ffmpeg"), "5.1", can_tone_map=True)
SOURCE, TARGET = Path("/jobs/1/source.mp4"), Path("/jobs/1/r.part.mp4")
UHD = limits(max_width=2160, max_height=3840, max_video_kbps=68000)
TO_4K = TransformOptions(upscale_to_4k=True)


def test_4k_is_made_where_it_is_taken_and_tells_its_cost() -> None:
    made = plan(a_probe(), TO_4K, UHD)
    assert (made.width, made.height, made.crf) == (2160, 3840, 18)
    assert "Upscaling is on: 1080x1920 becomes 2160x3840." in made.reasons
    assert "about 87 s of processor time" in made.words
    hd = plan(a_probe(width=720, height=1280), TransformOptions(upscale=True), LIMITS)
    assert made.cost_cpu_s / hd.cost_cpu_s > 2.5


def test_4k_that_is_not_taken_is_a_note_and_no_encode() -> None:
    made = plan(a_probe(), TO_4K, LIMITS)
    assert made.mode is Mode.COPY
    assert made.notes == ("4K is on, but the destination takes 1920x3600 at most: 1080x1920 is made.",)
    assert made.cost_cpu_s == 0


def test_a_small_source_goes_to_1080_first() -> None:
    made = plan(a_probe(width=720, height=1280), TO_4K, UHD)
    assert (made.width, made.height) == (1080, 1920)
    assert "holds too little" in made.notes[0]


def test_keying_costs_more_than_laying_over() -> None:
    pip = plan(a_probe(), TransformOptions(layout=Layout(template=Template.PICTURE_IN_PICTURE)), LIMITS)
    key = plan(a_probe(), TransformOptions(layout=Layout(template=Template.CHROMA_KEY)), LIMITS)
    assert key.cost_cpu_s > 1.5 * pip.cost_cpu_s
    assert costs.estimate(1080, 1920, Fraction(60), 10, None) == 2 * costs.estimate(1080, 1920, Fraction(30), 10, None)


def test_a_silent_source_is_noted_and_one_without_a_track_is_not() -> None:
    assert plan(a_probe(sound_from_s=None), TransformOptions(), LIMITS).notes == ("The source file is silent.",)
    assert plan(a_probe(has_audio=False, sound_from_s=None), TransformOptions(), LIMITS).notes == ()


def _tight() -> Plan:
    return plan(a_probe(), TransformOptions(), limits(max_bytes=8_000_000))


def test_the_ladder_is_two_passes_then_a_smaller_picture_then_nothing() -> None:
    second = ladder.next_try(_tight(), 8_400_000, 1)
    assert second and (second.passes, second.width, second.video_kbps) == (2, 1080, 1941)
    mended = ladder.next_try(second, 8_100_000, 2)
    assert mended and (mended.width, mended.passes) == (1080, 2)
    assert mended.video_kbps < second.video_kbps
    smaller = ladder.next_try(mended, 8_100_000, 3)
    assert smaller and (smaller.width, smaller.height, smaller.geometry and smaller.geometry.width) == (720, 1280, 720)
    assert ladder.next_try(smaller, 9_000_000, 4) is None


@pytest.mark.parametrize(
    ("source", "has_ceiling"),
    [
        ({"video_kbps": 3000}, False),
        ({"video_kbps": 3300}, True),
        ({"video_kbps": 1700, "video_codec": "hevc"}, True),
        ({"video_kbps": 1700, "fps_avg": Fraction(15), "fps_real": Fraction(15)}, True),
    ],
    ids=["far below", "may come near", "a denser codec", "twice the frames"],
)
def test_the_encoder_is_told_of_a_ceiling_only_where_it_may_come_near_one(
    source: dict[str, Any], *, has_ceiling: bool
) -> None:
    made = plan(a_probe(width=720, height=1280, **source), TransformOptions(upscale=True), LIMITS)
    argv = graph.transform_argv(made, FFMPEG, SOURCE, TARGET)
    assert (made.has_ceiling, "-maxrate" in argv, "-bufsize" in argv) == (has_ceiling,) * 3


def test_a_picture_that_took_more_than_it_was_expected_to_is_made_again_under_a_ceiling() -> None:
    bold = plan(a_probe(width=720, height=1280, video_kbps=3000), TransformOptions(upscale=True), LIMITS)
    assert not ladder.is_over(bold, 30_000_000, LIMITS.max_video_kbps)
    assert ladder.is_over(bold, 30_000_000, LIMITS.max_video_kbps + 1) and ladder.is_over(bold, 100_000_001, 1)
    bound = ladder.next_try(bold, 32_000_000, 1)
    assert bound == replace(bold, has_ceiling=True)
    assert not ladder.is_over(bound, 32_000_000, LIMITS.max_video_kbps + 100), "what it overshoots by is allowed for"


def test_a_file_far_over_is_made_smaller_at_once() -> None:
    second = ladder.next_try(_tight(), 16_000_000, 1)
    smaller = second and ladder.next_try(second, 12_000_000, 2)
    assert smaller and smaller.width == 720


def test_a_layout_steps_down_as_a_whole() -> None:
    options = TransformOptions(layout=Layout(template=Template.PICTURE_IN_PICTURE, border_width=6))
    made = replace(plan(a_probe(), options, LIMITS), passes=2, max_bytes=1)
    smaller = ladder.next_try(made, 10, 3)
    assert smaller and smaller.placement and smaller.geometry
    assert (smaller.width, smaller.placement.width, smaller.placement.border) == (720, 720, 4)
    assert smaller.geometry.width == smaller.placement.video.width


def test_both_passes_have_the_same_picture_and_log() -> None:
    second = ladder.next_try(_tight(), 8_400_000, 1)
    assert second
    first_words = graph.first_pass_argv(second, FFMPEG, SOURCE, TARGET)
    second_words = graph.transform_argv(second, FFMPEG, SOURCE, TARGET)
    for words in (first_words, second_words):
        assert words[words.index("-passlogfile") + 1] == "/jobs/1/r.part.passlog"
        assert "-crf" not in words
        assert words[words.index("-b:v") + 1] == "1941k"
    assert first_words[first_words.index("-pass") + 1] == "1"
    assert "-an" in first_words and "-" in first_words
    graphs = {words[words.index("-filter_complex") + 1] for words in (first_words, second_words)}
    assert len(graphs) == 1
