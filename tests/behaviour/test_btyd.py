"""Published parameters, lifetimes itself, and what lifetimes cannot do."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from crmlib.behaviour import btyd
from crmlib.behaviour.btyd import BTYD_MODELS, MIN_REPEAT_BUYERS, ParetoNbd, fit_gamma_gamma, train_btyd
from crmlib.behaviour.histories import group_histories, simulate_histories, tabulate_parameters
from crmlib.errors import NothingToDo

# Fader, Hardie, Lee (2005), tables 2 and 3; MBG/NBD: computed (its paper's table rounds other data).
PUBLISHED = {
    "bg_nbd": ({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, -9582.4),
    "pareto_nbd": ({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, -9595.0),
    "mbg_nbd": ({"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}, -9582.1),
}
#: lifetimes' own fitters, imported where its side effects are undone.
ORACLES = {
    "bg_nbd": btyd.BetaGeoFitter,
    "mbg_nbd": btyd.ModifiedBetaGeoFitter,
    "pareto_nbd": btyd.ParetoNBDFitter,
}
BETA_SETS = [(0.243, 4.414, 0.793, 2.426), (1.9, 0.8, 0.05, 3), (0.3, 20, 1.0, 1.0), (8, 2, 12, 300)]
PARETO_SETS = [(0.553, 10.58, 0.606, 11.67), (2, 0.5, 0.05, 100), (0.3, 100, 3, 0.01), (1, 1, 1, 1)]


@pytest.mark.parametrize("name", PUBLISHED)
def test_cdnow_gives_the_published_fit(name: str, cdnow_39: pd.DataFrame) -> None:
    model = train_btyd(group_histories(cdnow_39), name, days_per_unit=7)
    parameters, log_likelihood = PUBLISHED[name]
    assert model.fitter.params_.to_dict() == pytest.approx(parameters, abs=2e-3)
    assert model.fitter.log_likelihood_ == pytest.approx(log_likelihood, abs=0.06)


def test_gamma_gamma_gives_the_published_fit(cdnow_39: pd.DataFrame) -> None:
    """Fader, Hardie (2013): 946 repeat buyers, p 6.25, q 3.74, v 15.44."""
    repeat_buyers = cdnow_39[(cdnow_39["frequency"] > 0) & (cdnow_39["monetary_value"] > 0)]
    fitted = fit_gamma_gamma(repeat_buyers)
    assert len(repeat_buyers) == 946
    assert fitted.params_.to_dict() == pytest.approx({"p": 6.25, "q": 3.74, "v": 15.44}, abs=6e-3)
    assert fitted.log_likelihood_ == pytest.approx(-4055.9, abs=0.06)


@pytest.mark.parametrize("name", ["bg_nbd", "mbg_nbd"])
def test_the_unit_of_time_does_not_matter(name: str, cdnow_39: pd.DataFrame) -> None:
    grouped = group_histories(cdnow_39)
    weeks, days = train_btyd(grouped, name, 7), train_btyd(grouped, name, 1)
    assert days.fitter.params_["alpha"] == pytest.approx(7 * weeks.fitter.params_["alpha"], rel=2e-3)
    assert days.expected_purchases(cdnow_39, 91) == pytest.approx(weeks.expected_purchases(cdnow_39, 91), rel=2e-3)


@pytest.mark.parametrize("name", PUBLISHED)
def test_predictions_are_those_of_lifetimes_where_it_has_any(name: str, cdnow_39: pd.DataFrame) -> None:
    fitter = BTYD_MODELS[name]()
    fitter.params_ = pd.Series(PUBLISHED[name][0])
    oracle = ORACLES[name]()
    oracle.params_ = fitter.params_
    x, t_x, age = (cdnow_39[column].to_numpy(float) for column in ("frequency", "recency", "T"))
    t_x, age = t_x / 7, age / 7
    alive = oracle.conditional_probability_alive(x, t_x, age)
    assert fitter.conditional_probability_alive(x, t_x, age) == pytest.approx(alive, abs=1e-10)
    for horizon in (1, 39):
        expected = np.asarray(oracle.conditional_expected_number_of_purchases_up_to_time(horizon, x, t_x, age))
        ours = fitter.conditional_expected_number_of_purchases_up_to_time(horizon, x, t_x, age)
        assert ours == pytest.approx(expected, rel=1e-8)


def test_pareto_chance_of_a_purchase_is_that_of_lifetimes(cdnow_39: pd.DataFrame) -> None:
    fitter, oracle = BTYD_MODELS["pareto_nbd"](), ORACLES["pareto_nbd"]()
    fitter.params_ = oracle.params_ = pd.Series(PUBLISHED["pareto_nbd"][0])
    x, t_x, age = (cdnow_39[column].to_numpy(float) for column in ("frequency", "recency", "T"))
    none = oracle.conditional_probability_of_n_purchases_up_to_time(0, 39, x, t_x / 7, age / 7)
    assert fitter.probability_of_purchase_within(39, x, t_x / 7, age / 7) == pytest.approx(1 - none, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [(name, chosen) for name in ("bg_nbd", "mbg_nbd") for chosen in BETA_SETS]
    + [("pareto_nbd", chosen) for chosen in PARETO_SETS],
)
def test_nothing_overflows(name: str, parameters: tuple[float, ...]) -> None:
    fitter = BTYD_MODELS[name]()
    names = ["r", "alpha", "s", "beta"] if name == "pareto_nbd" else ["r", "alpha", "a", "b"]
    fitter.params_ = pd.Series(parameters, index=names)
    x, share, age, horizon = (
        grid.ravel()
        for grid in np.meshgrid(
            [0, 1, 5, 105, 300, 2000], [0, 0.5, 0.9, 1], [1 / 7, 1, 10, 157], [1 / 7, 1, 13, 52], indexing="ij"
        )
    )
    t_x = np.where(x == 0, 0, share * age)
    alive = fitter.conditional_probability_alive(x, t_x, age)
    buys = fitter.probability_of_purchase_within(horizon, x, t_x, age)
    expected = fitter.conditional_expected_number_of_purchases_up_to_time(horizon, x, t_x, age)
    assert np.isfinite(expected).all()
    assert ((alive >= 0) & (alive <= 1)).all()
    assert ((buys >= 0) & (buys <= alive + 1e-12)).all()
    assert (expected >= buys - 1e-9).all()


def test_weights_stand_for_customers(cdnow_39: pd.DataFrame) -> None:
    grouped = group_histories(cdnow_39)
    assert len(grouped) < len(cdnow_39) / 2
    assert grouped["weights"].sum() == len(cdnow_39)
    one_by_one = cdnow_39.assign(weights=1)
    fitted, full = train_btyd(grouped, "mbg_nbd").fitter, train_btyd(one_by_one, "mbg_nbd").fitter
    assert fitted.params_.to_numpy() == pytest.approx(full.params_.to_numpy(), rel=1e-4)
    assert fitted.log_likelihood_ == pytest.approx(full.log_likelihood_, abs=1e-3)
    assert fitted.standard_errors_.to_numpy() == pytest.approx(full.standard_errors_.to_numpy(), rel=1e-2)


def test_weekly_groups_cost_little(cdnow_39: pd.DataFrame) -> None:
    by_day, by_week = (train_btyd(group_histories(cdnow_39, days), "mbg_nbd").fitter for days in (1, 7))
    assert by_week.params_.to_numpy() == pytest.approx(by_day.params_.to_numpy(), rel=0.005)


def test_too_few_repeat_buyers_are_told() -> None:
    once = pd.DataFrame(
        {"frequency": [0, 1], "recency": [0, 5], "T": [10, 10], "weights": [900, 9], "sum_log_itt": 0.0}
    )
    with pytest.raises(NothingToDo, match=f"9 customers .* at least {MIN_REPEAT_BUYERS}"):
        train_btyd(once)


def test_a_base_that_nobody_leaves_can_be_fitted() -> None:
    """Gaps without any dropout: a / (a + b) goes to nothing, and one of the two out of sight."""
    steady = pd.Series({"k": 1.0, "r": 1.4, "alpha": 0.8, "a": 1e-3, "b": 50.0})
    drawn = simulate_histories(steady, np.full(2_000, 50.0), 0, seed=1)
    grouped = group_histories(drawn.assign(recency=7 * drawn["recency"], T=7 * drawn["T"]).round())
    model = train_btyd(grouped, "mbg_nbd", 7)
    assert model.fitter.params_["r"] / model.fitter.params_["alpha"] == pytest.approx(1.75, rel=0.05)
    assert model.fitter.standard_errors_["r"] > 0
    assert model.p_alive(pd.DataFrame({"frequency": [40], "recency": [343], "T": [350]}))[0] > 0.95


def test_parameters_become_rows(cdnow_39: pd.DataFrame) -> None:
    fitter = train_btyd(group_histories(cdnow_39)).fitter
    rows = tabulate_parameters({"mbg_nbd": fitter}, 7).to_pylist()
    alpha = next(row for row in rows if row["parameter"] == "alpha")
    assert [row["parameter"] for row in rows] == ["r", "alpha", "a", "b", "days_per_unit"]
    assert dict(alpha["covariance"])["alpha"] == pytest.approx(alpha["standard_error"] ** 2)


@pytest.mark.parametrize("name", ["mbg_nbd", "pareto_nbd"])
def test_covariances_are_covariances(name: str, cdnow_39: pd.DataFrame) -> None:
    """lifetimes' own matrix is not even symmetric."""
    fitter = train_btyd(group_histories(cdnow_39), name).fitter
    covariance = fitter.variance_matrix_.to_numpy()
    assert covariance == pytest.approx(covariance.T)
    assert (np.linalg.eigvalsh(covariance) > 0).all()
    assert np.sqrt(np.diag(covariance)) == pytest.approx(fitter.standard_errors_.to_numpy())


