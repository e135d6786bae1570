"""Is this the same video, after a platform has encoded, scaled or framed it? Small hashes of both halves say so.

What lives here: taking a fingerprint, the share of bits in which the pictures of two differ, and what that means
together with the sound. What does not: the sound's own hashes (hearing), what is then done (services), the first
guard, the ledger of what was published here (services), which needs no pixels.
The fact to know: frames are taken on a fixed grid of seconds, not at fractions of the length: fractions shift all
frames when one second is cut off. What is kept has a frame each half second; what is compared with it has ten a
second, so that a cut at any place finds its grid. docs/performance.md says what is found and what is missed.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from forwarder_core.media import graph, hearing
from forwarder_core.media.probe import Probe
from forwarder_core.media.runner import run
from forwarder_core.media.tools import Ffmpeg

SAME_SHARE = 0.20
UNCLEAR_SHARE = 0.30
MOST_LENGTH_DIFFERENCE_S = 2.0
FRAMES = 12
_RATE = 10
_PICTURES = 8 * FRAMES  # bytes of what is kept; the sound's lie behind them
_STEP = 5  # of the dense frames: one each half second is kept
_REACH = 30  # dense frames, 3 s: how far the two may be shifted against each other
_LEAST_OVERLAP = 6
_SECONDS = (FRAMES - 1) * _STEP / _RATE + _REACH / _RATE + 1 / _RATE
_WIDTH, _HEIGHT = 72, 64  # 9 x 8 blocks of 8 x 8
_COLUMNS, _ROWS = 9, 8
_BITS = (_COLUMNS - 1) * _ROWS
_FLAT = 12  # of 255: a line of the border varies less
_LEAST_SIDE = 16

Crop = tuple[int, int, int, int]


class Likeness(StrEnum):
    """`same` may be refused without asking; `unclear` is for a person; `other` is another video."""

    SAME = "same"
    UNCLEAR = "unclear"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is stored of a post: 12 hashes of 8 bytes of its pictures, 24 of 2 bytes of its sound, and its length.

    A short video has fewer; one that cannot be heard, or was kept before sounds were, has pictures alone.
    """

    duration_s: float
    data: bytes

    def hashes(self) -> list[int]:
        """Of the pictures."""
        pictures = self.data[:_PICTURES].rstrip(b"\0") if self.sound else self.data
        return [int.from_bytes(self.data[at : at + 8], "big") for at in range(0, len(pictures), 8)]

    @property
    def sound(self) -> bytes:
        return self.data[_PICTURES:]


@dataclass(frozen=True, slots=True)
class Seen:
    """A fingerprint just taken: ten hashes of the pictures and of the sound for each of the first 8.6 seconds."""

    duration_s: float
    hashes: tuple[int, ...]
    heard: hearing.Heard = ()

    def keep(self) -> Kept:
        thin = self.hashes[: FRAMES * _STEP : _STEP]
        pictures, sound = b"".join(one.to_bytes(8, "big") for one in thin), hearing.keep(self.heard)
        return Kept(self.duration_s, pictures.ljust(_PICTURES, b"\0") + sound if sound else pictures)


def take(path: Path, facts: Probe, ffmpeg: Ffmpeg) -> Seen:
    """Decode the first seconds of a probed file, in a child. Raises what a damaged file raises in a render."""
    with tempfile.TemporaryDirectory(prefix="fingerprint-", dir=path.parent) as folder:
        raw, sound = Path(folder) / "frames.gray", Path(folder) / "sound.pcm"
        video = graph.Gray(facts.video_index, _WIDTH, _HEIGHT, _RATE)
        heard = None if facts.audio_index is None else graph.Mono(facts.audio_index, hearing.HZ)
        run(
            graph.small_argv(ffmpeg, path, raw, sound, video=video, audio=heard, seconds=_SECONDS),
            duration_s=min(facts.duration_s, _SECONDS),
        )
        words = hearing.of_samples(sound.read_bytes()) if heard else ()
        return Seen(facts.duration_s, of_frames(raw.read_bytes()), words)


def share(kept: Kept, seen: Seen) -> float:
    """The least share of differing bits over all shifts, 0 for the same pictures, about 0.5 for strangers.

    1.0 where too few pictures that show anything overlap.
    """
    stored = kept.hashes()
    least = max(2, min(_LEAST_OVERLAP, len(stored) - 2))
    shares = (_at_shift(stored, seen.hashes, shift, least) for shift in range(-_REACH, _REACH + 1))
    return min((one for one in shares if one is not None), default=1.0)


