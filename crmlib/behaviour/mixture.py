"""The rhythm mixture: MBG/CNBD-k where each customer has a regularity of his own.

The regularities are whole numbers on a grid; their shares are free, found by expectation and maximisation
beside r, alpha, a, b, which all share: alpha_k = alpha / k keeps the mean gap. A customer's own regularity is
told by the gaps (their mean logarithm against their mean), so predictions are averages over its posterior.

References
----------
Reutterer, Platzer, Schröder (2021), Leveraging purchase regularity, IJRM 38(1): MBG/CNBD-k for one integer k.
Meng, Rubin (1993), Maximum likelihood estimation via the ECM algorithm, Biometrika 80(2).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import betaln, digamma, gammaln, xlog1py

from crmlib.behaviour.btyd import FitterBase, fit
from crmlib.behaviour.histories import PurchaseModel
from crmlib.behaviour.integrals import Floats, make_positive
from crmlib.behaviour.rhythm import RhythmFitter, check_gaps
from crmlib.behaviour.rhythm_outlook import MixtureOutlook

GRID = (1, 2, 3, 5, 8, 13, 24)
_SHARED = ("r", "alpha", "a", "b")
_LOG_BOUND = 12.0
_SWEEPS = 200
_ENOUGH = 1e-7  # gain in mean log-likelihood under which a sweep is the last
_FIT_ROWS = 30_000
_NEGLIGIBLE = 1e-4  # posterior of a regularity that moves no prediction


class MixtureFitter(FitterBase):
    """MBG/CNBD-k over a grid of regularities, in the manner of a lifetimes fitter.

    Parameters
    ----------
    grid : tuple of int
        Regularities, ascending.
    """

    #: Predictions read the sum of the logarithms of the gaps, too.
    reads_gaps = True

    def __init__(self, grid: tuple[int, ...] = GRID) -> None:
        self.grid = grid

    def fit(
        self,
        frequency: ArrayLike,
        recency: ArrayLike,
        T: ArrayLike,
        sum_log_itt: ArrayLike,
        weights: ArrayLike | None = None,
    ) -> MixtureFitter:
        """Fit by maximum likelihood, shares and common parameters in turn (ECM).

        Parameters
        ----------
        frequency, recency, T, sum_log_itt : array_like
            As of `RhythmFitter.fit`, but `sum_log_itt` of one customer, or of customers alike.
        weights : array_like, optional
            Customers per row; 1 when absent.

        Returns
        -------
        MixtureFitter
            With `params_` (r, alpha, a, b, and share_<k> of each regularity), `standard_errors_`, `variance_matrix_`,
            `log_likelihood_`.

        Raises
        ------
        NothingToDo
            If too few customers have the two gaps that tell how regular they are.
        """
        x, t_x, age, log_gaps = (np.asarray(values, float) for values in (frequency, recency, T, sum_log_itt))
        w = np.ones_like(x) if weights is None else np.asarray(weights, float)
        check_gaps(x, w, regularity_too=len(self.grid) > 1)
        scale = float((w * x).sum() / (w * t_x).sum())
        data = (x, t_x * scale, age * scale, log_gaps + x * np.log(scale))
        shares, at, best = np.full(len(self.grid), 1 / len(self.grid)), np.log([1.0, 1.0, 0.5, 2.0]), -np.inf

        def mean_nll(at: Floats, shares: Floats) -> tuple[float, Floats]:
            likelihoods, slopes = self._likelihoods(at, *data)
            log_total, posterior = _average(likelihoods, shares)
            gradient = np.einsum("i,ik,ikp->p", w, posterior, slopes)
            return -float((w * log_total).sum() / w.sum()), -gradient / w.sum()

        for _ in range(_SWEEPS):
            found = minimize(
                mean_nll, at, args=(shares,), jac=True, method="L-BFGS-B", bounds=[(-_LOG_BOUND, _LOG_BOUND)] * 4
            )
            at = found.x
            shares = _find_shares(self._likelihoods(at, *data)[0], w, shares)
            gain, best = -found.fun - best, -float(found.fun)
            if gain < _ENOUGH:
                break
        self.data = pd.DataFrame({"frequency": x, "recency": t_x, "T": age, "weights": w})
        likelihoods, slopes = self._likelihoods(at, *data)
        log_total, posterior = _average(likelihoods, shares)
        self.log_likelihood_ = float((w * log_total).sum() + (w * x).sum() * np.log(scale))
        names = [*_SHARED, *(f"share_{k}" for k in self.grid)]
        self.params_ = pd.Series([*np.exp(at), *shares], index=names)
        self.params_["alpha"] /= scale
        self.variance_matrix_ = self._find_variance(posterior, slopes, shares, w)
        self.standard_errors_ = pd.Series(np.sqrt(np.diag(self.variance_matrix_)), index=names)
        self.confidence_intervals_ = self._compute_confidence_intervals()
        return self

    def _likelihoods(self, at: Floats, x: Floats, t_x: Floats, age: Floats, log_gaps: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood by customer and regularity, and its slopes by the logarithms of r, alpha, a, b."""
        r, mean_alpha, a, b = np.exp(at)
        dropout = a / (b + x)
        leaving = betaln(a, b + x + 1) - betaln(a, b)
        by_a = digamma(a + b) - digamma(a + b + x + 1)
        by_b = by_a + digamma(b + x + 1) - digamma(b)
        values, slopes = [], []
        for k in self.grid:
            alpha, n = mean_alpha / k, r + k * x
            log_now = np.log(alpha + t_x)
            z = (alpha + t_x) / (alpha + age)
            survival, of_n = _survival(n, z, k)
            total = survival + dropout
            held = np.maximum(total, 1e-300)
            by_z = np.exp((n - 1) * np.log(z) + xlog1py(k - 1, -z) - betaln(n, k)) * (age - t_x) / (alpha + age) ** 2
            values.append(
                (k - 1) * log_gaps + gammaln(n) - gammaln(r) - x * gammaln(k) + r * np.log(alpha) - n * log_now
                + leaving + np.log(held)
            )  # fmt: skip
            slopes.append(
                (
                    r * (digamma(n) - log_now + of_n / held - digamma(r) + np.log(alpha)),
                    alpha * (r / alpha - n / (alpha + t_x) + by_z / held),
                    a * (by_a + 1 / (b + x) / held),
                    b * (by_b - a / (b + x) ** 2 / held),
                )
            )
        return np.column_stack(values), np.moveaxis(np.array(slopes), 2, 0)

    def _find_variance(self, posterior: Floats, slopes: Floats, shares: Floats, w: Floats) -> pd.DataFrame:
        """Covariance from the scores' outer product; shares at nothing are held there."""
        held = np.flatnonzero(shares > _NEGLIGIBLE)
        largest = held[np.argmax(shares[held])]
        free = [k for k in held if k != largest]
        of_shares = posterior[:, free] / shares[free] - posterior[:, [largest]] / shares[largest]
        scores = np.hstack([np.einsum("ik,ikp->ip", posterior, slopes), of_shares])
        covariance = np.linalg.inv(make_positive((scores * w[:, None]).T @ scores / w.sum())) / w.sum()
        to_all = np.zeros((4 + len(shares), scores.shape[1]))
        to_all[:4, :4] = np.diag(self.params_.to_numpy()[:4])
        for column, k in enumerate(free, start=4):
            to_all[4 + k, column], to_all[4 + largest, column] = 1.0, -1.0
        names = self.params_.index
        return pd.DataFrame(to_all @ covariance @ to_all.T, index=names, columns=names)

    def regularity_posterior(
        self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, sum_log_itt: ArrayLike
    ) -> Floats:
        """Probability of each regularity of the grid: customers × grid."""
        shares = self.params_.to_numpy(float)[4:]
        at = np.log(self.params_.to_numpy(float)[:4])
        data = _arrays(frequency, recency, T, sum_log_itt)
        return _average(self._likelihoods(at, *data)[0], shares)[1]

    def outlook(self, *history: ArrayLike) -> MixtureOutlook:
        """Everything that is predicted of customers with these histories: frequency, recency, T, sum_log_itt."""
        x, t_x, age, log_gaps = _arrays(*history)
        posterior = self.regularity_posterior(x, t_x, age, log_gaps)
        posterior = np.where(posterior < _NEGLIGIBLE, 0.0, posterior)
        posterior /= posterior.sum(axis=1, keepdims=True)
        parts = []
        for fitter, chance in zip(self._fitters(), posterior.T, strict=True):
            rows = np.flatnonzero(chance)
            parts.append((rows, chance[rows], fitter.outlook(x[rows], t_x[rows], age[rows])))
        return MixtureOutlook(len(x), parts)

    def conditional_probability_alive(
        self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, sum_log_itt: ArrayLike
    ) -> Floats:
        """P(alive)."""
        return self.outlook(frequency, recency, T, sum_log_itt).p_alive

    def probability_of_purchase_within(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, sum_log_itt: ArrayLike
    ) -> Floats:
        """P(at least one purchase within t)."""
        horizon, *history = _arrays(t, frequency, recency, T, sum_log_itt)
        return self.outlook(*history).p_buy(horizon)

    def conditional_expected_number_of_purchases_up_to_time(
        self, t: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, sum_log_itt: ArrayLike
    ) -> Floats:
        """E(purchases within t), exact: every regularity is whole."""
        horizon, *history = _arrays(t, frequency, recency, T, sum_log_itt)
        return self.outlook(*history).expected_purchases(horizon)

    def overdue_percentile(
        self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, sum_log_itt: ArrayLike
    ) -> Floats:
        """Share of the customer's gaps that would have ended by now, the regularity judged by closed gaps alone."""
        x, t_x, age, log_gaps = _arrays(frequency, recency, T, sum_log_itt)
        before = self.regularity_posterior(x, t_x, t_x, log_gaps)
        ended = np.zeros_like(x)
        for fitter, chance in zip(self._fitters(), before.T, strict=True):
            ended += chance * fitter.overdue_percentile(x, t_x, age)
        return ended

    def next_purchase_quantile(
        self, q: ArrayLike, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, sum_log_itt: ArrayLike
    ) -> Floats:
        """Time from now to the next purchase, if still a customer, at quantile q; inf if out of reach."""
        level, *history = _arrays(q, frequency, recency, T, sum_log_itt)
        return self.outlook(*history).next_purchase(level)

    def simulate(self, T: ArrayLike, horizon: float = 0.0, seed: int = 0) -> pd.DataFrame:
        """Draw customers of these ages: what `simulate_histories` returns, and each one's regularity, k."""
        age, random = np.asarray(T, float), np.random.default_rng(seed)
        shares = self.params_.to_numpy(float)[len(_SHARED) :]
        of_grid = random.choice(len(self.grid), size=len(age), p=shares / shares.sum())
        drawn = []
        for place, fitter in enumerate(self._fitters()):
            rows = np.flatnonzero(of_grid == place)
            made = fitter.simulate(age[rows], horizon, int(random.integers(2**31)))
            drawn.append(made.assign(k=self.grid[place]).set_axis(rows))
        return pd.concat(drawn).sort_index()

    def _fitters(self) -> Iterator[RhythmFitter]:
        for k in self.grid:
            fitter = RhythmFitter(k=float(k))
            r, alpha, a, b = self.params_[list(_SHARED)]
            fitter.params_ = pd.Series({"k": float(k), "r": r, "alpha": alpha / k, "a": a, "b": b})
            yield fitter


