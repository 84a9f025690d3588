"""Buy-till-you-die models of lifetimes behind one face; the only room that imports it.

lifetimes fits; what it predicts with sums that overflow (many purchases, old customers) is computed
here by the same formulas in a stable form. Its log-likelihood is a mean in scaled time; here it is
the literature's. A `PurchaseModel` speaks days, whatever the unit its fitter was trained in.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, expit, gammaln, hyp2f1

from crmlib.errors import NothingToDo

Floats = NDArray[np.float64]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep lifetimes' changes to warnings and pandas options, and its prints, to itself."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        chained_assignment = pd.get_option("mode.chained_assignment")
        try:
            yield
        finally:
            pd.set_option("mode.chained_assignment", chained_assignment)


with undisturbed():
    from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter, ParetoNBDFitter
    from lifetimes.fitters import BaseFitter
    from lifetimes.utils import ConvergenceError

#: Fewer customers with a second purchase day cannot tell one model's parameters from another's.
MIN_REPEAT_BUYERS = 50

#: Base of every fitter, here and in `rhythm`: `params_`, `standard_errors_`, `summary`, `save_model`.
FitterBase: Any = BaseFitter

_NODES, _NODE_WEIGHTS = (array for array in np.polynomial.legendre.leggauss(48))
_ROUNDED_FROM = 100_000  # customers
_NEGLIGIBLE = 45.0  # e^-45: what is cut from an integral, relative to its integrand's start


class Fitter(Protocol):
    """What a fitter of purchase histories can do; times in its own unit."""

    params_: pd.Series
    standard_errors_: pd.Series
    variance_matrix_: pd.DataFrame
    log_likelihood_: float

    def conditional_probability_alive(
        self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """P(alive)."""

    def probability_of_purchase_within(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """P(at least one purchase within t)."""

    def conditional_expected_number_of_purchases_up_to_time(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """Expected purchases within t."""


@dataclass(frozen=True)
class PurchaseModel:
    """A fitted model that speaks days.

    Parameters
    ----------
    name : str
        As it stands in tables (``mbg_nbd``).
    fitter : Fitter
        The fitted model, in its own unit.
    days_per_unit : float
        Days in one unit of the fitter's time.
    """

    name: str
    fitter: Any
    days_per_unit: float

    def p_alive(self, histories: pd.DataFrame) -> Floats:
        """Probability of being a customer still.

        Parameters
        ----------
        histories : DataFrame
            Columns frequency (repeat purchase days), recency, T (days).

        Returns
        -------
        ndarray
            One probability a row.
        """
        alive: Floats = self.fitter.conditional_probability_alive(*self._scaled(histories))
        return alive

    def p_buy(self, histories: pd.DataFrame, days: ArrayLike) -> Floats:
        """Probability of a purchase within the days (one number, or one a row)."""
        within: Floats = self.fitter.probability_of_purchase_within(
            np.asarray(days, float) / self.days_per_unit, *self._scaled(histories)
        )
        return within

    def expected_purchases(self, histories: pd.DataFrame, days: ArrayLike) -> Floats:
        """Expected purchase days within the days."""
        expected: Floats = self.fitter.conditional_expected_number_of_purchases_up_to_time(
            np.asarray(days, float) / self.days_per_unit, *self._scaled(histories)
        )
        return expected

    def _scaled(self, histories: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
        frequency = histories["frequency"].to_numpy(float)
        recency = histories["recency"].to_numpy(float) / self.days_per_unit
        age = histories["T"].to_numpy(float) / self.days_per_unit
        return frequency, recency, age


class _BetaGeometric:
    """What BG/NBD and MBG/NBD share: they differ in whether a customer may leave before the first repeat.

    References
    ----------
    Fader, Hardie, Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), eq. 6 and 10.
    Wagner, Hoppe (2008), Erratum on the MBG/NBD Model, IJRM 25(3).
    """

    _kept_chances: int  # purchases that offered no chance to leave: 1 in BG/NBD (the first), 0 in MBG/NBD
    params_: pd.Series

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Fit as lifetimes does, and note the literature's log-likelihood as `log_likelihood_`."""
        super().fit(*args, **kwargs)  # type: ignore[misc]  # the lifetimes fitter it is mixed into
        data, scale = self.data, self._scale  # type: ignore[attr-defined]  # set by that fit
        nll = self._negative_log_likelihood_  # type: ignore[attr-defined]
        gaps = (data["weights"] * data["frequency"]).sum()
        self.log_likelihood_ = float(-data["weights"].sum() * nll + gaps * np.log(scale))
        return self

    def conditional_probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """P(alive | frequency, recency, T)."""
        r, alpha, a, b = self.params_[["r", "alpha", "a", "b"]]
        x, t_x, age = _arrays(frequency, recency, T)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_odds = np.log(a / (b + x - self._kept_chances)) + (r + x) * np.log((alpha + age) / (alpha + t_x))
        log_odds = np.where(x < self._kept_chances, -np.inf, log_odds)
        return expit(-log_odds)

    def probability_of_purchase_within(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """P(at least one purchase within t | frequency, recency, T)."""
        r, alpha = self.params_[["r", "alpha"]]
        horizon, x, age = _arrays(t, frequency, T)
        silent = -np.expm1((r + x) * np.log1p(-horizon / (alpha + age + horizon)))
        return self.conditional_probability_alive(frequency, recency, T) * silent

    def conditional_expected_number_of_purchases_up_to_time(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """E(purchases within t | frequency, recency, T), after Euler's transformation, which cannot overflow."""
        r, alpha, a, b = self.params_[["r", "alpha", "a", "b"]]
        horizon, x, age = _arrays(t, frequency, T)
        a = a if abs(a - 1) > 1e-6 else 1 + 1e-6  # the formula has a removable gap at a = 1
        z = horizon / (alpha + age + horizon)
        c = a + b + x - self._kept_chances
        with np.errstate(over="ignore", invalid="ignore"):
            euler = hyp2f1(a + b - self._kept_chances - r, a - 1, c, z)
            if_alive = c / (a - 1) * (1 - (1 - z) ** (a - 1) * euler)
        lost = ~np.isfinite(if_alive)
        if lost.any():
            n, b_after, turns = np.broadcast_arrays(r + x, c + 1 - a, horizon / (alpha + age))
            if_alive[lost] = _expected_over_dropout(n[lost], a, b_after[lost], turns[lost])
        return self.conditional_probability_alive(frequency, recency, T) * if_alive


class BgNbd(_BetaGeometric, BetaGeoFitter):  # type: ignore[misc]  # lifetimes is untyped
    """BG/NBD: Poisson purchases, a chance to leave after each repeat purchase."""

    _kept_chances = 1


class MbgNbd(_BetaGeometric, ModifiedBetaGeoFitter):  # type: ignore[misc]  # lifetimes is untyped
    """MBG/NBD: as BG/NBD, and customers may leave before the first repeat purchase."""

    _kept_chances = 0


class ParetoNbd(ParetoNBDFitter):  # type: ignore[misc]  # lifetimes is untyped
    """Pareto/NBD: Poisson purchases, exponential lifetime; integrals by quadrature, so that none is nan.

    References
    ----------
    Schmittlein, Morrison, Colombo (1987), Counting Your Customers, Management Science 33(1).
    Fader, Hardie (2005), A Note on Deriving the Pareto/NBD Model, eq. 17, 32, 41.
    """

    def fit(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, **kwargs: Any) -> ParetoNbd:
        """Fit from lifetimes' own start without its random part; standard errors by a numeric Hessian."""
        super().fit(frequency, recency, T, initial_params=np.ones(4), **kwargs)
        data, weights = self.data, self.data["weights"]
        histories = (data["frequency"], data["recency"], data["T"])

        def mean_nll(log_params: Floats) -> float:
            return -float((weights * self._conditional_log_likelihood(np.exp(log_params), *histories)).sum()) / float(
                weights.sum()
            )

        at = np.log(self.params_.to_numpy(float))
        self.log_likelihood_ = -float(weights.sum()) * mean_nll(at)
        self._hessian_ = numeric_hessian(mean_nll, at)
        self.variance_matrix_ = self._compute_variance_matrix()
        self.standard_errors_ = self._compute_standard_errors()
        self.confidence_intervals_ = self._compute_confidence_intervals()
        return self

    @staticmethod
    def _conditional_log_likelihood(params: Any, freq: ArrayLike, rec: ArrayLike, T: ArrayLike) -> Floats:
        r, alpha, s, beta = params
        x, t_x, age = _arrays(freq, rec, T)
        scale = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        left: Floats = np.log(s) + _log_integral(r + x, alpha, s + 1, beta, t_x, age)
        return scale + np.logaddexp(-(r + x) * np.log(alpha + age) - s * np.log(beta + age), left)

    @staticmethod
    def _negative_log_likelihood(
        params: Any, freq: ArrayLike, rec: ArrayLike, T: ArrayLike, weights: Any, penalizer_coef: float
    ) -> float:
        if np.any(np.asarray(params) <= 0.0):
            return np.inf
        each = ParetoNbd._conditional_log_likelihood(params, freq, rec, T)
        return float(-(weights * each).sum() / weights.mean() + penalizer_coef * np.sum(np.square(params)))

    def conditional_probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """P(alive | frequency, recency, T)."""
        r, alpha, s, beta = self.params_[["r", "alpha", "s", "beta"]]
        x, t_x, age = _arrays(frequency, recency, T)
        alive = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
        left: Floats = np.log(s) + _log_integral(r + x, alpha, s + 1, beta, t_x, age)
        return expit(alive - left)

    def probability_of_purchase_within(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """P(at least one purchase within t | frequency, recency, T)."""
        r, alpha, s, beta = self.params_[["r", "alpha", "s", "beta"]]
        horizon, x, age = _arrays(t, frequency, T)
        alive = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
        buys = np.log(r + x) + _log_integral(r + x + 1, alpha, s, beta, age, age + horizon)
        return self.conditional_probability_alive(frequency, recency, T) * np.exp(np.minimum(buys - alive, 0.0))

    def conditional_expected_number_of_purchases_up_to_time(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """E(purchases within t | frequency, recency, T)."""
        r, alpha, s, beta = self.params_[["r", "alpha", "s", "beta"]]
        horizon, x, age = _arrays(t, frequency, T)
        s_less_one = s - 1 if abs(s - 1) > 1e-6 else 1e-6
        lived = -np.expm1(-s_less_one * np.log1p(horizon / (beta + age))) / s_less_one
        alive = self.conditional_probability_alive(frequency, recency, T)
        return alive * (r + x) * (beta + age) / (alpha + age) * lived


class GammaGamma(GammaGammaFitter):  # type: ignore[misc]  # lifetimes is untyped
    """Gamma-Gamma model of the amount of a purchase day.

    References
    ----------
    Fader, Hardie (2013), The Gamma-Gamma Model of Monetary Value, eq. 1a and 5.
    """

    def fit(self, frequency: ArrayLike, monetary_value: ArrayLike, **kwargs: Any) -> GammaGamma:
        """Fit with q held above 1, where the mean exists; notes `log_likelihood_`."""
        with undisturbed():
            super().fit(np.asarray(frequency), np.asarray(monetary_value), q_constraint=True, **kwargs)
        self.log_likelihood_ = float(-self.data["weights"].sum() * self._negative_log_likelihood_)
        return self


#: Models by the name they bear in tables.
BTYD_MODELS = {"bg_nbd": BgNbd, "mbg_nbd": MbgNbd, "pareto_nbd": ParetoNbd}


def train_btyd(grouped: pd.DataFrame, model: str = "mbg_nbd", days_per_unit: float = 7) -> PurchaseModel:
    """Fit a model of lifetimes to grouped histories.

    Parameters
    ----------
    grouped : DataFrame
        What `group_histories` returns.
    model : str
        A key of `BTYD_MODELS`.
    days_per_unit : float
        7 fits in weeks, 1 in days.

    Returns
    -------
    PurchaseModel

    Raises
    ------
    NothingToDo
        If too few bought twice, or the fit finds no optimum.
    """
    return PurchaseModel(model, fit(BTYD_MODELS[model](), grouped, days_per_unit), days_per_unit)


def fit_gamma_gamma(repeat_buyers: pd.DataFrame) -> GammaGamma:
    """Fit the Gamma-Gamma model.

    Parameters
    ----------
    repeat_buyers : DataFrame
        Columns frequency (from 1 up) and monetary_value (above 0).

    Raises
    ------
    NothingToDo
        If they are too few, or the fit finds no optimum.
    """
    if len(repeat_buyers) < MIN_REPEAT_BUYERS:
        raise NothingToDo(f"{len(repeat_buyers)} repeat buyers with amounts are too few for a spend model.")
    try:
        return GammaGamma().fit(repeat_buyers["frequency"], repeat_buyers["monetary_value"])
    except (ConvergenceError, np.linalg.LinAlgError):
        raise NothingToDo("The Gamma-Gamma model found no optimum for these amounts.") from None


def tabulate_parameters(fits: Mapping[str, Fitter | GammaGamma], days_per_unit: float) -> pa.Table:
    """The parameters of fits as rows of table `model_parameters`.

    Parameters
    ----------
    fits : mapping of str to fitter
        The model's name in the table -> what has `params_`, `standard_errors_` and `variance_matrix_`.
    days_per_unit : float
        Kept as a parameter of each model of time, so that its fit can be used again.

    Returns
    -------
    pyarrow.Table
        Columns model, parameter, value, standard_error, covariance (parameter -> covariance).
    """
    rows = [
        (name, parameter, value, fitter.standard_errors_[parameter], list(fitter.variance_matrix_.loc[parameter].items()))
        for name, fitter in fits.items()
        for parameter, value in fitter.params_.items()
    ]
    rows += [
        (name, "days_per_unit", days_per_unit, None, None)
        for name, fitter in fits.items()
        if not isinstance(fitter, GammaGamma)
    ]
    schema = {
        "model": pa.string(),
        "parameter": pa.string(),
        "value": pa.float64(),
        "standard_error": pa.float64(),
        "covariance": pa.map_(pa.string(), pa.float64()),
    }
    columns = zip(*rows, strict=True)
    return pa.table([pa.array(column, kind) for column, kind in zip(columns, schema.values(), strict=True)], list(schema))


def numeric_hessian(function: Callable[[Floats], float], at: Floats, step: float = 1e-4) -> Floats:
    """Second derivatives of a function of few parameters, by central differences."""
    size = len(at)
    steps = np.eye(size) * step
    hessian = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            corners = [function(at + p * steps[i] + q * steps[j]) * p * q for p in (1, -1) for q in (1, -1)]
            hessian[i, j] = hessian[j, i] = sum(corners) / (4 * step**2)
    return hessian


def _arrays(*values: ArrayLike) -> list[Floats]:
    return [np.atleast_1d(np.asarray(value, float)) for value in values]


def _expected_over_dropout(n: Floats, a: float, b: Floats, turns: Floats) -> Floats:
    """Expected purchases of one alive, as the mean of (1 - (1 + p turns)^-n) / p over p ~ Beta(a, b).

    A double-exponential rule over the logit of p, centred on its mode.
    """
    centre, width = np.log(a / b), np.minimum(np.sqrt(1 / a + 1 / b), 1.0)
    steps = np.arcsinh(_NEGLIGIBLE / np.minimum(np.minimum(a, b), 1) / width)[:, None] * np.linspace(-1, 1, 401)
    logit = centre[:, None] + width[:, None] * np.sinh(steps)
    p = expit(logit)
    log_density = a * -np.logaddexp(0, -logit) - b[:, None] * np.logaddexp(0, logit) - betaln(a, b)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        purchases = -np.expm1(-n[:, None] * np.log1p(p * turns[:, None])) / p
    purchases = np.where(p > 1e-300, purchases, (n * turns)[:, None])
    jacobian = width[:, None] * np.cosh(steps) * (steps[:, 1] - steps[:, 0])[:, None]
    expected: Floats = (np.exp(log_density) * purchases * jacobian).sum(axis=1)
    return expected


def _log_integral(p: Floats, alpha: float, q: float, beta: float, start: Floats, end: Floats) -> Floats:
    """Logarithm of the integral of (alpha + y)^-p (beta + y)^-q from start to end, by Gauss-Legendre.

    The integrand falls steadily; it is cut where it is negligible, and taken over the logarithm of
    the time since the smaller of the two origins, in which both of its factors are smooth.
    """
    end = np.minimum(end, (alpha + start) * np.exp(np.minimum(_NEGLIGIBLE / p, 700)) - alpha)
    end = np.minimum(end, (beta + start) * np.exp(min(_NEGLIGIBLE / q, 700)) - beta)
    origin = min(alpha, beta)
    width = np.log1p((end - start) / (origin + start))
    w = width[:, None] * (1 + _NODES) / 2
    y = np.expm1(w) * (origin + start)[:, None]
    falling = (
        w
        - p[:, None] * np.log1p(y / (alpha + start)[:, None])
        - q * np.log1p(y / (beta + start)[:, None])
    )
    with np.errstate(divide="ignore"):
        inner = np.log((np.exp(falling) * _NODE_WEIGHTS).sum(axis=1) * width / 2)
    return inner + np.log(origin + start) - p * np.log(alpha + start) - q * np.log(beta + start)


def group_histories(histories: pd.DataFrame, days_per_group: int | None = None) -> pd.DataFrame:
    """Gather customers of equal history: the sufficient statistics of every model here.

    Parameters
    ----------
    histories : DataFrame
        Columns frequency, recency, T (days) and, if rhythm models are to be fitted, sum_log_itt.
    days_per_group : int, optional
        1 loses nothing; 7 rounds recency and T to weeks, which moves no parameter by more than about 1 %.
        Absent: 1 up to 100,000 customers, 7 above.

    Returns
    -------
    DataFrame
        Columns frequency, recency, T (days), weights (customers) and sum_log_itt (summed), by history.
    """
    if days_per_group is None:
        days_per_group = 1 if len(histories) <= _ROUNDED_FROM else 7
    rounded = histories[["recency", "T"]].astype("int64")
    if days_per_group > 1:
        rounded = (rounded + days_per_group // 2) // days_per_group * days_per_group
    grouped = rounded.assign(
        frequency=histories["frequency"].astype("int64"),
        weights=1,
        sum_log_itt=histories["sum_log_itt"].fillna(0.0) if "sum_log_itt" in histories else 0.0,
    )
    return grouped.groupby(["frequency", "recency", "T"], as_index=False)[["weights", "sum_log_itt"]].sum()


def fit(fitter: Any, grouped: pd.DataFrame, days_per_unit: float, **columns: ArrayLike) -> Any:
    """Fit any fitter to grouped histories.

    Raises
    ------
    NothingToDo
        If too few bought twice to tell one model from another, or the fit finds no optimum.
    """
    repeat_buyers = int(grouped.loc[grouped["frequency"] > 0, "weights"].sum())
    if repeat_buyers < MIN_REPEAT_BUYERS:
        raise NothingToDo(
            f"{repeat_buyers} customers bought on two days or more; a purchase model needs at least "
            f"{MIN_REPEAT_BUYERS} of them."
        )
    try:
        with undisturbed():
            return fitter.fit(
                grouped["frequency"].to_numpy(),
                grouped["recency"].to_numpy(float) / days_per_unit,
                grouped["T"].to_numpy(float) / days_per_unit,
                weights=grouped["weights"].to_numpy(),
                **columns,
            )
    except (ConvergenceError, np.linalg.LinAlgError):
        raise NothingToDo(
            f"{type(fitter).__name__} found no optimum on {int(grouped['weights'].sum())} customers: "
            "too few of them bought again, or their history is too short."
        ) from None
