"""Retention: what is kept longer than params say, and when the rest will be; told before anything goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd

from crmlib.engine import Engine, literal, quote
from crmlib.params import ENTITIES, RetentionRule

#: Column that tells how old a row of an entity is.
AGES = {
    "consents": "happened_at",
    "tickets": "bought_at",
    "sends": "eligible_at",
    "web_events": "happened_at",
    "service_cases": "opened_at",
}
#: Days ahead that are shown.
AHEAD = (0, 30, 90, 365)

# whoever was seen in no record, purchase or consent is as old as the customer's first day
SIGNS_OF_LIFE = """
    SELECT c.customer_id,
           CAST(greatest(c.last_seen, c.first_seen, max(e.happened_at)) AS DATE) AS seen_on
    FROM customers c
    LEFT JOIN identities i ON i.customer_id = c.customer_id
    LEFT JOIN consent_events e ON e.record_source = i.source AND e.source_record_id = i.source_record_id
    GROUP BY c.customer_id, c.last_seen, c.first_seen
"""


def list_due_customers(engine: Engine, rules: Sequence[RetentionRule], as_of_date: date) -> list[str]:
    """The customers of whom nothing was seen for longer than people are kept.

    Parameters
    ----------
    engine : Engine
        Holds `customers`, `identities` and `consent_events`.
    rules : sequence of RetentionRule
    as_of_date : datetime.date

    Returns
    -------
    list of str
        Their ids, in order; none where no rule is about customers.
    """
    kept = [rule.keep_days for rule in rules if rule.entity == "customers"]
    if not kept:
        return []
    rows = engine.rows(
        f"SELECT customer_id FROM ({SIGNS_OF_LIFE}) WHERE seen_on < $before ORDER BY customer_id",
        before=as_of_date - timedelta(days=min(kept)),
    )
    return [row["customer_id"] for row in rows]


def expire_rows(rule: RetentionRule, as_of_date: date) -> tuple[str, str] | None:
    """Which rows a rule lets go: the table, and the condition in SQL; None for a rule about whole people."""
    if rule.entity == "customers":
        return None
    before = (as_of_date - timedelta(days=rule.keep_days)).isoformat()
    condition = f"coalesce({quote(AGES[rule.entity])} < TIMESTAMPTZ {literal(before)}, false)"
    if rule.entity == "consents":
        condition += " AND decision = 'granted'"
    if rule.purpose is not None:
        condition += f" AND purpose = {literal(rule.purpose)}"
    return ENTITIES[rule.entity], condition


def summarise_retention(engine: Engine, rules: Sequence[RetentionRule], as_of_date: date) -> pd.DataFrame:
    """Tell what must go by when.

    Parameters
    ----------
    engine : Engine
        Holds `customers`, `identities` and the tables that rules are about.
    rules : sequence of RetentionRule
    as_of_date : datetime.date

    Returns
    -------
    DataFrame
        what (entity and purpose), keep_days, held (rows or people), and how many are due now, within_30_days,
        within_90_days and within_365_days if nothing new is seen of them.
    """
    rows = []
    for rule in rules:
        counts = [_count_due(engine, rule, as_of_date + timedelta(days=days)) for days in AHEAD]
        table = ENTITIES[rule.entity] if rule.entity != "customers" else "customers"
        held = int(engine.row(f"SELECT count(*) AS n FROM {quote(table)}")["n"])
        entity = rule.entity.replace("_", " ") + (", those granted" if rule.entity == "consents" else "")
        what = f"{entity} for {rule.purpose}" if rule.purpose else entity
        rows.append((what, rule.keep_days, held, *counts))
    columns = ["what", "keep_days", "held", "due_now", *(f"within_{days}_days" for days in AHEAD[1:])]
    return pd.DataFrame(rows, columns=columns)


def _count_due(engine: Engine, rule: RetentionRule, on: date) -> int:
    expired = expire_rows(rule, on)
    if expired is None:
        return len(list_due_customers(engine, [rule], on))
    table, condition = expired
    return int(engine.row(f"SELECT count(*) AS n FROM {quote(table)} WHERE {condition}")["n"])
