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

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize, minimize_scalar
from scipy.special import betainc, betaincinv, betaln, digamma, gammaincinv, gammaln, poch

from crmlib.behaviour.btyd import FitterBase, Floats, PurchaseModel, fit, numeric_hessian

K_RANGE = (0.5, 30.0)
_MANY_STAGES = 300.0  # beyond so many expected stages, sums are replaced by an integral over the rate
_LOG_BOUND = 12.0


class RhythmFitter(FitterBase):  # type: ignore[misc]  # lifetimes is untyped
    """MBG/CNBD-k or BG/CNBD-k, in the manner of a lifetimes fitter.

    Parameters
    ----------
    k : float, optional
        Regularity; found by profile likelihood over the real numbers of `K_RANGE` when absent.
    may_leave_at_once : bool
        True (MBG): a customer may leave before the first repeat purchase; False (BG): only after it.
    """

    def __init__(self, k: float | None = None, may_leave_at_once: bool = True) -> None:
        self.k = k
        self.may_leave_at_once = may_leave_at_once

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
            With `params_` (k, r, alpha, a, b), `standard_errors_`, `variance_matrix_`,
            `log_likelihood_` and `profile_` (columns k, log_likelihood).
        """
        x, t_x, age, log_gaps = (np.asarray(values, float) for values in (frequency, recency, T, sum_log_itt))
        w = np.ones_like(x) if weights is None else np.asarray(weights, float)
        scale = float((w * x).sum() / (w * t_x).sum())
        data = (x, t_x * scale, age * scale, w, log_gaps + w * x * np.log(scale))
        visited: list[tuple[float, float]] = []
        start = np.log([1.0, 1.0, 0.5, 2.0])

        def best_given(log_k: float) -> float:
            nonlocal start
            k = float(np.exp(log_k))
            found = minimize(
                lambda log_params: self._mean_nll(k, log_params, data),
                start - np.array([0, log_k, 0, 0]),
                jac=True,
                method="L-BFGS-B",
                bounds=[(-_LOG_BOUND, _LOG_BOUND)] * 4,
            )
            start = found.x + np.array([0, log_k, 0, 0])
            visited.append((k, -found.fun * w.sum()))
            return float(found.fun)

        if self.k is None:
            log_k = minimize_scalar(
                best_given, bounds=np.log(K_RANGE), method="bounded", options={"xatol": 0.005}
            ).x
        else:
            log_k = np.log(self.k)
        nll = best_given(log_k)
        at = np.array([log_k, *(start - np.array([0, log_k, 0, 0]))])

        self.data = pd.DataFrame({"frequency": x, "recency": t_x, "T": age, "weights": w})
        self.params_ = pd.Series(np.exp(at), index=["k", "r", "alpha", "a", "b"])
        self.params_["alpha"] /= scale
        gaps = (w * x).sum()
        self.log_likelihood_ = float(-nll * w.sum() + gaps * np.log(scale))
        self.profile_ = pd.DataFrame(visited, columns=["k", "log_likelihood"]).sort_values("k", ignore_index=True)
        self.profile_["log_likelihood"] += gaps * np.log(scale)
        self._hessian_ = _positive(
            numeric_hessian(lambda log: self._mean_nll(float(np.exp(log[0])), log[1:], data)[0], at, step=1e-3)
        )
        self.variance_matrix_ = self._compute_variance_matrix()
        self.standard_errors_ = self._compute_standard_errors()
        self.confidence_intervals_ = self._compute_confidence_intervals()
        return self

    def _mean_nll(self, k: float, log_params: Floats, data: tuple[Floats, ...]) -> tuple[float, Floats]:
        """Mean negative log-likelihood of a customer, and its gradient by the logarithms of r, alpha, a, b."""
        x, t_x, age, w, log_gaps = data
        r, alpha, a, b = np.exp(log_params)
        n, z = r + k * x, (alpha + t_x) / (alpha + age)
        survival = betainc(n, k, z)
        dropout, chances, dropout_a, dropout_b = self._dropout(a, b, x)
        total = np.maximum(survival + dropout, 1e-300)
        each = (
            gammaln(n)
            - gammaln(r)
            - x * gammaln(k)
            + r * np.log(alpha)
            - n * np.log(alpha + t_x)
            + betaln(a, b + chances)
            - betaln(a, b)
            + np.log(total)
        )
        log_likelihood = (k - 1) * log_gaps.sum() + (w * each).sum()

        step = 1e-5 * (1 + n)
        by_n = (betainc(n + step, k, z) - betainc(n - np.minimum(step, n / 2), k, z)) / (step + np.minimum(step, n / 2))
        with np.errstate(divide="ignore"):
            by_z = np.exp((n - 1) * np.log(z) + (k - 1) * np.log1p(-z) - betaln(n, k))
        by_z = np.where(age > t_x, by_z, 0.0)
        gradient = [
            r * (digamma(n) - digamma(r) + np.log(alpha / (alpha + t_x)) + by_n / total),
            alpha * (r / alpha - n / (alpha + t_x) + by_z * (age - t_x) / (alpha + age) ** 2 / total),
            a * (digamma(a + b) - digamma(a + b + chances) + dropout_a / total),
            b
            * (
                digamma(a + b)
                - digamma(a + b + chances)
                + digamma(b + chances)
                - digamma(b)
                + dropout_b / total
            ),
        ]
        return -log_likelihood / w.sum(), -np.array([(w * part).sum() for part in gradient]) / w.sum()

    def _dropout(self, a: float, b: float, x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """D, relative to survival; chances to leave that were passed; and D's derivatives by a and b."""
        if self.may_leave_at_once:
            return a / (b + x), x + 1, 1 / (b + x), -a / (b + x) ** 2
        left = np.where(x > 0, 1 / np.maximum(b + x - 1, b), 0.0)
        return a * left, x, left, -a * left**2

    def _state(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> tuple[Floats, ...]:
        k, r, alpha = self.params_[["k", "r", "alpha"]]
        x, t_x, age = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in (frequency, recency, T)))
        n, z = r + k * x, (alpha + t_x) / (alpha + age)
        dropout, chances, _, _ = self._dropout(self.params_["a"], self.params_["b"], x)
        return n, betainc(n, k, z), dropout, chances, alpha + t_x, alpha + age

    def conditional_probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """P(alive) = I_z / (I_z + D)."""
        _, survival, dropout, *_ = self._state(frequency, recency, T)
        total = survival + dropout
        return np.where(total > 0, survival / np.where(total > 0, total, 1.0), 1.0)

    def probability_of_purchase_within(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """P(at least one purchase within t) = (I_z - I_z') / (I_z + D), z' being z at T + t."""
        n, survival, dropout, _, bought, now = self._state(frequency, recency, T)
        later = betainc(n, self.params_["k"], bought / (now + np.asarray(t, float)))
        total = survival + dropout
        return np.clip((survival - later) / np.where(total > 0, total, 1.0), 0.0, 1.0)

    def overdue_percentile(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Share of the customer's gaps that would have ended by now: 1 - I_z."""
        return 1 - self._state(frequency, recency, T)[1]

    def next_purchase_quantile(
        self, q: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """Time from now to the next purchase, if still a customer, at quantile q; inf if out of reach."""
        n, survival, _, _, bought, now = self._state(frequency, recency, T)
        w = betaincinv(n, self.params_["k"], (1 - np.asarray(q, float)) * survival)
        with np.errstate(divide="ignore"):
            return np.where(w > 0, np.maximum(bought / np.where(w > 0, w, 1.0) - now, 0.0), np.inf)

    def conditional_expected_number_of_purchases_up_to_time(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """E(purchases within t): the first by its probability, the further ones given that the customer is alive.

        The further ones are exact for an integer k, and otherwise taken between its neighbours, linearly in
        1/k, the squared variation of a gap (in a renewal process the count is linear in it); the neighbours
        keep the mean gap: alpha becomes alpha k / k'. Below 1 the line through 1 and 2 is used.
        """
        k, r, alpha, a, b = self.params_[["k", "r", "alpha", "a", "b"]]
        horizon, x, t_x, age = np.broadcast_arrays(
            *(np.atleast_1d(np.asarray(values, float)) for values in (t, frequency, recency, T))
        )
        below = max(int(np.floor(k)), 1)
        chances = self._dropout(a, b, x)[1]
        further = np.zeros_like(x)
        share_above = (1 / below - 1 / k) * below * (below + 1)
        for neighbour, share in ((below, 1 - share_above), (below + 1, share_above)):
            if share != 0:
                moved = alpha * k / neighbour
                further += share * _further_purchases(
                    neighbour, r + neighbour * x, moved + age, age - t_x, horizon, a, b + chances
                )
        first = self.probability_of_purchase_within(horizon, x, t_x, age)
        return first + self.conditional_probability_alive(x, t_x, age) * np.maximum(further, 0.0)


def train_rhythm(grouped: pd.DataFrame, days_per_unit: float = 7, k: float | None = None) -> PurchaseModel:
    """Fit MBG/CNBD-k to grouped histories.

    Parameters
    ----------
    grouped : DataFrame
        What `group_histories` returns, with sum_log_itt in days.
    days_per_unit : float
        7 fits in weeks, 1 in days.
    k : float, optional
        Regularity to hold; found by profile likelihood when absent.

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


def as_rhythm(model: PurchaseModel) -> PurchaseModel:
    """The same model with the rhythm model's predictions (overdue percentile, next-purchase quantiles).

    MBG/NBD is the rhythm model at k = 1; a rhythm model is returned as it is.
    """
    if isinstance(model.fitter, RhythmFitter):
        return model
    rhythm = RhythmFitter(k=1.0)
    rhythm.params_ = pd.concat([pd.Series({"k": 1.0}), model.fitter.params_[["r", "alpha", "a", "b"]]])
    return PurchaseModel(model.name, rhythm, model.days_per_unit)


def simulate_histories(params: pd.Series, ages: ArrayLike, horizon: float, seed: int) -> pd.DataFrame:
    """Draw customers from MBG/CNBD-k.

    Parameters
    ----------
    params : Series
        k, r, alpha, a, b.
    ages : array_like
        T of each customer.
    horizon : float
        How long to look on after T.
    seed : int
        Of the random numbers.

    Returns
    -------
    DataFrame
        Columns frequency, recency, T, sum_log_itt, alive (at T), purchases (within the horizon),
        next_purchase (time from T, inf if none).
    """
    random = np.random.default_rng(seed)
    age = np.asarray(ages, float)
    rate = random.gamma(params["r"], 1 / params["alpha"], len(age))
    leaves = random.beta(params["a"], params["b"], len(age))
    frequency, recency, log_gaps, purchases = (np.zeros(len(age)) for _ in range(4))
    alive, next_purchase = np.zeros(len(age), bool), np.full(len(age), np.inf)
    time, going = np.zeros(len(age)), np.flatnonzero(random.random(len(age)) >= leaves)
    while going.size:
        gap = random.gamma(params["k"], 1, going.size) / np.maximum(rate[going], 1e-300)
        time[going] += gap
        known, seen = time[going] <= age[going], time[going] <= age[going] + horizon
        alive[going[~known]] = True
        frequency[going[known]] += 1
        recency[going[known]] = time[going[known]]
        log_gaps[going[known]] += np.log(gap[known])
        coming = going[seen & ~known]
        next_purchase[coming] = np.where(purchases[coming] == 0, time[coming] - age[coming], next_purchase[coming])
        purchases[coming] += 1
        stays = random.random(going.size) >= leaves[going]
        going = going[seen & stays]
    return pd.DataFrame(
        {
            "frequency": frequency.astype(int),
            "recency": recency,
            "T": age,
            "sum_log_itt": log_gaps,
            "alive": alive,
            "purchases": purchases.astype(int),
            "next_purchase": next_purchase,
        }
    )


def _positive(hessian: Floats) -> Floats:
    """A Hessian made positive definite: what the data leave open gets a wide error, not a negative one."""
    values, vectors = np.linalg.eigh(hessian)
    return vectors @ np.diag(np.maximum(values, 1e-9)) @ vectors.T


def _purchases_before_leaving(opportunities: Floats, a: float, b: Floats) -> Floats:
    """Expected purchases of one who may leave after each of them: sum of B(a, b + j) / B(a, b) over j < opportunities."""
    a = a if abs(a - 1) > 1e-6 else 1 + 1e-6
    stays = np.exp(gammaln(b + opportunities) - gammaln(b) - gammaln(a + b - 1 + opportunities) + gammaln(a + b - 1))
    return (a + b - 1) / (a - 1) * (1 - stays)


def _further_purchases(
    k: int, n: Floats, now: Floats, elapsed: Floats, horizon: Floats, a: float, b: Floats
) -> Floats:
    """Expected purchases within the horizon after the next one, of customers alive, for integer k.

    A gap is k stages of a Poisson process. How many passed since the last purchase (fewer than k) and
    how many will within the horizon is counted stage by stage; the running total of purchases carries
    the chance to leave after each.

    Parameters
    ----------
    k : int
        Stages of a gap.
    n, now : ndarray
        Shape and rate of the gamma distribution of a customer's stage rate: r + k x, alpha + T.
    elapsed, horizon : ndarray
        Time since the last purchase, time to look ahead.
    a : float
    b : ndarray
        Beta distribution of the chance to leave, after the purchases made.
    """
    u, q = elapsed / now, horizon / (now + horizon)
    stage = np.arange(k)
    log_passed = np.log(poch(n[:, None], stage)) + stage * np.log(np.maximum(u, 1e-300))[:, None] - gammaln(stage + 1)
    log_passed -= np.logaddexp.reduce(log_passed, axis=1, keepdims=True)

    expected = np.empty_like(n)
    many = (n * q / (1 - q) > _MANY_STAGES) | (q > 0.99)
    if many.any():
        chosen = (n[many], now[many], elapsed[many], horizon[many], a, b[many])
        expected[many] = _further_purchases_over_rate(k, *chosen)
    rows = np.flatnonzero(~many)
    log_stages = log_passed[rows] + (n[rows, None] + stage) * np.log1p(-q[rows])[:, None]
    n, q, b = n[rows, None], q[rows], b[rows]
    stays, purchases, sums, total = np.ones(len(rows)), np.zeros(len(rows)), np.zeros(len(rows)), 0
    while rows.size:
        made = total - stage[: total + 1]
        if total and total % k == 0:
            stays *= (b + total // k - 2) / (a + b + total // k - 2) if total > k else 1.0
            purchases += stays if total > k else 0.0
        probability = np.exp(log_stages[:, : total + 1])
        term = probability.sum(axis=1) * purchases
        sums += term
        log_stages[:, : total + 1] += np.log((n + total) / (made + 1) * q[:, None])
        total += 1
        if total % 16 == 0:
            ratio = (n[:, 0] + total) / max(total - k + 1, 1) * q
            with np.errstate(divide="ignore", invalid="ignore"):
                going = ~((ratio < 1) & (2 * term * ratio / (1 - ratio) < 1e-9))
            expected[rows] = sums
            rows, log_stages, n, q, b = rows[going], log_stages[going], n[going], q[going], b[going]
            stays, purchases, sums = stays[going], purchases[going], sums[going]
    return expected


def _further_purchases_over_rate(
    k: int, n: Floats, now: Floats, elapsed: Floats, horizon: Floats, a: float, b: Floats
) -> Floats:
    """As `_further_purchases`, where so many stages are due that purchases may be counted in fractions."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    rate = gammaincinv(n[:, None], (1 + nodes) / 2) / now[:, None]
    stage = np.arange(k)
    log_passed = stage * np.log(np.maximum(rate * elapsed[:, None], 1e-300))[..., None] - gammaln(stage + 1)
    likely = np.exp(np.logaddexp.reduce(log_passed, axis=2))
    passed = (np.exp(log_passed) * stage).sum(axis=2) / likely
    opportunities = np.maximum((passed + rate * horizon[:, None]) / k - (k - 1) / (2 * k), 0.0)
    purchases = np.maximum(_purchases_before_leaving(opportunities, a, b[:, None]) - 1, 0.0)
    expected: Floats = (purchases * likely * weights).sum(axis=1) / (likely * weights).sum(axis=1)
    return expected
