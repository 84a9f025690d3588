"""What a defect costs: who agreed and cannot be contacted, and the sales of the last twelve months behind a record."""

from __future__ import annotations

from datetime import date

from crmlib.engine import Engine, Step, quote
from crmlib.params import CHANNELS, PURPOSES

#: How sales are ascribed to records, in words.
BY_TICKETS = "Sales are those of the last twelve months whose tickets name the record, or its card or address."
BY_IDENTITIES = (
    "Sales are those of the last twelve months to the customer whose record it is, as the last published run told; "
    "where a source has several records of a customer, each has an even part."
)

GRANTED = Step(
    "granted_consents",
    f"""
    WITH bits AS (
      SELECT record_source AS source, source_record_id, happened_at, decision = 'granted' AS granted,
        1 << (array_position({list(CHANNELS)}, channel) * {len(PURPOSES)}
          + array_position({list(PURPOSES)}, purpose) - {len(PURPOSES) + 1}) AS bit
      FROM consent_events
    ),
    latest AS (
      SELECT source, source_record_id, bit, max(happened_at) AS decided_at FROM bits GROUP BY ALL
    ),
    decided AS (
      -- at the same moment a withdrawal counts
      SELECT source, source_record_id, bit
      FROM bits JOIN latest USING (source, source_record_id, bit)
      WHERE happened_at = decided_at
      GROUP BY ALL HAVING bool_and(granted)
    )
    SELECT source, source_record_id, bit_or(bit) AS granted FROM decided GROUP BY ALL
    """,
)

NAMED_REVENUE = Step(
    "record_revenue",
    """
    SELECT record_source AS source, source_record_id, sum(amount) AS revenue
    FROM tickets
    WHERE source_record_id IS NOT NULL AND bought_on > CAST($as_of_date AS DATE) - INTERVAL 365 DAY
    GROUP BY ALL
    """,
)


def bit_of(channel: str, purpose: str) -> int:
    """The bit of ``granted_consents.granted`` that tells of a consent."""
    return 1 << (CHANNELS.index(channel) * len(PURPOSES) + PURPOSES.index(purpose))


def ascribe_revenue(engine: Engine, as_of_date: date, identities: str | None) -> str:
    """Ascribe the sales of the last twelve months to the records.

    Parameters
    ----------
    engine : Engine
        Holds ``tickets``.
    as_of_date : datetime.date
    identities : str or None
        ``identities`` of the base run: with them all sales of a customer stand behind each of the customer's records
        (a source that has several shares them evenly among these); without, those of the tickets that name it.

    Returns
    -------
    str
        ``record_revenue``: source, source_record_id, revenue.
    """
    named = engine.run(NAMED_REVENUE, as_of_date=as_of_date)
    if identities is None:
        return named
    return engine.run(
        Step(
            "record_revenue",
            f"""
            WITH known AS (SELECT source, source_record_id, customer_id FROM {quote(identities)}),
            customers AS (
              SELECT coalesce(customer_id, source || ' ' || source_record_id) AS customer_id, sum(revenue) AS revenue
              FROM record_revenue LEFT JOIN known USING (source, source_record_id)
              GROUP BY ALL
            ),
            named AS (
              SELECT source, source_record_id, coalesce(customer_id, source || ' ' || source_record_id) AS customer_id
              FROM source_records LEFT JOIN known USING (source, source_record_id)
            )
            SELECT source, source_record_id, revenue / count(*) OVER (PARTITION BY source, customer_id) AS revenue
            FROM named JOIN customers USING (customer_id)
            """,
        )
    )
