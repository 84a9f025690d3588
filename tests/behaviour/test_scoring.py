"""Metrics by hand, and differences that are told from chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour.histories import PurchaseModel, simulate_histories
from crmlib.behaviour.rhythm import RhythmFitter
from crmlib.behaviour.scoring import (
    bound_calibration_error,
    compare_losses,
    group_calibration,
    place_next_purchases,
    score_counts,
    score_probabilities,
)


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


def test_places_of_a_true_model_are_uniform() -> None:
    planted = RhythmFitter()
    planted.params_ = pd.Series({"k": 2.5, "r": 1.5, "alpha": 6.0, "a": 0.6, "b": 3.0})
    drawn = simulate_histories(planted.params_, np.full(20_000, 200.0), 91, seed=8)
    frame = drawn.assign(next_purchase_days=np.ceil(drawn["next_purchase"]))
    places = place_next_purchases(PurchaseModel("planted", planted, 1), frame, 91, seed=1)
    shares = np.histogram(places, bins=10, range=(0, 1))[0] / len(places)
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.01)


def test_a_calibrated_forecast_keeps_its_bound_nineteen_times_in_twenty() -> None:
    random = np.random.default_rng(7)
    p = random.beta(1, 3, 1_000)
    bound = bound_calibration_error(p, seed=1)
    errors = [score_probabilities(p, (random.random(1_000) < p) * 1.0)["ece"] for _ in range(400)]
    assert np.mean(np.array(errors) > bound) == pytest.approx(0.05, abs=0.035)
    assert score_probabilities(np.minimum(p + 0.1, 1), (random.random(1_000) < p) * 1.0)["ece"] > bound


def test_differences_have_the_interval_of_paired_means() -> None:
    random = np.random.default_rng(3)
    mine, noise = random.gamma(2, 1, 3_000), random.normal(0.05, 1, 3_000)
    found = compare_losses({"mae": mine}, {"other": {"mae": mine + noise}, "same": {"mae": mine}}, seed=2)
    ends = found.set_index("model")[["mae_difference_low", "mae_difference_high"]]
    error = 1.96 * noise.std() / np.sqrt(3_000)
    assert ends.loc["other"].to_list() == pytest.approx([-noise.mean() - error, -noise.mean() + error], abs=0.006)
    assert ends.loc["same"].to_list() == [0, 0]


def test_roots_are_taken_of_mean_squares() -> None:
    squared = np.array([0.0, 4.0] * 500)
    found = compare_losses({"rmse": squared}, {"double": {"rmse": 4 * squared}}, seed=2).iloc[0]
    assert found["rmse_difference_low"] < -np.sqrt(2) < found["rmse_difference_high"]
