"""The charts of the pages: each states a finding, labels its data directly, and says the same in words.

Every function takes a frame and the names of its columns and returns a `Figure`. Common to all:

title
    The finding, as a sentence; the figure's caption.
alt
    The text for those who cannot see the chart; made from the data when absent.
note
    A line below the chart, such as how to read it.
form
    How values are written, see `crmlib.report.formats.format_value`.
"""

from crmlib.report.charts.bars import bar, hbar, stacked, waterfall, waterfalls
from crmlib.report.charts.drawing import Figure
from crmlib.report.charts.lines import calibration, curve, line
from crmlib.report.charts.spreads import heatmap, hist

__all__ = [
    "Figure",
    "bar",
    "calibration",
    "curve",
    "hbar",
    "heatmap",
    "hist",
    "line",
    "stacked",
    "waterfall",
    "waterfalls",
]
