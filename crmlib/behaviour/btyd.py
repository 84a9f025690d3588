"""Buy-till-you-die models of lifetimes behind one face; the only room that imports it.

lifetimes fits; what it predicts with sums that overflow (many purchases, old customers) is computed
here by the same formulas in a stable form. Its log-likelihood is a mean in scaled time; here it is
the literature's.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import digamma, expit, gammaln, hyp2f1

from crmlib.behaviour.histories import PurchaseModel
from crmlib.behaviour.integrals import (
    Floats,
    expected_over_dropout,
    log_integral,
    log_integral_and_means,
    make_positive,
    numeric_hessian,
)
from crmlib.behaviour.outlook import AskedOutlook, Outlook
from crmlib.errors import NothingToDo


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

_LOG_BOUND = 12.0


class FitterBase(BaseFitter):  # type: ignore[misc]  # lifetimes is untyped
    """Base of every fitter, here and in `rhythm`: `params_`, `standard_errors_`, `summary`, `save_model`."""

    params_: pd.Series
    data: pd.DataFrame
    log_likelihood_: float

    def outlook(self, *history: ArrayLike) -> Outlook:
        """Everything that is predicted of customers with these histories: frequency, recency, T."""
        return AskedOutlook(self, tuple(_arrays(*history)))

    def _values(self, *names: str) -> list[float]:
        """Parameters by name, as plain numbers."""
        return [float(self.params_[name]) for name in names]

    def _compute_variance_matrix(self) -> pd.DataFrame:
        """Covariance of the parameters from that of their logarithms; lifetimes' own is right on the diagonal alone."""
        values = self.params_.to_numpy(float)
        of_logarithms = np.linalg.inv(make_positive(self._hessian_)) / self.data["weights"].sum()
        names = self.params_.index
        return pd.DataFrame(np.outer(values, values) * of_logarithms, index=names, columns=names)

    def _note_errors(self) -> None:
        self.variance_matrix_ = self._compute_variance_matrix()
        self.standard_errors_ = self._compute_standard_errors()
        self.confidence_intervals_ = self._compute_confidence_intervals()


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


