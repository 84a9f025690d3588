"""What room 06 shows, by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour import summaries
from crmlib.behaviour.backtest import SCORES, Backtest
from crmlib.behaviour.forecasts import Forecaster


def make_backtest(worse: dict[str, str], counts: str = "trees", chances: str = "blend") -> Backtest:
    """Scores at the last of two origins; of some models one metric is better by more than chance."""
    rows = [{"model": "mbg_nbd", "origin": date(2024, 1, 1), "horizon": 91, "segment": "all", "rmse": 99.0}]
    for name in ("mbg_nbd", "trees", "blend", "hiatus_rule"):
        row = {"model": name, "origin": date(2024, 4, 1), "horizon": 91, "segment": "all"}
        for metric in ("mae", "rmse", "log_loss"):
            row[f"{metric}_difference_low"] = 0.01 if worse.get(name) == metric else -0.02
        rows.append(row)
    return Backtest(pd.DataFrame(rows, columns=SCORES), counts, chances, pd.DataFrame(), Forecaster([], [91], 7, 1))


@pytest.mark.parametrize(
    ("worse", "used", "tone", "words"),
    [
        ({}, ("trees", "blend"), "good", "Trees is used for counts, Blend for chances, by the origins before"),
        ({}, ("trees", "blend"), "good", "no model and no rule was better"),
        ({}, ("blend", "blend"), "good", "since no single one was better there by more than chance. On those days"),
        ({}, ("hiatus_rule", "hiatus_rule"), "good", "the plain rule won there, and no model is needed"),
        ({"mbg_nbd": "mae"}, ("trees", "trees"), "attention", "better by more than chance: MBG/NBD (lifetimes) (mean"),
        ({"hiatus_rule": "log_loss"}, ("trees", "trees"), "attention", "Plain rule (chances)"),
    ],
)
def test_the_verdict_is_what_the_scores_say(
    worse: dict[str, str], used: tuple[str, str], tone: str, words: str
) -> None:
    sentence, told = summaries.tell_verdict(make_backtest(worse, *used), 91)
    assert told == tone
    assert words in sentence


def test_the_verdict_says_how_far_ahead_nothing_could_be_judged() -> None:
    sentence, tone = summaries.tell_verdict(make_backtest({}), 91, 182)
    assert sentence.endswith("The history is too short for forecasts over 182 days to be judged.")
    assert tone == "attention"
    assert "too short" not in summaries.tell_verdict(make_backtest({}), 91, 91)[0]


@pytest.mark.parametrize(
    ("deviance", "used", "words"),
    [
        (0.9, "rhythm_season", "the season is used (with it, the rhythm mixture's counts were 10.0% less off there)"),
        (0.9, "blend", "the season is part of the blend (with it, the rhythm mixture's counts were 10.0% less off"),
        (1.0001, "trees", "the season is not used (with it, the rhythm mixture's counts were just as far off there)"),
        (1.2, "trees", "the season is not used (with it, the rhythm mixture's counts were 20.0% more off there)"),
    ],
)
def test_the_verdict_tells_what_the_season_was_worth(deviance: float, used: str, words: str) -> None:
    told = make_backtest({}, used, used)
    shared = {"origin": date(2024, 1, 1), "horizon": 91, "segment": "all"}
    rows = pd.DataFrame(
        [
            {"model": "rhythm_mixture", "poisson_deviance": 1.0, **shared},
            {"model": "rhythm_season", "poisson_deviance": deviance, **shared},
        ]
    )
    scores = pd.concat([told.scores, rows.reindex(columns=SCORES).astype(told.scores.dtypes)])
    assert words in summaries.tell_verdict(replace(told, scores=scores), 91)[0]
    assert "the season" not in summaries.tell_verdict(told, 91)[0]


def test_without_scores_the_verdict_is_a_warning() -> None:
    nothing = Backtest(pd.DataFrame(columns=SCORES), "blend", "blend", pd.DataFrame(), Forecaster([], [91], 7, 1))
    sentence, tone = summaries.tell_verdict(nothing, 91)
    assert tone == "bad"
    assert "too short" in sentence
    assert summaries.compare_horizons(nothing.judged, [7]).empty
    assert summaries.compare_by_frequency(nothing.judged, 91).empty


def test_differences_as_a_page_names_them() -> None:
    told = summaries.tabulate_differences(summaries.last_scores(make_backtest({}), 91))
    assert list(told) == ["model", "mae_low", "mae_high", "rmse_low", "rmse_high", "log_loss_low", "log_loss_high"]
    assert told["model"].iloc[0] == "MBG/NBD (lifetimes)"


def test_forecast_and_actual() -> None:
    judged = pd.DataFrame(
        {
            "frequency": [0, 0, 3, 3],
            "p_buy_7d": [0.1, 0.3, 0.4, 0.4],
            "p_buy_28d": [0.2, 0.4, 0.6, 0.8],
            "next_purchase_days": [np.nan, 9.0, 3.0, 20.0],
            "expected_purchases_28d": [0.5, 0.5, 2.0, 4.0],
            "holdout_purchases": [0, 1, 2, 3],
        }
    )
    by_horizon = summaries.compare_horizons(judged, [7, 28]).to_numpy()
    assert by_horizon == pytest.approx(np.array([[7, 0.3, 0.25, 4], [28, 0.5, 0.75, 4]]))
    by_frequency = summaries.compare_by_frequency(judged, 28)
    assert by_frequency["purchase_days"].to_list() == ["1", "3–5"]
    assert by_frequency[["mean_before", "forecast", "actual", "customers"]].to_numpy().tolist() == [
        [1, 0.5, 0.5, 2],
        [4, 3.0, 2.5, 2],
    ]


@pytest.fixture
def lifecycle() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": ["a", "b", "c", "d"],
            "stage": ["late", "on_rhythm", "late", "prospect"],
            "next_purchase_median": pd.to_datetime(["2025-01-01", "2025-01-08", "2025-03-01", None]),
        }
    )


def test_stages_stand_in_the_order_of_life(lifecycle: pd.DataFrame) -> None:
    value = pd.DataFrame({"customer_id": ["a", "b", "c"], "churn_probability": [0.2, 0.1, 0.4], "clv_12m": [1.0, 2, 3]})
    found = summaries.summarise_stages(lifecycle, value)
    assert found["stage"].to_list() == ["prospect", "on rhythm", "late"]
    assert found["share"].to_list() == [0.25, 0.25, 0.5]
    late = found.iloc[2]
    assert (late["churn_probability"], late["clv_12m"]) == (pytest.approx(0.3), 4)
    assert np.isnan(found.loc[0, "clv_12m"])
    assert summaries.summarise_stages(lifecycle, value.drop(columns="clv_12m"))["clv_12m"].isna().all()


def test_due_by_week(lifecycle: pd.DataFrame) -> None:
    found = summaries.count_due(lifecycle, date(2024, 12, 31), weeks=2)
    assert found["week"].to_list() == [date(2025, 1, 1), date(2025, 1, 8)]
    assert found["customers"].to_list() == [1, 1]


def test_deciles_add_up() -> None:
    value = pd.DataFrame({"value_decile": [1, 2, 2], "clv_12m": [1.0, 4.0, 5.0], "churn_probability": [0.9, 0.1, 0.3]})
    found = summaries.summarise_deciles(value)
    assert found["value_decile"].to_list() == [2, 1]
    assert found["clv_share"].to_list() == [0.9, 0.1]
    assert summaries.summarise_deciles(pd.DataFrame({"customer_id": ["a"]})).empty


def test_purchase_days_add_up_over_the_holdout_period() -> None:
    judged = pd.DataFrame(
        {"expected_purchases_7d": [0.5, 1.0], "expected_purchases_28d": [2.0, 3.0]}
        | {"purchases_7d": [1, 0], "purchases_28d": [3, 1]}
    )
    found = summaries.cumulate_holdout(judged, [7, 28])
    assert found.to_numpy().tolist() == [[0, 0, 0], [7, 1.5, 1], [28, 5, 4]]
    assert summaries.cumulate_holdout(pd.DataFrame(), [7, 28]).empty


def test_two_runs_side_by_side() -> None:
    before = pd.DataFrame(
        {"customer_id": ["a", "b"], "churn_probability": [0.2, 0.4], "model": "trees", "counts_model": "blend"}
        | {"expected_purchases_91d": [3.0, 1.5], "clv_12m": [100.0, 1_000.0]}
    )
    today = before.assign(customer_id=["b", "c"], churn_probability=[0.6, 0.1], model="rhythm_mixture", clv_12m=None)
    told = summaries.compare_runs(today, before, 91, "EUR").set_index("figure")
    assert told.loc["Customers"].to_list() == ["2", "2"]
    assert told.loc["Mean chance of no purchase in 91 days"].to_list() == ["30.0%", "35.0%"]
    assert told.loc["Mean chance of no purchase in 91 days, of customers in both runs"].to_list() == ["40.0%", "60.0%"]
    assert told.loc["Model of the chances"].to_list() == ["Trees", "Rhythm mixture"]
    assert "Sales expected in twelve months, EUR" not in told.index
    assert summaries.compare_runs(today, None, 91, "EUR").empty
