"""The palette can be read and told apart, measured."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.report import theme
from crmlib.report.charts.marks import text_on

#: Machado, Oliveira, Fernandes (2009), "A Physiologically-based Model for Simulation of Color Vision Deficiency",
#: IEEE TVCG 15(6): matrices for severity 1.0, on linear RGB.
SEEN_BY = {
    "full colour vision": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def linear_rgb(colour: str) -> np.ndarray:
    parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    x, y, z = (
        np.cbrt(part) if part > 0.008856 else 7.787 * part + 16 / 116 for part in TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize(
    ("one", "other", "ratio"), [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#ff0000", "#ffffff", 4.0)]
)
def test_contrast_is_that_of_wcag(one, other, ratio):
    assert theme.contrast(one, other) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize("surface", [theme.PAPER, theme.WASH])
@pytest.mark.parametrize("text", [theme.INK, theme.MUTED, theme.ACCENT, *theme.TONES.values()])
def test_text_has_the_contrast_of_wcag_aa(text, surface):
    assert theme.contrast(text, surface) >= 4.5


@pytest.mark.parametrize("colour", [*theme.SERIES, theme.RULE])
def test_marks_and_axes_have_the_contrast_of_wcag_aa(colour):
    assert theme.contrast(colour, theme.PAPER) >= 3.0


@given(st.integers(0, 0xFFFFFF))
def test_a_number_can_be_written_on_any_colour(colour):
    shade = f"#{colour:06x}"
    assert theme.contrast(text_on(shade), shade) >= 4.5


@pytest.mark.parametrize("vision", SEEN_BY)
def test_colours_of_data_stay_apart_for_everybody(vision):
    seen = {colour: lab(SEEN_BY[vision] @ linear_rgb(colour)) for colour in theme.SERIES}
    differences = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in itertools.combinations(seen, 2)}
    # 2.3 is a just noticeable difference; thin lines and small marks need several
    assert min(differences.values()) > 10, min(differences, key=differences.get)


@pytest.mark.parametrize("vision", SEEN_BY)
def test_shades_grow_darker_evenly_for_everybody(vision):
    lightness = [lab(SEEN_BY[vision] @ linear_rgb(shade))[0] for shade in theme.SHADES]
    assert all(lighter - darker > 5 for lighter, darker in itertools.pairwise(lightness))


def test_the_style_sheet_holds_the_palette_and_no_colour_of_its_own():
    sheet = theme.read_css()
    own = sheet.split("}\n", 1)[1]
    assert theme.ACCENT in sheet
    assert "#" not in own.replace("#content", "")


@pytest.mark.parametrize("rule", ["@media print", "max-width: 40rem", "prefers-reduced-motion", ":focus-visible"])
def test_the_style_sheet_knows_print_phones_motion_and_keyboard(rule):
    assert rule in theme.read_css()
