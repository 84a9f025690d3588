"""What was delivered wrong, whatever rooms see of it: rejected and repeated rows, rows ahead of time, corrections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from crmlib.audit.reading import EVERY, Check
from crmlib.engine import Engine, literal, quote
from crmlib.params import ENTITIES
from crmlib.tables import CONTRACTS

#: Rule of a rejected row that is wrong only beside another.
CONFLICTING = "conflicting_key"


def flag_deliveries(
    engine: Engine,
    checks: Sequence[Check],
    stored: Callable[[str], str | None],
    superseded: Mapping[str, int],
    cutoff: datetime,
) -> str:
    """Find every row that was delivered wrong by the end of the as-of date.

    Parameters
    ----------
    engine : Engine
        Holds ``intake_ledger``, ``rejected_rows`` and ``repeated_rows``.
    checks : sequence of Check
        Those whose rules are about deliveries are used.
    stored : callable
        Gives the view of a table with all that is stored, later rows and all versions; None if there is none.
    superseded : mapping of str to int
        Table -> how many of its rows are versions that another takes the place of.
    cutoff : datetime
        End of the as-of date.

    Returns
    -------
    str
        ``flagged_deliveries``: source, entity, field, check, delivery, row.
    """
    engine.execute(
        "CREATE OR REPLACE TABLE flagged_deliveries "
        '(source VARCHAR, entity VARCHAR, field VARCHAR, "check" VARCHAR, delivery VARCHAR, "row" BIGINT)'
    )
    engine.execute(
        "CREATE OR REPLACE TABLE known_deliveries AS SELECT source, entity, load AS delivery, sum(rows_read) AS rows, "
        "max(delivered_at) AS delivered_at FROM intake_ledger WHERE delivered_at < $cutoff GROUP BY ALL",
        cutoff=cutoff,
    )
    for check in checks:
        for select in _select(check, stored, superseded):
            within = f"AND source IN ({', '.join(map(literal, check.sources))})" if check.sources else ""
            engine.execute(
                f"""
                INSERT INTO flagged_deliveries
                SELECT source, entity, field, {literal(check.check)}, delivery, "row"
                FROM ({select}) SEMI JOIN known_deliveries USING (source, delivery) WHERE true {within}
                """,
                cutoff=cutoff,
            )
    return "flagged_deliveries"


def _select(check: Check, stored: Callable[[str], str | None], superseded: Mapping[str, int]) -> list[str]:
    """Queries for source, entity, field, delivery and row of what breaks a rule."""
    if check.entity == EVERY:
        match check.rule:
            case "readable":
                return [
                    f"SELECT source, entity, field, delivery, \"row\" FROM rejected_rows WHERE rule <> '{CONFLICTING}'"
                ]
            case "unambiguous":
                return [
                    f"SELECT source, entity, field, delivery, \"row\" FROM rejected_rows WHERE rule = '{CONFLICTING}'"
                ]
            case "once":
                return ["SELECT source, entity, 'row' AS field, delivery, \"row\" FROM repeated_rows"]
            case "not_ahead":
                return [select for entity in ENTITIES if (select := _select_ahead(entity, stored(ENTITIES[entity])))]
    table = ENTITIES.get(check.entity, "")
    if check.rule == "final" and superseded.get(table) and (rows := stored(table)):
        return [_select_corrected(check, table, rows)]
    return []


def _select_ahead(entity: str, rows: str | None) -> str | None:
    """Rows dated after the day on which they were delivered."""
    contract = CONTRACTS[ENTITIES[entity]]
    if rows is None:
        return None
    dates = dict.fromkeys((*contract.happens, "updated_at"))
    later = " ".join(
        f"WHEN CAST({quote(name)} AS TIMESTAMPTZ) > known.delivered_at THEN {literal(name)}" for name in dates
    )
    return f"""
        SELECT * FROM (
          SELECT stored.source, {literal(entity)} AS entity, CASE {later} END AS field, stored.delivery,
            delivery_row AS "row"
          FROM {quote(rows)} AS stored
          JOIN known_deliveries AS known ON known.source = stored.source AND known.entity = {literal(entity)}
            AND known.delivery = stored.delivery
        ) WHERE field IS NOT NULL
    """


def _select_corrected(check: Check, table: str, rows: str) -> str:
    """Versions that another, delivered by the as-of date, took the place of."""
    contract = CONTRACTS[table]
    keys = ", ".join(quote(name) for name in contract.key if name != "updated_at")
    return f"""
        WITH several AS (
          SELECT hash({keys}) AS key_hash FROM {quote(rows)} WHERE updated_at < $cutoff
          GROUP BY key_hash HAVING count(*) > 1
        )
        SELECT source, {literal(check.entity)} AS entity, {literal(check.field)} AS field, delivery,
          delivery_row AS "row"
        FROM {quote(rows)} SEMI JOIN several ON hash({keys}) = key_hash
        WHERE updated_at < $cutoff
        QUALIFY lead(updated_at) OVER (PARTITION BY {keys} ORDER BY updated_at) IS NOT NULL
    """
