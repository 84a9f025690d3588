"""What in a plan can hardly be meant: it is told, and the plan is used as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from crmlib.campaign.calendar import calendar_days, days_open, last_day
from crmlib.campaign.communications import Communication
from crmlib.campaign.expressions import read_condition
from crmlib.campaign.limits import Cap
from crmlib.campaign.plan import ContactPlan
from crmlib.documents import Where
from crmlib.engine import Engine


def find_doubts(plan: ContactPlan) -> Iterator[tuple[Where, str]]:
    """Look through a plan for what can hardly be meant.

    Parameters
    ----------
    plan : ContactPlan

    Yields
    ------
    (tuple, str)
        The place of the key in the plan's file, and a sentence.
    """
    for place, communication in enumerate(plan.communications):
        here: Where = ("communications", place)
        yield from ((here + key, sentence) for key, sentence in _doubt_days(plan, communication))
        yield from ((here + key, sentence) for key, sentence in _doubt_audience(communication))
        yield from ((here + key, sentence) for key, sentence in _doubt_limits(plan, communication))
        if communication.purpose == "service" and (communication.offer or communication.response.lift):
            yield (*here, "purpose"), "a service message carries no promotion: give it no offer and no lift."
    assumed = [one for one in plan.communications if one.response.source == "assumed" and _has_effect(one)]
    if assumed:
        first = plan.communications.index(assumed[0])
        names = ", ".join(one.id for one in assumed)
        yield (
            ("communications", first, "response"),
            f"these lifts are assumed and not measured yet: {names}; give source: measured:<campaign> once they are.",
        )


def find_empty_audiences(engine: Engine, plans: Sequence[ContactPlan], as_of_date: date) -> list[str]:
    """Say which communications are meant for nobody, as the customers are today.

    Parameters
    ----------
    engine : Engine
        Holds ``audience_columns`` (of `show_audience`).
    plans : sequence of ContactPlan
    as_of_date : date

    Returns
    -------
    list of str
        A sentence for each communication whose `where` holds for no customer.
    """
    found = []
    for plan in plans:
        for communication in plan.communications:
            if communication.where is None:
                continue
            condition = read_condition(communication.where)
            counted = engine.row(
                f"SELECT count(*) FILTER (WHERE {condition.sql}) AS people, count(*) AS everybody "
                "FROM audience_columns AS a",
                as_of_date=as_of_date,
                **condition.values,
            )
            if counted["everybody"] and not counted["people"]:
                found.append(
                    f"Plan {plan.id}: '{communication.id}' reaches nobody, for no customer meets its where: "
                    f"{communication.where}."
                )
    return found


def _has_effect(communication: Communication) -> bool:
    return communication.response.lift != 0 or communication.response.reactivate != 0


def _doubt_days(plan: ContactPlan, communication: Communication) -> Iterator[tuple[Where, str]]:
    calendar, end = communication.calendar, last_day(plan)
    if calendar is None:
        return
    for day in calendar.dates or []:
        if not plan.plan.start <= day <= end:
            yield ("calendar", "dates"), f"{day} is outside the horizon ({plan.plan.start} to {end})."
    days = calendar_days(plan, communication)
    if calendar.rrule is not None and not days:
        yield ("calendar", "rrule"), "the rule gives no day within the horizon."
    for day in days:
        open_on = [day + timedelta(days=number) for number in range(days_open(communication))]
        if all(plan.channels[channel].quiet.forbids(one) for channel in communication.channels for one in open_on):
            yield ("calendar",), f"what is due on {day} can never be sent: every channel rests while it is open."


def _doubt_audience(communication: Communication) -> Iterator[tuple[Where, str]]:
    if communication.where is not None:
        for column, value in read_condition(communication.where).impossible:
            yield ("where",), f"no customer has {column} '{value}': that value does not exist."


def _doubt_limits(plan: ContactPlan, communication: Communication) -> Iterator[tuple[Where, str]]:
    """Whether something lets no contact of a communication pass, on any of its channels."""
    if communication.purpose != "service":
        shut = [_shutting_cap(plan, communication, channel) for channel in communication.channels]
        if all(shut):
            yield (), f"it can never be sent: {shut[0]} lets nothing of it pass."
    if communication.capacity_per_day == 0:
        yield ("capacity_per_day",), "it can never be sent: its own capacity is 0."
    elif all(plan.channels[channel].capacity == 0 for channel in communication.channels):
        yield ("channels",), "it can never be sent: every one of its channels has the capacity 0."


def _shutting_cap(plan: ContactPlan, communication: Communication, channel: str) -> str:
    """The cap of 0 that holds for a communication on a channel, in words; empty if none does."""
    for number, cap in enumerate(plan.caps, start=1):
        if cap.max == 0 and cap.scope.kind not in communication.bypass_caps and _covers(cap, communication, channel):
            return f"cap {number} ({' '.join((cap.scope.kind, cap.scope.name)).strip()}, max: 0)"
    return ""


def _covers(cap: Cap, communication: Communication, channel: str) -> bool:
    names = {
        "global": "",
        "channel": channel,
        "category": communication.category,
        "communication": communication.id,
    }
    return cap.scope.name == names[cap.scope.kind]
