"""What if a cap, a budget or a date were another: a sample of the customers is simulated anew while one asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from crmlib.campaign.calendar import last_day
from crmlib.campaign.communications import Calendar, Communication
from crmlib.campaign.comparison import measure_plans
from crmlib.campaign.people import sample_people
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.scenario import Scenario
from crmlib.campaign.simulation import World

#: Customers that are simulated, and how often.
SAMPLE, REPLICATES = 1_000, 4

Ask = Callable[[Mapping[str, int], float | None, str, int], Mapping[str, float]]


def list_caps(plan: ContactPlan) -> dict[str, int]:
    """The caps of a plan in words, and how many contacts each allows."""
    return {
        f"{number}: {cap.scope.kind} {cap.scope.name}".strip() + f", in {cap.days} d": cap.max
        for number, cap in enumerate(plan.caps, start=1)
    }


def list_dated(plan: ContactPlan) -> list[str]:
    """Communications of the calendar with dates."""
    return [one.id for one in plan.communications if one.calendar is not None and one.calendar.dates]


def make_asker(world: World, scenario: Scenario, sample: int = SAMPLE, replicates: int = REPLICATES) -> Ask:
    """Make the function that answers the panel.

    Parameters
    ----------
    world : World
    scenario : Scenario
    sample : int
        Customers that are simulated; what they say is raised to all.
    replicates : int

    Returns
    -------
    callable
        ``ask(caps, budget, communication, days)`` gives contacts, cost, incremental_margin, net_gain and unsubscribes
        of the plan with other caps (name of `list_caps` -> contacts), another budget in all (None: no limit), and a
        communication moved by some days.
    """
    few = sample_people(world.engine, world.everybody, sample)
    scale = world.everybody.number / max(few.number, 1)
    small = replace(world, everybody=few)

    def ask(caps: Mapping[str, int], budget: float | None, communication: str, days: int) -> Mapping[str, float]:
        plan = change_plan(scenario.plan, caps, budget, communication, days)
        asked = _shrink(plan, scale)
        measured = measure_plans(small.simulate([Scenario(asked, scenario.lifts)], replicates))[asked.id]
        told = ("contacts", "cost", "incremental_margin", "net_gain", "unsubscribes")
        return {metric: float(measured[metric].mean()) * scale for metric in told}

    return ask


def change_plan(
    plan: ContactPlan, caps: Mapping[str, int], budget: float | None, communication: str, days: int
) -> ContactPlan:
    """A plan with other caps, another budget in all, and the dates of a communication moved.

    Dates that would leave the horizon stay at its end.
    """
    names = list(list_caps(plan))
    changed = [
        cap.model_copy(update={"max": caps.get(name, cap.max)}) for name, cap in zip(names, plan.caps, strict=True)
    ]
    communications = [
        _move(plan, one, days) if one.id == communication and days else one for one in plan.communications
    ]
    return plan.model_copy(
        update={
            "caps": changed,
            "budget": plan.budget.model_copy(update={"total": budget}),
            "communications": communications,
        }
    )


def _move(plan: ContactPlan, communication: Communication, days: int) -> Communication:
    calendar = communication.calendar
    if calendar is None or not calendar.dates:
        return communication
    moved = [min(max(day + timedelta(days=days), plan.plan.start), last_day(plan)) for day in calendar.dates]
    return communication.model_copy(update={"calendar": Calendar(dates=moved)})


def _shrink(plan: ContactPlan, scale: float) -> ContactPlan:
    """The limits that all share, for a sample of which each stands for so many."""
    budget = plan.budget
    channels = {
        name: terms.model_copy(update={"capacity": None if terms.capacity is None else round(terms.capacity / scale)})
        for name, terms in plan.channels.items()
    }
    shrunk = budget.model_copy(
        update={
            "total": None if budget.total is None else budget.total / scale,
            "per_month": None if budget.per_month is None else budget.per_month / scale,
            "by_channel": {name: limit / scale for name, limit in budget.by_channel.items()},
        }
    )
    communications = [
        one.model_copy(
            update={"capacity_per_day": None if one.capacity_per_day is None else round(one.capacity_per_day / scale)}
        )
        for one in plan.communications
    ]
    header = plan.plan.model_copy(update={"id": "what-if"})
    return plan.model_copy(
        update={"plan": header, "channels": channels, "budget": shrunk, "communications": communications}
    )
