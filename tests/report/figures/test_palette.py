"""Colours can be told from the paper and from each other, by everybody."""

import itertools

import numpy as np
import pytest

from runner.report.figures.palette import DARK, LIGHT, MARKERS, PAPER, styles

# Machado, Oliveira and Fernandes, IEEE TVCG 15 (2009), severity 1.0; on linear RGB.
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
# Oklab: Ottosson (2020).
LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(colour):
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    bright, dark = sorted((linear(c) @ [0.2126, 0.7152, 0.0722] for c in (one, other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def oklab(rgb):
    return LAB @ np.cbrt(LMS @ np.clip(rgb, 0, 1))


def test_contrast_of_black_and_white_is_21():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)


@pytest.mark.parametrize("paper, colours", [("light", LIGHT), ("dark", DARK)])
def test_every_colour_stands_out_from_its_paper(paper, colours):
    for colour in colours:
        assert contrast(colour, PAPER[paper]) >= 3.0, colour


@pytest.mark.parametrize("eyes", [np.eye(3), PROTANOPIA, DEUTERANOPIA], ids=["all", "protan", "deutan"])
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_are_apart_for_everybody(colours, eyes):
    apart = {
        pair: float(np.linalg.norm(oklab(eyes @ linear(pair[0])) - oklab(eyes @ linear(pair[1]))))
        for pair in itertools.combinations(colours, 2)
    }
    least = min(apart, key=apart.get)
    assert apart[least] >= 0.12, (least, apart[least])


def test_the_reference_is_neutral_and_the_others_keep_their_order():
    found = styles(["a", "random", "b"], "random")
    assert [style.tone for style in found] == [1, 0, 2]
    assert [style.tone for style in styles(["a", "b"], None)] == [1, 2]


def test_with_more_methods_than_colours_markers_tell_them_apart():
    found = styles([str(i) for i in range(30)], None)
    assert len({(style.tone, style.marker) for style in found}) == 30
    assert {style.marker for style in found} <= set(MARKERS)
