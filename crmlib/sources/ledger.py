"""What the ledger and the quarantine say, as small tables for the page of room 01."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from crmlib.engine import Engine

if TYPE_CHECKING:
    import pandas as pd


def summarise_rejections(engine: Engine) -> pd.DataFrame:
    """Rejected rows by source, entity, field and rule, the most first.

    Returns
    -------
    DataFrame
        Columns source, entity, field, reason, rows.
    """
    return engine.frame(
        """
        SELECT source, entity, field, reason, count(*) AS rows
        FROM rejected_rows GROUP BY ALL ORDER BY rows DESC, source, entity, field, reason
        """
    )


def summarise_entities(engine: Engine) -> pd.DataFrame:
    """Rows accepted, unchanged and rejected by source and entity.

    Returns
    -------
    DataFrame
        Columns delivery (source and entity), files, accepted, unchanged, rejected.
    """
    return engine.frame(
        """
        SELECT source || ' · ' || replace(entity, '_', ' ') AS delivery, count(*) AS files,
          CAST(sum(rows_accepted) AS BIGINT) AS accepted, CAST(sum(rows_unchanged) AS BIGINT) AS unchanged,
          CAST(sum(rows_rejected) AS BIGINT) AS rejected
        FROM intake_ledger GROUP BY source, entity ORDER BY source, entity
        """
    )


def summarise_freshness(engine: Engine, cutoff: datetime) -> pd.DataFrame:
    """How old each source's newest row is.

    Parameters
    ----------
    engine : Engine
    cutoff : datetime
        End of the as-of date.

    Returns
    -------
    DataFrame
        Columns source, owner, delivered_at, newest_row, age_days; newest_row is the latest happening in it.
    """
    return engine.frame(
        """
        WITH happenings AS (
          SELECT source, max(bought_at) AS newest FROM tickets GROUP BY source
          UNION ALL SELECT source, max(happened_at) FROM web_events GROUP BY source
          UNION ALL SELECT source, max(coalesce(created_at, updated_at)) FROM source_records GROUP BY source
        ),
        newest AS (SELECT source, max(newest) AS newest_row FROM happenings GROUP BY source)
        SELECT source, any_value(owner) AS owner, max(delivered_at) AS delivered_at, any_value(newest_row) AS newest_row,
          date_diff('day', any_value(newest_row), CAST($cutoff AS TIMESTAMPTZ)) AS age_days
        FROM intake_ledger LEFT JOIN newest USING (source)
        GROUP BY source ORDER BY source
        """,
        cutoff=cutoff,
    )


def count_later(engine: Engine, tables: dict[str, str], cutoff: datetime) -> int:
    """Rows that are dated after the as-of date: stored, and unseen by every room.

    Parameters
    ----------
    engine : Engine
    tables : dict of str to str
        `crmlib.sources.intake.Intake.tables`.
    cutoff : datetime

    Returns
    -------
    int
    """
    moments = {"tickets": "bought_at", "web_events": "happened_at", "consent_events": "happened_at"}
    later = 0
    for table, moment in moments.items():
        if table in tables:
            later += engine.row(f"SELECT count(*) AS n FROM {tables[table]} WHERE {moment} >= $cutoff", cutoff=cutoff)[
                "n"
            ]
    return int(later)
