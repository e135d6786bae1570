"""Which colours a picture is read with, and the filters that make BT.709 of them, what every destination shows. Pure.

What lives here: `Colors`, how a file without marks is read, the conversion, the marks. What does not: where in the
graph it stands (graph), how the marks are read (probe_child).
The fact to know: the same bytes are another green by BT.601 than by BT.709, and players choose by the number of lines
where no mark says it. So an SD clip made larger without a conversion changes its colours, though no filter touched
them. Only the matrix and the range are converted, not the small difference between SD and HD primaries: phones make
SD files for the same screens. zscale comes within 2 of 255, the plain scaler within 4 and at a higher cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forwarder_core.media.probe import Probe

_HD_LINES = 720  # from here on players read a file without marks as BT.709
_SD_MATRIX, _HD_MATRIX, _WIDE_MATRIX, RGB = "smpte170m", "bt709", "bt2020nc", "rgb"
_WIDE_PRIMARIES = ("bt2020", "smpte432")
_RGB_FORMATS = ("gbr", "rgb", "bgr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr")
_SCALER_NAMES = {"bt470bg": "bt470", "bt2020nc": "bt2020"}  # what the plain scaler calls them
_NAMES = {"smpte170m": "BT.601", "bt470bg": "BT.601", "fcc": "FCC", "bt2020nc": "BT.2020", "bt709": "BT.709"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Colors:
    """`matrix`, `range` (`tv`, `pc`) and `primaries` in ffmpeg's words, BT.709 until something else is said.

    `tone_map_from`: the transfer of an HDR picture. `has_zscale`: this ffmpeg converts precisely.
    """

    matrix: str = _HD_MATRIX
    range: str = "tv"
    primaries: str = "bt709"
    tone_map_from: str | None = None
    has_zscale: bool = True

    @property
    def are_ordinary(self) -> bool:
        """BT.709 already: nothing to convert."""
        return self == Colors(has_zscale=self.has_zscale)

    @property
    def words(self) -> str:
        """A sentence for the admin; empty where nothing is converted, or a reason of the plan says it."""
        if self.are_ordinary or self.tone_map_from:
            return ""
        name = _NAMES.get(self.matrix, "RGB")
        wide = " with wide primaries" if self.primaries in _WIDE_PRIMARIES else ""
        full = ", full range," if self.range == "pc" and self.matrix != RGB else ""
        return f"The colours are {name}{wide}{full} and become BT.709, so that they look the same."

    @classmethod
    def of_dict(cls, stored: Mapping[str, Any] | None) -> Colors:
        """What `asdict` makes of them; BT.709 for plans kept before there were any."""
        return cls(**stored) if stored else cls()


def read_as(probe: Probe, *, has_zscale: bool) -> Colors:
    """By the file's marks; where there are none as players do: SD is BT.601, HD BT.709."""
    if probe.pix_fmt.startswith(_RGB_FORMATS):
        return Colors(matrix=RGB, range="pc", has_zscale=has_zscale)
    lines = probe.width if probe.rotation in (90, 270) else probe.height
    unmarked = _WIDE_MATRIX if probe.is_hdr else _SD_MATRIX if lines < _HD_LINES else _HD_MATRIX
    return Colors(
        matrix=probe.color_matrix or unmarked,
        range="pc" if probe.color_range == "pc" or probe.pix_fmt.startswith("yuvj") else "tv",
        primaries=probe.color_primaries if probe.color_primaries in _WIDE_PRIMARIES else "bt709",
        tone_map_from=probe.color_transfer if probe.is_hdr and has_zscale else None,
        has_zscale=has_zscale,
    )


def converted(video: Any, colors: Colors) -> Any:
    """The picture in BT.709, television range, marked so; its pixels are untouched where it is that already."""
    if colors.tone_map_from:
        video = _tone_mapped(video, colors)
    elif not colors.are_ordinary:
        video = _by_zscale(video, colors) if colors.has_zscale else _by_scaler(video, colors)
    return marked(video)


def _by_scaler(video: Any, colors: Colors) -> Any:
    flags = "lanczos+accurate_rnd+full_chroma_int"
    video = video.filter("scale", **_scaler(colors), out_color_matrix="bt709", out_range="tv", flags=flags)
    return video.filter("format", "yuv420p")


def _by_zscale(video: Any, colors: Colors) -> Any:
    options = {"rangein": colors.range, "matrix": "bt709", "range": "tv"}
    if colors.matrix != RGB:  # its frames say it of themselves, and zscale refuses to be told
        options["matrixin"] = colors.matrix
    if colors.primaries in _WIDE_PRIMARIES:
        options |= {"primariesin": colors.primaries, "primaries": "bt709", "transferin": "bt709", "transfer": "bt709"}
    return video.filter("zscale", **options).filter("format", "yuv420p")


def marked(video: Any) -> Any:
    """Say of the frames that they are BT.709. Newer builds go by the frames and pass over the encoder's options."""
    said = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709"}
    return video.filter("setparams", range="tv", **said)


def as_jpeg(video: Any, colors: Colors) -> Any:
    """As a JPEG keeps its colours: BT.601, full range, whatever the video's are."""
    video = video.filter("scale", **_scaler(colors), out_color_matrix="bt601", out_range="pc")
    return video.filter("format", "yuvj420p")


def _scaler(colors: Colors) -> dict[str, str]:
    if colors.matrix == RGB:
        return {}
    return {"in_color_matrix": _SCALER_NAMES.get(colors.matrix, colors.matrix), "in_range": colors.range}


def _tone_mapped(video: Any, colors: Colors) -> Any:
    """HDR to BT.709. The input's colours are named, because zscale refuses a file that leaves them out."""
    said = {"primariesin": "bt2020", "matrixin": colors.matrix, "rangein": colors.range}
    video = video.filter("zscale", transferin=colors.tone_map_from, **said, transfer="linear", npl=100)
    video = video.filter("format", "gbrpf32le").filter("zscale", primaries="bt709")
    video = video.filter("tonemap", "hable", desat=0)
    return video.filter("zscale", transfer="bt709", matrix="bt709", range="tv")
