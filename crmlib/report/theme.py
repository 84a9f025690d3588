"""One palette, one type scale, one style sheet: how every page and chart looks.

The palette was searched for: six colours with at least 3:1 contrast on white (WCAG 2.2, 1.4.11) that
stay apart in simulated protanopia, deuteranopia and tritanopia. Text colours keep 4.5:1 (1.4.3). The
tests measure both.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

#: Colours of text, surfaces and lines.
INK = "#17222d"
MUTED = "#54606b"
LINE = "#d8dee3"
RULE = "#7b8791"
PAPER = "#ffffff"
BLACK = "#000000"
WASH = "#f3f6f8"
ACCENT = "#064a85"

#: Colours of data, in the order they are given out; the last one is for what is only context.
BLUE, ORANGE, TEAL, PLUM, VIOLET, GREY = "#064a85", "#e15f24", "#236a58", "#5d1f41", "#815bd2", "#6b757e"
SERIES = (BLUE, ORANGE, TEAL, PLUM, VIOLET, GREY)

#: Colours of a judgement; each is always joined by a word or a sign.
TONES = {"neutral": ACCENT, "good": "#1d6b45", "attention": "#8a5300", "bad": "#a3231b"}

#: The shades of a heatmap, from nothing to most.
SHADES = ("#f3f6f8", "#cfdeec", "#9dbddb", "#6396c4", "#2d6ca5", "#064a85", "#042f57")

#: Type scale in CSS pixels; charts use `small` and `body`.
SIZES = {"small": 12.5, "body": 16.0, "lead": 19.0, "h3": 18.0, "h2": 23.0, "h1": 34.0}

FONTS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif'
MONOSPACE = 'ui-monospace, "Cascadia Mono", "SF Mono", Menlo, Consolas, "Liberation Mono", monospace'


def contrast(one: str, other: str) -> float:
    """Measure the contrast of two colours, 1 to 21.

    References
    ----------
    WCAG 2.2, "contrast ratio" and "relative luminance".
    """
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def read_css() -> str:
    """Read the style sheet, with the palette and the type scale filled in as custom properties."""
    colours = {
        "ink": INK,
        "muted": MUTED,
        "line": LINE,
        "rule": RULE,
        "paper": PAPER,
        "wash": WASH,
        "accent": ACCENT,
        **TONES,
    }
    properties = [f"  --{name}: {colour};" for name, colour in colours.items()]
    properties += [f"  --size-{name}: {size / 16:g}rem;" for name, size in SIZES.items()]
    properties += [f"  --fonts: {FONTS};", f"  --monospace: {MONOSPACE};"]
    sheet = files("crmlib.report").joinpath("theme.css").read_text(encoding="utf-8")
    return ":root {\n" + "\n".join(properties) + "\n}\n" + sheet


def chart_style(hash_salt: str) -> dict[Any, Any]:
    """Make the matplotlib settings of a chart.

    Parameters
    ----------
    hash_salt : str
        What the ids inside the SVG are made from; one per drawing, so that two drawings on a page never share
        an id.

    Returns
    -------
    dict
        Settings for `matplotlib.rc_context`. Text is measured with the font that matplotlib brings along,
        which is wider than the pages' fonts: what fits here fits there, on any machine.
    """
    return {
        "svg.fonttype": "none",
        "text.parse_math": False,
        "svg.hashsalt": hash_salt,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": SIZES["small"],
        "text.color": INK,
        "axes.edgecolor": RULE,
        "axes.labelcolor": MUTED,
        "axes.labelsize": SIZES["small"],
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "axes.titlesize": SIZES["small"],
        "figure.facecolor": PAPER,
        "figure.dpi": 72,
        "grid.color": LINE,
        "grid.linewidth": 0.8,
        "lines.linewidth": 2.2,
        "lines.solid_capstyle": "round",
        "patch.linewidth": 0,
        "xtick.color": RULE,
        "ytick.color": RULE,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "xtick.major.size": 3,
        "ytick.major.size": 0,
        "ytick.major.pad": 6,
        "xtick.labelsize": SIZES["small"],
        "ytick.labelsize": SIZES["small"],
        "path.simplify": True,
    }
