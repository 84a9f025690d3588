"""Effects on those reached, ratios, many campaigns: oracles, and two thousand seeded campaigns."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from crmlib.campaign.effects import (
    adjust_p_values,
    estimate_delivered_lift,
    estimate_ratio_lift,
    find_p_value,
)
from crmlib.campaign.lifts import Lift, estimate_mean_lift
from tests.campaign.made_experiments import draw_experiment, estimate_all, pair, sample, share_of_frequent

#: Band of 99.9 % about the nominal rates, of 2,000 campaigns.
COVERS, REJECTS = (0.933, 0.966), (0.034, 0.067)
CAMPAIGNS = 2_000


@pytest.mark.parametrize("seed", range(3))
def test_the_effect_on_the_delivered_is_two_stage_least_squares(seed):
    """With assignment as the instrument and errors that need no equal spread."""
    made = draw_experiment(np.random.default_rng(seed), effect=0.5)
    (after_t, after_c), (got_t, got_c) = made.arms(made.after), made.arms(made.delivered.astype(float))
    found = estimate_delivered_lift(pair(after_t, got_t), pair(after_c, got_c))
    z = sm.add_constant(made.treatment.astype(float))
    x = sm.add_constant(made.delivered.astype(float))
    slopes = np.linalg.solve(z.T @ x, z.T @ made.after)
    residuals = made.after - x @ slopes
    bread = np.linalg.inv(z.T @ x)
    covariance = bread @ (z.T @ (z * residuals[:, None] ** 2)) @ bread.T
    assert found.lift == pytest.approx(slopes[1], rel=1e-9)
    assert found.standard_error == pytest.approx(np.sqrt(covariance[1, 1]), rel=0.01)


def test_whoever_reaches_nobody_has_no_effect_on_the_delivered():
    none = np.zeros(30)
    assert estimate_delivered_lift(pair(np.ones(30), none), pair(np.ones(30), none)) is None


def test_reaching_everybody_makes_both_effects_one():
    rng = np.random.default_rng(2)
    treated, control = rng.poisson(1.0, 500).astype(float), rng.poisson(0.8, 300).astype(float)
    found = estimate_delivered_lift(pair(treated, np.ones(500)), pair(control, np.zeros(300)))
    plain = estimate_mean_lift(sample(treated), sample(control))
    assert found.lift == pytest.approx(plain.lift)
    assert found.standard_error == pytest.approx(plain.standard_error)


def test_a_ratio_varies_as_the_bootstrap_over_people_says():
    made = draw_experiment(np.random.default_rng(4), effect=0.2, people=4_000)
    (sales_t, sales_c), (after_t, after_c) = made.arms(made.sales), made.arms(made.after)
    found = estimate_ratio_lift(pair(sales_t, after_t), pair(sales_c, after_c))
    assert found.lift == pytest.approx(sales_t.sum() / after_t.sum() - sales_c.sum() / after_c.sum())
    spread = 0.0
    for sales, after in ((sales_t, after_t), (sales_c, after_c)):
        bootstrap = stats.bootstrap(
            (sales, after), lambda a, b, axis: a.sum(axis) / b.sum(axis), paired=True, n_resamples=2_000, batch=200,
            method="percentile", rng=np.random.default_rng(1),
        )  # fmt: skip
        spread += bootstrap.standard_error**2
    assert found.standard_error == pytest.approx(np.sqrt(spread), rel=0.1)


def test_a_ratio_to_nothing_has_no_lift():
    assert estimate_ratio_lift(pair(np.zeros(9), np.zeros(9)), pair(np.ones(9), np.ones(9))) is None


def test_p_values_are_adjusted_as_benjamini_and_hochberg_did():
    """Their own example (1995, section 4.2): of fifteen hypotheses the first four are rejected at 0.05."""
    given = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
             0.7590, 1.0]  # fmt: skip
    adjusted = adjust_p_values([*given, np.nan])
    assert (adjusted[:15] <= 0.05).tolist() == [True] * 4 + [False] * 11
    assert np.isnan(adjusted[15])
    assert adjusted[:15] == pytest.approx(stats.false_discovery_control(given))
    assert np.isnan(adjust_p_values([np.nan])).all()


def test_the_p_value_is_of_the_normal():
    assert find_p_value(Lift(1.96, 0, 4, 1.0)) == pytest.approx(0.05, abs=1e-4)
    assert find_p_value(Lift(0, 0, 0, 0.0)) == 1.0
    assert find_p_value(Lift(1, 1, 1, 0.0)) == 0.0


@pytest.mark.full
def test_two_thousand_campaigns_without_effect_reject_at_the_nominal_rate():
    rng = np.random.default_rng(21)
    rejected = dict.fromkeys(("bought", "purchases", "delivered", "basket"), 0)
    for _ in range(CAMPAIGNS):
        for name, lift in estimate_all(draw_experiment(rng, effect=0.0)).items():
            rejected[name] += lift.low > 0 or lift.high < 0
    for name, times in rejected.items():
        assert REJECTS[0] <= times / CAMPAIGNS <= REJECTS[1], (name, times)


@pytest.mark.full
def test_two_thousand_campaigns_cover_their_effect_without_bias():
    rng = np.random.default_rng(22)
    effect, everybody = 0.15, []
    covered = dict.fromkeys(("purchases", "delivered"), 0)
    errors = {name: [] for name in covered}
    for _ in range(CAMPAIGNS):
        made = draw_experiment(rng, effect)
        everybody.append(made.delivered[made.treatment].mean())
        true = {"purchases": None, "delivered": effect}
        true["purchases"] = effect * (0.8 + 0.2 * share_of_frequent())
        found = estimate_all(made)
        for name, truth in true.items():
            covered[name] += found[name].low <= truth <= found[name].high
            errors[name].append((found[name].lift - truth) / found[name].standard_error)
    assert np.mean(everybody) == pytest.approx(0.8 + 0.2 * share_of_frequent(), abs=0.002)
    for name, times in covered.items():
        assert COVERS[0] <= times / CAMPAIGNS <= COVERS[1], (name, times)
        assert abs(np.mean(errors[name])) < 3.3 / np.sqrt(CAMPAIGNS), name
