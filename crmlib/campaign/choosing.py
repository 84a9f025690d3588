"""What one customer should get: the best of the offers that are worth their price, within the customer's own caps.

A cap says of a set of offers how many a customer may get. Where caps are laminar (of two, one holds the other or they
share nothing) taking the best first is exact, for such caps make a matroid; where they cross, a dynamic programme over
how much of each cap is used is, as long as it is small; else taking the best first is feasible, and the laminar caps
alone give a bound.

References
----------
Edmonds (1971), Matroids and the greedy algorithm, Mathematical Programming 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.compiling import compiled

Ints = NDArray[np.int64]
Marks = NDArray[np.bool_]

#: Largest number of states of the dynamic programme.
MOST_STATES = 4096


@dataclass(frozen=True)
class OfferCap:
    """At most so many of some offers to one customer.

    Parameters
    ----------
    offers : tuple of int
        Their places.
    most : int
    name : str
        Of the plan's cap that it comes from.
    """

    offers: tuple[int, ...]
    most: int
    name: str = ""


@dataclass(frozen=True)
class CapIndex:
    """Caps as the compiled parts read them.

    Parameters
    ----------
    first, of_offer : ndarray of int64
        Caps of each offer: ``of_offer[first[j]:first[j + 1]]``.
    most : ndarray of int64
        Of each cap.
    states : int
        Of the dynamic programme; 0 where best first is used.
    stride : ndarray of int64
        By how much each cap's count moves the state.
    """

    first: Ints
    of_offer: Ints
    most: Ints
    states: int
    stride: Ints


def index_caps(caps: Sequence[OfferCap], offers: int, exact: bool = True) -> CapIndex:
    """Put caps into the shape that the compiled parts read.

    Parameters
    ----------
    caps : sequence of OfferCap
    offers : int
        Number of offers.
    exact : bool
        Whether crossing caps call for the dynamic programme where it is small enough.
    """
    binding = [cap for cap in caps if cap.most < len(cap.offers)]
    held: list[list[int]] = [[] for _ in range(offers)]
    for place, cap in enumerate(binding):
        for offer in cap.offers:
            held[offer].append(place)
    first = np.concatenate([[0], np.cumsum([len(own) for own in held])]).astype(np.int64)
    most = np.array([cap.most for cap in binding], np.int64)
    stride = np.ones(len(binding), np.int64)
    states = 1
    for place, cap in enumerate(binding):
        stride[place] = states
        states *= cap.most + 1
        if states > MOST_STATES:
            break
    if not exact or states > MOST_STATES or are_laminar(binding):
        states = 0
    return CapIndex(first, np.array([cap for own in held for cap in own], np.int64), most, states, stride)


def are_laminar(caps: Sequence[OfferCap]) -> bool:
    """Whether of any two caps one holds the other, or they share no offer."""
    sets = [frozenset(cap.offers) for cap in caps]
    return all(_nest(one, other) for place, one in enumerate(sets) for other in sets[:place])


def find_laminar(caps: Sequence[OfferCap]) -> list[OfferCap]:
    """Some of the caps that are laminar, the tightest first: what they allow holds all that the caps allow."""
    kept: list[OfferCap] = []
    for cap in sorted(caps, key=lambda one: (one.most / max(len(one.offers), 1), -len(one.offers))):
        own = frozenset(cap.offers)
        if all(_nest(own, frozenset(other.offers)) for other in kept):
            kept.append(cap)
    return kept


def _nest(one: frozenset[int], other: frozenset[int]) -> bool:
    return one <= other or other <= one or not one & other


@compiled
def choose_offers(
    value: Floats,
    price: Floats,
    first: Ints,
    of_offer: Ints,
    most: Ints,
    states: int,
    stride: Ints,
    chosen: Marks,
    keep: bool,
    taken: Ints,
) -> float:
    """Choose for each customer the offers that bring most beyond their price, within the caps.

    Parameters
    ----------
    value : ndarray, customers × offers
        NaN where an offer is not open to a customer.
    price : ndarray
        Of each offer.
    first, of_offer, most, states, stride : see `CapIndex`
    chosen : ndarray of bool, customers × offers
        Written where `keep`.
    taken : ndarray of int64
        How often each offer was chosen is added here.

    Returns
    -------
    float
        What is brought beyond the prices.
    """
    number = value.shape[1]
    net, order = np.empty(number), np.empty(number, np.int64)
    used = np.zeros(len(most), np.int64)
    width = max(states, 1)
    best = np.zeros((number + 1, width))
    take = np.zeros((number, width), np.bool_)
    brought = 0.0
    for i in range(len(value)):
        count = 0
        for j in range(number):
            gain = value[i, j] - price[j]
            if gain > 0:
                place = count
                while place > 0 and net[place - 1] < gain:
                    net[place], order[place] = net[place - 1], order[place - 1]
                    place -= 1
                net[place], order[place] = gain, j
                count += 1
        used[:] = 0
        stopped = False
        total = 0.0
        for place in range(count):
            j = order[place]
            free = True
            for entry in range(first[j], first[j + 1]):
                if used[of_offer[entry]] >= most[of_offer[entry]]:
                    free = False
            if not free:
                stopped = True
                order[place] = -1 - j
                continue
            for entry in range(first[j], first[j + 1]):
                used[of_offer[entry]] += 1
            total += net[place]
        if stopped and states:
            total = _programme(count, net, order, first, of_offer, most, states, stride, best, take)
        brought += total
        for place in range(count):
            j = order[place]
            if j >= 0:
                taken[j] += 1
                if keep:
                    chosen[i, j] = True
    return brought


@compiled
def _programme(
    count: int,
    net: Floats,
    order: Ints,
    first: Ints,
    of_offer: Ints,
    most: Ints,
    states: int,
    stride: Ints,
    best: Floats,
    take: Marks,
) -> float:
    """The best choice among a customer's offers by a dynamic programme; what is left out of `order` turns negative."""
    for place in range(count):
        if order[place] < 0:
            order[place] = -1 - order[place]
    best[count, :states] = 0.0
    for place in range(count - 1, -1, -1):
        j = order[place]
        step = 0
        for entry in range(first[j], first[j + 1]):
            step += stride[of_offer[entry]]
        for state in range(states):
            best[place, state], take[place, state] = best[place + 1, state], False
            free = True
            for entry in range(first[j], first[j + 1]):
                cap = of_offer[entry]
                if (state // stride[cap]) % (most[cap] + 1) >= most[cap]:
                    free = False
            if free and net[place] + best[place + 1, state + step] > best[place, state]:
                best[place, state], take[place, state] = net[place] + best[place + 1, state + step], True
    state = 0
    for place in range(count):
        j = order[place]
        if not take[place, state]:
            order[place] = -1 - j
            continue
        for entry in range(first[j], first[j + 1]):
            state += stride[of_offer[entry]]
    return float(best[0, 0])


@compiled
def fit_in(
    rows: Ints,
    offers: Ints,
    first: Ints,
    of_offer: Ints,
    most: Ints,
    members: Ints,
    member_of: Ints,
    usage: Floats,
    room: Floats,
    chosen: Marks,
) -> int:
    """Add offers one after the other as far as caps and shared limits have room; tells how many were added.

    Parameters
    ----------
    rows, offers : ndarray of int64
        What may be added, the best first.
    first, of_offer, most : see `CapIndex`
    members, member_of : ndarray of int64
        Offers of each cap: ``member_of[members[s]:members[s + 1]]``.
    usage : ndarray, limits × offers
    room : ndarray
        What is left of each limit; changed.
    chosen : ndarray of bool, customers × offers
        Changed.
    """
    added = 0
    for place in range(len(rows)):
        i, j = rows[place], offers[place]
        free = True
        for limit in range(len(room)):
            if usage[limit, j] > room[limit]:
                free = False
        for entry in range(first[j], first[j + 1]):
            cap = of_offer[entry]
            count = 0
            for member in range(members[cap], members[cap + 1]):
                if chosen[i, member_of[member]]:
                    count += 1
            if count >= most[cap]:
                free = False
        if free:
            chosen[i, j] = True
            added += 1
            for limit in range(len(room)):
                room[limit] -= usage[limit, j]
    return added
