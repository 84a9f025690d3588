"""Buyers: the record behind the loyalty card that was shown at the till, or the e-mail address that was given."""

from __future__ import annotations

from datetime import datetime

from crmlib.engine import Engine, Step, quote
from crmlib.tables import CONTRACTS

#: Records as they are known at the end of the as-of date: all their versions, the latest of age 1.
_KNOWN = """
    SELECT *, row_number() OVER (PARTITION BY source, source_record_id ORDER BY updated_at DESC) AS age
    FROM intake_source_records
    WHERE updated_at < $cutoff AND (created_at IS NULL OR created_at < $cutoff)
"""

CARD_HOLDERS = Step(
    "card_holders",
    f"""
    WITH known AS ({_KNOWN}), holders AS (
      SELECT loyalty_card, source, source_record_id,
        row_number() OVER (PARTITION BY loyalty_card ORDER BY updated_at DESC, source, source_record_id) AS place,
        count(*) OVER (PARTITION BY loyalty_card) AS holders
      FROM known
      WHERE age = 1 AND loyalty_card IS NOT NULL
    )
    SELECT loyalty_card, source AS record_source, source_record_id, holders
    FROM holders
    WHERE place = 1
    """,
)

EMAIL_HOLDERS = Step(
    "email_holders",
    f"""
    WITH known AS ({_KNOWN}), holders AS (
      SELECT lower(email) AS email, source, source_record_id,
        row_number() OVER (PARTITION BY source, lower(email) ORDER BY updated_at DESC, source_record_id) AS place
      FROM known
      WHERE age = 1 AND email IS NOT NULL
    )
    SELECT email, source AS record_source, source_record_id
    FROM holders
    WHERE place = 1
    """,
)

RESOLVED = ("record_source", "source_record_id")
OTHERS = ", ".join(f"tickets.{column.name}" for column in CONTRACTS["tickets"].columns if column.name not in RESOLVED)

BUYERS = Step(
    "buyers",
    f"""
    SELECT
      {OTHERS},
      CASE
        WHEN card_holders.loyalty_card IS NOT NULL THEN card_holders.record_source
        WHEN tickets.loyalty_card IS NOT NULL AND coalesce(tickets.record_source, 'card') = 'card' THEN 'card'
        WHEN email_holders.email IS NOT NULL THEN email_holders.record_source
        WHEN tickets.source_record_id IS NOT NULL THEN tickets.record_source
      END AS record_source,
      CASE
        WHEN card_holders.loyalty_card IS NOT NULL THEN card_holders.source_record_id
        WHEN tickets.loyalty_card IS NOT NULL AND coalesce(tickets.record_source, 'card') = 'card'
          THEN tickets.loyalty_card
        WHEN email_holders.email IS NOT NULL THEN email_holders.source_record_id
        ELSE tickets.source_record_id
      END AS source_record_id
    FROM intake_tickets AS tickets
    LEFT JOIN card_holders ON card_holders.loyalty_card = tickets.loyalty_card
    LEFT JOIN email_holders
      ON email_holders.email = lower(tickets.buyer_email)
      AND email_holders.record_source = coalesce(tickets.record_source, tickets.source)
    """,
)


def resolve_buyers(engine: Engine, tickets: str, records: str | None, cutoff: datetime) -> tuple[str, int]:
    """Name the record behind each ticket's card or e-mail address: the one updated last.

    A card that no record holds is itself a record; an address that none of the named source's records has is nobody's.

    Parameters
    ----------
    engine : Engine
    tickets, records : str
        Tables of the engine with all versions of tickets and, where there are any, of records.
    cutoff : datetime
        End of the as-of date: later records hold no card yet.

    Returns
    -------
    (str, int)
        Table of the tickets with their buyers, and the number of cards that several records hold.
    """
    if records is None:
        columns = CONTRACTS["source_records"].columns
        empty = ", ".join(f"CAST(NULL AS {column.sql_type}) AS {quote(column.name)}" for column in columns)
        engine.view("intake_source_records", f"SELECT {empty} WHERE false")
    elif records != "intake_source_records":
        engine.view("intake_source_records", f"FROM {quote(records)}")
    if tickets != "intake_tickets":
        engine.view("intake_tickets", f"FROM {quote(tickets)}")
    engine.run(CARD_HOLDERS, cutoff=cutoff)
    engine.run(EMAIL_HOLDERS, cutoff=cutoff)
    shared = engine.row("SELECT count(*) AS n FROM card_holders WHERE holders > 1")["n"]
    return engine.run(BUYERS), int(shared)
