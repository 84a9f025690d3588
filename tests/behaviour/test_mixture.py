"""The mixture against the single-k model, planted shares, and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import betainc

from crmlib.behaviour.histories import simulate_histories
from crmlib.behaviour.mixture import MixtureFitter, _survival, train_mixture
from crmlib.behaviour.rhythm import RhythmFitter, train_rhythm
from crmlib.errors import NothingToDo

SHARES = {1: 0.3, 3: 0.5, 8: 0.2}
SHARED = {"r": 1.5, "alpha": 15.0, "a": 0.6, "b": 3.0}
COLUMNS = ["frequency", "recency", "T", "sum_log_itt"]


def draw(customers: int, seed: int) -> pd.DataFrame:
    """Customers of a mixture of regularities, with what came within 90 days."""
    parts = []
    for k, share in SHARES.items():
        planted = pd.Series({"k": float(k), **SHARED, "alpha": SHARED["alpha"] / k})
        ages = np.random.default_rng(seed + k).uniform(100, 400, int(customers * share))
        parts.append(simulate_histories(planted, ages, 90, seed + k).assign(k=k))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def planted() -> MixtureFitter:
    fitter = MixtureFitter(tuple(SHARES))
    fitter.params_ = pd.Series({**SHARED, **{f"share_{k}": share for k, share in SHARES.items()}})
    return fitter


@pytest.mark.parametrize("k", [1, 2, 5, 24])
def test_survival_of_whole_k_is_the_incomplete_beta(k: int) -> None:
    n, z = (grid.ravel() for grid in np.meshgrid([0.3, 2.0, 50.0, 4_000.0], [1e-6, 0.2, 0.9, 0.999, 1.0]))
    value, slope = _survival(n, z, k)
    assert value == pytest.approx(betainc(n, k, z), rel=1e-9, abs=1e-300)
    step = 1e-4 * n
    numeric = (betainc(n + step, k, z) - betainc(n - step, k, z)) / (2 * step)
    assert slope == pytest.approx(numeric, rel=1e-3, abs=1e-9)


def test_planted_shares_and_parameters_are_recovered() -> None:
    drawn = draw(5_000, seed=2)
    fitted = MixtureFitter(tuple(SHARES)).fit(*(drawn[name] for name in COLUMNS))
    true = pd.Series({**SHARED, **{f"share_{k}": share for k, share in SHARES.items()}})
    assert ((fitted.params_ - true).abs() / fitted.standard_errors_).max() < 3
    assert fitted.params_.iloc[4:].sum() == pytest.approx(1)
    single = RhythmFitter().fit(*(drawn[name] for name in COLUMNS))
    assert fitted.log_likelihood_ > single.log_likelihood_ + 100


def test_one_regularity_is_the_rhythm_model(cdnow_39: pd.DataFrame) -> None:
    data = [cdnow_39[name] for name in COLUMNS]
    one = MixtureFitter((2,)).fit(*data)
    rhythm = RhythmFitter(k=2.0).fit(*data)
    assert one.log_likelihood_ == pytest.approx(rhythm.log_likelihood_, abs=1e-2)
    history, known = data[:3], one.params_[["r", "a", "b"]]
    assert known.to_numpy() == pytest.approx(rhythm.params_[["r", "a", "b"]].to_numpy(), rel=0.02)
    rhythm.params_ = pd.Series({"k": 2.0, **one.params_.iloc[:4], "alpha": one.params_["alpha"] / 2})
    assert one.conditional_probability_alive(*data) == pytest.approx(rhythm.conditional_probability_alive(*history))


def test_predictions_agree_with_simulation(planted: MixtureFitter) -> None:
    drawn = draw(40_000, seed=5)
    history = [drawn[name] for name in COLUMNS]
    checks = {
        "alive": (drawn["alive"], planted.conditional_probability_alive(*history)),
        "buys": (drawn["purchases"] > 0, planted.probability_of_purchase_within(90, *history)),
        "soon": (drawn["next_purchase"] <= 7, planted.probability_of_purchase_within(7, *history)),
        "count": (drawn["purchases"], planted.conditional_expected_number_of_purchases_up_to_time(90, *history)),
        "k is 8": (drawn["k"] == 8, planted.regularity_posterior(*history)[:, 2]),
    }
    for what, (came, forecast) in checks.items():
        for group in (drawn["frequency"] == 0, drawn["frequency"].between(1, 9), drawn["frequency"] >= 10):
            error = (came - forecast)[group]
            assert abs(error.mean()) < 4 * error.std() / np.sqrt(group.sum()), what


def test_a_quantile_is_where_the_chance_is(planted: MixtureFitter) -> None:
    history = (np.array([3.0, 12.0]), np.array([60.0, 200.0]), np.array([80.0, 210.0]), np.array([8.0, 33.0]))
    alive = planted.conditional_probability_alive(*history)
    for q in (0.1, 0.5, 0.9):
        ahead = planted.next_purchase_quantile(q, *history)
        assert planted.probability_of_purchase_within(ahead, *history) == pytest.approx(q * alive, rel=1e-6)
    assert (planted.overdue_percentile(*history) > 0).all()


def test_nothing_overflows(planted: MixtureFitter) -> None:
    x, share, age, horizon = (
        grid.ravel()
        for grid in np.meshgrid([0, 1, 20, 300, 2000], [0, 0.5, 1], [1, 30, 1100], [1, 28, 365], indexing="ij")
    )
    recency = np.where(x == 0, 0, share * age)
    history = (x, recency, age, x * np.log(np.maximum(recency, 1e-3) / np.maximum(x, 1)))
    alive = planted.conditional_probability_alive(*history)
    buys = planted.probability_of_purchase_within(horizon, *history)
    expected = planted.conditional_expected_number_of_purchases_up_to_time(horizon, *history)
    assert ((alive >= 0) & (alive <= 1)).all()
    assert ((buys >= 0) & (buys <= alive + 1e-9)).all()
    assert np.isfinite(expected).all()
    assert (expected >= buys - 1e-9).all()


def test_the_unit_of_time_does_not_matter(cdnow_39: pd.DataFrame) -> None:
    weeks, days = train_mixture(cdnow_39, 7), train_mixture(cdnow_39, 1)
    assert weeks.p_buy(cdnow_39, 91) == pytest.approx(days.p_buy(cdnow_39, 91), abs=5e-3)
    assert weeks.fitter.log_likelihood_ > train_rhythm(cdnow_39.assign(weights=1), 7, k=1.0).fitter.log_likelihood_


def test_too_few_repeat_buyers_are_told(cdnow_39: pd.DataFrame) -> None:
    with pytest.raises(NothingToDo, match="0 customers bought on two days"):
        train_mixture(cdnow_39[cdnow_39["frequency"] == 0])


def test_drawn_customers_have_the_shares_and_the_ages(planted: MixtureFitter) -> None:
    ages = np.linspace(50, 400, 20_000)
    drawn = planted.simulate(ages, horizon=90, seed=4)
    assert drawn["T"].to_numpy() == pytest.approx(ages)
    assert drawn["k"].value_counts(normalize=True).to_dict() == pytest.approx(SHARES, abs=0.015)
    for name in ("alive", "purchases"):
        told = {
            "alive": lambda *h: planted.conditional_probability_alive(*h),
            "purchases": lambda *h: planted.conditional_expected_number_of_purchases_up_to_time(90, *h),
        }[name](*(drawn[column] for column in COLUMNS))
        error = drawn[name] - told
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(len(drawn))
