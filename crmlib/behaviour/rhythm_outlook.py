"""What the rhythm model and the rhythm mixture say of customers with known histories.

What several answers share (the survival of the running gap, whether somebody is still a customer, the posterior of the
regularity) is computed once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crmlib.behaviour.gaps import find_end, survive
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.renewals import further_purchases


@dataclass(frozen=True)
class RhythmOutlook:
    """Customers as MBG/CNBD-k (or BG/CNBD-k) sees them, in the fitter's unit of time.

    Parameters
    ----------
    k, r, alpha, a : float
        Regularity, gamma mix of the rates, first parameter of the beta mix of leaving.
    frequency, recency, age : ndarray
        Repeat purchases, time from the first purchase to the last, and to now.
    dropout : ndarray
        Weight of having left, beside the survival of the running gap.
    stays : ndarray
        Second parameter of the beta mix of leaving, after the purchases made.
    """

    k: float
    r: float
    alpha: float
    a: float
    frequency: Floats
    recency: Floats
    age: Floats
    dropout: Floats
    stays: Floats

    @cached_property
    def survival(self) -> Floats:
        """Chance that a gap lasts as long as the running one has: I_z(n, k)."""
        return survive(self._n, self.k, self._bought, self._now)

    @cached_property
    def p_alive(self) -> Floats:
        """P(alive) = I_z / (I_z + D)."""
        total = self.survival + self.dropout
        return np.where(total > 0, self.survival / np.where(total > 0, total, 1.0), 1.0)

    def p_buy(self, t: ArrayLike) -> Floats:
        """P(at least one purchase within t) = (I_z - I_z') / (I_z + D), z' being z at T + t."""
        total = self.survival + self.dropout
        ended = self.survival - survive(self._n, self.k, self._bought, self._now + np.asarray(t, float))
        return np.where(total > 0, np.clip(ended / np.where(total > 0, total, 1.0), 0.0, 1.0), 0.0)

    def expected_purchases(self, t: ArrayLike, p_buy: Floats | None = None) -> Floats:
        """E(purchases within t): the first by its probability, and the further ones."""
        expected: Floats = (self.p_buy(t) if p_buy is None else p_buy) + self.further_purchases(t)
        return expected

    def further_purchases(self, t: ArrayLike) -> Floats:
        """Expected purchases within t after the next one.

        Exact for an integer k, and otherwise taken between its neighbours, linearly in 1/k, the squared variation of
        a gap (in a renewal process the count is linear in it); the neighbours keep the mean gap: alpha becomes
        alpha k / k'. Below 1 the line through 1 and 2 is used.
        """
        below = max(int(np.floor(self.k)), 1)
        share_above = (1 / below - 1 / self.k) * below * (below + 1)
        further = np.zeros_like(self.p_alive)
        for neighbour, share in ((below, 1 - share_above), (below + 1, share_above)):
            if share != 0:
                further += share * further_purchases(
                    neighbour,
                    self.r + neighbour * self.frequency,
                    self.alpha * self.k / neighbour + self.age,
                    self.age - self.recency,
                    t,
                    self.a,
                    self.stays,
                )
        return self.p_alive * np.maximum(further, 0.0)

    @property
    def overdue(self) -> Floats:
        """Share of the customer's gaps that would have ended by now: 1 - I_z."""
        ended: Floats = 1 - self.survival
        return ended

    def next_purchase(self, q: ArrayLike) -> Floats:
        """Time from now to the next purchase, if still a customer, at quantile q; inf if out of reach."""
        return find_end(q, self._n, self.k, self._bought, self._now, self.survival)

    @cached_property
    def _n(self) -> Floats:
        shape: Floats = self.r + self.k * self.frequency
        return shape

    @cached_property
    def _bought(self) -> Floats:
        return self.alpha + self.recency

    @cached_property
    def _now(self) -> Floats:
        return self.alpha + self.age


@dataclass(frozen=True)
class MixtureOutlook:
    """Averages over the posterior of the regularity, where it is not negligible.

    Parameters
    ----------
    customers : int
    parts : list of (ndarray, ndarray, RhythmOutlook)
        By regularity: the rows that may have it, their posterior, and what it says of them.
    """

    customers: int
    parts: list[tuple[NDArray[np.intp], Floats, RhythmOutlook]]

    @cached_property
    def p_alive(self) -> Floats:
        """Probability of being a customer still."""
        return self._mean(lambda part, _: part.p_alive)

    def p_buy(self, t: ArrayLike) -> Floats:
        """Probability of a purchase within t."""
        horizon = np.broadcast_to(np.asarray(t, float), self.customers)
        return self._mean(lambda part, rows: part.p_buy(horizon[rows]))

    def expected_purchases(self, t: ArrayLike, p_buy: Floats | None = None) -> Floats:
        """Expected purchases within t."""
        horizon = np.broadcast_to(np.asarray(t, float), self.customers)
        further = self._mean(lambda part, rows: part.further_purchases(horizon[rows]))
        expected: Floats = (self.p_buy(t) if p_buy is None else p_buy) + further
        return expected

    def next_purchase(self, q: ArrayLike) -> Floats:
        """Time to the next purchase, if still a customer, at quantile q; inf if out of reach."""
        wanted = np.asarray(q, float) * self.p_alive
        low, high = np.full_like(wanted, -20.0), np.full_like(wanted, 20.0)
        for _ in range(60):
            middle = (low + high) / 2
            early = self.p_buy(np.exp(middle)) < wanted
            low, high = np.where(early, middle, low), np.where(early, high, middle)
        return np.where(high < 20.0, np.exp(high), np.inf)

    def _mean(self, predict: Callable[[RhythmOutlook, NDArray[np.intp]], Floats]) -> Floats:
        mean = np.zeros(self.customers)
        for rows, chance, part in self.parts:
            mean[rows] += chance * predict(part, rows)
        return mean
