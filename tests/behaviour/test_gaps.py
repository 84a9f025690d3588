"""The running gap against scipy's incomplete beta, and its end against the survival it is the inverse of."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betainc

from crmlib.behaviour import loops
from crmlib.behaviour.gaps import find_end, survive
from crmlib.behaviour.integrals import Floats

REGULARITIES = (0.5, 0.7, 1.0, 2.03, 3.3, 8.0, 30.0)


def draw(k: float, rows: int = 4_000) -> tuple[Floats, Floats, Floats]:
    """n, bought, now: from newcomers to two thousand purchases, from no silence to one of three years."""
    random = np.random.default_rng(int(10 * k))
    n = random.uniform(0.05, 8, rows) + k * (np.floor(10 ** random.uniform(0, 3.3, rows)) - 1)
    alpha, age = 10 ** random.uniform(-2, 2, rows), 10 ** random.uniform(0, 3.05, rows)
    return n, alpha + age * np.minimum(random.uniform(0, 1.1, rows), 1), alpha + age


@pytest.mark.parametrize("k", REGULARITIES)
def test_survival_is_the_incomplete_beta(k: float) -> None:
    n, bought, now = draw(k)
    expected = betainc(n, k, bought / now)
    assert survive(n, k, bought, now) == pytest.approx(expected, rel=1e-10, abs=1e-250)


@pytest.mark.parametrize("k", REGULARITIES)
@pytest.mark.parametrize("q", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_an_end_is_where_the_share_has_ended(k: float, q: float) -> None:
    n, bought, now = draw(k)
    lasted = survive(n, k, bought, now)
    ahead = find_end(q, n, k, bought, now, lasted)
    assert not np.isnan(ahead).any()
    assert (ahead >= 0).all()
    within = np.isfinite(ahead) & (lasted > 1e-200)
    assert within.mean() > 0.5
    left = betainc(n, k, bought / (now + ahead))[within]
    # an end so near that adding it to the date rounds it moves the survival by as little
    rounded = 1e-13 * (n * now / np.maximum(ahead, 1e-300))[within]
    assert (np.abs(left / ((1 - q) * lasted[within]) - 1) < 1e-9 + rounded).all()


def test_one_stage_ends_by_its_own_formula() -> None:
    n, bought, now = draw(1.0)
    ahead = find_end(0.5, n, 1.0, bought, now, survive(n, 1.0, bought, now))
    expected = now * np.expm1(np.log(2) / n)
    reached = np.isfinite(ahead) & (expected < 1e12)
    assert ahead[reached] == pytest.approx(expected[reached], rel=1e-7)


def test_what_is_out_of_reach_is_infinite() -> None:
    assert find_end(0.9, 40_000.0, 2.0, 10.0, 20.0, survive(40_000.0, 2.0, 10.0, 20.0))[0] == np.inf
    assert find_end(0.0, 3.0, 2.0, 10.0, 10.0, 1.0)[0] == 0


def test_parts_on_several_threads_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    n, bought, now = draw(2.03)
    alone = survive(n, 2.03, bought, now)
    monkeypatch.setattr(loops, "_THREADED_ROWS", 10)
    assert (survive(n, 2.03, bought, now) == alone).all()
