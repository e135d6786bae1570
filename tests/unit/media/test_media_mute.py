"""A post whose sound must not go along: the picture stays as it is, and the sound is left out."""

from __future__ import annotations

from forwarder_core.domain.transforms import TransformOptions
from forwarder_core.media.plan import Mode, Stream, plan
from tests.unit.media.samples import LIMITS, a_probe


def test_a_video_that_needs_nothing_else_is_packed_anew_without_its_sound() -> None:
    usual = plan(a_probe(), TransformOptions(), LIMITS)
    assert usual.audio is not Stream.NONE
    muted = plan(a_probe(), TransformOptions(mute=True), LIMITS)
    assert (muted.mode, muted.video, muted.audio) == (Mode.REMUX, Stream.COPY, Stream.NONE)
    assert muted.audio_index is None and "The sound is left out: it is music under licence." in muted.reasons


def test_a_video_without_sound_has_none_to_leave_out() -> None:
    silent = a_probe(has_audio=False, audio_index=None)
    assert plan(silent, TransformOptions(mute=True), LIMITS) == plan(silent, TransformOptions(), LIMITS)
