"""What the admin may choose about shape, length, sound and measuring, from the stored words to the plan and back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from forwarder_core.db.connections import transform_of
from forwarder_core.domain.transforms import Fit, Layout, Template, TooLong, TransformOptions
from forwarder_core.errors import MediaRejected
from forwarder_core.media.ladder import next_try
from forwarder_core.media.plan import Mode, Plan, Stream, plan
from forwarder_core.media.probe import Probe
from tests.unit.media.samples import LIMITS, a_probe

WIDE = {"width": 1920, "height": 1080}


def test_every_choice_is_read_from_what_is_stored() -> None:
    stored = {"fit": "blur", "too_long": "ask", "normalize_loudness": True, "measure_quality": True}
    assert transform_of(stored) == TransformOptions(
        fit=Fit.BLUR, too_long=TooLong.ASK, normalize_loudness=True, measure_quality=True
    )
    for name in ("normalize_loudness", "measure_quality"):
        with pytest.raises(ValueError, match=name):
            transform_of({name: "yes"})


def test_the_room_beside_a_wide_picture_is_blurred_only_where_there_is_some() -> None:
    options = TransformOptions(fit=Fit.BLUR)
    wide = plan(a_probe(**WIDE), options, LIMITS)
    assert wide.is_blurred and (wide.width, wide.height) == (1080, 1920)
    assert any("out of focus" in reason for reason in wide.reasons)
    assert not plan(a_probe(), options, LIMITS).is_blurred


@pytest.mark.parametrize(
    ("template", "is_blurred"),
    [(Template.SPLIT_SCREEN, True), (Template.BRANDED_OVERLAY, True), (Template.PICTURE_IN_PICTURE, False)],
)
def test_the_room_a_layout_leaves_beside_a_wide_picture_is_blurred_too(template: Template, is_blurred: bool) -> None:
    laid = TransformOptions(fit=Fit.BLUR, layout=Layout(template=template))
    made = plan(a_probe(**WIDE), laid, LIMITS)
    assert made.is_blurred is is_blurred
    while made := next_try(replace(made, passes=2), 10**9, 3):
        inner = made.geometry
        fits = inner and inner.scale_width <= inner.width and inner.scale_height <= inner.height
        assert fits or not is_blurred


def test_loudness_encodes_the_sound_alone_and_leaves_silence_in_peace() -> None:
    options = TransformOptions(normalize_loudness=True)
    louder = plan(a_probe(), options, LIMITS)
    assert (louder.mode, louder.video, louder.audio) == (Mode.ENCODE, Stream.COPY, Stream.ENCODE)
    assert louder.loudness_lufs == -14 and "-14 LUFS" in louder.words
    for quiet in (a_probe(sound_from_s=None), a_probe(has_audio=False, audio_index=None, sound_from_s=None)):
        assert plan(quiet, options, LIMITS).loudness_lufs is None


def test_a_question_nobody_answered_is_no_leave_to_cut() -> None:
    long = a_probe(duration_s=61.0, video_duration_s=61.0)
    with pytest.raises(MediaRejected, match="60 s at most"):
        plan(long, TransformOptions(too_long=TooLong.ASK), LIMITS)
    assert plan(a_probe(), TransformOptions(too_long=TooLong.ASK), LIMITS).trim_s is None


@pytest.mark.parametrize(
    "options",
    [
        TransformOptions(),
        TransformOptions(fit=Fit.BLUR, normalize_loudness=True),
        TransformOptions(layout=Layout(template=Template.PICTURE_IN_PICTURE, border_width=4)),
    ],
)
def test_plans_and_probes_come_back_from_json_as_they_were(options: TransformOptions) -> None:
    facts = a_probe(**WIDE)
    made = plan(facts, options, LIMITS)
    kept = json.loads(json.dumps(made.to_dict() | {"receipt": {}, "cpu_s": 1.0}))
    assert Plan.of_dict(kept) == made
    assert Probe.of_dict(json.loads(json.dumps(facts.to_dict()))) == facts
    with pytest.raises(KeyError):
        Probe.of_dict({})
