"""The rhythm model: MBG/CNBD-k (and BG/CNBD-k) in closed form, for any real regularity k.

Gaps between purchases are gamma with shape k: k = 1 is Poisson, a larger k a steadier rhythm. Rates
differ between customers by a gamma mix, dropout by a beta mix. With n = r + k x and
z = (alpha + t_x) / (alpha + T), the survival of the running gap is the regularised incomplete beta
I_z(n, k), so that everything below is closed, and the history enters only by frequency, recency, T
and the sum of the logarithms of the gaps.

References
----------
Platzer, Reutterer (2016), Ticking Away the Moments, Marketing Science 35(5): the Pareto/GGG's kin.
Reutterer, Platzer, Schröder (2021), Leveraging purchase regularity, IJRM 38(1): MBG/CNBD-k for integer k.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import betaln, digamma, gammaln

from crmlib.behaviour.btyd import MIN_REPEAT_BUYERS, FitterBase, fit
from crmlib.behaviour.gaps import survive
from crmlib.behaviour.histories import PurchaseModel, simulate_histories
from crmlib.behaviour.integrals import Floats, make_positive
from crmlib.behaviour.rhythm_outlook import RhythmOutlook
from crmlib.errors import NothingToDo

K_RANGE = (0.5, 30.0)
_LOG_BOUND = 12.0
_SEARCH_ROWS = 10_000
_NEWTON_STEPS = 8
_PARAMETERS = ("k", "r", "alpha", "a", "b")
#: From the logarithms of k, r, alpha, a, b to those that are fitted: log(alpha k) = log alpha + log k.
_TO_ALPHA = np.eye(5) + np.outer(np.arange(5) == 2, np.arange(5) == 0)
_Slope = tuple[float, Floats]


class RhythmFitter(FitterBase):
    """MBG/CNBD-k or BG/CNBD-k, in the manner of a lifetimes fitter.

    Parameters
    ----------
    k : float, optional
        Regularity to hold; found with the other parameters, within `K_RANGE`, when absent.
    may_leave_at_once : bool
        True (MBG): a customer may leave before the first repeat purchase; False (BG): only after it.
    penalizer_coef : float
        Of the squares of the parameters' logarithms (in scaled time), beside the mean log-likelihood; 0: none.
    """

    def __init__(self, k: float | None = None, may_leave_at_once: bool = True, penalizer_coef: float = 0.0) -> None:
        self.k = k
        self.may_leave_at_once = may_leave_at_once
        self.penalizer_coef = penalizer_coef

    def fit(
        self,
        frequency: ArrayLike,
        recency: ArrayLike,
        T: ArrayLike,
        sum_log_itt: ArrayLike,
        weights: ArrayLike | None = None,
    ) -> RhythmFitter:
        """Fit by maximum likelihood.

        Parameters
        ----------
        frequency, recency, T : array_like
            Repeat purchases, and times from the first purchase to the last and to the end.
        sum_log_itt : array_like
            Sum of the logarithms of the gaps; of a group: the sum over its customers.
        weights : array_like, optional
            Customers per row; 1 when absent.

        Returns
        -------
        RhythmFitter
            With `params_` (k, r, alpha, a, b), `standard_errors_`, `variance_matrix_`, `log_likelihood_`.

        Raises
        ------
        NothingToDo
            If fewer than 50 customers bought again, or, with k to be found, have two gaps or more: one gap each does
            not tell how regular anybody is from how customers differ.
        """
        x, t_x, age, log_gaps = (np.asarray(values, float) for values in (frequency, recency, T, sum_log_itt))
        w = np.ones_like(x) if weights is None else np.asarray(weights, float)
        check_gaps(x, w, regularity_too=self.k is None)
        scale = float((w * x).sum() / (w * t_x).sum())
        data = (x, t_x * scale, age * scale, w, log_gaps + w * x * np.log(scale))
        every = max(len(x) // _SEARCH_ROWS, 1)
        searched = tuple(column[::every] for column in data)
        at = self._search(searched)
        hessian = self._find_hessian(at, searched)
        if every > 1:
            at = self._refine(at, hessian, data)
        mean_nll, gaps = self._mean_nll(at, *data)[0], float((w * x).sum())
        self.data = pd.DataFrame({"frequency": x, "recency": t_x, "T": age, "weights": w})
        penalty = self.penalizer_coef * float(at @ at)
        self.log_likelihood_ = float(-(mean_nll - penalty) * w.sum() + gaps * np.log(scale))
        self.params_ = pd.Series(np.exp(at), index=list(_PARAMETERS))
        self.params_["alpha"] /= self.params_["k"] * scale
        self._hessian_ = _TO_ALPHA.T @ hessian @ _TO_ALPHA
        self._note_errors()
        return self

    def _search(self, data: tuple[Floats, ...]) -> Floats:
        log_k = np.log(K_RANGE) if self.k is None else np.log([self.k, self.k])
        found = minimize(
            self._mean_nll,
            np.array([np.clip(0.0, *log_k), 0.0, 0.0, np.log(0.5), np.log(2.0)]),
            args=data,
            jac=True,
            method="L-BFGS-B",
            bounds=[tuple(log_k), *[(-_LOG_BOUND, _LOG_BOUND)] * 4],
            options={"maxiter": 500, "ftol": 1e-11, "gtol": 1e-7},
        )
        at: Floats = found.x
        return at

    def _find_hessian(self, at: Floats, data: tuple[Floats, ...]) -> Floats:
        step = 1e-3 * np.eye(5)
        slopes = [self._mean_nll(at + h, *data)[1] - self._mean_nll(at - h, *data)[1] for h in step]
        return np.array(slopes) / 2e-3

    def _refine(self, at: Floats, hessian: Floats, data: tuple[Floats, ...]) -> Floats:
        """From the optimum of some rows to that of all, by Newton's steps with the Hessian of those rows.

        Falls back on a search over all rows where the steps do not settle at once.
        """
        free = slice(0 if self.k is None else 1, 5)
        curvature, refined = make_positive(hessian[free, free]), at.copy()
        for _ in range(_NEWTON_STEPS):
            step = np.linalg.solve(curvature, self._mean_nll(refined, *data)[1][free])
            refined[free] -= step
            if np.abs(step).max() > 1:
                break
            if np.abs(step).max() < 1e-4:
                return refined
        return self._search(data)

    def _mean_nll(self, at: Floats, x: Floats, t_x: Floats, age: Floats, w: Floats, log_gaps: Floats) -> _Slope:
        """Mean negative log-likelihood of a customer, and its gradient.

        `at` holds the logarithms of k, r, alpha k, a, b: the mean gap, alpha k / r, hardly moves with k.
        """
        k, r, scaled_alpha, a, b = np.exp(at)
        alpha = scaled_alpha / k
        n, bought, now = r + k * x, alpha + t_x, alpha + age
        survival = survive(n, k, bought, now)
        dropout, chances, dropout_a, dropout_b = self._dropout(a, b, x)
        total = np.maximum(survival + dropout, 1e-300)
        log_now = np.log(bought)
        each = gammaln(n) - gammaln(r) - x * gammaln(k) + r * np.log(alpha) - n * log_now
        each += betaln(a, b + chances) - betaln(a, b) + np.log(total)
        log_likelihood = (k - 1) * log_gaps.sum() + (w * each).sum()

        step_n, step_k = 1e-5 * n, 1e-5 * k
        by_n = (survive(n + step_n, k, bought, now) - survive(n - step_n, k, bought, now)) / (2 * step_n) / total
        by_k = (survive(n, k + step_k, bought, now) - survive(n, k - step_k, bought, now)) / (2 * step_k) / total
        z = bought / now
        with np.errstate(divide="ignore"):
            by_z = np.exp((n - 1) * np.log(z) + (k - 1) * np.log1p(-z) - betaln(n, k)) / total
        by_z = np.where(age > t_x, by_z, 0.0)
        of_n = digamma(n) - log_now + by_n
        leaving = digamma(a + b) - digamma(a + b + chances)
        by_alpha = alpha * (r / alpha - n / bought + by_z * (age - t_x) / now**2)
        parts = [
            k * (x * of_n - x * digamma(k) + by_k) - by_alpha,
            r * (of_n - digamma(r) + np.log(alpha)),
            by_alpha,
            a * (leaving + dropout_a / total),
            b * (leaving + digamma(b + chances) - digamma(b) + dropout_b / total),
        ]
        gradient = np.array([(w * part).sum() for part in parts])
        gradient[0] += k * log_gaps.sum()
        penalty, slope = self.penalizer_coef * float(at @ at), 2 * self.penalizer_coef * at
        return -log_likelihood / w.sum() + penalty, -gradient / w.sum() + slope

    def _dropout(self, a: float, b: float, x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """D, relative to survival; chances to leave that were passed; and D's derivatives by a and b."""
        if self.may_leave_at_once:
            return a / (b + x), x + 1, 1 / (b + x), -a / (b + x) ** 2
        left = np.where(x > 0, 1 / np.maximum(b + x - 1, b), 0.0)
        return a * left, x, left, -a * left**2

    def outlook(self, *history: ArrayLike) -> RhythmOutlook:
        """Everything that is predicted of customers with these histories: frequency, recency, T."""
        k, r, alpha, a, b = self._values("k", "r", "alpha", "a", "b")
        x, t_x, age = _arrays(*history)
        dropout, chances, _, _ = self._dropout(a, b, x)
        return RhythmOutlook(k, r, alpha, a, x, t_x, age, dropout, b + chances)

    def conditional_probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """P(alive)."""
        return self.outlook(frequency, recency, T).p_alive

    def probability_of_purchase_within(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """P(at least one purchase within t)."""
        horizon, *history = _arrays(t, frequency, recency, T)
        return self.outlook(*history).p_buy(horizon)

    def overdue_percentile(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Share of the customer's gaps that would have ended by now."""
        return self.outlook(frequency, recency, T).overdue

    def next_purchase_quantile(self, q: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Time from now to the next purchase, if still a customer, at quantile q; inf if out of reach."""
        level, *history = _arrays(q, frequency, recency, T)
        return self.outlook(*history).next_purchase(level)

    def conditional_expected_number_of_purchases_up_to_time(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """E(purchases within t)."""
        horizon, *history = _arrays(t, frequency, recency, T)
        return self.outlook(*history).expected_purchases(horizon)

    def simulate(self, T: ArrayLike, horizon: float = 0.0, seed: int = 0) -> pd.DataFrame:
        """Draw customers of these ages from the fitted model: what `simulate_histories` returns."""
        return simulate_histories(self.params_, T, horizon, seed, self.may_leave_at_once)


def train_rhythm(grouped: pd.DataFrame, days_per_unit: float = 7, k: float | None = None) -> PurchaseModel:
    """Fit MBG/CNBD-k to grouped histories.

    Parameters
    ----------
    grouped : DataFrame
        What `group_histories` returns, with sum_log_itt in days.
    days_per_unit : float
        7 fits in weeks, 1 in days.
    k : float, optional
        Regularity to hold; found with the other parameters when absent.

    Returns
    -------
    PurchaseModel
        Named ``mbg_cnbd_k``; its fitter is a `RhythmFitter`.

    Raises
    ------
    NothingToDo
        If too few customers bought twice.
    """
    gaps = grouped["frequency"] * grouped["weights"]
    log_gaps = grouped["sum_log_itt"] - gaps * np.log(days_per_unit)
    fitted = fit(RhythmFitter(k), grouped, days_per_unit, sum_log_itt=log_gaps.to_numpy(float))
    return PurchaseModel("mbg_cnbd_k", fitted, days_per_unit)


def check_gaps(frequency: Floats, weights: Floats, regularity_too: bool) -> None:
    """Refuse data that cannot tell the parameters from each other.

    Raises
    ------
    NothingToDo
        If too few customers have a gap, or two where regularity is to be found.
    """
    least = 2 if regularity_too else 1
    customers = int(weights[frequency >= least].sum())
    if customers >= MIN_REPEAT_BUYERS:
        return
    if not regularity_too:
        raise NothingToDo(f"{customers} customers bought again; at least {MIN_REPEAT_BUYERS} are needed.")
    raise NothingToDo(
        f"{customers} customers have two gaps between purchases or more; to tell how regular purchases are, at least "
        f"{MIN_REPEAT_BUYERS} must. Hold k (k=1 is MBG/NBD), or wait for a longer history."
    )


def has_enough(summary: pd.DataFrame) -> bool:
    """Whether enough customers have the two gaps that tell how regular purchases are."""
    return int((summary["frequency"] > 1).sum()) >= MIN_REPEAT_BUYERS


def as_rhythm(model: PurchaseModel) -> PurchaseModel:
    """The same model with the rhythm model's predictions (overdue percentile, next-purchase quantiles).

    MBG/NBD is the rhythm model at k = 1; a rhythm model is returned as it is.
    """
    if isinstance(model.fitter, RhythmFitter):
        return model
    rhythm = RhythmFitter(k=1.0)
    rhythm.params_ = pd.concat([pd.Series({"k": 1.0}), model.fitter.params_[["r", "alpha", "a", "b"]]])
    return PurchaseModel(model.name, rhythm, model.days_per_unit)


def _arrays(*values: ArrayLike) -> list[Floats]:
    return list(np.broadcast_arrays(*(np.atleast_1d(np.asarray(value, float)) for value in values)))
