"""What any model says of customers with known histories: chances, counts and dates ahead, from one question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crmlib.behaviour.integrals import Floats


class Outlook(Protocol):
    """What can be asked of any model about the customers it was given, in the fitter's unit of time."""

    @property
    def p_alive(self) -> Floats:
        """Probability of being a customer still."""

    def p_buy(self, t: ArrayLike) -> Floats:
        """Probability of a purchase within t."""

    def expected_purchases(self, t: ArrayLike, p_buy: Floats | None = None) -> Floats:
        """Expected purchases within t; `p_buy` is that of the same t, if it is at hand."""

    def next_purchase(self, q: ArrayLike) -> Floats:
        """Time to the next purchase, if still a customer, at quantile q."""


@dataclass(frozen=True)
class AskedOutlook:
    """Of a fitter that shares nothing between its answers.

    Parameters
    ----------
    fitter : fitter
        Of lifetimes, or in its manner.
    history : tuple of ndarray
        What its predictions are given.
    """

    fitter: Any
    history: tuple[Floats, ...]

    @cached_property
    def p_alive(self) -> Floats:
        """Probability of being a customer still."""
        alive: Floats = self.fitter.conditional_probability_alive(*self.history)
        return alive

    def p_buy(self, t: ArrayLike) -> Floats:
        """Probability of a purchase within t."""
        within: Floats = self.fitter.probability_of_purchase_within(t, *self.history)
        return within

    def expected_purchases(self, t: ArrayLike, p_buy: Floats | None = None) -> Floats:
        """Expected purchases within t."""
        expected: Floats = self.fitter.conditional_expected_number_of_purchases_up_to_time(t, *self.history)
        return expected

    def next_purchase(self, q: ArrayLike) -> Floats:
        """Time to the next purchase, if still a customer, at quantile q."""
        ahead: Floats = self.fitter.next_purchase_quantile(q, *self.history)
        return ahead


@dataclass(frozen=True)
class CustomerOutlook:
    """What a model says of customers, in days.

    Parameters
    ----------
    outlook : Outlook
        Of the histories, in the fitter's unit.
    days_per_unit : float
    places : ndarray or None
        Row of `outlook` at which each customer's history stands; None: in order.
    """

    outlook: Outlook
    days_per_unit: float
    places: NDArray[np.intp] | None = None

    @cached_property
    def p_alive(self) -> Floats:
        """Probability of being a customer still."""
        return self._spread(self.outlook.p_alive)

    def p_buy(self, days: float) -> Floats:
        """Probability of a purchase within the days."""
        return self._spread(self._chance(days))

    def expected_purchases(self, days: float) -> Floats:
        """Expected purchase days within the days."""
        return self._spread(self.outlook.expected_purchases(days / self.days_per_unit, self._chance(days)))

    def next_purchase(self, q: float | Callable[[Floats], Floats]) -> Floats:
        """Days to the next purchase, if still a customer, at quantile q; or at the one that P(alive) is given for."""
        level = q(self.outlook.p_alive) if callable(q) else q
        return self._spread(self.days_per_unit * self.outlook.next_purchase(level))

    def _chance(self, days: float) -> Floats:
        if days not in self._chances:
            self._chances[days] = self.outlook.p_buy(days / self.days_per_unit)
        return self._chances[days]

    @cached_property
    def _chances(self) -> dict[float, Floats]:
        return {}

    def _spread(self, values: Floats) -> Floats:
        return values if self.places is None else values[self.places]
