"""Contacts already made: those that sends tell, and our own decisions that no send has answered yet."""

from __future__ import annotations

from datetime import date

from crmlib.engine import Engine, Step, quote

#: Days for which a decision of ours counts as a contact without any send that says so.
UNANSWERED_DAYS = 3

SENT_CONTACTS = Step(
    "sent_contacts",
    """
    SELECT i.customer_id, CAST(s.sent_at AT TIME ZONE $timezone AS DATE) AS day,
           s.channel, s.category, s.communication_id, CAST(coalesce(s.cost, 0) AS DOUBLE) AS cost
    FROM sends AS s
    JOIN identities AS i ON i.source = s.record_source AND i.source_record_id = s.source_record_id
    WHERE s.sent_at IS NOT NULL AND coalesce(s."group", 'treatment') <> 'control'
    """,
)

NO_DECISIONS = Step(
    "earlier_decisions",
    """
    SELECT customer_id, contact_date, communication_id, channel, variant, expected_margin, permission_snapshot, stage
    FROM contact_decisions
    WHERE false
    """,
)

# A decision is answered by a send of its communication on its day or later.
UNANSWERED_DECISIONS = Step(
    "unanswered_decisions",
    """
    SELECT d.*
    FROM earlier_decisions AS d
    LEFT JOIN sent_contacts AS s
        ON s.customer_id = d.customer_id AND s.communication_id = d.communication_id AND s.day >= d.contact_date
    WHERE s.customer_id IS NULL
    """,
)

CONTACT_HISTORY = Step(
    "contact_history",
    """
    SELECT customer_id, day, channel, category, communication_id, cost, false AS decided
    FROM sent_contacts
    WHERE day < $first_day
    UNION ALL
    SELECT customer_id, contact_date, channel, NULL, communication_id, 0, true
    FROM unanswered_decisions
    """,
)


def collect_history(engine: Engine, first_day: date, timezone: str, base_decisions: str | None = None) -> str:
    """Collect the contacts made before a day.

    Parameters
    ----------
    engine : Engine
        Holds `sends`, `identities` and `contact_decisions`.
    first_day : date
        The first day that is simulated or decided on.
    timezone : str
        In which the day of a contact is told.
    base_decisions : str, optional
        The base run's `contact_decisions`.

    Returns
    -------
    str
        ``contact_history``: customer_id, day, channel, category, communication_id, cost, decided (by us, and not
        answered by a send). Also makes ``unanswered_decisions``, with the columns of `contact_decisions`.
    """
    engine.run(SENT_CONTACTS, timezone=timezone)
    if base_decisions is None:
        engine.run(NO_DECISIONS)
    else:
        earlier = f"""
            SELECT customer_id, contact_date, communication_id, channel, variant, expected_margin,
                   permission_snapshot, stage
            FROM {quote(base_decisions)}
            WHERE decision = 'contact' AND contact_date < $first_day
                AND contact_date >= $first_day - to_days($unanswered)
        """
        engine.run(Step(NO_DECISIONS.name, earlier), first_day=first_day, unanswered=UNANSWERED_DAYS)
    engine.run(UNANSWERED_DECISIONS)
    return engine.run(CONTACT_HISTORY, first_day=first_day)
