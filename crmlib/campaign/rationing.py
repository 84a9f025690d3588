"""Limits that customers share: capacity a day, budget. A trial run tells the demand; what exceeds a limit is rationed.

Contacts are let pass by chance, so that on average the limit is met: first the higher communications, within one
all alike. Customers stay independent of each other that way.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.encoding import Rations, contact_costs
from crmlib.campaign.plan import ContactPlan
from crmlib.params import CHANNELS


def has_shared_limits(plan: ContactPlan) -> bool:
    """Whether a plan has limits that customers share."""
    budget = plan.budget
    return (
        budget.total is not None
        or budget.per_month is not None
        or bool(budget.by_channel)
        or any(terms.capacity is not None for terms in plan.channels.values())
        or any(communication.capacity_per_day is not None for communication in plan.communications)
    )


def ration(plan: ContactPlan, first_day: date, demand: Floats) -> Rations:
    """Find the chances that keep a plan within its shared limits.

    Parameters
    ----------
    plan : ContactPlan
    first_day : date
    demand : ndarray, days × communications × channels
        Contacts that would be made without these limits.

    Returns
    -------
    Rations
    """
    by_priority = sorted(range(len(plan.communications)), key=lambda place: -plan.communications[place].priority)
    costs = contact_costs(plan)
    rations = Rations(np.ones(demand.shape), np.ones(demand.shape))
    left = _Purse(plan)
    for day in range(len(demand)):
        left.begin_day(first_day + timedelta(days=day))
        room = {
            channel: float("inf") if terms.capacity is None else float(terms.capacity)
            for channel, terms in plan.channels.items()
        }
        for place in by_priority:
            own = plan.communications[place].capacity_per_day
            own_room = float("inf") if own is None else float(own)
            for channel in plan.communications[place].channels:
                k = CHANNELS.index(channel)
                wanted = float(demand[day, place, k])
                passing = min(wanted, room[channel], own_room)
                affordable = left.affordable(channel, float(costs[place, k]))
                paid = min(passing, affordable)
                # what nobody wanted so far may be wanted once the higher ones are stopped
                rations.capacity[day, place, k] = (
                    passing / wanted if wanted else float(min(room[channel], own_room) >= 1)
                )
                rations.budget[day, place, k] = paid / passing if passing else float(affordable >= 1)
                left.spend(channel, paid * float(costs[place, k]))
                room[channel] -= paid
                own_room -= paid
    return rations


def estimate_demand(contacts: Floats, rations: Rations, before: Floats) -> Floats:
    """Contacts that would be made without rations, from those made under them; as before where none could pass."""
    chance = rations.capacity * rations.budget
    return np.where(chance > 0, contacts / np.where(chance > 0, chance, 1.0), before)


class _Purse:
    """What is left of a plan's budget: in all, by channel, and of the month of a day."""

    def __init__(self, plan: ContactPlan) -> None:
        self._budget = plan.budget
        self._month = ""
        self._left = {f"by {name}": amount for name, amount in plan.budget.by_channel.items()}
        if plan.budget.total is not None:
            self._left["total"] = plan.budget.total

    def begin_day(self, day: date) -> None:
        """A month has its budget from its first day on."""
        month = f"{day:%Y-%m}"
        if month != self._month and self._budget.per_month is not None:
            self._left["month"] = self._budget.per_month
        self._month = month

    def affordable(self, channel: str, cost: float) -> float:
        """Contacts of a cost that can still be paid for."""
        if cost <= 0:
            return float("inf")
        left = min(self._left.get(key, float("inf")) for key in ("total", "month", f"by {channel}"))
        return max(left, 0.0) / cost

    def spend(self, channel: str, amount: float) -> None:
        """Book what contacts cost."""
        for key in ("total", "month", f"by {channel}"):
            if key in self._left:
                self._left[key] -= amount
