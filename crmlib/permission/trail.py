"""The trail of one person's permissions: every event, what it said, and what decided or overruled it."""

from __future__ import annotations

import pandas as pd

from crmlib.engine import Engine
from crmlib.errors import InputError
from crmlib.permission.evidence import GRANTED, choose, read_outcome

TRAIL = f"""
    WITH running AS (
        SELECT *,
               max(CASE WHEN {read_outcome("weight")} >= {GRANTED} THEN weight END) OVER so_far AS standing,
               max(CASE WHEN {read_outcome("weight")} < {GRANTED} THEN weight END) OVER so_far AS waiting
        FROM said WHERE customer_id = $customer_id
        WINDOW so_far AS (PARTITION BY channel, purpose ORDER BY weight ROWS UNBOUNDED PRECEDING)
    ),
    events AS (
        SELECT channel, purpose, kind || ' ' || source || ' ' || event_id AS event, outcome, happened_at,
               CASE WHEN {read_outcome(choose("standing", "waiting"))} = {GRANTED} THEN 'yes' ELSE 'no' END AS since
        FROM running
        UNION ALL
        SELECT 'every channel', 'every purpose', 'list ' || list || ' ' || source, 'listed',
               CAST(listed_on AS TIMESTAMPTZ), 'no'
        FROM listed_customers WHERE customer_id = $customer_id
    ),
    decided AS (SELECT * FROM permissions_made WHERE customer_id = $customer_id)
    SELECT s.channel, s.purpose, s.happened_at, s.event, s.outcome AS said, s.since,
           CASE
               WHEN d.customer_id IS NULL THEN 'overrules every grant'
               WHEN d.decided_by_event = s.event AND d.valid_from = s.happened_at AND d.reason IN (s.outcome, 'expired')
                   THEN 'decided'
               WHEN d.decided_by_event IS NOT NULL THEN 'overruled by ' || d.decided_by_event
               ELSE 'overruled: ' || d.reason
           END AS effect,
           CASE WHEN d.allowed THEN 'yes' WHEN d.allowed IS NOT NULL THEN 'no' END AS allowed, d.reason
    FROM events s
    LEFT JOIN decided d ON d.channel = s.channel AND d.purpose = s.purpose
    ORDER BY s.channel, s.purpose, s.happened_at, s.event
"""


def trace_permissions(engine: Engine, customer_id: str) -> pd.DataFrame:
    """Show how one customer's permissions came about: for the lab, never for a page.

    Parameters
    ----------
    engine : Engine
        Holds what `crmlib.permission.consent.decide_permissions` made.
    customer_id : str
        Empty: nobody, and no rows.

    Returns
    -------
    DataFrame
        channel, purpose, happened_at, event, said (its outcome), since (yes or no: what the customer's own word was
        from then on, until the next event), effect (decided, or what overruled it), allowed (yes or no) and reason as
        they now stand; a row per event, in the order of time.
    """
    return engine.frame(TRAIL, customer_id=customer_id)


class TrailDesk:
    """The trails of a run's customers, for somebody who asks for one after the other in the lab.

    Parameters
    ----------
    engine : Engine
        As for `trace_permissions`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def show(self, asked: str) -> pd.DataFrame:
        """The trail of a customer, who may be asked for by one of the records (``source:id``), too.

        Raises
        ------
        InputError
            If there is no such customer, or nothing was ever said about one.
        """
        source, _, record = asked.strip().partition(":")
        found = self._engine.rows(
            "SELECT DISTINCT customer_id FROM numbered_records "
            "WHERE customer_id = $source OR (source = $source AND source_record_id = $record)",
            source=source,
            record=record,
        )
        if not found:
            raise InputError("No customer has this id or record: give a customer_id, or source:id.")
        trail = trace_permissions(self._engine, found[0]["customer_id"])
        if trail.empty:
            raise InputError("Nothing was ever said about contacting this customer: every answer is no record.")
        return trail
