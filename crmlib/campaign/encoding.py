"""A plan as the records that the compiled parts work on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.calendar import calendar_days, days_open
from crmlib.campaign.communications import Communication
from crmlib.campaign.limits import Cap
from crmlib.campaign.notation import CATEGORIES, PURPOSES, STAGES
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.shapes import CALENDAR, CAP, CAP_KINDS, CHANCE, COMMUNICATION, DAY, EVENTS, FAR, RULES
from crmlib.campaign.terms import lay_terms
from crmlib.campaign.triggers import delay_days
from crmlib.params import CHANNELS

Records = NDArray[np.void]


@dataclass(frozen=True)
class EncodedPlan:
    """A plan as records.

    Parameters
    ----------
    days : DAY
        From the first day that is simulated on.
    chances : CHANCE
        One a day; none where nothing is rationed.
    communications : COMMUNICATION
    caps : CAP
    rules : RULES, one
        All with their terms.
    """

    days: Records
    chances: Records
    communications: Records
    caps: Records
    rules: Records

    def under(self, lifts: Floats, k: float, season: Floats) -> EncodedPlan:
        """The same plan under other lifts, another regularity of the purchases and another season."""
        communications, rules = self.communications.copy(), self.rules.copy()
        communications["lift"], rules["k"] = lifts, k
        return replace(self, communications=communications, rules=rules).in_season(season)

    def in_season(self, season: Floats) -> EncodedPlan:
        """The same plan in another season."""
        days = self.days.copy()
        days["season"], days["gone"] = season, np.append(0.0, np.cumsum(season)[:-1])
        return replace(self, days=days)


@dataclass(frozen=True)
class Rations:
    """Chances of a contact to pass limits that customers share.

    Parameters
    ----------
    capacity, budget : ndarray, days × communications × channels
    """

    capacity: Floats
    budget: Floats

    @property
    def bind(self) -> bool:
        """Whether any contact may be stopped."""
        return bool((self.capacity < 1).any() or (self.budget < 1).any())


def encode_silence(season: Floats, k: float) -> EncodedPlan:
    """Encode that nobody is contacted."""
    days, rules = np.zeros(len(season), DAY), np.zeros(1, RULES)
    days["season"] = season
    rules["k"], rules["rotate_days"] = k, 1
    return EncodedPlan(days, np.zeros(0, CHANCE), np.zeros(0, COMMUNICATION), np.zeros(0, CAP), rules)


def encode_plan(
    plan: ContactPlan, first_day: date, season: Floats, lifts: Floats, k: float, rations: Rations | None = None
) -> EncodedPlan:
    """Encode a plan.

    Parameters
    ----------
    plan : ContactPlan
    first_day : date
        The day that is counted as 0.
    season : ndarray
        How busy each day is, 1 on average.
    lifts : ndarray
        Relative lift of each communication.
    k : float
        Regularity of the purchases.
    rations : Rations, optional
        Absent: nothing is rationed.
    """
    communications = np.zeros(len(plan.communications), COMMUNICATION)
    for record, communication, lift in zip(communications, plan.communications, lifts, strict=True):
        _encode_communication(record, communication, lift)
    communications["key"], communications["cost"] = communication_keys(plan), contact_costs(plan)
    rules = np.zeros(1, RULES)
    rules["first_day"] = (plan.plan.start - first_day).days
    rules["rotate_days"] = plan.holdout.rotate_days
    rules["decay"] = 0.5 ** (1 / plan.fatigue.half_life_days)
    rules["response_decay"] = plan.fatigue.response_decay
    rules["unsub_slope"] = plan.fatigue.unsub_slope
    for channel, terms in plan.channels.items():
        rules["unsub_base"][0, CHANNELS.index(channel)] = terms.unsub_base
    rules["reserve"] = plan.arbitration.reserve_for_higher
    rules["k"] = k
    caps = np.zeros(len(plan.caps), CAP)
    for record, cap in zip(caps, plan.caps, strict=True):
        _encode_cap(record, cap, plan)
    days = _encode_days(plan, first_day, season)
    chances = np.zeros(0, CHANCE)
    if rations is not None:
        chances = np.ones(len(days), CHANCE)
        chances["capacity"][:, : len(communications)] = rations.capacity
        chances["budget"][:, : len(communications)] = rations.budget
    lay_terms(days, communications, caps, rules[0])
    return EncodedPlan(days, chances, communications, caps, rules)


def communication_keys(plan: ContactPlan) -> NDArray[np.uint64]:
    """A key for each communication's draws, by its id alone."""
    digests = (hashlib.sha256(communication.id.encode()).digest() for communication in plan.communications)
    return np.array([int.from_bytes(digest[:8], "little") for digest in digests], np.uint64)


def contact_costs(plan: ContactPlan) -> Floats:
    """Cost of one contact, with its offer's expected cost, by communication and channel."""
    costs = np.zeros((len(plan.communications), len(CHANNELS)))
    for place, communication in enumerate(plan.communications):
        offer = communication.offer
        for channel, terms in plan.channels.items():
            given = offer.cost * offer.redeem if offer else 0.0
            costs[place, CHANNELS.index(channel)] = terms.unit_cost + given
    return costs


def _encode_communication(record: Any, communication: Communication, lift: float) -> None:
    trigger, response = communication.trigger, communication.response
    record["lift"], record["pull_forward"], record["reactivate"] = lift, response.pull_forward, response.reactivate
    record["window"] = max(1, round(response.window))
    record["priority"], record["cooldown"] = communication.priority, int(np.ceil(communication.cooldown))
    record["open_days"], record["delay"] = days_open(communication), delay_days(communication)
    record["purpose"] = PURPOSES.index(communication.purpose)
    record["category"] = CATEGORIES.index(communication.category)
    record["event"] = EVENTS.index(trigger.event) if trigger else CALENDAR
    if trigger:
        record["detail"] = STAGES.index(trigger.state) if trigger.state else trigger.nth or 0
        record["unless_purchase"] = trigger.unless == "purchase"
    record["bypass"] = sum(1 << CAP_KINDS.index(kind) for kind in set(communication.bypass_caps))
    record["channels"] = -1
    for choice, channel in enumerate(communication.channels):
        record["channels"][choice] = CHANNELS.index(channel)


def _encode_cap(record: Any, cap: Cap, plan: ContactPlan) -> None:
    names = {
        "global": [""],
        "channel": list(CHANNELS),
        "category": list(CATEGORIES),
        "communication": [communication.id for communication in plan.communications],
    }
    record["kind"], record["which"] = CAP_KINDS.index(cap.scope.kind), names[cap.scope.kind].index(cap.scope.name)
    record["most"], record["days"] = cap.max, cap.days


def _encode_days(plan: ContactPlan, first_day: date, season: Floats) -> Records:
    days = np.zeros(len(season), DAY)
    days["season"] = season
    for number, record in enumerate(days):
        today = first_day + timedelta(days=number)
        record["quiet"] = sum(
            1 << CHANNELS.index(channel) for channel, terms in plan.channels.items() if terms.quiet.forbids(today)
        )
    days["next_due"] = FAR
    for place, communication in enumerate(plan.communications):
        numbers = [(day - first_day).days for day in calendar_days(plan, communication)]
        due = np.array([number for number in numbers if 0 <= number < len(season)], np.int64)
        days["due"][due] |= np.uint64(1 << place)
        following = np.searchsorted(due, np.arange(len(season)), side="right")
        days["next_due"][:, place] = np.append(due, FAR)[following]
    return days
