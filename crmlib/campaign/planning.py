"""A whole plan as a problem of choice: each sending of it to each customer is an offer, each limit has a price.

What the calendar sends is an offer a day; what events call for is one offer that counts as often as a simulation
says it is sent. The problem is linear: what contacts do to one another (fatigue) is left to the simulator, which
scores whatever is made of the prices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.calendar import calendar_days, days_open
from crmlib.campaign.choosing import OfferCap
from crmlib.campaign.encoding import contact_costs
from crmlib.campaign.limits import Cap
from crmlib.campaign.members import gather_members, read_members
from crmlib.campaign.optimise import Choice, Problem, optimise
from crmlib.campaign.outcomes import Outcome
from crmlib.campaign.people import Chunk, PeopleTable, read_chunks
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.scenario import Horizon, Scenario
from crmlib.campaign.worth import expect_gross, find_first_channels
from crmlib.engine import Engine
from crmlib.params import CHANNELS

#: Customers from whom the prices of a plan are found.
SAMPLE = 5_000


@dataclass(frozen=True)
class Sending:
    """One offer: a communication through a channel, on a day or, where events call for it, some times.

    Parameters
    ----------
    communication, channel : int
        Places in the plan and in `CHANNELS`.
    day : int
        From the first day on; -1 where events call for it.
    times : float
        How often it is sent to a customer who may get it.
    """

    communication: int
    channel: int
    day: int
    times: float


@dataclass(frozen=True)
class Layout:
    """A plan laid out as a problem.

    Parameters
    ----------
    plan : ContactPlan
    sendings : list of Sending
    problem : Problem
    scale : float
        Customers that each one of the sample stands for.
    """

    plan: ContactPlan
    sendings: list[Sending]
    problem: Problem
    scale: float


def lay_out(
    engine: Engine, scenario: Scenario, everybody: PeopleTable, horizon: Horizon, outcome: Outcome, sample: int = SAMPLE
) -> Layout:
    """Lay a plan out as a problem of choice.

    Parameters
    ----------
    engine : Engine
        With what `find_reach`, `collect_history` and `gather_people` made.
    scenario : Scenario
    everybody : PeopleTable
    horizon : Horizon
    outcome : Outcome
        What the plan did in the simulation: it says how often events call.
    sample : int
        Customers that are read; they stand for all.
    """
    plan, lifts = scenario.plan, scenario.lifts["lift"].to_numpy(float)
    gather_members(engine, plan, everybody)
    step = max(1, -(-everybody.number // sample))
    parts = [_read_open(engine, plan, everybody, chunk, lifts, step) for chunk in read_chunks(engine, everybody)]
    gross = np.concatenate([part[0] for part in parts] or [np.zeros((0, len(plan.communications)))])
    channel = np.concatenate([part[1] for part in parts] or [np.zeros((0, len(plan.communications)), int)])
    scale = everybody.number / len(gross) if len(gross) else 1.0
    sendings = _list_sendings(plan, horizon, outcome, channel, scale)
    value = np.full((len(gross), len(sendings)), np.nan)
    cost = np.zeros(len(sendings))
    costs = contact_costs(plan)
    for place, one in enumerate(sendings):
        season = float(horizon.season[one.day]) if one.day >= 0 else 1.0
        own = channel[:, one.communication] == one.channel
        value[own, place] = gross[own, one.communication] * one.times * season
        cost[place] = costs[one.communication, one.channel] * one.times
    usage, limits, names = _list_limits(plan, horizon, sendings, cost)
    problem = Problem(value, cost, _list_caps(plan, sendings), usage, limits / scale, names)
    return Layout(plan, sendings, problem, scale)


def limit_spending(layout: Layout, money: float) -> Layout:
    """The same plan with so much to spend in all."""
    problem = layout.problem
    usage = np.vstack([problem.usage, problem.cost])
    limits = np.append(problem.limits, money / layout.scale)
    return replace(layout, problem=replace(problem, usage=usage, limits=limits, names=[*problem.names, "spending"]))


def find_spending(layout: Layout, choice: Choice) -> float:
    """What a choice costs, of all customers."""
    return float(choice.chosen.sum(axis=0) @ layout.problem.cost) * layout.scale


def widen_cap(layout: Layout, cap: Cap) -> Problem:
    """The same problem with one more contact under a cap."""
    wider = cap.model_copy(update={"max": cap.max + 1})
    plan = layout.plan.model_copy(update={"caps": [wider if one is cap else one for one in layout.plan.caps]})
    return replace(layout.problem, caps=_list_caps(plan, layout.sendings))


def price_plan(layout: Layout, seed: int) -> Choice:
    """Find the prices of a plan's limits, and the best that the linear problem knows."""
    return optimise(layout.problem, seed=seed)


