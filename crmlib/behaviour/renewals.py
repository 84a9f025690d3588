"""Expected counts of a renewal process whose gaps have k stages, under a mix of rates and a chance to leave."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaincinv, gammaln

from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.loops import compiled, loop_over

_MANY_STAGES = 3_000.0  # beyond so many expected stages, sums are replaced by an integral over the rate
_FAR_AHEAD = 100.0  # horizons longer than so many times the customer's own clock, too
_NEGLIGIBLE = 1e-10
_LARGE = 1e200
_ROWS = 10_000  # whose integrals are held at once


def further_purchases(
    k: int, n: ArrayLike, now: ArrayLike, elapsed: ArrayLike, horizon: ArrayLike, a: float, b: ArrayLike
) -> Floats:
    """Expected purchases within the horizon after the next one, of customers alive, for integer k.

    A gap is k stages of a Poisson process. Of the m stages since the last purchase, i (fewer than k) have passed and
    m - i fall within the horizon; the chance of both is proportional to
    (n)_m / m! q^m C(m, i) (elapsed / horizon)^i with q = horizon / (now + horizon): a negative binomial law of m, and
    i of them early enough not to have ended the gap. Purchases so far, m // k, carry the chance to leave after each.

    Parameters
    ----------
    k : int
        Stages of a gap.
    n, now : array_like
        Shape and rate of the gamma distribution of a customer's stage rate: r + k x, alpha + T.
    elapsed, horizon : array_like
        Time since the last purchase, time to look ahead.
    a : float
    b : array_like
        Beta distribution of the chance to leave, after the purchases made.
    """
    rows = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in (n, now, elapsed, horizon, b)))
    turns = rows[3] / rows[1]
    many = (rows[0] * turns > _MANY_STAGES) | (turns > _FAR_AHEAD)
    if not many.any():
        return loop_over(_count_all, rows, k, a)
    expected = np.empty_like(rows[0])
    few = ~many
    expected[few] = loop_over(_count_all, [column[few] for column in rows], k, a)
    chosen = np.flatnonzero(many)
    for start in range(0, len(chosen), _ROWS):
        part = chosen[start : start + _ROWS]
        shape, clock, since, ahead, leaving = (column[part] for column in rows)
        expected[part] = _further_purchases_over_rate(k, shape, clock, since, ahead, a, leaving)
    return expected


@compiled
def _count_all(
    made: Floats, n: Floats, now: Floats, elapsed: Floats, horizon: Floats, b: Floats, k: int, a: float
) -> None:
    """Sum over m, stage by stage, in proportion to the chance of m = 0; the sum of all chances divides it."""
    chances = np.empty(k)
    for row in range(len(made)):
        ahead = now[row] + horizon[row]
        comes, passed = horizon[row] / ahead, elapsed[row] / ahead
        chances[:] = 0.0
        chances[0] = 1.0
        stays, purchases, expected, total = 1.0, 0.0, 0.0, 1.0
        m, made_already, until_next = 0.0, 0.0, k
        while True:
            rise = (n[row] + m) / (m + 1.0)
            likely = 0.0
            for i in range(k - 1, 0, -1):
                chances[i] = rise * (comes * chances[i] + passed * chances[i - 1])
                likely += chances[i]
            chances[0] *= rise * comes
            likely += chances[0]
            m += 1.0
            until_next -= 1
            total += likely
            if until_next == 0:
                until_next = k
                made_already += 1.0
                if made_already > 1.0:
                    stays *= 1.0 - a / (a + b[row] + made_already - 2.0)
                    purchases += stays
                    # each further chance is less than rising / falling of the one before
                    rising, falling = comes * (n[row] + m), m - k + 1.0
                    left = 2.0 * likely * max(purchases, 1.0) * rising
                    if rising < falling and left < _NEGLIGIBLE * (falling - rising) * total:
                        expected += likely * purchases
                        break
            expected += likely * purchases
            if total > _LARGE:
                chances /= _LARGE
                total, expected = total / _LARGE, expected / _LARGE
        made[row] = expected / total


def _purchases_before_leaving(opportunities: Floats, a: float, b: Floats) -> Floats:
    """Expected purchases of one who may leave after each: sum of B(a, b + j) / B(a, b) over j < opportunities."""
    a = a if abs(a - 1) > 1e-6 else 1 + 1e-6
    stays = np.exp(gammaln(b + opportunities) - gammaln(b) - gammaln(a + b - 1 + opportunities) + gammaln(a + b - 1))
    purchases: Floats = (a + b - 1) / (a - 1) * (1 - stays)
    return purchases


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
