"""Which offers to which customers: the best margin under each customer's caps and the limits that all share.

Shared limits (budgets, capacities) get prices; at given prices customers are independent, and what they bring beyond
the prices, with the limits at their prices, is a bound on what any choice can bring. The prices that make the bound
least are found by cutting planes, first on a sample of the customers. What is chosen at them is made feasible by
leaving out what brings least and filling up what is left.

References
----------
Geoffrion (1974), Lagrangean relaxation for integer programming, Mathematical Programming Study 2.
Kelley (1960), The cutting-plane method for solving convex programs, SIAM J. 8(4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.chance import derive_keys
from crmlib.campaign.choosing import CapIndex, OfferCap, are_laminar, choose_offers, find_laminar, fit_in, index_caps
from crmlib.campaign.exact import solve_exactly

#: Customers by whom the prices are looked for first, and by how many evaluations; evaluations on all of them.
SAMPLE, SAMPLE_STEPS, FULL_STEPS = 20_000, 80, 8
#: Relative gap that is good enough.
GOOD_GAP = 1e-4
#: Open offers up to which HiGHS is asked.
EXACT_OFFERS = 4_000
#: Offers not chosen that are looked at to fill up what is left of the limits.
MOST_FILLING = 400_000
_CHUNK = 50_000


@dataclass(frozen=True)
class Problem:
    """What may be given to whom.

    Parameters
    ----------
    value : ndarray, customers × offers
        Margin that an offer is expected to bring from a customer; NaN where it is not open to the customer.
    cost : ndarray
        Of each offer.
    caps : list of OfferCap
        On the offers of one customer.
    usage : ndarray, limits × offers
        What one offer takes of each shared limit, 0 or more.
    limits : ndarray
        0 or more.
    names : list of str
        Of the limits.
    """

    value: Floats
    cost: Floats
    caps: list[OfferCap] = field(default_factory=list)
    usage: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    limits: Floats = field(default_factory=lambda: np.zeros(0))
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Choice:
    """What is given to whom.

    Parameters
    ----------
    chosen : ndarray of bool, customers × offers
        Within all caps and limits.
    value : float
        Margin less cost.
    bound : float
        No choice brings more.
    prices : ndarray
        What one more unit of each limit would bring.
    """

    chosen: NDArray[np.bool_]
    value: float
    bound: float
    prices: Floats

    @property
    def gap(self) -> float:
        """How far the value may be from the best one, relative to the bound."""
        return (self.bound - self.value) / self.bound if self.bound > 0 else 0.0


def optimise(problem: Problem, *, seed: int = 0, threads: int = 2, exact: bool = True) -> Choice:
    """Choose offers for customers.

    Parameters
    ----------
    problem : Problem
    seed : int
        Of the sample by which the prices are looked for.
    threads : int
    exact : bool
        Whether HiGHS is asked where the problem is small; the prices are found all the same.

    Returns
    -------
    Choice
        Always feasible.
    """
    if not problem.value.size:
        return Choice(np.zeros(problem.value.shape, bool), 0.0, 0.0, np.zeros(len(problem.limits)))
    if not len(problem.limits):
        problem = replace(problem, usage=np.zeros((0, problem.value.shape[1])))
    pricing = _Pricing(problem, threads)
    prices, bound = _find_prices(problem, pricing, seed, threads)
    chosen = pricing.choose(prices)
    _leave_out(problem, prices, chosen)
    _fill_up(problem, pricing.caps, prices, chosen)
    value = measure(problem, chosen)
    if exact and int((problem.value - problem.cost > 0).sum()) <= EXACT_OFFERS:
        solved = solve_exactly(problem)
        if solved is not None and measure(problem, solved[0]) >= value:
            chosen, value, bound = solved[0], measure(problem, solved[0]), min(bound, solved[1])
    return Choice(chosen, value, max(bound, value), prices)


def measure(problem: Problem, chosen: NDArray[np.bool_]) -> float:
    """Margin less cost of a choice."""
    taken = chosen.sum(axis=0)
    return float(np.where(chosen, problem.value, 0.0).sum() - taken @ problem.cost)


def bound_at(problem: Problem, prices: Floats, threads: int = 2) -> float:
    """The bound that some prices give."""
    return _Pricing(problem, threads).evaluate(prices)[0]


class _Pricing:
    """What customers would take at given prices."""

    def __init__(self, problem: Problem, threads: int) -> None:
        offers = problem.value.shape[1]
        self._problem, self._threads = problem, threads
        self.caps = index_caps(problem.caps, offers)
        binding = [cap for cap in problem.caps if cap.most < len(cap.offers)]
        whole = self.caps.states > 0 or are_laminar(binding)
        self._bounding = self.caps if whole else index_caps(find_laminar(binding), offers, exact=False)

    def evaluate(self, prices: Floats) -> tuple[float, Floats]:
        """The bound at some prices, and its slope."""
        taken, brought = self._run(prices, self._bounding, None)
        limits = self._problem.limits
        return brought + float(prices @ limits), limits - self._problem.usage @ taken

    def choose(self, prices: Floats) -> NDArray[np.bool_]:
        """What is taken, within the caps alone."""
        chosen = np.zeros(self._problem.value.shape, bool)
        self._run(prices, self.caps, chosen)
        return chosen

    def _run(self, prices: Floats, caps: CapIndex, chosen: NDArray[np.bool_] | None) -> tuple[Floats, float]:
        value = self._problem.value
        price = self._problem.cost + prices @ self._problem.usage

        def run(begin: int) -> tuple[NDArray[np.int64], float]:
            taken = np.zeros(value.shape[1], np.int64)
            part = slice(begin, begin + _CHUNK)
            kept = np.zeros((0, 0), bool) if chosen is None else chosen[part]
            brought = choose_offers(
                value[part], price, caps.first, caps.of_offer, caps.most, caps.states, caps.stride, kept,
                chosen is not None, taken,
            )  # fmt: skip
            return taken, brought

        with ThreadPoolExecutor(self._threads) as pool:
            parts = list(pool.map(run, range(0, max(len(value), 1), _CHUNK)))
        return np.sum([taken for taken, _ in parts], axis=0).astype(float), sum(brought for _, brought in parts)


def _find_prices(problem: Problem, pricing: _Pricing, seed: int, threads: int) -> tuple[Floats, float]:
    """Prices that make the bound about least, and the bound."""
    start = np.zeros(len(problem.limits))
    bound, slope = pricing.evaluate(start)
    if (slope >= 0).all():
        return start, bound
    with np.errstate(divide="ignore", invalid="ignore"):
        most = np.nanmax(problem.value, axis=0, initial=0.0) - problem.cost
        each = np.where(problem.usage > 0, most / problem.usage, 0.0)
    highest = np.maximum(each.max(axis=1, initial=0.0), 1e-9)
    number = len(problem.value)
    if number > 2 * SAMPLE:
        rows = np.sort(np.argsort(derive_keys(np.uint64(seed), np.arange(number, dtype=np.uint64)))[:SAMPLE])
        part = replace(problem, value=problem.value[rows], limits=problem.limits * (SAMPLE / number))
        sampled = _Pricing(part, threads)
        start, _ = _cut(sampled.evaluate, start, highest, np.ones(len(highest)), SAMPLE_STEPS)
        prices, found = _cut(pricing.evaluate, start, highest, np.full(len(highest), 0.02), FULL_STEPS)
    else:
        prices, found = _cut(pricing.evaluate, start, highest, np.ones(len(highest)), SAMPLE_STEPS)
    return (prices, found) if found <= bound else (np.zeros(len(prices)), bound)


def _cut(
    evaluate: Callable[[Floats], tuple[float, Floats]], start: Floats, highest: Floats, reach: Floats, steps: int
) -> tuple[Floats, float]:
    """Minimise a convex function by cutting planes, within a reach of the best point that shrinks where it failed."""
    best, (least, slope) = start, evaluate(start)
    planes, levels = [slope], [least - slope @ start]
    for _ in range(steps - 1):
        low = np.maximum(best - reach * highest, 0.0) / highest
        high = np.minimum(best / highest + reach, 1.0)
        scale = max(abs(least), 1.0)
        model = linprog(
            np.append(np.zeros(len(best)), 1.0),
            A_ub=np.column_stack([np.array(planes) * highest / scale, -np.ones(len(planes))]),
            b_ub=-np.array(levels) / scale,
            bounds=[*zip(low, np.maximum(high, low), strict=True), (None, None)],
            method="highs",
        )
        if model.x is None or least - model.fun * scale <= GOOD_GAP / 4 * abs(least):
            break
        here = model.x[:-1] * highest
        value, slope = evaluate(here)
        planes.append(slope)
        levels.append(value - slope @ here)
        if value < least:
            best, least = here, value
        else:
            reach = reach / 2
    return best, least


def _leave_out(problem: Problem, prices: Floats, chosen: NDArray[np.bool_]) -> None:
    """Take back what brings least of what uses a limit beyond its end."""
    for limit, usage in enumerate(problem.usage):
        over = float(chosen.sum(axis=0) @ usage) - problem.limits[limit]
        if over <= 0:
            continue
        rows, offers = np.nonzero(chosen & (usage > 0))
        others = problem.cost + prices @ problem.usage - prices[limit] * usage
        worth = (problem.value[rows, offers] - others[offers]) / usage[offers]
        order = np.argsort(worth, kind="stable")
        needed = int(np.searchsorted(np.cumsum(usage[offers[order]]), over * (1 - 1e-12))) + 1
        chosen[rows[order[:needed]], offers[order[:needed]]] = False


def _fill_up(problem: Problem, caps: CapIndex, prices: Floats, chosen: NDArray[np.bool_]) -> None:
    """Add what is still worth its cost while there is room, what comes nearest to its price first."""
    room = problem.limits - problem.usage @ chosen.sum(axis=0)
    price = problem.cost + prices @ problem.usage
    open_ = ~chosen & (problem.value - problem.cost > 0) & (problem.usage <= room[:, None]).all(axis=0)
    rows, offers = np.nonzero(open_)
    if not len(rows):
        return
    net = problem.value[rows, offers] - price[offers]
    if len(net) > MOST_FILLING:
        nearest = np.argpartition(-net, MOST_FILLING)[:MOST_FILLING]
        rows, offers, net = rows[nearest], offers[nearest], net[nearest]
    order = np.argsort(-net, kind="stable")
    members, member_of = _list_members(caps)
    fit_in(
        rows[order], offers[order], caps.first, caps.of_offer, caps.most, members, member_of,
        np.ascontiguousarray(problem.usage, float), room, chosen,
    )  # fmt: skip


def _list_members(caps: CapIndex) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offers of each cap."""
    offer = np.repeat(np.arange(len(caps.first) - 1), np.diff(caps.first))
    order = np.argsort(caps.of_offer, kind="stable")
    counts: Sequence[int] = np.bincount(caps.of_offer, minlength=len(caps.most)).tolist()
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), offer[order].astype(np.int64)
