"""Calibration, the plain rule, and what both owe their users."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from crmlib.behaviour.btyd import train_btyd
from crmlib.behaviour.churn import (
    CalibratedModel,
    Calibration,
    calibrate,
    train_calibration,
    train_hiatus_rule,
)
from crmlib.behaviour.histories import group_histories
from crmlib.behaviour.rhythm import train_rhythm


def draw_histories(customers: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    age = random.integers(50, 400, customers)
    frequency = random.poisson(3, customers)
    recency = np.where(frequency > 0, (random.random(customers) * age).astype(int), 0)
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": age})


def test_a_silence_counts_by_its_share_of_the_horizon() -> None:
    """Learnt over a quarter, asked for half a year: twice the silence after twice the horizon is the same."""
    then = pd.DataFrame({"frequency": 2.0, "recency": 10.0, "T": 10.0 + np.arange(0.0, 200.0)})
    p = np.full(len(then), 0.4)
    bought = np.arange(len(then)) % 5 < np.where(then["T"] < 80, 4, 1)
    learnt = train_calibration(p, then, bought, stretch=91 / 182)
    asked = then.assign(T=10.0 + 1 + 2 * (then["T"] - 10.0))  # 1 + days since the last purchase is twice as long
    same = train_calibration(p, then, bought).apply(p, then)
    assert learnt.apply(p, asked) == pytest.approx(same, rel=1e-12)
    assert learnt.apply(p, then)[100] > same[100]


def test_a_known_distortion_is_undone() -> None:
    histories = draw_histories(30_000, seed=2)
    random = np.random.default_rng(3)
    p = random.beta(1, 1, len(histories))
    silent = np.log1p(histories["T"] - histories["recency"]).to_numpy()
    true = expit(0.8 + 0.5 * logit(np.clip(p, 1e-4, 1 - 1e-4)) - 0.4 * silent)
    calibration = train_calibration(p, histories, random.random(len(p)) < true)
    assert calibration.coefficients == pytest.approx((0.8, 0.5, -0.4, 0.0), abs=0.1)
    assert calibration.apply(p, histories) == pytest.approx(true, abs=0.03)


def test_too_few_cases_change_nothing() -> None:
    histories = draw_histories(200, seed=2)
    p = np.full(200, 0.3)
    calibration = train_calibration(p, histories, np.arange(200) < 24)
    assert calibration == Calibration()
    assert calibration.apply(p, histories) is p


def test_calibration_closes_the_gap_it_was_taught(cdnow_39: pd.DataFrame) -> None:
    model = train_rhythm(group_histories(cdnow_39), 7)
    learnt = CalibratedModel(model, {days: calibrate(model, cdnow_39, days) for days in (28, 91)})
    for days, p in learnt.p_buy(cdnow_39).items():
        came = cdnow_39["next_purchase_days"].le(days)
        assert p.mean() == pytest.approx(came.mean(), abs=1e-3)


@pytest.mark.parametrize(
    "calibrations",
    [
        {7: Calibration((1.0, 0.1, 0.0, 0.0)), 28: Calibration(), 91: Calibration((-3.0, 1.0, 0.0, 0.0))},
        {7: Calibration(), 28: Calibration(), 91: Calibration()},
    ],
)
def test_longer_horizons_are_never_less_likely(cdnow_39: pd.DataFrame, calibrations: Mapping[int, Calibration]) -> None:
    model = CalibratedModel(train_btyd(group_histories(cdnow_39)), calibrations)
    chances = model.p_buy(cdnow_39)
    assert (chances[7] <= chances[28]).all()
    assert (chances[28] <= chances[91]).all()


def test_the_rule_finds_the_best_cutoff() -> None:
    histories = draw_histories(500, seed=5)
    since = (histories["T"] - histories["recency"]).to_numpy()
    bought = np.random.default_rng(6).random(500) < expit(2 - since / 60)
    rule = train_hiatus_rule(histories, bought)
    right = [((since <= days) == bought).mean() for days in range(401)]
    assert ((since <= rule.cutoff_days) == bought).mean() == max(right)
    expected = rule.expected_purchases(histories, 91)
    assert (expected[since > rule.cutoff_days] == 0).all()
    active = since <= rule.cutoff_days
    assert expected[active] == pytest.approx((histories["frequency"] / histories["T"] * 91)[active])


def test_the_longer_the_silence_the_less_likely_by_the_rule(cdnow_39: pd.DataFrame) -> None:
    rule = train_hiatus_rule(cdnow_39, cdnow_39["next_purchase_days"].le(91))
    p = rule.p_buy(cdnow_39)
    order = np.argsort((cdnow_39["T"] - cdnow_39["recency"]).to_numpy())
    assert (np.diff(p[order]) <= 1e-12).all()
