"""Value: lifetimes' amounts, conservation, and intervals that hold on simulated customers."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour import btyd
from crmlib.behaviour.btyd import train_btyd
from crmlib.behaviour.churn import CalibratedModel, Calibration
from crmlib.behaviour.histories import group_histories, simulate_histories
from crmlib.behaviour.purchases import summarise_purchases
from crmlib.behaviour.rhythm import RhythmFitter, train_rhythm
from crmlib.behaviour.simulation import draw_parameters
from crmlib.behaviour.value import SpendModel, predict_value, summarise_concentration, train_spend
from crmlib.engine import Engine
from crmlib.tables import CONTRACTS

UNCHANGED = {7: Calibration(), 91: Calibration()}


@pytest.fixture
def summary(cdnow: Engine) -> pd.DataFrame:
    return cdnow.frame(f"FROM {summarise_purchases(cdnow, date(1998, 6, 30))} ORDER BY customer_id")


@pytest.fixture
def model(summary: pd.DataFrame) -> CalibratedModel:
    return CalibratedModel(train_btyd(group_histories(summary)), UNCHANGED)


def forecast(summary: pd.DataFrame, model: CalibratedModel) -> pd.DataFrame:
    """What the purchase model itself says, as a forecast of today."""
    told = {f"p_buy_{days}d": p for days, p in model.p_buy(summary).items()}
    for days in UNCHANGED:
        told[f"expected_purchases_{days}d"] = np.maximum(
            model.model.expected_purchases(summary, days), told[f"p_buy_{days}d"]
        )
    return pd.DataFrame(told).assign(counts_model=model.model.name, chances_model=model.model.name)


def test_amounts_are_those_of_lifetimes(summary: pd.DataFrame) -> None:
    spend = train_spend(summary, seed=1)
    oracle = btyd.GammaGammaFitter()
    oracle.params_ = spend.fitter.params_
    known = summary["monetary_value"].fillna(0) > 0
    theirs = oracle.conditional_expected_average_profit(
        summary["frequency"].where(known, 0), summary["monetary_value"].fillna(0)
    )
    assert spend.expected_amount(summary) == pytest.approx(theirs.to_numpy(float), rel=1e-9)
    assert spend.independent
    assert spend.correlation == pytest.approx(
        summary[known][["frequency", "monetary_value"]].corr("spearman").iloc[0, 1]
    )


def test_drawn_totals_have_the_expected_mean(summary: pd.DataFrame) -> None:
    spend = train_spend(summary, seed=1)
    few = summary.iloc[:40]
    totals = spend.draw_totals(few, np.full((40, 20_000), 3.0), np.random.default_rng(2))
    assert totals.mean(axis=1) == pytest.approx(3 * spend.expected_amount(few), rel=0.05)


def test_value_of_cdnow(summary: pd.DataFrame, model: CalibratedModel) -> None:
    spend = train_spend(summary, seed=1)
    value = predict_value(summary, model, forecast(summary, model), spend, discount_rate=0.0, seed=1).customers
    year = np.maximum(model.model.expected_purchases(summary, 365), model.model.p_buy(summary, 91))
    assert value["clv_12m"].to_numpy() == pytest.approx(year * spend.expected_amount(summary), rel=1e-9)
    assert (value["clv_12m_low"] <= value["clv_12m"]).all()
    assert (value["clv_12m"] <= value["clv_12m_high"]).all()
    assert value["churn_probability"].to_numpy() == pytest.approx(1 - value["p_buy_91d"])
    assert value.groupby("value_decile")["clv_12m"].min().is_monotonic_increasing
    assert value["value_decile"].value_counts().between(235, 236).all()
    contract = CONTRACTS["customer_value"]
    assert all(contract.column(name) for name in value.columns)


def test_longer_is_worth_more_and_all_together_less_uncertain(summary: pd.DataFrame, model: CalibratedModel) -> None:
    spend = train_spend(summary, seed=1)
    made = predict_value(summary, model, forecast(summary, model), spend, discount_rate=0.1, seed=1)
    value, equity = made.customers, made.equity.set_index("months")
    assert (value["clv_3m"] < value["clv_12m"]).all()
    assert (value["clv_12m"] < value["clv_24m"]).all()
    for months in (3, 12, 24):
        assert equity.loc[months, "sales"] == pytest.approx(value[f"clv_{months}m"].sum())
        assert equity.loc[months, "low"] <= equity.loc[months, "sales"] <= equity.loc[months, "high"]
    ends = value[["clv_12m_low", "clv_12m_high"]].sum()
    assert equity.loc[12, "high"] - equity.loc[12, "low"] < ends["clv_12m_high"] - ends["clv_12m_low"]


def test_where_the_chosen_counts_are_higher_the_interval_lies_about_them(
    summary: pd.DataFrame, model: CalibratedModel
) -> None:
    spend = train_spend(summary, seed=1)
    raised = forecast(summary, model)
    raised["expected_purchases_91d"] = 2 * model.model.expected_purchases(summary, 91)
    equity = predict_value(summary, model, raised, spend, discount_rate=0.1, seed=1).equity.set_index("months")
    assert equity.loc[3, "low"] < equity.loc[3, "sales"] < equity.loc[3, "high"]


def test_where_amounts_go_with_frequency_that_is_taken_off_and_put_back() -> None:
    random = np.random.default_rng(8)
    frequency = random.integers(1, 30, 4_000)
    own = random.gamma(4, 5, len(frequency))
    amounts = own * (1 + frequency) ** 0.5 * random.gamma(6.0 * frequency) / (6.0 * frequency)
    known = pd.DataFrame({"frequency": frequency, "monetary_value": amounts, "amount": amounts * (frequency + 1)})
    spend = train_spend(known, seed=1)
    assert not spend.independent
    assert spend.slope == pytest.approx(0.5, abs=0.03)
    told = spend.expected_amount(known)
    truth = own * (1 + frequency) ** 0.5
    plain = SpendModel(btyd.fit_gamma_gamma(known), spend.mean, spend.correlation, spend.customers)
    assert np.mean((told - truth) ** 2) < np.mean((plain.expected_amount(known) - truth) ** 2)
    drawn = spend.draw_totals(known.iloc[:30], np.full((30, 20_000), 2.0), random)
    assert drawn.mean(axis=1) == pytest.approx(2 * told[:30], rel=0.05)


def test_money_later_is_worth_less(summary: pd.DataFrame, model: CalibratedModel) -> None:
    spend = train_spend(summary, seed=1)
    now, later = (
        predict_value(summary, model, forecast(summary, model), spend, rate, seed=1).customers["clv_12m"]
        for rate in (0.0, 0.2)
    )
    ratio = (later / now).to_numpy()
    assert ((ratio > 1.2**-1) & (ratio < 1.2**-0.3)).all()


def test_the_same_seed_gives_the_same_intervals(summary: pd.DataFrame, model: CalibratedModel) -> None:
    few, spend = summary.iloc[:300], train_spend(summary, seed=1)
    first, again, other = (
        predict_value(few, model, forecast(few, model), spend, 0.1, seed).customers for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first["clv_12m_high"].equals(other["clv_12m_high"])


def test_without_amounts_value_is_empty(summary: pd.DataFrame, model: CalibratedModel) -> None:
    nothing = summary.assign(amount=None, monetary_value=np.nan)
    assert train_spend(nothing, seed=1) is None
    value = predict_value(nothing, model, forecast(nothing, model), None, 0.1, seed=1).customers
    assert "clv_12m" not in value
    assert value["p_buy_91d"].between(0, 1).all()


def test_few_amounts_give_everyone_the_mean(summary: pd.DataFrame) -> None:
    spend = train_spend(summary.iloc[:40], seed=1)
    assert spend.fitter is None
    mean = summary["amount"].iloc[:40].astype(float).sum() / (summary["frequency"].iloc[:40] + 1).sum()
    assert spend.expected_amount(summary) == pytest.approx(np.full(len(summary), mean))


@pytest.mark.parametrize("k", [1.0, 2.5])
def test_intervals_hold_on_simulated_customers(k: float) -> None:
    planted = pd.Series({"k": k, "r": 1.5, "alpha": 15.0 / k, "a": 0.4, "b": 6.0})
    random = np.random.default_rng(1)
    drawn = simulate_histories(planted, random.uniform(200, 400, 4_000), 365, seed=2)
    drawn["recency"], drawn["T"] = np.ceil(drawn["recency"]), np.ceil(drawn["T"])
    drawn["customer_id"] = drawn.index.astype(str)
    scale = random.gamma(4, 1 / 15, len(drawn))
    made, coming = (random.gamma(6.0 * drawn[column]) / scale for column in ("frequency", "purchases"))
    drawn["monetary_value"] = made / drawn["frequency"].where(drawn["frequency"] > 0)
    drawn["amount"] = made + random.gamma(6.0, 1, len(drawn)) / scale
    model = CalibratedModel(train_rhythm(group_histories(drawn), 7), UNCHANGED)
    spend = train_spend(drawn, seed=1)
    assert spend.fitter.params_.to_dict() == pytest.approx({"p": 6, "q": 4, "v": 15}, rel=0.2)
    value = predict_value(drawn, model, forecast(drawn, model), spend, 0.0, seed=3).customers
    active = value["clv_12m_low"] > 0  # elsewhere the interval's end is one of many equal outcomes: nothing
    assert active.mean() > 0.4
    inside = pd.Series(coming).between(value["clv_12m_low"], value["clv_12m_high"])
    assert 0.77 < inside[active].mean() < 0.83
    assert value["clv_12m"].mean() == pytest.approx(coming.mean(), rel=0.06)


def test_drawn_parameters_scatter_as_their_errors(summary: pd.DataFrame, model: CalibratedModel) -> None:
    random = np.random.default_rng(9)
    drawn = pd.DataFrame([draw_parameters(model.model, random).fitter.params_ for _ in range(400)])
    fitter = model.model.fitter
    relative = (fitter.standard_errors_ / fitter.params_)[["r", "alpha", "a", "b"]]
    assert np.log(drawn).std()[relative.index].to_numpy() == pytest.approx(relative.to_numpy(), rel=0.15)
    assert not isinstance(fitter, RhythmFitter)


def test_concentration() -> None:
    held = summarise_concentration(pd.Series([70.0, 20, 10, 0, 0, 0, 0, 0, 0, np.nan]))
    assert held["value_share"].to_list()[:4] == pytest.approx([0, 0.7, 0.9, 1.0])
    assert held["customers_share"].iloc[-1] == held["value_share"].iloc[-1] == 1
