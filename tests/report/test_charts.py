import re
import subprocess
import sys
from datetime import date
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from crmlib.report import charts, theme
from tests.report.conftest import sample_charts

NAMES = ["bar", "hbar", "stacked", "waterfall", "line", "curve", "calibration", "hist", "heatmap"]
SKETCH = pd.DataFrame({"name": ["a", "b"], "value": [1.5, -2.0]})


@pytest.fixture(scope="module")
def figures() -> dict[str, charts.Figure]:
    return sample_charts()


def drawings(figure):
    return [ElementTree.fromstring(svg) for svg in (figure.wide, figure.narrow)]


def test_every_chart_of_the_vocabulary_is_tried(figures):
    assert sorted(figures) == sorted(NAMES) == sorted(set(charts.__all__) - {"Figure", "waterfalls"})


def test_waterfalls_stand_one_below_the_other_in_the_order_of_their_groups():
    steps = pd.DataFrame({"pair": ["z", "z", "a"], "step": ["one", "two", "one"], "weight": [1.0, -2.0, 3.0]})
    drawn = charts.waterfalls(steps, "pair", "step", "weight", title="Pair {group}", total_label="sum")
    assert re.findall(r"<figcaption>(.*?)</figcaption>", drawn.markup) == ["Pair z", "Pair a"]
    assert "sum: −1.0" in drawn.plain
    assert charts.waterfalls(steps.head(0), "pair", "step", "weight", title="Pair {group}").markup == ""


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_states_its_finding_and_says_the_same_in_words(figures, name):
    figure = figures[name]
    for svg in drawings(figure):
        assert svg.get("role") == "img"
        assert svg.get("aria-label") == svg.findtext("desc") == figure.alt
        assert svg.findtext("title") == figure.title
    assert figure.title in figure.alt
    assert f"<figcaption>{figure.title}</figcaption>" in figure._repr_html_()


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_is_drawn_for_wide_and_narrow_screens(figures, name):
    wide, narrow = drawings(figures[name])
    assert (float(wide.get("width")), float(narrow.get("width"))) == (704, 336)


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_names_no_address_and_no_font_of_its_own(figures, name):
    text = figures[name]._repr_html_()
    assert "://" not in text
    assert "DejaVu" not in text
    assert "<style" not in text


@pytest.mark.parametrize("name", NAMES)
def test_texts_stay_texts_and_within_the_drawing(figures, name):
    for svg in drawings(figures[name]):
        width, height = float(svg.get("width")), float(svg.get("height"))
        texts = svg.findall(".//text")
        assert texts
        for text in texts:
            if "transform" in text.attrib:
                continue
            size = float(re.search(r"font-size: ([\d.]+)px", text.get("style"))[1])
            length = len("".join(text.itertext())) * size * 0.5
            anchor = re.search(r"text-anchor: (\w+)", text.get("style"))
            left = (
                float(text.get("x"))
                - {"start": 0, "middle": length / 2, "end": length}[anchor[1] if anchor else "start"]
            )
            assert left > -3, "".join(text.itertext())
            assert left + length < width + 3, "".join(text.itertext())
            assert 0 < float(text.get("y")) <= height


def test_ids_are_unique_over_all_charts_of_a_page(figures):
    ids = [found for figure in figures.values() for svg in (figure.wide, figure.narrow)
           for found in re.findall(r'\bid="([^"]+)"', svg)]  # fmt: skip
    assert ids
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_drawing_refers_to_is_in_it(figures, name):
    for svg in (figures[name].wide, figures[name].narrow):
        assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg)) == set(re.findall(r'\bid="([^"]+)"', svg))


def test_the_same_data_give_the_same_text(figures):
    again = sample_charts()
    assert {name: figure._repr_html_() for name, figure in figures.items()} == {
        name: figure._repr_html_() for name, figure in again.items()
    }


def test_titles_and_labels_are_escaped():
    frame = pd.DataFrame({"name": ["<b>&", "$x$ 50%"], "value": [1, 2]})
    figure = charts.hbar(frame, "name", "value", title='<script> & "more"', note="<i>")
    for svg in drawings(figure):
        assert "<b>&" in ["".join(text.itertext()) for text in svg.findall(".//text")]
        assert svg.findtext("title") == '<script> & "more"'
    assert "<script>" not in figure._repr_html_()
    assert "<i>" not in figure._repr_html_()


def test_a_dollar_sign_is_a_dollar_sign():
    frame = pd.DataFrame({"name": ["from $5 to $6"], "value": [1]})
    svg = drawings(charts.hbar(frame, "name", "value", title="Prices"))[0]
    assert "from $5 to $6" in ["".join(text.itertext()) for text in svg.findall(".//text")]


def test_small_values_keep_their_decimals():
    svg = drawings(charts.hbar(pd.DataFrame({"n": ["a"], "v": [0.123456]}), "n", "v", title="t", form="0.000000"))[0]
    assert "0.123456" in ["".join(text.itertext()) for text in svg.findall(".//text")]


def test_words_name_each_value_of_a_short_series():
    figure = charts.hbar(SKETCH, "name", "value", title="Up and down", form="+0.0")
    assert figure.alt == "Bars. Up and down. a: +1.5; b: −2.0."


