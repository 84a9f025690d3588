"""Expected counts of a renewal process whose gaps have k stages, under a mix of rates and a chance to leave."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaincinv, gammaln, poch

from crmlib.behaviour.integrals import Floats

_MANY_STAGES = 300.0  # beyond so many expected stages, sums are replaced by an integral over the rate


def _purchases_before_leaving(opportunities: Floats, a: float, b: Floats) -> Floats:
    """Expected purchases of one who may leave after each: sum of B(a, b + j) / B(a, b) over j < opportunities."""
    a = a if abs(a - 1) > 1e-6 else 1 + 1e-6
    stays = np.exp(gammaln(b + opportunities) - gammaln(b) - gammaln(a + b - 1 + opportunities) + gammaln(a + b - 1))
    purchases: Floats = (a + b - 1) / (a - 1) * (1 - stays)
    return purchases


def further_purchases(k: int, n: Floats, now: Floats, elapsed: Floats, horizon: Floats, a: float, b: Floats) -> Floats:
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
                going = ~((total > 2 * k) & (ratio < 1) & (2 * term * ratio / (1 - ratio) < 1e-9))
            expected[rows] = sums
            rows, log_stages, n, q, b = rows[going], log_stages[going], n[going], q[going], b[going]
            stays, purchases, sums = stays[going], purchases[going], sums[going]
    return expected


def _further_purchases_over_rate(
    k: int, n: Floats, now: Floats, elapsed: Floats, horizon: Floats, a: float, b: Floats
) -> Floats:
    """As `further_purchases`, where so many stages are due that purchases may be counted in fractions."""
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
