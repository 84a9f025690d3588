"""The running gap of a customer: how likely it is to have lasted this long, and when it will end.

A gap is gamma with shape k, under a gamma mix of rates; with n = r + k x it outlasts the time from the last purchase
(at `bought` = alpha + t_x) until `now` = alpha + T with probability I_z(n, k), z = bought / now.

References
----------
DiDonato, Morris (1992), Algorithm 708, ACM TOMS 18(3): which form of the incomplete beta serves where.
Press et al. (2007), Numerical Recipes, 6.4: its continued fraction.
"""

from __future__ import annotations

from math import exp, expm1, inf, lgamma, log, log1p

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammainccinv, gammaincinv

from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.loops import compiled, loop_over

_EXACT = 1e-16  # term of a series, relative to its sum, that no longer counts
_STIRLING_FROM = 15.0
_SMALL_Z = 0.6
_PAST_THE_MIDDLE = 4.0  # stages beyond k from which the tail is found by its continued fraction
_MOST_STEPS = 60
_SETTLED = 1e-4  # a cubic step from so near ends within rounding
_LOG_HAZARDS = np.linspace(np.log(1e-14), np.log(690.0), 400)


def survive(n: ArrayLike, k: float, bought: ArrayLike, now: ArrayLike) -> Floats:
    """Probability that a gap begun at `bought` lasts until `now`: I_z(n, k) for real n and k, z = bought / now."""
    return loop_over(_survive_all, (n, bought, now), float(k), lgamma(k))


def find_end(q: ArrayLike, n: ArrayLike, k: float, bought: ArrayLike, now: ArrayLike, lasted: ArrayLike) -> Floats:
    """Time from `now` by which a share q of the gaps that have lasted so long will have ended; inf if out of reach.

    `lasted` is what `survive` gives of them.
    """
    return loop_over(_find_ends, (q, n, bought, now, lasted), float(k), lgamma(k), _tabulate_starts(k))


def _tabulate_starts(k: float) -> Floats:
    """Logarithm of where a gamma(k) variable has each cumulative hazard of `_LOG_HAZARDS`: where a search begins."""
    hazard = np.exp(_LOG_HAZARDS)
    late = gammainccinv(k, np.exp(-hazard))
    starts: Floats = np.log(np.where(hazard < 0.5, gammaincinv(k, -np.expm1(-hazard)), late))
    return starts


@compiled
def _survive_all(made: Floats, n: Floats, bought: Floats, now: Floats, k: float, log_gamma: float) -> None:
    for row in range(len(made)):
        scale = _rise(n[row], k) - log_gamma
        z, u = bought[row] / now[row], (now[row] - bought[row]) / now[row]
        made[row] = _survive(n[row], k, scale, z, u, log1p(-u) if u < 0.5 else log(z))[0]


@compiled
def _rise(n: float, k: float) -> float:
    """Logarithm of gamma(n + k) / gamma(n); by Stirling's series where the two are near each other and large."""
    if n < _STIRLING_FROM:
        return lgamma(n + k) - lgamma(n)
    return (n + k - 0.5) * log1p(k / n) + k * log(n) - k + _stirling(n + k) - _stirling(n)


@compiled
def _stirling(n: float) -> float:
    square = 1 / (n * n)
    return (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / n


@compiled
def _survive(n: float, k: float, scale: float, z: float, u: float, log_z: float) -> tuple[float, float]:
    """I_z(n, k), and z^n u^k / B(n, k); `scale` is the logarithm of 1 / B(n, k), u = 1 - z."""
    if u <= 0.0:
        return 1.0, 0.0
    front = exp(scale + n * log_z + k * log(u))
    if z <= _SMALL_Z:
        return min(front / n * _sum_series(n, k, z), 1.0), front
    if (n + k) * u <= k + _PAST_THE_MIDDLE:
        return max(1.0 - front / k * _sum_series(k, n, u), 0.0), front
    return min(front / n * _sum_fraction(n, k, z), 1.0), front


@compiled
def _sum_series(p: float, q: float, y: float) -> float:
    """Sum over j of (p + q)_j / (p + 1)_j y^j."""
    term, total, j = 1.0, 1.0, 0.0
    while True:
        ratio = y * (p + q + j) / (p + 1.0 + j)
        term *= ratio
        total += term
        j += 1.0
        if term < _EXACT * total and ratio < 1.0:
            return total


@compiled
def _sum_fraction(n: float, k: float, z: float) -> float:
    """The continued fraction of the incomplete beta, by Lentz's method."""
    c, d = 1.0, 1.0 / (1.0 - (n + k) * z / (n + 1.0))
    found = d
    for m in range(1, 10_000):
        for step in (
            m * (k - m) * z / ((n + 2 * m - 1.0) * (n + 2 * m)),
            -(n + m) * (n + k + m) * z / ((n + 2 * m) * (n + 2 * m + 1.0)),
        ):
            d, c = 1.0 / (1.0 + step * d), 1.0 + step / c
            found *= d * c
        if abs(d * c - 1.0) < _EXACT * 2:
            break
    return found


@compiled
def _find_ends(
    made: Floats,
    q: Floats,
    n: Floats,
    bought: Floats,
    now: Floats,
    lasted: Floats,
    k: float,
    log_gamma: float,
    starts: Floats,
) -> None:
    """Solve for the logarithm of v = log(later / bought), in which that of the cumulative hazard is almost a line."""
    first, width = _LOG_HAZARDS[0], _LOG_HAZARDS[1] - _LOG_HAZARDS[0]
    for row in range(len(made)):
        shape, left_over = n[row], lasted[row] * (1.0 - q[row])
        if left_over < 1e-300:
            made[row] = inf
            continue
        if left_over >= 1.0:
            made[row] = 0.0
            continue
        scale = _rise(shape, k) - log_gamma
        wanted = log(-log(left_over))
        place = min(max((wanted - first) / width, 0.0), len(starts) - 1.001)
        left = int(place)
        at = starts[left] + (place - left) * (starts[left + 1] - starts[left])
        at -= log(max(shape + (k - 1.0) / 2.0, shape / 2.0))
        for _ in range(_MOST_STEPS):
            v = exp(at)
            u = -expm1(-v)
            z = 1.0 - u if u < 0.5 else exp(-v)
            survival, front = _survive(shape, k, scale, z, u, -v)
            if survival < 1e-300:
                at -= 0.5
                continue
            ended = 1.0 - survival
            hazard = -log(survival) if ended > 0.1 else -log1p(-ended)
            if hazard <= 0.0:
                at += 0.5
                continue
            rate = front / u / survival
            slope = v * rate / hazard
            bend = slope * (1.0 + v * ((k - 1.0) * z / u - shape + rate) - slope)
            miss = log(hazard) - wanted
            at -= min(max(miss / slope / max(1.0 - miss * bend / (2.0 * slope * slope), 0.2), -3.0), 3.0)
            if abs(miss) < _SETTLED:
                break
        made[row] = max(bought[row] * expm1(exp(at)) - (now[row] - bought[row]), 0.0)
