"""The arguments ffmpeg gets: the safety options of every call, and the graph of each kind of plan."""

from __future__ import annotations

import itertools
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.domain.transforms import Fit, TransformOptions
from forwarder_core.media import graph
from forwarder_core.media.plan import plan
from forwarder_core.media.tools import Ffmpeg
from tests.unit.media.samples import LIMITS, a_probe

FFMPEG = Ffmpeg(Path("/opt/ffmpeg"), "5.1", can_tone_map=True)
SOURCE, TARGET, COVER = Path("/jobs/1/source.mp4"), Path("/jobs/1/r.part.mp4"), Path("/jobs/1/c.part.jpg")


def argv(*, options: TransformOptions | None = None, cover: Path | None = None, **changes: Any) -> list[str]:
    made = plan(a_probe(**changes), options or TransformOptions(), LIMITS)
    return graph.transform_argv(made, FFMPEG, SOURCE, TARGET, cover=cover)


def value(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def has(words: list[str], *pair: str) -> bool:
    return tuple(pair) in itertools.pairwise(words)


def every_call() -> list[list[str]]:
    return [
        argv(has_edit_list=True),
        argv(video_codec="hevc", cover=COVER),
        argv(audio_codec="opus", audio_profile=""),
        graph.keyframes_argv(FFMPEG, SOURCE, COVER, video_index=0),
    ]


def test_every_call_reads_one_local_file_of_the_two_formats_and_nothing_else() -> None:
    for words in every_call():
        assert words[0] == "/opt/ffmpeg"
        assert {"-nostdin", "-hide_banner", "-xerror", "-nostats"} <= set(words)
        assert has(words, "-progress", "pipe:1")
        assert words.count("-i") == 1
        before = words[: words.index("-i")]
        assert has(before, "-protocol_whitelist", "file")
        assert has(before, "-format_whitelist", "mov,matroska")
        assert has(before, "-err_detect", "explode")
        assert value(words, "-i") == "file:/jobs/1/source.mp4"
        assert "-map" in words


def test_a_relative_source_is_refused() -> None:
    with pytest.raises(ValueError, match="absolute"):
        graph.keyframes_argv(FFMPEG, Path("-vf.mp4"), COVER, video_index=0)


def test_repacking_copies_both_streams_and_leaves_the_rest() -> None:
    words = argv(has_edit_list=True, n_audio=2)
    assert "-filter_complex" not in words
    assert has(words, "-c:v", "copy")
    assert has(words, "-c:a", "copy")
    assert [b for a, b in itertools.pairwise(words) if a == "-map"] == ["0:0", "0:1"]
    assert has(words, "-movflags", "+faststart+negative_cts_offsets")
    assert has(words, "-use_editlist", "0")
    assert has(words, "-map_metadata", "-1")
    assert has(words, "-map_chapters", "-1")


def test_the_graph_of_a_landscape_video() -> None:
    words = argv(width=1920, height=1080)
    assert value(words, "-filter_complex") == (
        "[0:0]fps=30:start_time=0[s0];[s0]scale=1080:608:flags=lanczos[s1];"
        "[s1]setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv[s2];[s2]setsar=1[s3];[s3]pad=1080:1920:0:656[s4];[s4]format=yuv420p[s5]"
    )
    assert has(words, "-c:a", "copy")
    for pair in (("-preset", "veryfast"), ("-crf", "20"), ("-maxrate", "8000k"), ("-bufsize", "16000k"), ("-g", "120")):
        assert has(words, *pair)
    assert has(words, "-threads:v", str(os.cpu_count()))
    for pair in (("-fps_mode", "passthrough"), ("-flags", "+cgop"), ("-pix_fmt", "yuv420p")):
        assert has(words, *pair)
    assert words[-2:] == ["file:/jobs/1/r.part.mp4", "-y"]


def test_cropping_has_no_bars() -> None:
    filters = value(argv(width=1920, height=1080, options=TransformOptions(fit=Fit.CROP)), "-filter_complex")
    assert "crop=1080:1920" in filters
    assert "pad" not in filters


def test_a_cut_stands_before_the_input_and_before_the_output() -> None:
    words = argv(duration_s=75.0, video_duration_s=75.0)
    assert [i < words.index("-i") for i, word in enumerate(words) if word == "-t"] == [True, False]


def test_the_cover_falls_off_the_same_pass() -> None:
    words = argv(video_codec="hevc", cover=COVER)
    filters = value(words, "-filter_complex")
    assert "split=2" in filters
    assert "blackframe" in filters
    assert has(words, "-vframes", "1")  # the good one, else the first
    assert "file:/jobs/1/c.part.jpg" in words
    assert words.index("file:/jobs/1/r.part.mp4") < words.index("file:/jobs/1/c.part.jpg")


def test_a_copied_picture_is_not_decoded_for_its_cover() -> None:
    words = argv(audio_codec="opus", audio_profile="", cover=COVER)
    assert has(words, "-c:v", "copy") and f"file:{COVER}" not in words and "blackframe" not in " ".join(words)


def test_an_encoded_sound_gives_its_first_instant_for_the_encoders_lead_in() -> None:
    filters = value(argv(audio_codec="opus", audio_profile=""), "-filter_complex")
    assert "atrim=start=0.021333" in filters and "loudnorm" not in filters
    louder = value(argv(options=TransformOptions(normalize_loudness=True)), "-filter_complex")
    assert louder.index("loudnorm=") < louder.index("atrim=end=30.000000") < louder.index("atrim=start=")
    assert "-filter_complex" not in argv(is_moov_first=False)


def test_blurred_bars_are_made_small_and_the_picture_lies_over_them() -> None:
    filters = value(argv(width=1920, height=1080, options=TransformOptions(fit=Fit.BLUR)), "-filter_complex")
    assert "scale=136:240:" in filters, "blurred at an eighth of the size"
    assert filters.index("boxblur") < filters.index("overlay=") and "pad=" not in filters


@pytest.mark.parametrize(("size", "scaled_first"), [((2160, 3840), True), ((720, 1280), False)])
def test_hdr_is_tone_mapped_on_the_smaller_picture(size: tuple[int, int], scaled_first: bool) -> None:
    words = argv(width=size[0], height=size[1], color_transfer="smpte2084", options=TransformOptions(upscale=True))
    filters = value(words, "-filter_complex")
    assert "transferin=smpte2084" in filters
    assert (filters.index("]scale=") < filters.index("tonemap")) is scaled_first
    assert "color_trc=bt709" in filters


def test_interlaced_is_mended_before_anything_else() -> None:
    assert value(argv(is_interlaced=True), "-filter_complex").startswith("[0:0]yadif")


def test_odd_rates_are_written_as_fractions() -> None:
    rate = Fraction(30000, 1001)
    assert "fps=30000/1001:" in value(argv(video_codec="hevc", fps_avg=rate, fps_real=rate), "-filter_complex")
