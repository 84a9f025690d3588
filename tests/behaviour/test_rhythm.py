"""The rhythm model against lifetimes (k = 1), simulation, quadrature and planted parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from scipy.special import betainc, betaln

from crmlib.behaviour import btyd
from crmlib.behaviour.btyd import train_btyd
from crmlib.behaviour.histories import group_histories
from crmlib.behaviour.renewals import _further_purchases_over_rate, further_purchases
from crmlib.behaviour.rhythm import RhythmFitter, as_rhythm, train_rhythm
from crmlib.behaviour.simulation import simulate_purchases
from crmlib.errors import NothingToDo

PLANTED = {"r": 1.5, "a": 0.6, "b": 3.0}
HISTORIES = [(0, 0, 30), (1, 20, 40), (5, 100, 101), (5, 100, 150), (30, 300, 300), (30, 300, 330), (3, 50, 200)]


def plant(k: float, mean_gap: float = 15.0, may_leave_at_once: bool = True) -> RhythmFitter:
    fitter = RhythmFitter(may_leave_at_once=may_leave_at_once)
    fitter.params_ = pd.Series({"k": k, "alpha": mean_gap / k, **PLANTED})[["k", "r", "alpha", "a", "b"]]
    return fitter


def simulate(fitter: RhythmFitter, customers: int, horizon: float = 90, seed: int = 1) -> pd.DataFrame:
    return fitter.simulate(np.random.default_rng(seed).uniform(100, 400, customers), horizon, seed)


def expected_by_quadrature(fitter: RhythmFitter, x: int, t_x: float, age: float, horizon: float) -> float:
    """E as the integral over the day of the next purchase of one and what follows it on a fresh clock."""
    k, r, alpha, a, b = fitter.params_
    survival = betainc(r + k * x, k, (alpha + t_x) / (alpha + age))
    nodes, weights = np.polynomial.legendre.leggauss(200)
    v = (1 + nodes) / 2
    after, jacobian = horizon * v**3, 3 * horizon * v**2 * weights / 2
    z = (alpha + t_x) / (alpha + age + after)
    n = r + k * x
    density = np.exp((n - 1) * np.log(z) + (k - 1) * np.log1p(-z) - betaln(n, k)) * z / (alpha + age + after)
    rest = (horizon - after) / (alpha + age + horizon)
    further, stays = np.zeros_like(rest), 1.0
    for j in range(1, 2000):
        stays *= (b + x + j) / (a + b + x + j)
        term = stays * betainc(j * k, n + k, rest)
        further += term
        if term.max() < 1e-12:
            break
    return float((density * (1 + further) * jacobian).sum() / (survival + a / (b + x)))


def test_one_is_mbg_nbd(cdnow_39: pd.DataFrame) -> None:
    grouped = group_histories(cdnow_39)
    ours, lifetimes = train_rhythm(grouped, 7, k=1.0), train_btyd(grouped, "mbg_nbd", 7)
    found = ours.fitter.params_[["r", "alpha", "a", "b"]].to_numpy()
    assert found == pytest.approx(lifetimes.fitter.params_.to_numpy(), rel=3e-3)
    assert ours.fitter.log_likelihood_ == pytest.approx(lifetimes.fitter.log_likelihood_, abs=1e-3)
    same = as_rhythm(lifetimes)
    for days in (7, 91, 273):
        assert same.p_buy(cdnow_39, days) == pytest.approx(lifetimes.p_buy(cdnow_39, days), abs=1e-12)
        assert same.expected_purchases(cdnow_39, days) == pytest.approx(
            lifetimes.expected_purchases(cdnow_39, days), rel=1e-7
        )
    assert same.p_alive(cdnow_39) == pytest.approx(lifetimes.p_alive(cdnow_39), abs=1e-12)


def test_one_that_stays_for_the_first_repeat_is_bg_nbd(cdnow_39: pd.DataFrame) -> None:
    ours = plant(1.0, may_leave_at_once=False)
    lifetimes = btyd.BgNbd()
    lifetimes.params_ = ours.params_[["r", "alpha", "a", "b"]]
    history = [cdnow_39[name].to_numpy(float) for name in ("frequency", "recency", "T")]
    assert ours.conditional_probability_alive(*history) == pytest.approx(
        lifetimes.conditional_probability_alive(*history), abs=1e-12
    )
    assert ours.conditional_expected_number_of_purchases_up_to_time(91, *history) == pytest.approx(
        lifetimes.conditional_expected_number_of_purchases_up_to_time(91, *history), rel=1e-7
    )


def test_regularity_of_cdnow(cdnow_39: pd.DataFrame) -> None:
    """Purchases at CDNOW are as good as Poisson: real k 1.04 (purchase models, literature)."""
    fitter = train_rhythm(group_histories(cdnow_39), 7).fitter
    assert fitter.params_["k"] == pytest.approx(1.04, abs=0.01)
    assert fitter.log_likelihood_ > -9582.14
    for held in (0.9, 1.2, 2.0):
        assert train_rhythm(group_histories(cdnow_39), 7, k=held).fitter.log_likelihood_ < fitter.log_likelihood_


@pytest.mark.parametrize("k", [0.7, 1.0, 2.5, 5.0])
def test_planted_parameters_are_recovered(k: float) -> None:
    planted = plant(k)
    drawn = simulate(planted, 5_000, seed=11)
    fitted = RhythmFitter().fit(drawn["frequency"], drawn["recency"], drawn["T"], drawn["sum_log_itt"])
    away = (np.log(fitted.params_) - np.log(planted.params_)) / (fitted.standard_errors_ / fitted.params_)
    assert away.abs().max() < 3
    assert fitted.standard_errors_["k"] / fitted.params_["k"] < 0.05


@pytest.mark.full
@pytest.mark.parametrize("k", [0.7, 1.0, 2.5, 5.0])
def test_planted_parameters_are_recovered_at_50_000(k: float) -> None:
    planted = plant(k)
    drawn = simulate(planted, 50_000, seed=12)
    fitted = RhythmFitter().fit(drawn["frequency"], drawn["recency"], drawn["T"], drawn["sum_log_itt"])
    assert ((fitted.params_ - planted.params_).abs() / fitted.standard_errors_).max() < 3


def test_one_gap_each_does_not_tell_how_regular_anybody_is() -> None:
    drawn = simulate(plant(2.0), 3_000)
    once = drawn[drawn["frequency"] <= 1]
    data = [once[name] for name in ("frequency", "recency", "T", "sum_log_itt")]
    with pytest.raises(NothingToDo, match="0 customers have two gaps"):
        RhythmFitter().fit(*data)
    assert RhythmFitter(k=2.0).fit(*data).params_["k"] == pytest.approx(2)
    with pytest.raises(NothingToDo, match="customers bought again; at least 50"):
        RhythmFitter(k=2.0).fit(*(values.iloc[:40] for values in data))


def test_a_penalty_draws_parameters_to_the_scale_of_the_data() -> None:
    drawn = simulate(plant(2.5), 1_000)
    data = [drawn[name] for name in ("frequency", "recency", "T", "sum_log_itt")]
    free, drawn_in = RhythmFitter().fit(*data), RhythmFitter(penalizer_coef=0.1).fit(*data)
    assert (
        np.abs(np.log(drawn_in.params_[["k", "r", "a", "b"]])).sum()
        < np.abs(np.log(free.params_[["k", "r", "a", "b"]])).sum()
    )
    assert drawn_in.log_likelihood_ < free.log_likelihood_


def test_the_gradient_is_that_of_the_likelihood() -> None:
    drawn = simulate(plant(2.5), 400)
    x, t_x, age, gaps = (drawn[name].to_numpy(float) for name in ("frequency", "recency", "T", "sum_log_itt"))
    fitter, at = RhythmFitter(penalizer_coef=0.05), np.log([1.7, 1.2, 9.0, 0.7, 2.0])
    _, gradient = fitter._mean_nll(at, x, t_x, age, np.ones_like(x), gaps)
    assert gradient == pytest.approx(
        approx_fprime(at, lambda p: fitter._mean_nll(p, x, t_x, age, np.ones_like(x), gaps)[0], 1e-6),
        rel=1e-3,
        abs=1e-5,
    )


def test_groups_give_the_fit_of_their_customers() -> None:
    drawn = simulate(plant(2.0), 3_000).assign(recency=lambda f: np.ceil(f["recency"]), T=lambda f: np.ceil(f["T"]))
    grouped = group_histories(drawn)
    one_by_one = RhythmFitter(k=2.0).fit(*(drawn[name] for name in ("frequency", "recency", "T", "sum_log_itt")))
    together = RhythmFitter(k=2.0).fit(
        *(grouped[name] for name in ("frequency", "recency", "T", "sum_log_itt")), weights=grouped["weights"]
    )
    assert len(grouped) < len(drawn)
    assert together.params_.to_numpy() == pytest.approx(one_by_one.params_.to_numpy(), rel=2e-3)
    assert together.log_likelihood_ == pytest.approx(one_by_one.log_likelihood_, abs=1e-4)


@pytest.mark.parametrize(
    ("k", "may_leave_at_once"), [(0.7, True), (1.0, True), (2.0, True), (3.3, True), (1.0, False), (2.5, False)]
)
def test_probabilities_agree_with_simulation(k: float, may_leave_at_once: bool) -> None:
    fitter = plant(k, may_leave_at_once=may_leave_at_once)
    drawn = simulate(fitter, 40_000, seed=3)
    history = [drawn[name] for name in ("frequency", "recency", "T")]
    checks = {
        "alive": (drawn["alive"], fitter.conditional_probability_alive(*history)),
        "buys": (drawn["purchases"] > 0, fitter.probability_of_purchase_within(90, *history)),
        "soon": (drawn["next_purchase"] <= 7, fitter.probability_of_purchase_within(7, *history)),
    }
    for what, (came, forecast) in checks.items():
        for group in (drawn["frequency"] == 0, drawn["frequency"].between(1, 9), drawn["frequency"] >= 10):
            error = (came - forecast)[group]
            assert abs(error.mean()) <= 4 * error.std() / np.sqrt(group.sum()), what
            assert abs(error.mean()) < 0.01, what


@pytest.mark.parametrize("k", [1.0, 2.0, 3.0, 8.0])
@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("horizon", [7, 91])
def test_expectation_is_exact_for_integer_k(k: float, history: tuple[int, float, float], horizon: float) -> None:
    fitter = plant(k)
    ours = fitter.conditional_expected_number_of_purchases_up_to_time(horizon, *history)[0]
    assert ours == pytest.approx(expected_by_quadrature(fitter, *history, horizon), rel=1e-6)


@pytest.mark.parametrize(("k", "within"), [(0.7, 0.05), (1.25, 0.01), (1.5, 0.01), (2.5, 0.006), (6.5, 0.001)])
def test_expectation_is_close_for_real_k(k: float, within: float) -> None:
    fitter = plant(k)
    for history in HISTORIES:
        for horizon in (7, 28, 91):
            ours = fitter.conditional_expected_number_of_purchases_up_to_time(horizon, *history)[0]
            assert ours == pytest.approx(expected_by_quadrature(fitter, *history, horizon), rel=within)


def test_many_stages_are_counted_in_fractions() -> None:
    known = (np.array([201.0]), np.array([100.0]), np.array([0.5]), np.array([91.0]), 0.6, np.array([103.0]))
    assert _further_purchases_over_rate(2, *known) == pytest.approx(further_purchases(2, *known), rel=1e-3)


@pytest.mark.parametrize("k", [0.5, 1.0, 2.5, 24.0])
@pytest.mark.parametrize("rates", [(0.5, 6.0, 0.9, 1.6), (1.4, 0.8, 0.04, 12.0), (8.0, 40.0, 12.0, 300.0)])
def test_nothing_overflows(k: float, rates: tuple[float, ...]) -> None:
    fitter = RhythmFitter()
    fitter.params_ = pd.Series((k, *rates), index=["k", "r", "alpha", "a", "b"])
    x, share, age, horizon = (
        grid.ravel()
        for grid in np.meshgrid([0, 1, 20, 300, 2000], [0, 0.5, 1], [1, 30, 1100], [1, 28, 365], indexing="ij")
    )
    history = (x, np.where(x == 0, 0, share * age), age)
    alive = fitter.conditional_probability_alive(*history)
    buys = fitter.probability_of_purchase_within(horizon, *history)
    expected = fitter.conditional_expected_number_of_purchases_up_to_time(horizon, *history)
    assert ((alive >= 0) & (alive <= 1)).all()
    assert ((buys >= 0) & (buys <= alive + 1e-9)).all()
    assert np.isfinite(expected).all()
    assert (expected >= buys - 1e-9).all()


@pytest.mark.parametrize("k", [1.0, 2.5])
def test_a_quantile_is_where_the_chance_is(k: float) -> None:
    fitter = plant(k)
    for history in HISTORIES:
        alive = fitter.conditional_probability_alive(*history)
        for q in (0.1, 0.5, 0.9):
            ahead = fitter.next_purchase_quantile(q, *history)
            assert fitter.probability_of_purchase_within(ahead, *history) == pytest.approx(q * alive, rel=1e-6)


def test_the_longer_the_silence_the_more_overdue() -> None:
    fitter = plant(2.5)
    overdue = fitter.overdue_percentile(10, 150.0, np.array([150.0, 151.0, 165.0, 200.0, 900.0]))
    assert overdue[0] == pytest.approx(0, abs=1e-12)
    assert (np.diff(overdue) > 0).all()
    assert overdue[-1] > 0.99


def test_drawn_purchases_have_the_forecast_distribution(cdnow_39: pd.DataFrame) -> None:
    model = train_rhythm(group_histories(cdnow_39), 7, k=2.0)
    chosen = cdnow_39.iloc[::100]
    drawn = simulate_purchases(chosen, model, 91, 4_000, np.random.default_rng(5))
    error = drawn.std(axis=1) / np.sqrt(4_000) + 1e-3
    assert (np.abs(drawn.mean(axis=1) - model.expected_purchases(chosen, 91)) < 4.5 * error).all()
    assert np.abs((drawn > 0).mean(axis=1) - model.p_buy(chosen, 91)).max() < 4.5 * 0.5 / np.sqrt(4_000)


def test_a_large_fit_is_that_of_all_rows() -> None:
    drawn = simulate(plant(2.5), 25_000, seed=7)
    data = [drawn[name] for name in ("frequency", "recency", "T", "sum_log_itt")]
    large = RhythmFitter().fit(*data)
    searched = RhythmFitter()
    scale = drawn["frequency"].sum() / drawn["recency"].sum()
    rows = [values.to_numpy(float) for values in data]
    at = searched._search(
        (rows[0], rows[1] * scale, rows[2] * scale, np.ones(len(drawn)), rows[3] + rows[0] * np.log(scale))
    )
    k, r, scaled_alpha, a, b = np.exp(at)
    assert large.params_.to_numpy() == pytest.approx([k, r, scaled_alpha / (k * scale), a, b], rel=2e-3)
