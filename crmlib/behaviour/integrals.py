"""Integrals and derivatives that the closed forms of purchase models leave to numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, expit

Floats = NDArray[np.float64]

_NODES, _NODE_WEIGHTS = (array for array in np.polynomial.legendre.leggauss(48))
_NEGLIGIBLE = 45.0  # e^-45: what is cut from an integral, relative to its integrand's start


def log_integral(p: Floats, alpha: float, q: float, beta: float, start: Floats, end: Floats) -> Floats:
    """Logarithm of the integral of (alpha + y)^-p (beta + y)^-q from start to end, by Gauss-Legendre."""
    return log_integral_and_means(p, alpha, q, beta, start, end)[0]


def log_integral_and_means(
    p: Floats, alpha: float, q: float, beta: float, start: Floats, end: Floats, means: bool = False
) -> tuple[Floats, tuple[Floats, ...]]:
    """`log_integral`, and, if asked for, what its slopes are made of.

    The integrand falls steadily; it is cut where it is negligible, and taken over the logarithm of
    the time since the smaller of the two origins, in which both of its factors are smooth.

    Returns
    -------
    (ndarray, tuple of ndarray)
        The means, weighted by the integrand, are those of log(alpha + y), 1 / (alpha + y), log(beta + y),
        1 / (beta + y); those of the start where it is the end.
    """
    end = np.minimum(end, (alpha + start) * np.exp(np.minimum(_NEGLIGIBLE / p, 700)) - alpha)
    end = np.minimum(end, (beta + start) * np.exp(min(_NEGLIGIBLE / q, 700)) - beta)
    origin = min(alpha, beta)
    width = np.log1p((end - start) / (origin + start))
    w = width[:, None] * (1 + _NODES) / 2
    y = np.expm1(w) * (origin + start)[:, None]
    since = [np.log1p(y / (first + start)[:, None]) for first in (alpha, beta)]
    part = np.exp(w - p[:, None] * since[0] - q * since[1]) * _NODE_WEIGHTS
    whole = part.sum(axis=1)
    with np.errstate(divide="ignore"):
        inner = np.log(whole * width / 2)
    found: Floats = inner + np.log(origin + start) - p * np.log(alpha + start) - q * np.log(beta + start)
    if not means:
        return found, ()
    part /= whole[:, None]
    told: list[Floats] = []
    for first, passed in zip((alpha, beta), since, strict=True):
        told.append(np.log(first + start) + (part * passed).sum(axis=1))
        told.append((part / ((first + start)[:, None] + y)).sum(axis=1))
    return found, tuple(told)


def expected_over_dropout(n: Floats, a: float, b: Floats, turns: Floats) -> Floats:
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


def numeric_hessian(gradient: Callable[[Floats], Floats], at: Floats, step: float = 1e-4) -> Floats:
    """Second derivatives of a function of few parameters, by central differences of its gradient."""
    steps = np.eye(len(at)) * step
    return np.array([gradient(at + h) - gradient(at - h) for h in steps]) / (2 * step)


def make_positive(hessian: Floats) -> Floats:
    """A Hessian made positive definite: what the data leave open gets a wide error, not a negative one."""
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    positive: Floats = vectors @ np.diag(np.maximum(values, 1e-9)) @ vectors.T
    return positive
