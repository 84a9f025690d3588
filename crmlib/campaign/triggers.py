"""What real events call for: the day on which each automation is due to each customer.

An event is known on the evening of its day, so what it calls for is due on the next day or later; an anniversary is
known before it comes. Delays of hours are rounded down to days.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from crmlib.campaign.calendar import days_open
from crmlib.campaign.communications import Communication
from crmlib.campaign.plan import ContactPlan
from crmlib.engine import Engine, Step

_LAST_PURCHASE = "LEFT JOIN purchase_summary AS p ON p.customer_id = f.customer_id"

# A customer of whom some record does not say when it was made may be an old one.
_REGISTERED = """
    SELECT i.customer_id, CAST(min(s.created_at) AT TIME ZONE $timezone AS DATE) AS happened_on
    FROM source_records AS s
    JOIN identities AS i ON i.source = s.source AND i.source_record_id = s.source_record_id
    GROUP BY i.customer_id
    HAVING count(*) = count(s.created_at)
"""
_PURCHASES = """
    SELECT customer_id, last_purchase_date AS happened_on FROM purchase_summary {last}
    UNION ALL
    SELECT customer_id, previous_purchase_date FROM purchase_summary {before}
"""
_ENTERED = """
    SELECT customer_id, since AS happened_on FROM lifecycle WHERE stage = $detail{c}
"""
# The same day of this year and of those beside it; born on a leap day, the day before.
_ANNIVERSARIES = """
    SELECT c.customer_id,
           make_date(year($first_day) + y.step, c.month, CASE WHEN c.month = 2 THEN least(c.day, 28) ELSE c.day END)
               AS happened_on
    FROM ({dates}) AS c
    CROSS JOIN (VALUES (-1), (0), (1)) AS y (step)
    WHERE c.month IS NOT NULL AND c.day IS NOT NULL
"""
_DATES = {
    "birth_date": "SELECT customer_id, birth_month AS month, birth_day AS day FROM customers",
    "first_seen": (
        "SELECT customer_id, month(first_seen AT TIME ZONE $timezone) AS month, "
        "day(first_seen AT TIME ZONE $timezone) AS day FROM customers"
    ),
}
_ABANDONED = """
    SELECT i.customer_id, max(CAST(w.happened_at AT TIME ZONE $timezone AS DATE)) AS happened_on
    FROM web_events AS w
    JOIN identities AS i ON i.source = w.record_source AND i.source_record_id = w.source_record_id
    WHERE w.event = 'abandon'
    GROUP BY i.customer_id
"""
_ORDERED = """
    SELECT i.customer_id, max(CAST(t.updated_at AT TIME ZONE $timezone AS DATE)) AS happened_on
    FROM tickets AS t
    JOIN identities AS i ON i.source = t.record_source AND i.source_record_id = t.source_record_id
    WHERE t.status = $detail{c}
    GROUP BY i.customer_id
"""


def find_due(engine: Engine, plan: ContactPlan, first_day: date, name: str) -> str:
    """Find when real events make each automation due, as far as it is still open or lies ahead.

    Parameters
    ----------
    engine : Engine
        Holds `source_records`, `customers`, `purchase_summary`, `lifecycle`, `web_events`, `tickets`, `identities` and
        ``contact_history``.
    plan : ContactPlan
    first_day : date
        The first day that is simulated or decided on.
    name : str
        Of the table to make.

    Returns
    -------
    str
        `name`: customer_id, communication (place in the plan), due_on; the earliest of each.
    """
    parts, values = [], {"first_day": first_day, "timezone": plan.plan.timezone}
    for place, communication in enumerate(plan.communications):
        if communication.trigger is not None:
            parts.append(_due_of(place, communication, values))
    found = (
        " UNION ALL ".join(parts) or "SELECT '' AS customer_id, 0 AS communication, $first_day AS due_on WHERE false"
    )
    sql = f"""
        WITH due AS ({found}),
        sent AS (SELECT customer_id, communication_id, max(day) AS day FROM contact_history GROUP BY ALL)
        SELECT d.customer_id, d.communication, min(d.due_on) AS due_on
        FROM due AS d
        JOIN ({_names(plan)}) AS n ON n.communication = d.communication
        LEFT JOIN sent AS s ON s.customer_id = d.customer_id AND s.communication_id = n.communication_id
        WHERE d.due_on + CAST(n.open_days AS INTEGER) > $first_day AND (s.day IS NULL OR s.day < d.due_on)
        GROUP BY d.customer_id, d.communication
    """
    for place, communication in enumerate(plan.communications):
        values[f"id{place}"] = communication.id
    return engine.run(Step(name, sql), **values)


def delay_days(communication: Communication) -> int:
    """Days from an event to the day on which a communication is due, at least 1 but for anniversaries."""
    trigger = communication.trigger
    if trigger is None:
        return 0
    whole = int(trigger.delay // 1)
    return whole if trigger.event == "anniversary" else max(1, whole)


def _due_of(place: int, communication: Communication, values: dict[str, Any]) -> str:
    trigger = communication.trigger
    assert trigger is not None
    called_off = ""
    match trigger.event:
        case "registered":
            events = _REGISTERED
            called_off = "p.last_purchase_date > f.happened_on"
        case "purchase":
            last = f"WHERE frequency + 1 = {trigger.nth}" if trigger.nth else ""
            before = f"WHERE frequency = {trigger.nth}" if trigger.nth else ""
            events = _PURCHASES.format(last=last, before=before)
            called_off = "p.last_purchase_date > f.happened_on"
        case "enter_state":
            events = _ENTERED.format(c=place)
            values[f"detail{place}"] = trigger.state
            called_off = "p.last_purchase_date > f.happened_on"
        case "anniversary":
            events = _ANNIVERSARIES.format(dates=_DATES[trigger.field or "birth_date"])
        case "cart_abandoned":
            events = _ABANDONED
            called_off = "p.last_purchase_date >= f.happened_on"
        case "order_status":
            events = _ORDERED.format(c=place)
            values[f"detail{place}"] = trigger.status
            called_off = "p.last_purchase_date > f.happened_on"
    unless = f"AND NOT coalesce({called_off}, false)" if trigger.unless and called_off else ""
    return f"""
        SELECT f.customer_id, {place} AS communication, f.happened_on + {_whole_delay(communication)} AS due_on
        FROM ({events}) AS f
        {_LAST_PURCHASE}
        WHERE f.happened_on IS NOT NULL {unless}
    """


def _whole_delay(communication: Communication) -> str:
    return f"CAST({delay_days(communication)} AS INTEGER)"


def _names(plan: ContactPlan) -> str:
    rows = [
        f"SELECT {place} AS communication, $id{place} AS communication_id, {days_open(communication)} AS open_days"
        for place, communication in enumerate(plan.communications)
    ]
    return " UNION ALL ".join(rows) or "SELECT 0 AS communication, '' AS communication_id, 1 AS open_days WHERE false"