@pytest.mark.full
def test_correlations_are_those_of_resampled_fits(cdnow_39: pd.DataFrame) -> None:
    fitter = train_btyd(group_histories(cdnow_39)).fitter
    random = np.random.default_rng(1)
    samples = [cdnow_39.iloc[random.integers(0, len(cdnow_39), len(cdnow_39))] for _ in range(60)]
    refits = np.array([train_btyd(group_histories(sample)).fitter.params_ for sample in samples])
    correlations = fitter.variance_matrix_ / np.outer(fitter.standard_errors_, fitter.standard_errors_)
    assert np.corrcoef(refits.T) == pytest.approx(correlations.to_numpy(), abs=0.2)


def test_lifetimes_leaves_warnings_and_options_alone() -> None:
    program = (
        "import warnings, pandas, scipy.special, scipy.optimize, pyarrow\n"
        "warnings.filterwarnings('ignore', message='.*chained_assignment')\n"
        "before = list(warnings.filters), pandas.get_option('mode.chained_assignment')\n"
        "import crmlib.behaviour.btyd\n"
        "assert (list(warnings.filters), pandas.get_option('mode.chained_assignment')) == before\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_gradient_of_pareto_nbd_is_that_of_its_likelihood() -> None:
    x, t_x, age = (np.array(column, float) for column in ([0, 1, 4, 60], [0, 20, 31, 38], [30, 20, 39, 39]))
    params = np.array([0.6, 10.0, 0.5, 12.0])
    slopes = ParetoNbd._likelihoods(params, x, t_x, age)[1]
    for place, value in enumerate(params):
        step = np.eye(4)[place] * 1e-5 * value
        above, below = (ParetoNbd._likelihoods(params + sign * step, x, t_x, age)[0] for sign in (1, -1))
        assert slopes[place] == pytest.approx((above - below) / (2e-5 * value), rel=1e-5, abs=1e-8)