def test_words_name_ends_and_extremes_of_a_long_series():
    frame = pd.DataFrame({"week": pd.date_range("2026-01-04", periods=20, freq="7D"), "n": [5, 9, *range(1, 19)]})
    said = charts.line(frame, "week", "n", title="Growing").alt
    assert "20 values; first 2026-01-04: 5; lowest 2026-01-18: 1; highest 2026-05-17: 18; last 2026-05-17: 18." in said


def test_words_of_a_histogram_are_its_quartiles_and_the_share_above_the_threshold():
    said = charts.hist(np.arange(1, 101), title="Even", threshold=91).alt
    assert (
        said == "Histogram. Even. 100 values, median 50, the middle half between 25 and 75. 10.0% lie at or above 91."
    )


def test_a_histogram_of_grouped_values_is_that_of_the_values():
    values = [1, 1, 1, 5, 9, 9]
    plain = charts.hist(values, title="t", bins=4)
    grouped = charts.hist([1, 5, 9], weights=[3, 1, 2], title="t", bins=4)
    assert plain.wide == grouped.wide


def test_a_logarithmic_axis_writes_its_counts_out():
    values = [1] * 1000 + [2] * 10 + [3]
    svg = drawings(charts.hist(values, title="t", bins=[1, 2, 3, 4], log=True))[0]
    texts = ["".join(text.itertext()) for text in svg.findall(".//text")]
    assert {"1", "10", "100", "1,000"} <= set(texts)
    assert not [text for text in texts if "$" in text]


def test_a_threshold_parts_the_bars_in_two_colours():
    svg = charts.hist([1, 2, 3, 7, 8, 9], title="t", bins=4, threshold=4.2).wide
    assert theme.BLUE in svg
    assert theme.ORANGE in svg


def test_highlighting_leaves_the_others_grey():
    svg = charts.bar(SKETCH, "name", "value", title="t", highlight=["b"]).wide
    assert svg.count(theme.BLUE) == 1


def test_a_line_keeps_the_colour_it_has_in_another_chart():
    frame = pd.DataFrame({"week": range(3), "silent": [1, 2, 3], "plan": [2, 3, 4]})
    both = charts.line(frame, "week", ["silent", "plan"], title="t")
    alone = charts.line(frame, "week", ["plan"], title="t", first_colour=1)
    assert theme.ORANGE in both.wide
    assert theme.ORANGE in alone.wide
    assert theme.BLUE not in alone.wide + alone.narrow


def test_shares_of_a_bar_without_anything_are_nothing():
    frame = pd.DataFrame({"name": ["a", "b"], "x": [0, 1], "y": [0, 3]})
    said = charts.stacked(frame, "name", ["x", "y"], title="t", share=True).alt
    assert said == "Bars of parts. t. a: x 0%, y 0%; b: x 25%, y 75%."


def test_a_heatmap_leaves_absent_cells_empty():
    frame = pd.DataFrame({"r": ["a", "b"], "c": ["x", "y"], "v": [0.1, 0.9]})
    figure = charts.heatmap(frame, "r", "c", "v", title="t", form="%")
    assert figure.alt == "Grid of 2 rows by 2 columns. t. lowest a, x: 10%; highest b, y: 90%."
    assert [text.text for text in drawings(figure)[0].findall(".//text")].count("–") == 2


EMPTY = pd.DataFrame({"name": pd.Series(dtype=str), "value": pd.Series(dtype=float)})


@pytest.mark.parametrize(
    "draw",
    [
        lambda: charts.bar(EMPTY, "name", "value", title="t"),
        lambda: charts.hbar(EMPTY, "name", "value", title="t"),
        lambda: charts.stacked(EMPTY, "name", ["value"], title="t"),
        lambda: charts.waterfall(EMPTY, "name", "value", title="t", total_label="sum"),
        lambda: charts.line(EMPTY, "value", "value", title="t"),
        lambda: charts.calibration(EMPTY, "value", "value", title="t"),
        lambda: charts.hist([], title="t"),
        lambda: charts.heatmap(EMPTY.assign(c=""), "name", "c", "value", title="t"),
    ],
    ids=["bar", "hbar", "stacked", "waterfall", "line", "calibration", "hist", "heatmap"],
)
def test_nothing_to_draw_is_an_empty_chart_that_says_so(draw):
    figure = draw()
    assert figure.alt
    assert len(drawings(figure)) == 2


def test_missing_values_leave_a_gap_in_a_line():
    frame = pd.DataFrame({"x": [1, 2, 3, 4], "y": [1.0, None, 2.0, 3.0]})
    assert charts.line(frame, "x", "y", title="t").alt == "Line chart. t. y: 1: 1; 3: 2; 4: 3."


def test_dates_of_any_kind_are_places_on_a_line():
    frames = [pd.DataFrame({"day": [kind(2026, 1, 1), kind(2026, 2, 1)], "n": [1, 2]}) for kind in (date, pd.Timestamp)]
    texts = [charts.line(frame, "day", "n", title="t").wide for frame in frames]
    assert texts[0] == texts[1]


def test_matplotlib_is_loaded_only_when_drawing_and_its_settings_stay():
    program = (
        "import sys; from crmlib.report import charts, tables; assert 'matplotlib' not in sys.modules;"
        "import pandas as pd; import matplotlib as mpl; keys = [key for key in mpl.rcParams if key != 'backend'];"
        "before = [mpl.rcParams[key] for key in keys];"
        "charts.bar(pd.DataFrame({'a': ['x'], 'b': [1]}), 'a', 'b', title='t');"
        "assert before == [mpl.rcParams[key] for key in keys]; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
