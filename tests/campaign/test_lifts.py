"""Lifts: published figures, statsmodels and scipy as oracles, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower, TTestIndPower
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from crmlib.campaign.lifts import (
    SUSPICIOUS,
    Arm,
    Sample,
    adjust_for_before,
    check_balance,
    check_sample_ratio,
    detectable_effect,
    estimate_mean_lift,
    estimate_rate_lift,
)


def counted(successes, n):
    return Sample(n, successes, successes)


def sample(values):
    values = np.asarray(values, dtype=float)
    return Sample(len(values), values.sum(), (values**2).sum())


def arm(after, before):
    return Arm(sample(after), sample(before), float(np.dot(after, before)))


CONTROL = 21_306


@pytest.mark.parametrize(
    ("treated", "control", "lift", "low", "high"),
    [
        ((3_894, 21_307), 2_262, 7.66, 7.00, 8.32),
        ((3_238, 21_387), 2_262, 4.52, 3.89, 5.16),
        ((267, 21_307), 122, 0.681, 0.501, 0.864),
        ((189, 21_387), 122, 0.311, 0.150, 0.475),
    ],
)
def test_a_published_randomised_email_test(treated, control, lift, low, high):
    """Hillstrom (2008), MineThatData e-mail analytics challenge: visits and conversions; lifts in points."""
    found = estimate_rate_lift(counted(*treated), counted(control, CONTROL))
    digits = 2 if lift > 1 else 3
    assert [round(100 * value, digits) for value in found[:3]] == [lift, low, high]


def test_newcombes_own_examples():
    """Newcombe (1998), table II, method 10, cases (a) 56/70 against 48/80 and (e) 10/10 against 0/10."""
    found = estimate_rate_lift(counted(56, 70), counted(48, 80))
    assert found[:3] == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    found = estimate_rate_lift(counted(10, 10), counted(0, 10))
    assert found[:3] == pytest.approx((1.0, 0.6075, 1.0), abs=5e-5)


@pytest.mark.parametrize("seed", range(5))
def test_means_are_compared_as_statsmodels_does(seed):
    rng = np.random.default_rng(seed)
    treated, control = rng.gamma(0.5, 10, 400), rng.gamma(0.6, 9, 90)
    found = estimate_mean_lift(sample(treated), sample(control), confidence=0.9)
    low, high = CompareMeans(DescrStatsW(treated), DescrStatsW(control)).tconfint_diff(alpha=0.1, usevar="unequal")
    assert found[:3] == pytest.approx((treated.mean() - control.mean(), low, high), rel=1e-9)


def test_values_that_are_all_alike_have_an_interval_of_no_width():
    assert estimate_mean_lift(sample([2, 2, 2]), sample([1, 1])) == (1.0, 1.0, 1.0, 0.0)


def test_the_detectable_effect_is_the_one_of_eighty_percent_power():
    effect = detectable_effect(3.0, treated=9_500, control=500)
    power = NormalIndPower().power(effect / 3.0, 9_500, 0.05, ratio=500 / 9_500)
    assert power == pytest.approx(0.8, abs=1e-6)
    solved = TTestIndPower().solve_power(nobs1=2_000, ratio=0.1, alpha=0.05, power=0.8) * 3.0
    assert detectable_effect(3.0, treated=2_000, control=200) == pytest.approx(solved, rel=0.005)


def test_a_split_as_planned_passes_and_another_does_not():
    assert check_sample_ratio(9_000, 1_000, 0.1) == pytest.approx(1.0)
    assert check_sample_ratio(9_030, 970, 0.1) == pytest.approx(stats.chisquare([9_030, 970], [9_000, 1_000]).pvalue)
    assert check_sample_ratio(9_200, 800, 0.1) < SUSPICIOUS


@pytest.mark.parametrize("seed", range(5))
def test_the_adjustment_is_a_regression_on_what_was_before(seed):
    """CUPED: with a slope common to both groups the lift is that of an analysis of covariance."""
    rng = np.random.default_rng(seed)
    before = rng.gamma(2, 2, 500)
    treatment = rng.random(500) < 0.8
    after = 0.7 * before + rng.normal(0, 1, 500) + 0.4 * treatment
    adjusted = estimate_mean_lift(
        *adjust_for_before(arm(after[treatment], before[treatment]), arm(after[~treatment], before[~treatment]))
    )
    design = np.column_stack([np.ones(500), treatment, before])
    (_, effect, _), *_ = np.linalg.lstsq(design, after, rcond=None)
    assert adjusted.lift == pytest.approx(effect, rel=1e-9)
    plain = estimate_mean_lift(sample(after[treatment]), sample(after[~treatment]))
    assert adjusted.standard_error < 0.6 * plain.standard_error


def test_what_says_nothing_before_changes_nothing():
    treated, control = arm([1, 2, 3, 4], [5, 5, 5, 5]), arm([1, 0, 1, 2], [5, 5, 5, 5])
    assert estimate_mean_lift(*adjust_for_before(treated, control)) == pytest.approx(
        estimate_mean_lift(treated.after, control.after)
    )


def test_groups_that_were_not_alike_are_noticed():
    assert check_balance(sample([1, 2, 3] * 50), sample([1, 2, 3] * 20)) == pytest.approx(1.0)
    assert check_balance(sample([4, 5, 6] * 50), sample([1, 2, 3] * 20)) < 1e-6
    assert check_balance(sample([0, 0]), sample([0, 0])) == 1.0


def _cover(campaigns, seed, effect):
    """Share of intervals that hold the true lift: skewed counts, a tenth in control, before and after alike."""
    rng = np.random.default_rng(seed)
    people, held = 2_000, 0
    for _ in range(campaigns):
        rate = rng.gamma(0.5, 0.8, people)
        treatment = rng.random(people) < 0.9
        before = rng.poisson(4 * rate)
        after = rng.poisson(rate) + treatment * rng.poisson(effect, people)
        lift = estimate_mean_lift(
            *adjust_for_before(arm(after[treatment], before[treatment]), arm(after[~treatment], before[~treatment]))
        )
        held += lift.low <= effect <= lift.high
    return held / campaigns


@pytest.mark.parametrize("effect", [0.0, 0.06])
def test_intervals_cover_at_their_nominal_rate(effect):
    """400 campaigns: the binomial band of 99.9 % about 95 % is 90.8 to 98.3 %."""
    assert 0.908 <= _cover(400, seed=11, effect=effect) <= 0.983


@pytest.mark.full
@pytest.mark.parametrize("effect", [0.0, 0.06])
def test_intervals_cover_at_their_nominal_rate_over_two_thousand_campaigns(effect):
    assert 0.933 <= _cover(2_000, seed=12, effect=effect) <= 0.966
