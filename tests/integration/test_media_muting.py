"""With the real ffmpeg: a post whose sound must not go along arrives with its picture untouched and without a sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder_core.domain.transforms import TransformOptions
from tests.integration.test_media_render import forward
from tests.unit.media.samples import make_clip

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("size", ["360x640", "640x360"])
def test_the_sound_is_gone_and_the_picture_is_whole(tmp_path: Path, size: str) -> None:
    source = make_clip(tmp_path / "source.mp4", size=size)
    _, _, seen = forward(source, options=TransformOptions(mute=True))
    assert not seen.has_audio and seen.frames == 30