def train_mixture(histories: pd.DataFrame, days_per_unit: float = 7) -> PurchaseModel:
    """Fit the rhythm mixture.

    Parameters
    ----------
    histories : DataFrame
        Columns frequency, recency, T, sum_log_itt (days), a row per customer; every so many-th where there are more
        than 30,000.
    days_per_unit : float
        7 fits in weeks, 1 in days.

    Returns
    -------
    PurchaseModel
        Named ``rhythm_mixture``; its fitter is a `MixtureFitter`.

    Raises
    ------
    NothingToDo
        If too few customers bought twice.
    """
    sample = histories.iloc[:: max(len(histories) // _FIT_ROWS, 1)].fillna({"sum_log_itt": 0.0})
    alike = sample.groupby(["frequency", "recency", "T", "sum_log_itt"], as_index=False).size()
    log_gaps = alike["sum_log_itt"] - alike["frequency"] * np.log(days_per_unit)
    grouped = alike.rename(columns={"size": "weights"})
    fitted = fit(MixtureFitter(), grouped, days_per_unit, sum_log_itt=log_gaps.to_numpy(float))
    return PurchaseModel("rhythm_mixture", fitted, days_per_unit)


def _survival(n: Floats, z: Floats, k: int) -> tuple[Floats, Floats]:
    """I_z(n, k) for whole k, as z^n times a polynomial of 1 - z with positive terms, and its slope by n."""
    u = 1 - z
    term, total, term_slope, slope = np.ones_like(n), np.ones_like(n), np.zeros_like(n), np.zeros_like(n)
    for i in range(1, k):
        term_slope = (term_slope * (n + i - 1) + term) * u / i
        term = term * (n + i - 1) * u / i
        total, slope = total + term, slope + term_slope
    log_z = np.log(z)
    start = np.exp(n * log_z)
    return start * total, start * (log_z * total + slope)


def _average(likelihoods: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Log-likelihood over all regularities, and their posterior."""
    with np.errstate(divide="ignore"):
        joint = likelihoods + np.log(shares)
    top = joint.max(axis=1, keepdims=True)
    relative = np.exp(joint - top)
    total = relative.sum(axis=1, keepdims=True)
    return (top + np.log(total))[:, 0], relative / total


def _find_shares(likelihoods: Floats, w: Floats, shares: Floats) -> Floats:
    """Expectation and maximisation of the shares alone, by at most 100 steps."""
    relative = np.exp(likelihoods - likelihoods.max(axis=1, keepdims=True))
    for _ in range(100):
        joint = relative * shares
        moved = (w / joint.sum(axis=1)) @ joint / w.sum()
        done, shares = np.abs(moved - shares).max() < 1e-7, moved
        if done:
            break
    return shares


def _arrays(*values: ArrayLike) -> list[Floats]:
    return list(np.broadcast_arrays(*(np.atleast_1d(np.asarray(value, float)) for value in values)))
