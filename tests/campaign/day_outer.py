"""The simulation day after day instead of customer after customer: the exact check of the kernel.

Everybody lives through a day before the next begins, so that a limit that all share could be met exactly. It is built
of the kernel's own steps and keeps a state for each customer; without a shared limit both orders must agree exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from crmlib.campaign.arbitration import arbitrate
from crmlib.campaign.bits import has
from crmlib.campaign.kernel import begin, end, live, settle, wake
from crmlib.campaign.shapes import SPAN
from crmlib.campaign.spans import spread_spans


@njit(nogil=True)
def simulate_by_day(
    days: Any,
    chances: Any,
    communications: Any,
    caps: Any,
    rules: Any,
    people: Any,
    members: Any,
    draws: Any,
    history: Any,
    counts: Any,
    total: Any,
    visits: Any,
    trace: Any,
    states: Any,
    spent: Any,
    budget: float,
) -> None:
    """Follow all customers day by day, with the arguments of `simulate_chunk`, then a STATE for each customer.

    `spent` is told what was spent each day; from the day on which `budget` is reached nobody is contacted any more.
    """
    spans = np.zeros(len(days) + 1, SPAN)
    rings = np.zeros((len(people), caps["size"].sum()), np.int64)
    for i in range(len(people)):
        begin(communications, caps, rules, people[i], members[i], draws[i], history, rings[i], spans, states[i])
    paid = 0.0
    for day in range(len(days)):
        for i in range(len(people)):
            person, member, state = people[i], members[i], states[i]
            wake(day, days, communications, rules, person, member, counts, spans, state)
            if state.pending:
                if paid >= budget:
                    state.spent[:] = 255
                arbitrate(day, days, chances, communications, caps, rules, person, member, rings[i], state)
                for c in range(len(communications)):
                    if has(state.pending, c) and state.choice[c] >= 0:
                        paid += communications[c].cost[state.choice[c]]
                settle(i, day, communications, rules, person, member, counts, spans, total, trace, state)
            live(day, days, communications, rules, person, member, draws[i], counts, spans, visits, state)
        spent[day] = paid
    for i in range(len(people)):
        end(days, communications, people[i], draws[i], counts, spans, total, states[i])
    spread_spans(spans, days, communications, counts)
