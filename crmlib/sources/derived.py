"""Rows made of other rows: tickets of their lines, consents of the records that state them."""

from __future__ import annotations

from crmlib.engine import Engine, quote
from crmlib.sources.staged_tables import hold, show
from crmlib.sources.staging import Staging

TICKET_COLUMNS = (
    "source", "ticket_id", "record_source", "source_record_id", "loyalty_card", "buyer_email", "bought_at", "bought_on",
    "store_id", "channel", "status", "updated_at", "dated", "amount", "discount", "items", "row",
)  # fmt: skip
TICKETS_OF_LINES = """
    INSERT INTO staged_tickets_rows BY NAME
    WITH changed AS (
      SELECT DISTINCT source, ticket_id FROM fresh_ticket_lines WHERE list_contains($sources, source)
    ),
    heads AS (
      SELECT source, ticket_id, min(record_source) AS record_source, min(source_record_id) AS source_record_id,
        min(loyalty_card) AS loyalty_card, min(buyer_email) AS buyer_email, min(bought_at) AS bought_at,
        min(bought_on) AS bought_on, min(store_id) AS store_id, min(channel) AS channel, min(status) AS status,
        max(updated_at) AS updated_at,
        bool_or(dated) AS dated
      FROM staged_ticket_lines
      SEMI JOIN changed USING (source, ticket_id)
      ANTI JOIN (SELECT file, row FROM aside_ticket_lines WHERE rule IS NOT NULL) AS wrong USING (file, row)
      WHERE bought_at IS NOT NULL
      GROUP BY source, ticket_id
    ),
    lines AS (
      SELECT * FROM intake_ticket_lines SEMI JOIN changed USING (source, ticket_id)
      QUALIFY row_number() OVER (PARTITION BY source, ticket_id, line ORDER BY updated_at DESC) = 1
    ),
    sums AS (
      SELECT source, ticket_id, sum(amount) AS amount, sum(discount) AS discount, sum(quantity ORDER BY line) AS items
      FROM lines GROUP BY source, ticket_id
    )
    SELECT heads.*, amount, discount, items, 0 AS file, row_number() OVER (ORDER BY source, ticket_id) AS row
    FROM heads JOIN sums USING (source, ticket_id)
"""

#: What the evidence of a consent says that stands in a record, and of one whose time nobody knows.
STATED = "stated with the record"
UNDATED = "without a date"

STATED_CONSENTS = """
    CREATE OR REPLACE TABLE stated_consents AS
    WITH stated AS (
      SELECT source, source_record_id, updated_at, file, row, dated, delivery, delivery_row,
        unnest(from_json(consents, '[{"channel":"VARCHAR","purpose":"VARCHAR","granted":"BOOLEAN","at":"VARCHAR",
          "wording_version":"VARCHAR","legal_basis":"VARCHAR","evidence":"VARCHAR"}]')) AS consent
      FROM staged_source_records
      ANTI JOIN (SELECT file, row FROM aside_source_records WHERE rule IS NOT NULL OR repeated) AS other
        USING (file, row)
      WHERE consents IS NOT NULL
    ),
    decided AS (
      SELECT source, source_record_id, consent.channel AS channel, consent.purpose AS purpose,
        coalesce(CAST(consent.at AS TIMESTAMPTZ), updated_at) AS happened_at, consent.at IS NOT NULL AS told_when,
        CASE WHEN consent.granted THEN 'granted' ELSE 'withdrawn' END AS decision, consent.wording_version AS wording,
        consent.legal_basis AS legal_basis, consent.evidence AS proof, updated_at, file, row, dated,
        delivery, delivery_row
      FROM stated WHERE consent.granted IS NOT NULL
    ),
    known AS (
      SELECT source, source_record_id, channel, purpose, happened_at, NULL AS told_when, decision, NULL AS wording,
        NULL AS legal_basis, NULL AS proof, updated_at, NULL AS file, NULL AS row, NULL AS dated, delivery, delivery_row
      FROM {known} WHERE starts_with(evidence, $stated)
    ),
    followed AS (
      SELECT *, lag(decision) OVER (
        PARTITION BY source, source_record_id, channel, purpose
        ORDER BY happened_at, updated_at, file NULLS FIRST, row
      ) AS stated_before
      FROM (SELECT * FROM decided UNION ALL SELECT * FROM known)
    )
    SELECT *, row_number() OVER (ORDER BY file, row, channel, purpose, happened_at, decision, wording, proof) AS number
    FROM followed
    WHERE file IS NOT NULL AND (told_when OR decision IS DISTINCT FROM stated_before)
"""

CONSENT_COLUMNS = (
    "source", "source_record_id", "record_source", "channel", "purpose", "happened_at", "decision", "legal_basis",
    "wording_version", "evidence", "updated_at", "dated", "delivery", "delivery_row", "row",
)  # fmt: skip
CONSENTS_OF_RECORDS = """
    INSERT INTO staged_consent_events_rows BY NAME
    SELECT source, source_record_id, source AS record_source, channel, purpose, happened_at, decision,
      legal_basis, wording AS wording_version,
      concat_ws(', ', $stated, CASE WHEN NOT told_when THEN $undated END, proof) AS evidence,
      updated_at, 0 AS file, number AS row, dated, delivery, delivery_row
    FROM stated_consents
"""


def stage_tickets_of_lines(staging: Staging) -> None:
    """Where a source delivers only lines, stage the tickets whose lines changed: they are the sums of their lines."""
    sources = [
        name
        for name, source in staging.params.sources.items()
        if "ticket_lines" in source.entities and "tickets" not in source.entities
    ]
    if sources and staging.engine.has("fresh_ticket_lines"):
        hold(staging.engine, "tickets", TICKET_COLUMNS)
        show(staging.engine, "tickets")
        staging.engine.execute(TICKETS_OF_LINES, sources=sources)


def stage_consents_of_records(staging: Staging, base: str | None) -> None:
    """Stage the consents that records state: one that tells its time, and any other that was not stated before.

    Parameters
    ----------
    staging : Staging
        The successor of ``source_records`` is made already.
    base : str or None
        View of ``consent_events`` as the base run left it.
    """
    hold(staging.engine, "consent_events", CONSENT_COLUMNS)
    show(staging.engine, "consent_events")
    known = quote(base) if base is not None else "(SELECT * FROM staged_consent_events WHERE false)"
    staging.engine.execute(STATED_CONSENTS.replace("{known}", known), stated=STATED)
    staging.engine.execute(CONSENTS_OF_RECORDS, stated=STATED, undated=UNDATED)


def accept_restated_records(engine: Engine) -> None:
    """Count a record as accepted, too, where all that is new is a consent it states."""
    engine.view(
        "unaccepted_source_records",
        """
        WITH restated AS (
          SELECT stated.file, stated.row FROM stated_consents AS stated
          ANTI JOIN aside_consent_events AS aside ON aside.file = 0 AND aside.row = stated.number
        )
        SELECT aside.* FROM aside_source_records AS aside
        ANTI JOIN restated ON aside.rule IS NULL AND restated.file = aside.file AND restated.row = aside.row
        """,
    )