def _read_open(
    engine: Engine, plan: ContactPlan, everybody: PeopleTable, chunk: Chunk, lifts: Floats, step: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Gross margin and channel (-1: closed) of each communication, for every so many-th customer of a chunk."""
    members, _ = read_members(engine, plan, everybody, chunk, lifts)
    kept = chunk.frame["key"].to_numpy(np.uint64) % np.uint64(step) == 0
    frame, people, members = chunk.frame[kept], chunk.people[kept], members[kept]
    channel = find_first_channels(plan, people)
    for place, one in enumerate(plan.communications):
        bit = np.uint64(1) << np.uint64(place)
        barred = members["suppressed"] & (2 if one.purpose == "service" else 1) > 0
        barred |= (members["audience"] & bit == 0) | (members["control"] & bit > 0)
        if one.purpose != "service":
            barred |= members["held_out"] & np.uint64(1) > 0
        channel[barred, place] = -1
    return expect_gross(plan, frame, lifts), channel


def _list_sendings(
    plan: ContactPlan, horizon: Horizon, outcome: Outcome, channel: NDArray[np.int64], scale: float
) -> list[Sending]:
    found = []
    contacts = outcome.mean_contacts().sum(axis=0)
    for place, one in enumerate(plan.communications):
        if one.purpose == "service":
            continue
        for number in sorted({CHANNELS.index(name) for name in one.channels}):
            people = int((channel[:, place] == number).sum())
            if not people:
                continue
            if one.trigger is not None:
                times = float(contacts[place, number]) / (people * scale)
                found += [Sending(place, number, -1, times)] if times else []
                continue
            for day in calendar_days(plan, one):
                sent_on = _find_day(plan, CHANNELS[number], day, days_open(one), horizon)
                found += [Sending(place, number, sent_on, 1.0)] if sent_on is not None else []
    return found


def _find_day(plan: ContactPlan, channel: str, due: date, open_days: int, horizon: Horizon) -> int | None:
    """Number of the first day on which what is due may be sent by a channel; None if there is none."""
    quiet = plan.channels[channel].quiet  # type: ignore[index]  # a name of CHANNELS
    for number in range(open_days):
        day = due + timedelta(days=number)
        if horizon.first_day <= day <= horizon.last_day and not quiet.forbids(day):
            return (day - horizon.first_day).days
    return None


def _list_caps(plan: ContactPlan, sendings: list[Sending]) -> list[OfferCap]:
    """The caps of a plan in every window that begins with a sending; windows that another one holds are left out."""
    found = []
    for number, cap in enumerate(plan.caps, start=1):
        own = [(one.day, place) for place, one in enumerate(sendings) if one.day >= 0 and _counts(plan, cap, one)]
        windows = {
            begin: frozenset(place for day, place in own if begin <= day < begin + cap.days)
            for begin in {day for day, _ in own}
        }
        largest: list[frozenset[int]] = []
        for _, held in sorted(windows.items()):
            if not largest or not held <= largest[-1]:
                largest.append(held)
        found += [OfferCap(tuple(sorted(held)), cap.max, f"cap {number}") for held in largest]
    return found


def _counts(plan: ContactPlan, cap: Cap, one: Sending) -> bool:
    communication = plan.communications[one.communication]
    names = {
        "global": "",
        "channel": CHANNELS[one.channel],
        "category": communication.category,
        "communication": communication.id,
    }
    return cap.scope.name == names[cap.scope.kind] and cap.scope.kind not in communication.bypass_caps


def _list_limits(
    plan: ContactPlan, horizon: Horizon, sendings: list[Sending], cost: Floats
) -> tuple[Floats, Floats, list[str]]:
    """What all customers share: budgets of the whole, of each month and channel; capacities a day."""
    rows: list[tuple[str, float, Floats]] = []
    channel = np.array([one.channel for one in sendings], int)
    day = np.array([one.day for one in sendings], int)
    times = np.array([one.times for one in sendings])
    budget, days = plan.budget, len(horizon.season)
    if budget.total is not None:
        rows.append(("total", budget.total, cost))
    months = [f"{one:%Y-%m}" for one in horizon.days]
    if budget.per_month is not None:
        for month in dict.fromkeys(months):
            share = np.array([name == month for name in months])
            part = np.array([float(share[one.day]) if one.day >= 0 else share.mean() for one in sendings])
            rows.append((f"month {month}", budget.per_month, cost * part))
    for name, limit in budget.by_channel.items():
        rows.append((f"budget {name}", limit, cost * (channel == CHANNELS.index(name))))
    for name, terms in plan.channels.items():
        if terms.capacity is not None:
            own = channel == CHANNELS.index(name)
            for number in sorted(set(day[own & (day >= 0)].tolist())):
                used = np.where(own & (day == number), times, 0.0) + np.where(own & (day < 0), times / days, 0.0)
                rows.append((f"capacity {name} {number}", float(terms.capacity), used))
    for place, one in enumerate(plan.communications):
        if one.capacity_per_day is not None and one.calendar is not None:
            own = np.array([sending.communication == place for sending in sendings], bool)
            for number in sorted(set(day[own].tolist())):
                room = float(one.capacity_per_day) * min(days_open(one), days - number)
                rows.append((f"communication {one.id} {number}", room, np.where(own & (day == number), times, 0.0)))
    kept = [row for row in rows if (row[2] > 0).any()]
    usage = np.array([used for _, _, used in kept]) if kept else np.zeros((0, len(sendings)))
    return usage, np.array([limit for _, limit, _ in kept]), [name for name, _, _ in kept]
