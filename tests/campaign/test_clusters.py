"""Stores drawn whole, stores tested, and campaigns that overlap: intervals that know what was drawn."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from crmlib.campaign.clusters import detectable_cluster_effect, estimate_cluster_lift, permute_clusters
from crmlib.campaign.lifts import estimate_mean_lift
from crmlib.campaign.overlap import estimate_joint_lift
from crmlib.campaign.store_tests import compare_stores, measure_stores
from tests.campaign.made_experiments import sample
from tests.made_tables import make_tables

#: Band of 99.9 % about 5 %, of 2,000 campaigns.
REJECTS = (0.034, 0.067)


def draw_stores(rng, stores=40, effect=0.0, spread=0.3):
    """People of stores that each have their own luck; half of the stores are treated."""
    treated = rng.permuted(np.arange(stores) < stores // 2)
    n = rng.integers(40, 90, stores)
    habit = rng.normal(1.0, spread, stores).clip(0.1)
    luck = habit * rng.normal(1.0, 0.15, stores).clip(0.1)
    return pd.DataFrame(
        {
            "treated": treated,
            "n": n,
            "before": rng.poisson(4 * habit * n).astype(float),
            "total": rng.poisson((luck + effect * treated) * n).astype(float),
        }
    )


def test_equal_stores_without_a_past_are_compared_as_their_means():
    rng = np.random.default_rng(3)
    clusters = draw_stores(rng).assign(n=50, before=0.0)
    found = estimate_cluster_lift(clusters)
    means = clusters["total"].to_numpy() / 50
    treated = clusters["treated"].to_numpy()
    plain = estimate_mean_lift(sample(means[treated]), sample(means[~treated]))
    assert found.lift == pytest.approx(plain.lift)
    assert found.standard_error == pytest.approx(plain.standard_error)


def test_people_of_a_store_are_not_taken_for_independent():
    clusters = draw_stores(np.random.default_rng(4))
    rates = clusters["total"] / clusters["n"]
    naive = np.sqrt(
        sum(
            rates[group].mean() / clusters.loc[group, "n"].sum()
            for group in (clusters["treated"], ~clusters["treated"])
        )
    )
    assert estimate_cluster_lift(clusters.assign(before=0.0)).standard_error > 2 * naive
    assert (
        estimate_cluster_lift(clusters).standard_error
        < estimate_cluster_lift(clusters.assign(before=0.0)).standard_error
    )


def test_what_the_stores_detect_is_more_than_their_interval():
    clusters = draw_stores(np.random.default_rng(5))
    lift = estimate_cluster_lift(clusters)
    assert detectable_cluster_effect(clusters) > (lift.high - lift.low) / 2


@pytest.mark.full
def test_stores_drawn_two_thousand_times_reject_at_the_nominal_rate():
    rng = np.random.default_rng(6)
    lifts = [estimate_cluster_lift(draw_stores(rng, stores=60)) for _ in range(2_000)]
    rejected = np.mean([lift.low > 0 or lift.high < 0 for lift in lifts])
    assert REJECTS[0] <= rejected <= REJECTS[1]


@pytest.mark.full
def test_a_planted_effect_of_stores_is_covered():
    rng = np.random.default_rng(7)
    lifts = [estimate_cluster_lift(draw_stores(rng, stores=60, effect=0.2)) for _ in range(400)]
    assert 0.908 <= np.mean([lift.low <= 0.2 <= lift.high for lift in lifts]) <= 0.983
    assert np.mean([lift.lift for lift in lifts]) == pytest.approx(0.2, abs=0.015)


def test_the_draw_repeated_says_what_chance_does():
    rng = np.random.default_rng(8)
    p_values = np.array([permute_clusters(draw_stores(rng, stores=12), seed, 199) for seed in range(300)])
    assert 0.02 < np.mean(p_values <= 0.05) < 0.09
    assert permute_clusters(draw_stores(rng, effect=1.0), seed=1) < 0.01


def sell(store, day, amount):
    return {"source": "pos", "ticket_id": f"{store} {day}", "store_id": store, "bought_on": day, "amount": amount}


def test_stores_are_tested_beside_all_others_before_and_after(engine):
    starts = date(2026, 9, 1)
    tickets = [
        sell(f"s{place:02d}", starts + timedelta(days=day), (100 + place) * (1.2 if place < 4 and day >= 0 else 1.0))
        for place in range(12)
        for day in range(-91, 28)
    ]
    make_tables(engine, tickets=[*tickets, sell("new", starts, 50.0)])
    found = measure_stores(engine, ["s00", "s01", "s02", "s03"], starts, starts + timedelta(days=27), seed=1)
    assert (found.stores, found.others) == (4, 8)
    assert found.lift == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2, abs=1e-6)
    assert found.p_value <= 0.01
    assert measure_stores(engine, ["s00"], starts, starts + timedelta(days=27), seed=1) is None


@pytest.mark.full
def test_tested_stores_without_effect_reject_at_the_nominal_rate():
    rng = np.random.default_rng(9)
    rejected, stores = 0, [f"s{place}" for place in range(20)]
    for seed in range(400):
        size = rng.gamma(3, 1000, 20)
        sales = pd.DataFrame({"store_id": stores, "before": 91 * size, "after": 28 * size * rng.normal(1.05, 0.1, 20)})
        result = compare_stores(sales, stores[:6], 91, 28, seed)
        rejected += result.low > 0 or result.high < 0
    assert 0.02 <= rejected / 400 <= 0.095


def cells_of(frame):
    """Grouped people, as the step `overlap_cells` gives them."""
    return (
        frame.assign(
            after_squares=frame["after"] ** 2,
            before_squares=frame["before"] ** 2,
            products=frame["after"] * frame["before"],
            n=1,
        )
        .groupby(["treated", "others"], as_index=False)[
            ["n", "after", "before", "after_squares", "before_squares", "products"]
        ]
        .sum()
    )


def test_the_joint_regression_is_the_one_of_statsmodels_on_people():
    rng = np.random.default_rng(10)
    n = 3_000
    treated, met, other = rng.random(n) < 0.8, rng.random(n) < 0.6, rng.random(n) < 0.7
    after = rng.poisson(1 + 0.3 * treated + 0.5 * (met & other)).astype(float)
    others = np.where(met, np.where(other, "b\ttreatment", "b\tcontrol"), "")
    frame = pd.DataFrame({"treated": treated, "others": others, "after": after, "before": 0.0})
    found = estimate_joint_lift(cells_of(frame))
    design = np.column_stack([treated, np.ones(n), met, met & other]).astype(float)
    fit = sm.OLS(after, design).fit(cov_type="HC1")
    assert found.lift == pytest.approx(fit.params[0])
    assert found.standard_error == pytest.approx(fit.bse[0])


def draw_common_holdout(rng, n=3_000, effect=0.2, other_effect=0.4):
    """A group that gets nothing, and each campaign's own control: whoever is a control of one is more often of both."""
    held = rng.random(n) < 0.1
    treated, other = ~held & (rng.random(n) < 0.9), ~held & (rng.random(n) < 0.9)
    rate = rng.gamma(1.0, 1.0, n)
    after = (rng.poisson(rate) + rng.poisson(effect, n) * treated + rng.poisson(other_effect, n) * other).astype(float)
    others = np.where(other, "b\ttreatment", "b\tcontrol")
    before = rng.poisson(4 * rate).astype(float)
    return pd.DataFrame({"treated": treated, "others": others, "after": after, "before": before})


