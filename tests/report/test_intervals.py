"""Estimates with intervals."""

from __future__ import annotations

import pandas as pd

from crmlib.report.charts.intervals import ABOVE, BELOW, UNDECIDED, forest

FRAME = pd.DataFrame(
    {
        "name": ["Carnival", "Black week", "Leaflet", "Unmeasured"],
        "lift": [0.10, -0.20, 0.01, None],
        "low": [0.02, -0.30, -0.04, None],
        "high": [0.18, -0.10, 0.06, None],
    }
)


def draw(frame=FRAME, **options):
    return forest(frame, "name", "lift", "low", "high", title="One brings more, one less", **options)


def test_it_says_the_same_in_words():
    assert draw().alt == (
        "Estimates with intervals. One brings more, one less. Carnival: +0.10, between +0.02 and +0.18; "
        "Black week: −0.20, between −0.30 and −0.10; Leaflet: +0.01, between −0.04 and +0.06; Unmeasured: none."
    )


def test_colours_tell_what_the_interval_says():
    drawn = draw().wide.lower()
    for colour in (ABOVE, BELOW, UNDECIDED):
        assert colour in drawn
    assert BELOW not in draw(FRAME.head(1)).wide.lower()


def test_a_reference_moves_the_line():
    assert ABOVE not in draw(FRAME.head(1), reference=0.05).wide.lower()


def test_what_could_have_been_shown_stands_beside():
    frame = FRAME.assign(least=[0.09, 0.12, 0.07, None])
    drawn = draw(frame, detectable="least")
    assert "Leaflet: +0.01, between −0.04 and +0.06, detectable +0.07; Unmeasured: none." in drawn.alt
    assert drawn.wide.count("stroke-width: 1.1") == 3 + draw().wide.count("stroke-width: 1.1")


def test_nothing_to_draw_is_no_error():
    assert draw(FRAME.head(0)).alt.endswith("None.")
    assert "<svg" in draw(FRAME.tail(1)).narrow


def test_names_are_escaped():
    assert "<script>" not in draw(FRAME.assign(name="<script>"))._repr_html_()


def test_names_stand_beside_estimates_far_from_nothing_too():
    far = FRAME.head(3).assign(**{column: 1_400 + FRAME[column] for column in ("lift", "low", "high")})
    drawn = draw(far, reference=1_400.0)
    for name in far["name"]:
        assert name in drawn.wide
        assert name in drawn.narrow
