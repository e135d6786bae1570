"""What is decided about which file: the copy rule, every single way to break it, and the canvas."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from forwarder_core.domain.transforms import Fit, Quality, TooLong, TransformOptions
from forwarder_core.errors import MediaRejected
from forwarder_core.media.plan import Mode, Plan, Stream, plan
from tests.unit.media.samples import LIMITS, a_probe, limits

PLAIN = TransformOptions()


def decide(**changes: Any) -> Plan:
    return plan(a_probe(**changes), PLAIN, LIMITS)


def test_a_compliant_file_is_used_as_it_is() -> None:
    made = decide()
    assert (made.mode, made.video, made.audio, made.reasons) == (Mode.COPY, Stream.COPY, Stream.COPY, ())
    assert made.words == "Used as it is (1080x1920, 30.0 s)."


@pytest.mark.parametrize(
    "changes",
    [
        {"video_profile": "Constrained Baseline"},
        {"has_audio": False, "audio_index": None, "n_audio": 0, "audio_codec": ""},
        {"audio_hz": 22050, "audio_channels": 1},
        {"fps_avg": Fraction(2997, 100), "fps_real": Fraction(30)},  # a phone's jitter, under 1 %
        {"fps_avg": Fraction(60000, 1001), "fps_real": Fraction(60000, 1001)},
        {"width": 1080, "height": 1350},  # 4:5 is inside the destination's shapes
        {"width": 1080, "height": 1080},
        {"color_transfer": ""},
        {"video_kbps": 8300},  # within 5 % of the limit
    ],
)
def test_what_the_destination_takes_is_not_touched(changes: dict[str, Any]) -> None:
    assert decide(**changes).mode is Mode.COPY


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_moov_first": False}, "index"),
        ({"has_edit_list": True}, "edit list"),
        ({"is_fragmented": True}, "fragments"),
        ({"container": "matroska"}, "Matroska"),
        ({"n_audio": 2}, "beside one picture"),
        ({"n_video": 2}, "beside one picture"),
        ({"other_streams": 1}, "beside one picture"),
        ({"has_location": True}, "recorded"),
        ({"duration_s": 75.0, "video_duration_s": 75.0}, "60 s at most"),
    ],
)
def test_a_wrong_container_alone_is_repacked_never_encoded(changes: dict[str, Any], words: str) -> None:
    made = decide(**changes)
    assert (made.mode, made.video, made.audio) == (Mode.REMUX, Stream.COPY, Stream.COPY)
    assert words in " ".join(made.reasons)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"video_codec": "hevc", "video_profile": "Main"}, "HEVC"),
        ({"video_codec": "vp9", "video_profile": "Profile 0"}, "VP9"),
        ({"video_profile": "High 4:4:4 Predictive", "pix_fmt": "yuv444p"}, "4:4:4"),
        ({"video_profile": "High 10", "pix_fmt": "yuv420p10le"}, "High 10"),
        ({"pix_fmt": "yuvj420p"}, "yuvj420p"),
        ({"color_transfer": "smpte2084"}, "HDR"),
        ({"color_transfer": "arib-std-b67"}, "HDR"),
        ({"is_interlaced": True}, "interlaced"),
        ({"rotation": 90}, "turned by 90"),
        ({"sar": Fraction(4, 3)}, "not square"),
        ({"width": 1081}, "odd"),
        ({"fps_avg": Fraction(24), "fps_real": Fraction(60)}, "varies"),
        ({"fps_avg": Fraction(15), "fps_real": Fraction(15)}, "15 fps"),
        ({"fps_avg": Fraction(120), "fps_real": Fraction(120)}, "120 fps"),
        ({"width": 1920, "height": 1080}, "bars"),
        ({"width": 360, "height": 640}, "outside"),
        ({"width": 2160, "height": 3840}, "outside"),
        ({"size_bytes": 120_000_000}, "120.0 MB"),
        ({"video_kbps": 30_000}, "kbit/s"),
        ({"has_edit_list": True, "has_cuts": True}, "hides parts"),
    ],
)
def test_what_the_destination_refuses_in_the_picture_is_encoded(changes: dict[str, Any], words: str) -> None:
    made = decide(**changes)
    assert (made.mode, made.video) == (Mode.ENCODE, Stream.ENCODE)
    assert words in " ".join(made.reasons)
    assert made.geometry is not None
    assert made.width % 2 == made.height % 2 == 0
    assert made.audio is (Stream.ENCODE if "has_cuts" in changes else Stream.COPY)


@pytest.mark.parametrize(
    "changes",
    [
        {"audio_codec": "opus", "audio_profile": ""},
        {"audio_profile": "HE-AAC"},
        {"audio_hz": 96000},
        {"audio_channels": 6},
    ],
)
def test_a_wrong_sound_is_encoded_alone(changes: dict[str, Any]) -> None:
    made = decide(**changes)
    assert (made.mode, made.video, made.audio) == (Mode.ENCODE, Stream.COPY, Stream.ENCODE)
    assert (made.width, made.height, made.frames) == (1080, 1920, 900)


def test_a_landscape_video_is_padded_onto_the_canvas() -> None:
    geometry = decide(width=1920, height=1080).geometry
    assert geometry is not None
    assert (geometry.scale_width, geometry.scale_height) == (1080, 608)
    assert (geometry.width, geometry.height, geometry.is_padded, geometry.is_cropped) == (1080, 1920, True, False)


def test_a_landscape_video_is_cropped_where_the_connection_says_so() -> None:
    geometry = plan(a_probe(width=1920, height=1080), TransformOptions(fit=Fit.CROP), LIMITS).geometry
    assert geometry is not None
    assert (geometry.scale_width, geometry.scale_height) == (3414, 1920)
    assert (geometry.width, geometry.height, geometry.is_padded, geometry.is_cropped) == (1080, 1920, False, True)


def test_wide_pixels_are_counted_as_seen() -> None:
    made = decide(width=810, height=1920, sar=Fraction(4, 3))
    assert (made.width, made.height) == (1080, 1920)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((720, 1280), (1080, 1920)), ((720, 900), (1080, 1350)), ((1080, 1920), None), ((1440, 2560), None)],
)
def test_upscaling_enlarges_what_is_smaller_and_nothing_else(
    size: tuple[int, int], expected: tuple[int, int] | None
) -> None:
    made = plan(a_probe(width=size[0], height=size[1], video_kbps=3000), TransformOptions(upscale=True), LIMITS)
    assert (made.width, made.height) == (expected or size)
    assert made.mode is (Mode.ENCODE if expected else Mode.COPY)
    assert made.crf == 18


def test_without_upscaling_an_encode_keeps_the_size() -> None:
    made = decide(width=720, height=1280, video_codec="hevc")
    assert (made.width, made.height) == (720, 1280)


@pytest.mark.parametrize(
    ("average", "real", "expected"),
    [
        (Fraction(120), Fraction(120), Fraction(60)),
        (Fraction(15), Fraction(15), Fraction(30)),
        (Fraction(12), Fraction(12), Fraction(24)),
        (Fraction(2900, 100), Fraction(90000), Fraction(30000, 1001)),
        (Fraction(1), Fraction(1), Fraction(30)),
    ],
)
def test_the_rate_becomes_a_multiple_or_a_part_of_the_source(
    average: Fraction, real: Fraction, expected: Fraction
) -> None:
    made = decide(fps_avg=average, fps_real=real)
    assert made.fps == expected
    assert made.frames == round(30 * made.fps)


def test_a_too_long_video_is_cut_or_rejected_as_the_connection_says() -> None:
    long = a_probe(duration_s=75.0, video_duration_s=75.0, frames=2250)
    cut = plan(long, PLAIN, LIMITS)
    assert (cut.trim_s, cut.duration_s) == (59.75, 59.75)
    assert cut.frames == pytest.approx(59.75 * 30, abs=1)
    with pytest.raises(MediaRejected, match=r"75\.0 s; the destination takes 60 s at most"):
        plan(long, TransformOptions(too_long=TooLong.REJECT), LIMITS)


def test_a_too_short_video_is_rejected() -> None:
    with pytest.raises(MediaRejected, match=r"2\.9 s; the destination takes 3 s or more"):
        decide(duration_s=2.9)


def test_the_bitrate_keeps_the_file_under_the_cap() -> None:
    made = plan(a_probe(video_codec="hevc"), PLAIN, limits(max_bytes=10_000_000))
    assert made.video_kbps == int(10_000_000 * 0.93 * 8 / 1000 / 30) - 128
    assert decide(video_codec="hevc").video_kbps == LIMITS.max_video_kbps
    with pytest.raises(MediaRejected, match="do not fit"):
        plan(a_probe(video_codec="hevc"), PLAIN, limits(max_bytes=1_000_000))


def test_a_cut_that_brings_the_file_under_the_cap_needs_no_encode() -> None:
    made = decide(duration_s=75.0, video_duration_s=75.0, size_bytes=110_000_000, video_kbps=7900)
    assert made.mode is Mode.REMUX


@pytest.mark.parametrize(
    ("said", "matrix", "note"),
    [
        ({"width": 406, "height": 720}, "bt709", ""),
        ({"width": 406, "height": 718}, "smpte170m", "The colours are BT.601 and become BT.709"),
        ({"width": 480, "height": 854, "rotation": 90}, "smpte170m", "BT.601"),
        ({"color_matrix": "bt470bg"}, "bt470bg", "BT.601"),
        ({"pix_fmt": "yuvj420p"}, "bt709", "BT.709, full range,"),
        ({"color_matrix": "bt2020nc", "color_primaries": "bt2020"}, "bt2020nc", "BT.2020 with wide primaries"),
        ({"pix_fmt": "gbrp"}, "rgb", "The colours are RGB and"),
    ],
)
def test_colours_without_marks_are_read_as_players_read_them(said: dict[str, Any], matrix: str, note: str) -> None:
    unmarked = {"color_matrix": "", "color_range": "", "color_primaries": "", "color_transfer": ""}
    decided = plan(a_probe(video_codec="vp9", **unmarked | said), TransformOptions(upscale=True), LIMITS)
    assert decided.colors.matrix == matrix
    assert note in " ".join(decided.notes) and bool(note) is bool(decided.notes)
    assert Plan.of_dict(json.loads(json.dumps(decided.to_dict()))) == decided


def test_hdr_is_tone_mapped_only_where_ffmpeg_can() -> None:
    hdr = a_probe(color_transfer="smpte2084", pix_fmt="yuv420p10le", video_codec="hevc")
    assert plan(hdr, PLAIN, LIMITS).colors.tone_map_from == "smpte2084"
    without = plan(hdr, PLAIN, LIMITS, can_tone_map=False)
    assert without.colors.tone_map_from is None
    assert "washed out" in " ".join(without.reasons)


@pytest.mark.parametrize(
    "changes",
    [
        {"fps_avg": Fraction(60), "fps_real": Fraction(60)},
        {"width": 1080, "height": 1350},
        {"width": 1440, "height": 2560},
    ],
)
def test_maximum_compatibility_asks_for_the_common_denominator(changes: dict[str, Any]) -> None:
    options = TransformOptions(quality=Quality.MAXIMUM_COMPATIBILITY)
    made = plan(a_probe(**changes), options, LIMITS)
    assert (made.mode, made.width, made.height, made.fps) == (Mode.ENCODE, 1080, 1920, 30)
    assert plan(a_probe(), options, LIMITS).mode is Mode.COPY


def test_original_quality_encodes_finer_but_only_what_must_be() -> None:
    options = TransformOptions(quality=Quality.ORIGINAL)
    assert plan(a_probe(), options, LIMITS).mode is Mode.COPY
    assert plan(a_probe(video_codec="hevc"), options, LIMITS).crf == 18
    assert decide(video_codec="hevc").crf == 20


def test_a_plan_is_json() -> None:
    kept = json.loads(json.dumps(decide(video_codec="hevc", fps_avg=Fraction(30000, 1001)).to_dict()))
    assert (kept["mode"], kept["fps"], kept["width"]) == ("encode", "30000/1001", 1080)
    assert kept["reasons"]
    assert kept["words"].startswith("Picture encoded to 1080x1920")
