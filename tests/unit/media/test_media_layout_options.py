"""Layouts as options and as arithmetic: the client's shapes in, even numbers out."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder_core.db.connections import transform_of
from forwarder_core.domain.transforms import Fit, Layout, Position, Template, TransformOptions, layout_of
from forwarder_core.media import graph
from forwarder_core.media.layouts import Box, place
from forwarder_core.media.plan import Mode, plan
from forwarder_core.media.tools import Ffmpeg
from tests.unit.media.samples import LIMITS, a_probe

FFMPEG = Ffmpeg(Path("/opt/ffmpeg"), "5.1", can_tone_map=True)
SOURCE, TARGET, IMAGE = Path("/jobs/1/source.mp4"), Path("/jobs/1/r.part.mp4"), Path("/home/templates/bg.png")
THE_CLIENTS = {
    "enabled": True,
    "template": "split_screen",
    "background_image": "/templates/bg_travel.png",
    "position": "center",
    "border_color": "#000000",
    "border_width": 2,
}


def test_the_clients_example_is_what_true_means() -> None:
    wanted = Layout(template=Template.SPLIT_SCREEN, image="bg_travel.png", border_color="#000000", border_width=2)
    assert layout_of(THE_CLIENTS) == layout_of(True) == wanted
    assert layout_of(wanted.to_dict()) == wanted


def test_off_is_off_in_every_way_of_saying_it() -> None:
    for stored in (None, False, {"enabled": False, "template": "chroma_key"}, {"template": "none"}):
        assert not layout_of(stored).is_on
    assert not transform_of({}).layout.is_on


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ("yes", "true, false or an object"),
        ({"template": "mirror"}, "not one of none, split_screen"),
        ({"postion": "top"}, "no postion"),
        ({"position": "above"}, "position"),
        ({"background_image": "../../etc/passwd"}, "no template image"),
        ({"background_image": "/templates/../x.png"}, "no template image"),
        ({"background_image": "/templates/x.svg"}, "no template image"),
        ({"border_color": "black; rm"}, "colour"),
        ({"border_width": 500}, "0 to 100"),
        ({"border_width": True}, "0 to 100"),
        ({"size": 5}, "20 to 100"),
        ({"enabled": "no"}, "true or false"),
    ],
)
def test_unknown_words_are_named(stored: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        transform_of({"greenscreen": stored})


def test_upscale_knows_4k_and_nothing_else() -> None:
    assert transform_of({"upscale": "4k"}).upscale_to_4k
    assert not transform_of({"upscale": True}).upscale_to_4k
    with pytest.raises(ValueError, match="upscale must be"):
        transform_of({"upscale": "8k"})


@pytest.mark.parametrize("template", [t for t in Template if t is not Template.NONE])
@pytest.mark.parametrize("aspect", [9 / 16, 16 / 9, 1.0, 0.45, 2.4])
@pytest.mark.parametrize("fit", list(Fit))
def test_every_number_is_even_and_on_the_canvas(template: Template, aspect: float, fit: Fit) -> None:
    for position in Position:
        layout = Layout(template=template, position=position, border_width=7)
        geometry, placement = place(aspect, 1080, 1920, layout, fit)
        box = placement.video
        assert (geometry.width, geometry.height) == (box.width, box.height)
        assert not any(n % 2 for n in (box.x, box.y, box.width, box.height, placement.still.y, placement.still.height))
        border = placement.border if template is Template.PICTURE_IN_PICTURE else 0
        assert min(box.x, box.y) >= border
        assert box.x + box.width <= 1080 - border
        assert box.y + box.height <= 1920 - border


def test_halves_and_corners() -> None:
    _, split = place(9 / 16, 1080, 1920, Layout(template=Template.SPLIT_SCREEN, border_width=8), Fit.PAD)
    assert (split.video, split.still) == (Box(270, 960, 540, 960), Box(0, 0, 1080, 952))
    corner = Layout(template=Template.PICTURE_IN_PICTURE, position=Position.TOP_LEFT, size=50, border_width=4)
    _, pip = place(9 / 16, 1080, 1920, corner, Fit.PAD)
    assert pip.video == Box(46, 46, 540, 960)


def test_a_layout_encodes_a_compliant_video_onto_the_target_and_says_so() -> None:
    layout = Layout(template=Template.PICTURE_IN_PICTURE, image="bg.png")
    made = plan(a_probe(), TransformOptions(layout=layout), LIMITS)
    assert (made.mode, made.width, made.height) == (Mode.ENCODE, 1080, 1920)
    assert made.reasons == ("The layout picture in picture with bg.png is on.",)
    assert "picture in picture with bg.png" in made.words
    assert made.image == "bg.png"
    assert made.to_dict()["placement"]["template"] == "picture_in_picture"


@pytest.mark.parametrize("template", [t for t in Template if t is not Template.NONE])
def test_the_still_is_an_input_that_can_be_one_picture_only(template: Template) -> None:
    made = plan(a_probe(), TransformOptions(layout=Layout(template=template)), LIMITS)
    words = graph.transform_argv(made, FFMPEG, SOURCE, TARGET, image=IMAGE)
    inputs = {words[i + 1]: i for i, word in enumerate(words) if word == "-i"}
    assert set(inputs) == {f"file:{SOURCE}", f"file:{IMAGE}"}
    still = inputs[f"file:{IMAGE}"]
    options = words[max((i for i in inputs.values() if i < still), default=0) : still]
    for pair in (("-format_whitelist", "png_pipe"), ("-protocol_whitelist", "file"), ("-f", "png_pipe")):
        assert options[options.index(pair[0]) + 1] == pair[1]
    filters = words[words.index("-filter_complex") + 1]
    assert ("loop" in filters) is (template is Template.CHROMA_KEY)
    with pytest.raises(ValueError, match="picture"):
        graph.transform_argv(made, FFMPEG, SOURCE, TARGET)


@pytest.mark.parametrize(("width", "keyed_first"), [(720, True), (2160, False)])
def test_green_is_keyed_on_the_smaller_picture(width: int, keyed_first: bool) -> None:
    options = TransformOptions(layout=Layout(template=Template.CHROMA_KEY))
    made = plan(a_probe(width=width, height=width * 16 // 9), options, LIMITS)
    words = graph.transform_argv(made, FFMPEG, SOURCE, TARGET, image=IMAGE)
    filters = words[words.index("-filter_complex") + 1]
    assert (filters.index("chromakey") < filters.index("scale=1080:1920:flags=lanczos[")) is keyed_first
