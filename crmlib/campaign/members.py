"""Customers as one plan meets them: audiences, controls, what real events make due, and their past contacts."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.assignment import control_condition, holdout_conditions
from crmlib.campaign.calendar import calendar_days, days_open
from crmlib.campaign.eligibility import suppressed_set
from crmlib.campaign.expressions import read_condition
from crmlib.campaign.notation import CATEGORIES, LONGEST_CAP_DAYS
from crmlib.campaign.people import Chunk, PeopleTable, Records, find_places
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.shapes import CONTACT, MEMBER, NEVER
from crmlib.campaign.triggers import find_due
from crmlib.campaign.worth import find_priced_out, rank_communications
from crmlib.engine import Engine, Step, quote
from crmlib.params import CHANNELS


def gather_members(engine: Engine, plan: ContactPlan, everybody: PeopleTable) -> str:
    """Gather what a plan makes of every customer: audiences, controls, holdout group, and what real events make due.

    Parameters
    ----------
    engine : Engine
        Holds ``audience_columns``, ``reach``, ``contact_history`` and `plan_people`.
    plan : ContactPlan
    everybody : PeopleTable

    Returns
    -------
    str
        ``members_<plan>_of_<people>``: row, audience, control, held_out, suppressed. Beside it stands ``due_…``.
    """
    values: dict[str, Any] = {"salt": plan.holdout.salt, "as_of_date": everybody.as_of_date}
    audience, control = ["0"], ["0"]
    for place, communication in enumerate(plan.communications):
        values[f"name{place}"] = communication.id
        wanted = "true"
        if communication.where is not None:
            condition = read_condition(communication.where, f"w{place}_")
            values |= condition.values
            wanted = condition.sql
        audience.append(f"CASE WHEN {wanted} THEN {1 << place} ELSE 0 END")
        if communication.control.share > 0:
            held = control_condition(communication, "salt", f"name{place}")
            control.append(f"CASE WHEN {wanted} THEN CASE WHEN {held} THEN {1 << place} ELSE 0 END ELSE 0 END")
    held_out = ["0"]
    if plan.holdout.global_share > 0:
        held_out += [
            f"CASE WHEN {held} THEN {1 << period} ELSE 0 END"
            for period, held in enumerate(holdout_conditions(plan, "salt"))
        ]
    promotion, service = suppressed_set(plan)
    sql = f"""
        SELECT p.row, {" | ".join(audience)} AS audience, {" | ".join(control)} AS control,
               {" | ".join(held_out)} AS held_out, {promotion} | ({service}) * 2 AS suppressed
        FROM {everybody.table} AS p
        JOIN audience_columns AS a ON a.customer_id = p.customer_id
        JOIN reach AS r ON r.customer_id = p.customer_id
        ORDER BY p.row
    """
    find_due(engine, plan, everybody.first_day, "due")
    due = f"""
        SELECT p.row, d.communication, date_diff('day', $first_day, d.due_on) AS day
        FROM due AS d
        JOIN {everybody.table} AS p ON p.customer_id = d.customer_id
        ORDER BY p.row
    """
    engine.run(Step(_name("due", plan, everybody), due), first_day=everybody.first_day)
    return engine.run(Step(_name("members", plan, everybody), sql), **values)


def restrict_members(engine: Engine, plan: ContactPlan, everybody: PeopleTable, few: PeopleTable) -> None:
    """Gather of some customers what is gathered of all: as `gather_members` would.

    Parameters
    ----------
    engine : Engine
    plan : ContactPlan
        Of which `gather_members` has run for `everybody`.
    everybody, few : PeopleTable
    """
    for what in ("members", "due"):
        sql = f"""
            SELECT f.row, m.* EXCLUDE (row)
            FROM {quote(_name(what, plan, everybody))} AS m
            JOIN {everybody.table} AS p ON p.row = m.row
            JOIN {few.table} AS f ON f.customer_id = p.customer_id
            ORDER BY f.row
        """
        engine.run(Step(_name(what, plan, few), sql))


def read_members(
    engine: Engine, plan: ContactPlan, everybody: PeopleTable, chunk: Chunk, lifts: Floats
) -> tuple[Records, Records]:
    """Read customers as one plan meets them.

    Parameters
    ----------
    engine : Engine
    plan : ContactPlan
        Of which `gather_members` has run.
    everybody : PeopleTable
    chunk : Chunk
    lifts : ndarray
        Relative lift of each communication.

    Returns
    -------
    (MEMBER, CONTACT)
        Members, a row each; their contacts of the last `LONGEST_CAP_DAYS` days.
    """
    window = {"first": chunk.first, "last": chunk.last}
    rows = engine.frame(
        f"SELECT * FROM {quote(_name('members', plan, everybody))} WHERE row >= $first AND row < $last ORDER BY row",
        **window,
    )
    members = np.zeros(len(rows), MEMBER)
    for name in ("audience", "control", "held_out", "suppressed"):
        members[name] = rows[name].to_numpy()
    members["last_sent"], members["due"] = NEVER, NEVER
    due = engine.frame(
        f"""
        SELECT row - $first AS row, communication, day
        FROM {quote(_name("due", plan, everybody))}
        WHERE row >= $first AND row < $last
        """,
        **window,
    )
    members["due"][due["row"], due["communication"]] = due["day"]
    contacts = _read_contacts(engine, plan, everybody, chunk)
    known = contacts[contacts["communication"] >= 0]
    np.maximum.at(members["last_sent"], (known["person"], known["communication"]), known["day"])
    _keep_open(members, plan, everybody.first_day)
    recent = contacts[(contacts["day"] > -LONGEST_CAP_DAYS) & ~_is_service(contacts, plan)]
    members["history_start"] = np.searchsorted(recent["person"], np.arange(len(rows)), side="left")
    members["history_end"] = np.searchsorted(recent["person"], np.arange(len(rows)), side="right")
    members["order"][:, : len(plan.communications)] = rank_communications(plan, chunk.frame, chunk.people, lifts)
    members["priced_out"] = find_priced_out(plan, chunk.frame, chunk.people, lifts)
    return members, recent


def _read_contacts(engine: Engine, plan: ContactPlan, everybody: PeopleTable, chunk: Chunk) -> Records:
    """Past contacts of a chunk, by row and day; of a communication the plan knows, the plan says the category."""
    frame = engine.frame(
        f"""
        SELECT row - $first AS person, day, channel, category, communication_id
        FROM {everybody.contacts}
        WHERE row >= $first AND row < $last
        ORDER BY person, day, communication_id
        """,
        first=chunk.first,
        last=chunk.last,
    )
    contacts = np.zeros(len(frame), CONTACT)
    contacts["person"], contacts["day"] = frame["person"], frame["day"]
    contacts["channel"] = find_places(frame["channel"], CHANNELS)
    contacts["communication"] = find_places(frame["communication_id"], [one.id for one in plan.communications])
    own = np.array([CATEGORIES.index(one.category) for one in plan.communications] + [-1])
    known = own[contacts["communication"]]
    contacts["category"] = np.where(known >= 0, known, find_places(frame["category"], CATEGORIES))
    return contacts


def _keep_open(members: Records, plan: ContactPlan, first_day: date) -> None:
    """What the calendar made due before the first day, is still open, and was not sent since."""
    for place, communication in enumerate(plan.communications):
        past = [(day - first_day).days for day in calendar_days(plan, communication) if day < first_day]
        if past and past[-1] + days_open(communication) > 0:
            waiting = members["last_sent"][:, place] < past[-1]
            members["due"][:, place] = np.where(waiting, past[-1], NEVER)


def _is_service(contacts: Records, plan: ContactPlan) -> NDArray[np.bool_]:
    service = np.array([one.purpose == "service" for one in plan.communications] + [False])
    found: NDArray[np.bool_] = service[contacts["communication"]]
    return found


def _name(what: str, plan: ContactPlan, everybody: PeopleTable) -> str:
    return f"{what}_{plan.id}_of_{everybody.table}"
