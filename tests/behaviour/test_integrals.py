"""The quadratures against adaptive ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln

from crmlib.behaviour.integrals import expected_over_dropout, log_integral, numeric_hessian


@settings(max_examples=60, deadline=None)
@given(
    p=st.floats(0.1, 2000),
    q=st.floats(0.2, 10),
    alpha=st.floats(0.01, 1000),
    beta=st.floats(0.01, 1000),
    start=st.sampled_from([0.0, 1.0, 30.0]),
    length=st.floats(0.01, 300),
)
def test_log_integral(p: float, q: float, alpha: float, beta: float, start: float, length: float) -> None:
    def falling(y: float) -> float:
        return float(np.exp(-p * np.log1p((y - start) / (alpha + start)) - q * np.log1p((y - start) / (beta + start))))

    ends = start + length * np.array([0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 1])
    exact = sum(quad(falling, low, high, epsabs=0, epsrel=1e-11)[0] for low, high in pairwise(ends))
    ours = log_integral(np.array([p]), alpha, q, beta, np.array([start]), np.array([start + length]))[0]
    assert ours + p * np.log(alpha + start) + q * np.log(beta + start) == pytest.approx(np.log(exact), abs=1e-9)


@pytest.mark.parametrize("a", [0.05, 0.9, 3.0, 30.0])
@pytest.mark.parametrize("b", [2.0, 300.0])
@pytest.mark.parametrize(("n", "turns"), [(0.5, 0.01), (5.5, 2.0), (2000.0, 20.0)])
def test_expected_over_dropout(a: float, b: float, n: float, turns: float) -> None:
    def purchases(p: float) -> float:
        density = np.exp((a - 1) * np.log(p) + (b - 1) * np.log1p(-p) - betaln(a, b))
        return float(density * -np.expm1(-n * np.log1p(p * turns)) / p)

    centre = a / (a + b)
    exact = quad(purchases, 0, 1, points=[centre / 10, centre, (1 + centre) / 2], limit=400, epsabs=0, epsrel=1e-10)[0]
    ours = expected_over_dropout(np.array([n]), a, np.array([b]), np.array([turns]))[0]
    assert ours == pytest.approx(exact, rel=1e-6)


def test_numeric_hessian_of_a_quadratic() -> None:
    matrix = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 3.0]])
    found = numeric_hessian(lambda x: matrix @ x, np.array([0.1, -0.4, 2.0]))
    assert found == pytest.approx(matrix, abs=1e-6)
