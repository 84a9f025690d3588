"""The trail of one person's permissions: every event, what it said, and what decided or overruled it."""

from __future__ import annotations

import pandas as pd

from crmlib.engine import Engine

TRAIL = """
    WITH events AS (
        SELECT channel, purpose, kind || ' ' || source || ' ' || event_id AS event, outcome, happened_at
        FROM said WHERE customer_id = $customer_id
        UNION ALL
        SELECT 'every channel', 'every purpose', 'list ' || list || ' ' || source, 'listed',
               CAST(listed_on AS TIMESTAMPTZ)
        FROM listed_customers WHERE customer_id = $customer_id
    ),
    decided AS (SELECT * FROM permissions_made WHERE customer_id = $customer_id)
    SELECT s.channel, s.purpose, s.happened_at, s.event, s.outcome AS said,
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
        channel, purpose, happened_at, event, said (its outcome), effect (decided, or what overruled it), allowed (yes
        or no) and reason as they now stand; a row per event.
    """
    return engine.frame(TRAIL, customer_id=customer_id)
