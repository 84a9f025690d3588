"""The simulation day after day instead of customer after customer: the exact check of the kernel.

Everybody lives through a day before the next begins, so that a limit that all share could be met exactly. It is built
of the kernel's own steps and keeps a state for each customer; without a shared limit both orders must agree exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from crmlib.campaign.arbitration import arbitrate
from crmlib.campaign.chance import CART, draw_uniform
from crmlib.campaign.clock import advance, purchase
from crmlib.campaign.kernel import (
    _answer_purchase,
    _begin,
    _call,
    _end,
    _enter_stages,
    _hold_out_or_ration,
    _open_candidates,
    _settle,
)
from crmlib.campaign.shapes import CART_ABANDONED


@njit(nogil=True)
def simulate_by_day(
    days: Any,
    communications: Any,
    caps: Any,
    rules: Any,
    people: Any,
    members: Any,
    draws: Any,
    history: Any,
    counts: Any,
    total: Any,
    trace: Any,
    states: Any,
    spent: Any,
    budget: float,
) -> None:
    """Follow all customers day by day, with the arguments of `simulate_chunk`, then a STATE for each customer.

    `spent` is told what was spent each day; from the day on which `budget` is reached nobody is contacted any more.
    """
    for i in range(len(people)):
        _begin(communications, rules, people[i], members[i], draws[i], history, states[i])
    paid = 0.0
    for day in range(len(days)):
        for i in range(len(people)):
            person, member, draw, state = people[i], members[i], draws[i], states[i]
            _enter_stages(day, communications, person, member, state)
            _open_candidates(day, days, communications, rules.first_day, member, counts, state)
            if state.pending:
                _hold_out_or_ration(day, days, communications, rules, member, state)
                if paid >= budget:
                    state.spent[:] = 255
                arbitrate(day, days, communications, caps, rules.reserve, person, member, state)
                for c in range(len(communications)):
                    if (state.pending >> np.uint64(c)) & np.uint64(1) and state.choice[c] >= 0:
                        paid += communications[c].cost[state.choice[c]]
                _settle(i, day, communications, rules, counts, total, trace, state)
            if person.cart_rate > 0 and draw_uniform(state.key, CART, np.uint64(day)) < person.cart_rate:
                _call(CART_ABANDONED, 0, day, communications, member, state)
            if state.alive:
                advance(day, draw.rate * days[day].season, draw.hazard, person.value, counts, state)
                while state.wait <= 0:
                    purchase(day, person.value, rules.k, counts, state)
                    _answer_purchase(day, communications, member, counts, state)
        spent[day] = paid
    for i in range(len(people)):
        _end(len(days) - 1, communications, counts, total, states[i])
