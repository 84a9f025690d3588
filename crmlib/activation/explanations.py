"""What was decided for a day, told: how many, for what reasons, and why of one customer."""

from __future__ import annotations

from datetime import date

import pandas as pd

from crmlib.campaign.plan import ContactPlan
from crmlib.engine import Engine

ADDRESS_REFUSED = "address_refused"

#: What the reasons say, for people.
REASON_WORDS = {
    "no_permission": "has not permitted any of its channels for this purpose",
    "suppressed": "must not be contacted at all",
    "no_address": "has no valid address on a permitted channel",
    "global_holdout": "belongs to the group that gets nothing, so that the plan can be measured",
    "control": "belongs to this communication's control group",
    "quiet_day": "the channel rests on this day",
    "cooldown": "got the same communication too short a time ago",
    "cap_communication": "has had as many of this communication as the plan allows",
    "cap_category": "has had as many of this category as the plan allows",
    "cap_channel": "has had as many by this channel as the plan allows",
    "cap_global": "has had as many contacts as the plan allows",
    "reserved_for_higher": "a more important communication is due before there is room again",
    "capacity": "the channel's capacity of the day is used up",
    "budget": "the budget is spent",
    "not_worthwhile": "is expected to bring less than it costs at the prices of the plan's limits",
    "not_in_audience": "is not among those it is meant for",
    ADDRESS_REFUSED: "somebody with the same address has refused",
}


def count_decisions(engine: Engine, table: str, plan: ContactPlan, contact_date: date) -> pd.DataFrame:
    """Count the day's decisions by communication, the higher first.

    Returns
    -------
    DataFrame
        communication, category, channels, contact, control, skip, expected_margin (of the contacts); communications
        that have no candidate are left out.
    """
    counted = engine.frame(
        f"""
        SELECT communication_id AS communication,
               count(*) FILTER (WHERE decision = 'contact') AS contact,
               count(*) FILTER (WHERE decision = 'control') AS control,
               count(*) FILTER (WHERE decision = 'skip') AS skip,
               coalesce(sum(expected_margin) FILTER (WHERE decision = 'contact'), 0) AS expected_margin
        FROM {table}
        WHERE contact_date = $day
        GROUP BY communication_id
        """,
        day=contact_date,
    ).set_index("communication")
    ranked = sorted(plan.communications, key=lambda one: -one.priority)
    known = [one for one in ranked if one.id in counted.index]
    frame = counted.loc[[one.id for one in known]].reset_index()
    frame.insert(1, "category", [one.category.replace("_", " ") for one in known])
    frame.insert(2, "channels", [", ".join(one.channels) for one in known])
    return frame


def count_reasons(engine: Engine, table: str, contact_date: date) -> pd.DataFrame:
    """Count the day's candidates that are not contacted: reason, meaning, candidates; the commonest first."""
    counted = engine.frame(
        f"""
        SELECT reason, count(*) AS candidates
        FROM {table}
        WHERE contact_date = $day AND decision <> 'contact'
        GROUP BY reason
        ORDER BY candidates DESC, reason
        """,
        day=contact_date,
    )
    counted.insert(1, "meaning", [REASON_WORDS.get(reason, reason) for reason in counted["reason"]])
    return counted.assign(reason=counted["reason"].str.replace("_", " "))


def explain_customer(engine: Engine, table: str, customer_id: str) -> pd.DataFrame:
    """The why-card of one customer, for the lab: never for a page.

    Returns
    -------
    DataFrame
        contact_date, communication, decision, why (in words), channel, variant, expected_margin, permissions; no rows
        for an empty or unknown `customer_id`.
    """
    frame = engine.frame(
        f"""
        SELECT contact_date, communication_id AS communication, decision, reason AS why, channel, variant,
               expected_margin, permission_snapshot AS permissions
        FROM {table}
        WHERE customer_id = $customer
        ORDER BY contact_date DESC, decision, communication
        """,
        customer=customer_id,
    )
    return frame.assign(why=[REASON_WORDS.get(reason, reason) for reason in frame["why"]])