class _BetaGeometric(FitterBase):
    """What BG/NBD and MBG/NBD share: they differ in whether a customer may leave before the first repeat.

    References
    ----------
    Fader, Hardie, Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), eq. 6 and 10.
    Wagner, Hoppe (2008), Erratum on the MBG/NBD Model, IJRM 25(3).
    """

    _kept_chances: int  # purchases that offered no chance to leave: 1 in BG/NBD (the first), 0 in MBG/NBD

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Fit as lifetimes does, and note the literature's log-likelihood as `log_likelihood_`."""
        super().fit(*args, **kwargs)
        customers, gaps = self.data["weights"].sum(), (self.data["weights"] * self.data["frequency"]).sum()
        self.log_likelihood_ = float(-customers * self._negative_log_likelihood_ + gaps * np.log(self._scale))
        return self

    def _fit(self, *args: Any, **kwargs: Any) -> Any:
        """Once more within bounds where lifetimes finds no optimum: hardly anybody leaves, and a or b drifts off."""
        try:
            return super()._fit(*args, **kwargs)
        except ConvergenceError:
            return super()._fit(*args, **kwargs | {"bounds": [(-_LOG_BOUND, _LOG_BOUND)] * 4})

    def conditional_probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """P(alive | frequency, recency, T)."""
        r, alpha, a, b = self._values("r", "alpha", "a", "b")
        x, t_x, age = _arrays(frequency, recency, T)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_odds = np.log(a / (b + x - self._kept_chances)) + (r + x) * np.log((alpha + age) / (alpha + t_x))
        log_odds = np.where(x < self._kept_chances, -np.inf, log_odds)
        alive: Floats = expit(-log_odds)
        return alive

    def probability_of_purchase_within(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """P(at least one purchase within t | frequency, recency, T)."""
        r, alpha = self._values("r", "alpha")
        horizon, x, age = _arrays(t, frequency, T)
        sooner = -np.expm1((r + x) * np.log1p(-horizon / (alpha + age + horizon)))
        buys: Floats = self.conditional_probability_alive(frequency, recency, T) * sooner
        return buys

    def conditional_expected_number_of_purchases_up_to_time(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """E(purchases within t | frequency, recency, T), after Euler's transformation, which cannot overflow."""
        r, alpha, a, b = self._values("r", "alpha", "a", "b")
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
            if_alive[lost] = expected_over_dropout(n[lost], a, b_after[lost], turns[lost])
        expected: Floats = self.conditional_probability_alive(frequency, recency, T) * if_alive
        return expected


class BgNbd(_BetaGeometric, BetaGeoFitter):  # type: ignore[misc]  # lifetimes is untyped
    """BG/NBD: Poisson purchases, a chance to leave after each repeat purchase."""

    _kept_chances = 1


class MbgNbd(_BetaGeometric, ModifiedBetaGeoFitter):  # type: ignore[misc]  # lifetimes is untyped
    """MBG/NBD: as BG/NBD, and customers may leave before the first repeat purchase."""

    _kept_chances = 0


class ParetoNbd(FitterBase, ParetoNBDFitter):  # type: ignore[misc]  # lifetimes is untyped
    """Pareto/NBD: Poisson purchases, exponential lifetime; integrals by quadrature, so that none is nan.

    References
    ----------
    Schmittlein, Morrison, Colombo (1987), Counting Your Customers, Management Science 33(1).
    Fader, Hardie (2005), A Note on Deriving the Pareto/NBD Model, eq. 17, 32, 41.
    """

    def fit(
        self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, weights: ArrayLike | None = None
    ) -> ParetoNbd:
        """Fit by maximum likelihood over the logarithms, with an analytic gradient.

        lifetimes' own search starts at random and takes the simplex's long way; a gradient gives the same optimum.
        """
        x, t_x, age = _arrays(frequency, recency, T)
        w = np.ones_like(x) if weights is None else np.asarray(weights, float)
        scale = float((w * x).sum() / (w * t_x).sum())

        def mean_nll(at: Floats) -> tuple[float, Floats]:
            each, slopes = self._likelihoods(np.exp(at), x, t_x * scale, age * scale)
            return -float((w * each).sum() / w.sum()), -(slopes @ w) * np.exp(at) / w.sum()

        found = minimize(mean_nll, np.zeros(4), jac=True, method="L-BFGS-B", bounds=[(-_LOG_BOUND, _LOG_BOUND)] * 4)
        self.data = pd.DataFrame({"frequency": x, "recency": t_x, "T": age, "weights": w})
        self.params_ = pd.Series(np.exp(found.x), index=["r", "alpha", "s", "beta"])
        self.params_[["alpha", "beta"]] /= scale
        self.log_likelihood_ = float(-w.sum() * found.fun + (w * x).sum() * np.log(scale))
        self._hessian_ = numeric_hessian(lambda at: mean_nll(at)[1], found.x)
        self._note_errors()
        return self

    @classmethod
    def _conditional_log_likelihood(cls, params: Any, freq: ArrayLike, rec: ArrayLike, T: ArrayLike) -> Floats:
        return cls._likelihoods(params, *_arrays(freq, rec, T))[0]

    @staticmethod
    def _likelihoods(params: Any, x: Floats, t_x: Floats, age: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood of each customer, and its slopes by r, alpha, s, beta (4 × customers)."""
        r, alpha, s, beta = params
        integral, means = log_integral_and_means(r + x, alpha, s + 1, beta, t_x, age, means=True)
        log_alpha, over_alpha, log_beta, over_beta = means
        here = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
        either = np.logaddexp(here, np.log(s) + integral)
        stays, left = np.exp(here - either), np.exp(np.log(s) + integral - either)
        each: Floats = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + either
        slopes = (
            digamma(r + x) - digamma(r) + np.log(alpha) - stays * np.log(alpha + age) - left * log_alpha,
            r / alpha - (r + x) * (stays / (alpha + age) + left * over_alpha),
            np.log(beta) - stays * np.log(beta + age) + left * (1 / s - log_beta),
            s / beta - stays * s / (beta + age) - left * (s + 1) * over_beta,
        )
        return each, np.array(slopes)

    def conditional_probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """P(alive | frequency, recency, T)."""
        r, alpha, s, beta = self._values("r", "alpha", "s", "beta")
        x, t_x, age = _arrays(frequency, recency, T)
        alive = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
        left: Floats = np.log(s) + log_integral(r + x, alpha, s + 1, beta, t_x, age)
        probability: Floats = expit(alive - left)
        return probability

    def probability_of_purchase_within(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """P(at least one purchase within t | frequency, recency, T)."""
        r, alpha, s, beta = self._values("r", "alpha", "s", "beta")
        horizon, x, age = _arrays(t, frequency, T)
        alive = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
        buys = np.log(r + x) + log_integral(r + x + 1, alpha, s, beta, age, age + horizon)
        probability: Floats = self.conditional_probability_alive(frequency, recency, T) * np.exp(
            np.minimum(buys - alive, 0.0)
        )
        return probability

    def conditional_expected_number_of_purchases_up_to_time(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """E(purchases within t | frequency, recency, T)."""
        r, alpha, s, beta = self._values("r", "alpha", "s", "beta")
        horizon, x, age = _arrays(t, frequency, T)
        s_less_one = s - 1 if abs(s - 1) > 1e-6 else 1e-6
        lived = -np.expm1(-s_less_one * np.log1p(horizon / (beta + age))) / s_less_one
        alive = self.conditional_probability_alive(frequency, recency, T)
        expected: Floats = alive * (r + x) * (beta + age) / (alpha + age) * lived
        return expected


class GammaGamma(FitterBase, GammaGammaFitter):  # type: ignore[misc]  # lifetimes is untyped
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


def _arrays(*values: ArrayLike) -> list[Floats]:
    return [np.atleast_1d(np.asarray(value, float)) for value in values]
