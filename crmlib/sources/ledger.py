"""The ledger of what was taken in, and what it and the quarantine say, as small tables for room 01."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from crmlib.engine import Engine, quote
from crmlib.sources.staging import Staging

if TYPE_CHECKING:
    import pandas as pd


def make_ledger(staging: Staging, base: str | None) -> str:
    """Make ``intake_ledger``: a row per file of this intake, read or known, and the base's of other files.

    Parameters
    ----------
    staging : Staging
        Its engine has what `quarantine.gather_outcomes` made.
    base : str or None
        View of the table as the base run left it.
    """
    engine = staging.engine
    carried = ""
    if base is not None:
        kinds = {field.name: field.type for field in engine.arrow(f"FROM {quote(base)} LIMIT 0").schema}
        known = pa.Table.from_pylist(staging.known, schema=pa.schema(list(kinds.items())))
        engine.register("known_ledger", known)
        carried = (
            "UNION ALL BY NAME FROM known_ledger UNION ALL BY NAME "
            f"(FROM {quote(base)} ANTI JOIN intake_files USING (source, entity, load, hash) "
            "ANTI JOIN known_ledger USING (source, entity, load, hash))"
        )
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE intake_ledger_rows AS
        WITH counted AS (
          SELECT file, count(rule) AS rows_rejected, count(*) - count(rule) AS rows_unchanged
          FROM intake_rows GROUP BY file
        )
        SELECT files.* EXCLUDE (file, place), coalesce(accepted.rows, 0) AS rows_accepted,
          coalesce(rows_rejected, 0) AS rows_rejected, coalesce(rows_unchanged, 0) AS rows_unchanged, watermark
        FROM intake_files AS files
        LEFT JOIN counted USING (file)
        LEFT JOIN intake_accepted AS accepted USING (file)
        -- the same file by two paths is one delivery
        QUALIFY row_number() OVER (PARTITION BY source, entity, load, hash ORDER BY file) = 1
        {carried}
        """
    )
    return "intake_ledger_rows"


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
        Columns source, owner, delivered_at (the latest by then), newest_row, age_days; newest_row is the latest
        happening in it, age_days the whole days from it to the as-of date.
    """
    return engine.frame(
        """
        WITH happenings AS (
          SELECT source, max(bought_at) AS newest FROM tickets GROUP BY source
          UNION ALL SELECT source, max(happened_at) FROM web_events GROUP BY source
          UNION ALL SELECT source, max(coalesce(created_at, updated_at)) FROM source_records GROUP BY source
        ),
        newest AS (SELECT source, max(newest) AS newest_row FROM happenings GROUP BY source)
        SELECT source, max(owner) AS owner, max(delivered_at) FILTER (WHERE delivered_at < $cutoff) AS delivered_at,
          max(newest_row) AS newest_row,
          CAST(floor((epoch(CAST($cutoff AS TIMESTAMPTZ)) - 1 - epoch(max(newest_row))) / 86400) AS BIGINT) AS age_days
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


def summarise_reading(deliveries: pd.DataFrame) -> pd.DataFrame:
    """How the files were read: one row for all files of an entity that were read alike.

    Parameters
    ----------
    deliveries : DataFrame
        `crmlib.sources.intake.Intake.deliveries`.

    Returns
    -------
    DataFrame
        Columns source, entity, read_as, unused_headings, files, last_file, rows.
    """
    alike = deliveries.groupby(["source", "entity", "read_as", "unused_headings"], sort=False, as_index=False)
    return alike.agg(files=("load", "count"), last_file=("load", "max"), rows=("rows_read", "sum"))