def likeness(kept: Kept, seen: Seen) -> Likeness:
    """By both shares, and by the lengths: a platform changes no length by more than a moment.

    The sound alone never makes two the same (many posts share a piece of music), but it settles what the pictures
    leave open, and another sound leaves open what they would settle.
    """
    if abs(kept.duration_s - seen.duration_s) > MOST_LENGTH_DIFFERENCE_S:
        return Likeness.OTHER
    seen_as = _called(share(kept, seen))
    sound = hearing.share(kept.sound, seen.heard, _REACH)
    if sound is None or seen_as is (heard_as := _called(sound)):
        return seen_as
    if seen_as is Likeness.SAME:
        return Likeness.SAME if heard_as is Likeness.UNCLEAR else Likeness.UNCLEAR
    if heard_as is Likeness.SAME:
        return Likeness.SAME if seen_as is Likeness.UNCLEAR else Likeness.UNCLEAR
    return seen_as


def _called(share: float) -> Likeness:
    if share <= SAME_SHARE:
        return Likeness.SAME
    return Likeness.UNCLEAR if share <= UNCLEAR_SHARE else Likeness.OTHER


def of_frames(raw: bytes) -> tuple[int, ...]:
    """One hash for each raw gray frame of 72 x 64. Borders that are flat in every frame are left out of all."""
    size = _WIDTH * _HEIGHT
    frames = [raw[at : at + size] for at in range(0, len(raw) - size + 1, size)]
    crop = _crop(frames)
    return tuple(_hash(frame, crop) for frame in frames)


def _at_shift(stored: list[int], seen: tuple[int, ...], shift: int, least: int) -> float | None:
    pairs = list(_pairs(stored, seen, shift))
    if len(pairs) < least:
        return None
    return sum((a ^ b).bit_count() for a, b in pairs) / (len(pairs) * _BITS)


def _pairs(stored: list[int], seen: tuple[int, ...], shift: int) -> Iterator[tuple[int, int]]:
    for number, one in enumerate(stored):
        at = number * _STEP + shift
        if 0 <= at < len(seen) and _shows_something(one) and _shows_something(seen[at]):
            yield one, seen[at]


def _shows_something(one: int) -> bool:
    """A black or white picture hashes to nothing, and would be like every other one."""
    return 4 <= one.bit_count() <= _BITS - 4


def _crop(frames: list[bytes]) -> Crop:
    """left, top, right, bottom of what varies along some line in some frame."""
    rows = [max((_spread(f[y * _WIDTH : (y + 1) * _WIDTH]) for f in frames), default=0) for y in range(_HEIGHT)]
    top, bottom = _lively(rows)
    columns = [
        max((_spread(f[top * _WIDTH + x : bottom * _WIDTH : _WIDTH]) for f in frames), default=0) for x in range(_WIDTH)
    ]
    left, right = _lively(columns)
    return left, top, right, bottom


def _spread(line: bytes) -> int:
    return max(line) - min(line)


def _lively(spreads: list[int]) -> tuple[int, int]:
    lively = [at for at, spread in enumerate(spreads) if spread > _FLAT]
    if not lively or lively[-1] + 1 - lively[0] < _LEAST_SIDE:
        return 0, len(spreads)
    return lively[0], lively[-1] + 1


def _hash(frame: bytes, crop: Crop) -> int:
    """64 bits: is a block lighter than its right neighbour?"""
    left, top, right, bottom = crop
    edges_x = [left + (right - left) * i // _COLUMNS for i in range(_COLUMNS + 1)]
    edges_y = [top + (bottom - top) * i // _ROWS for i in range(_ROWS + 1)]
    found = 0
    for y0, y1 in itertools.pairwise(edges_y):
        lines = [frame[y * _WIDTH : (y + 1) * _WIDTH] for y in range(y0, y1)]
        means = [
            sum(sum(line[x0:x1]) for line in lines) / max(1, (x1 - x0) * len(lines))
            for x0, x1 in itertools.pairwise(edges_x)
        ]
        for a, b in itertools.pairwise(means):
            found = found << 1 | (a > b)
    return found
