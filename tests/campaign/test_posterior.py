"""Draws from the fitted model against its closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import betainc

from crmlib.behaviour.rhythm import RhythmFitter
from crmlib.campaign.chance import derive_keys, replicate_key
from crmlib.campaign.posterior import (
    FARTHEST_DAYS,
    MOST_PACE,
    Rhythm,
    calibrate_alive,
    calibrate_pace,
    draw_customers,
    draw_parameters,
    find_stage_days,
    read_rhythm,
)
from crmlib.campaign.shapes import FAR
from crmlib.errors import NothingToDo
from crmlib.params import StageSettings
from tests.made_tables import make_table

RHYTHM = Rhythm(1.7, 1.2, 21.0, 0.6, 20.0, np.zeros((5, 5)))
HISTORIES = [(0, 0, 200), (3, 150, 170), (12, 380, 400), (2, 30, 300), (40, 700, 702)]


def history(*rows: tuple[float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["frequency", "recency", "T"])


def closed_form() -> RhythmFitter:
    fitter = RhythmFitter(RHYTHM.k)
    fitter.params_ = pd.Series({name: getattr(RHYTHM, name) for name in ("k", "r", "alpha", "a", "b")})
    return fitter


def drawn(row: tuple[float, float, float], number: int = 8_000, factor: float = 1.0, pace: float = 1.0) -> np.ndarray:
    keys = derive_keys(replicate_key(1, 0), np.arange(number, dtype=np.uint64))
    return draw_customers(RHYTHM, history(*[row] * number), np.full(number, factor), np.full(number, pace), keys)


@pytest.mark.parametrize("row", HISTORIES)
def test_the_share_alive_is_that_of_the_fitter(row):
    expected = closed_form().conditional_probability_alive(*row)[0]
    assert RHYTHM.p_alive(history(row))[0] == pytest.approx(expected, rel=1e-9)
    assert drawn(row)["alive"].mean() == pytest.approx(
        expected, abs=4 * np.sqrt(expected * (1 - expected) / 8_000) + 1e-9
    )


@pytest.mark.parametrize("row", HISTORIES)
def test_the_next_purchase_comes_when_the_fitter_says(row):
    """Of one alive, 1 less the survival of the running gap beyond h days, by the closed form, is uniform."""
    draws = drawn(row)
    alive = draws[draws["alive"]]
    ahead = alive["wait"] / alive["rate"]
    x, t_x, age = row
    n, now = RHYTHM.r + RHYTHM.k * x, RHYTHM.alpha + age
    lasting = betainc(n, RHYTHM.k, (RHYTHM.alpha + t_x) / (now + ahead)) / betainc(
        n, RHYTHM.k, (RHYTHM.alpha + t_x) / now
    )
    assert stats.kstest(lasting, "uniform").pvalue > 1e-3


def test_rate_and_gap_are_drawn_together():
    """With the history long and even, the rate is the one seen, and the wait what is left of a gap."""
    draws = drawn((40, 400, 401))
    assert np.median(draws["rate"]) == pytest.approx(0.1, rel=0.05)
    assert draws["hazard"].mean() == pytest.approx(draws["rate"].mean() * 0.6 / (0.6 + 20 + 41), rel=0.1)


def test_of_those_who_left_the_rate_is_that_of_their_time():
    draws = drawn((12, 100, 3_000))
    gone = draws[~draws["alive"]]
    n = RHYTHM.r + RHYTHM.k * 12
    assert stats.kstest(gone["rate"] * RHYTHM.k * (RHYTHM.alpha + 100), stats.gamma(n).cdf).pvalue > 1e-3


def test_who_never_bought_never_will():
    frame = history((np.nan, np.nan, np.nan), (3, 150, 170))
    keys = np.array([1, 2], np.uint64)
    draws = draw_customers(RHYTHM, frame, np.ones(2), np.ones(2), keys)
    assert draws["rate"][0] == 0
    assert not draws["alive"][0]
    assert draws["rate"][1] > 0


def test_draws_are_finite_for_extreme_histories():
    rows = [(0, 0, 0), (0, 0, 5_000), (900, 1_800, 1_800), (900, 1_000, 5_000), (1, 0, 1)]
    keys = np.arange(len(rows), dtype=np.uint64)
    draws = draw_customers(RHYTHM, history(*rows), np.ones(len(rows)), np.ones(len(rows)), keys)
    for name in ("rate", "hazard", "wait"):
        assert np.isfinite(draws[name]).all()
        assert (draws[name] >= 0).all()


def test_a_customer_draws_the_same_whoever_else_is_there():
    keys = np.array([5, 9], np.uint64)
    both = draw_customers(RHYTHM, history((3, 150, 170), (2, 30, 300)), np.ones(2), np.ones(2), keys)
    alone = draw_customers(RHYTHM, history((2, 30, 300)), np.ones(1), np.ones(1), keys[1:])
    assert both[1] == alone[0]


def test_calibration_makes_purchases_as_likely_as_room_06_says():
    frame = history((3, 150, 170), (12, 380, 400), (2, 30, 300))
    raw = np.array([closed_form().probability_of_purchase_within(91, *row)[0] for row in frame.to_numpy()])
    factor = calibrate_alive(RHYTHM, frame, raw, 91)
    assert factor == pytest.approx(1, rel=1e-6)
    assert calibrate_alive(RHYTHM, frame, raw * 0.5, 91) == pytest.approx(0.5, rel=1e-6)
    assert calibrate_alive(RHYTHM, frame, np.full(3, np.nan), 91) == pytest.approx(1)
    most = calibrate_alive(RHYTHM, frame, np.ones(3), 91) * RHYTHM.p_alive(frame)
    assert (most <= 1 + 1e-9).all()
    half = drawn((12, 380, 400), factor=0.5)["alive"].mean()
    assert half == pytest.approx(0.5 * RHYTHM.p_alive(history((12, 380, 400)))[0], abs=0.02)


def test_a_pace_makes_as_many_purchases_as_room_06_expects():
    frame = history((3, 150, 170), (12, 380, 400), (2, 30, 300))
    raw = np.array(
        [closed_form().conditional_expected_number_of_purchases_up_to_time(91, *row) for row in frame.to_numpy()]
    )
    one = np.ones(3)
    assert calibrate_pace(RHYTHM, frame, one, raw[:, 0], 91) == pytest.approx(1, rel=1e-6)
    assert calibrate_pace(RHYTHM, frame, one * 0.5, raw[:, 0], 91) == pytest.approx(2, rel=1e-6)
    assert calibrate_pace(RHYTHM, frame, one, one * np.nan, 91) == pytest.approx(1)
    never = pd.concat([frame, history((np.nan, np.nan, np.nan))], ignore_index=True)
    assert calibrate_pace(RHYTHM, never, np.ones(4), np.append(2 * raw[:, 0], 1.0), 91) == pytest.approx([2, 2, 2, 1])
    assert calibrate_pace(RHYTHM, frame, one, one * 1e6, 91) == pytest.approx(MOST_PACE)
    assert calibrate_pace(RHYTHM, frame, one, one * 0, 91) == pytest.approx(1 / MOST_PACE)


def test_at_another_pace_time_alone_is_another():
    slow, fast = drawn((12, 380, 400)), drawn((12, 380, 400), pace=1.5)
    assert fast["rate"] == pytest.approx(1.5 * slow["rate"])
    assert fast["hazard"] == pytest.approx(1.5 * slow["hazard"])
    assert np.array_equal(fast["wait"], slow["wait"])
    assert np.array_equal(fast["alive"], slow["alive"])


def test_stages_are_entered_on_the_day_their_rule_first_holds():
    frame = history((3, 150, 170), (12, 380, 400), (0, 0, 10))
    stages = StageSettings()
    days = find_stage_days(RHYTHM, frame, stages, 91)
    for place, cut in enumerate((stages.due, stages.late)):
        at = frame.assign(T=frame["recency"] + days[:, place])
        before = frame.assign(T=frame["recency"] + days[:, place] - 1)
        assert (1 - RHYTHM.survival(at) >= cut).all()
        assert (1 - RHYTHM.survival(before) < cut).all()
    fitter = closed_form()
    for place, cut in ((3, stages.dormant), (4, stages.lost)):
        for row, after in zip(frame.to_numpy(), days[:, place], strict=True):
            gone = [
                1 - fitter.probability_of_purchase_within(91, row[0], row[1], row[1] + day)[0]
                for day in (after, after - 1)
            ]
            assert gone[0] >= cut > gone[1]


def test_a_stage_out_of_reach_is_never_entered():
    slow = Rhythm(1.0, 0.05, 5_000.0, 0.01, 900.0, np.zeros((5, 5)))
    days = find_stage_days(slow, history((0, 0, 10)), StageSettings(), 7)
    assert days[0, 1] == FAR or days[0, 1] < FARTHEST_DAYS
    unknown = find_stage_days(RHYTHM, history((np.nan, np.nan, np.nan)), StageSettings(), 91)
    assert (unknown == FAR).all()


def test_parameters_are_drawn_from_the_error_of_the_fit():
    spread = np.diag([0.01, 0.04, 0.09, 0.0, 0.0])
    rhythm = Rhythm(1.7, 1.2, 21.0, 0.6, 20.0, spread)
    drawn = [draw_parameters(rhythm, 1, replicate) for replicate in range(1_500)]
    for place, name in enumerate(("k", "r", "alpha", "a", "b")):
        logs = np.log([getattr(one, name) for one in drawn]) - np.log(getattr(rhythm, name))
        assert logs.std() == pytest.approx(np.sqrt(spread[place, place]), rel=0.08)
    assert draw_parameters(rhythm, 1, 3) == draw_parameters(rhythm, 1, 3)


def fit_rows(model: str, days: float, room: str = "05_purchase_patterns", **values: float) -> list[dict[str, object]]:
    rows = [
        {"room": room, "model": model, "parameter": name, "value": value, "covariance": {"r": 0.02, "alpha": 0.1}}
        for name, value in values.items()
    ]
    return [*rows, {"room": room, "model": model, "parameter": "days_per_unit", "value": days}]


def test_the_fit_is_read_in_days(engine):
    values = {"r": 1.2, "alpha": 3.0, "a": 0.6, "b": 20.0}
    make_table(engine, "model_parameters", fit_rows("mbg_nbd", 7, **values))
    rhythm = read_rhythm(engine)
    assert (rhythm.k, rhythm.r, rhythm.alpha) == (1.0, 1.2, 21.0)
    assert rhythm.log_covariance[1, 2] == pytest.approx(0.1 / (1.2 * 3.0))
    make_table(
        engine, "model_parameters", [*fit_rows("mbg_nbd", 7, **values), *fit_rows("mbg_cnbd_k", 1, k=2.5, **values)]
    )
    assert read_rhythm(engine).k == 2.5


def test_without_a_fitted_model_there_is_nothing_to_simulate(engine):
    make_table(engine, "model_parameters")
    with pytest.raises(NothingToDo, match="No model of the purchases"):
        read_rhythm(engine)