def test_a_common_holdout_group_lends_one_campaign_the_others_effect_and_the_joint_regression_takes_it_off():
    frame = draw_common_holdout(np.random.default_rng(12), n=100_000)
    alone = frame["after"][frame["treated"]].mean() - frame["after"][~frame["treated"]].mean()
    lift = estimate_joint_lift(cells_of(frame))
    assert alone > 0.35
    assert abs(lift.lift - 0.2) < 4 * lift.standard_error < 0.1


@pytest.mark.full
def test_the_joint_regression_covers_at_its_nominal_rate():
    rng = np.random.default_rng(11)
    joint, covered = [], 0
    for _ in range(400):
        frame = draw_common_holdout(rng)
        lift = estimate_joint_lift(cells_of(frame))
        joint.append(lift.lift)
        covered += lift.low <= 0.2 <= lift.high
    assert np.mean(joint) == pytest.approx(0.2, abs=0.01)
    assert 0.908 <= covered / 400 <= 0.983


def test_what_cannot_be_told_apart_has_no_joint_lift():
    treated = np.arange(200) % 2 == 0
    frame = pd.DataFrame(
        {"treated": treated, "others": np.where(treated, "b\ttreatment", "b\tcontrol"), "after": 1.0, "before": 0.0}
    )
    assert estimate_joint_lift(cells_of(frame)) is None


def test_no_more_people_than_unknowns_have_no_joint_lift():
    frame = pd.DataFrame(
        {
            "treated": [True, False, True],
            "others": ["b\ttreatment", "b\tcontrol", ""],
            "after": [3.0, 1.0, 2.0],
            "before": [1.0, 0.0, 0.0],
        }
    )
    assert estimate_joint_lift(cells_of(frame)) is None
