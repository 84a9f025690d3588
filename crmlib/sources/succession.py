"""Succession: the table a run leaves is the base's, with the staged rows that are new or changed.

Of rows with the same key and time those delivered last count; where these differ they are in conflict:
nothing says which is true. A row that says when it was updated is unchanged if that version is known;
one that does not is unchanged if the version in force when it was delivered says the same.
"""

from __future__ import annotations

from crmlib.engine import Engine, literal, quote
from crmlib.tables import CONTRACTS

#: Columns that say where a row came from.
PLACE = ("source", "delivery", "delivery_row")


def succeed(engine: Engine, table: str, base: str | None) -> str:
    """Make the successor of a table.

    Parameters
    ----------
    engine : Engine
        With the rows staged for it.
    table : str
        A contract's name.
    base : str or None
        View of the table as the base run left it.

    Returns
    -------
    str
        Name of the engine's view. Beside it stand the tables ``judged_<table>`` (every staged row: file, row, field and
        rule it breaks, whether it repeats another, and one of its file) and ``fresh_<table>`` (file and row of the new
        and changed ones).
    """
    key = CONTRACTS[table].key
    columns = ", ".join(quote(column.name) for column in CONTRACTS[table].columns)
    _judge(engine, table, key)
    _find_fresh(engine, table, key, base)
    engine.view(f"accepted_{table}", f"FROM fresh_{table}")
    every = engine.row(f"SELECT (SELECT count(*) FROM fresh_{table}) = (SELECT count(*) FROM staged_{table}) AS fresh")
    chosen = "" if every["fresh"] else f" SEMI JOIN fresh_{table} USING (file, row)"
    fresh = f"SELECT {columns} FROM staged_{table}{chosen}"
    if base is None:
        return engine.view(f"intake_{table}", fresh)
    return engine.view(
        f"intake_{table}",
        f"WITH fresh AS ({fresh}) SELECT {columns} FROM fresh "
        f"UNION ALL SELECT {columns} FROM {quote(base)} ANTI JOIN fresh USING ({_list(key)})",
    )


def _judge(engine: Engine, table: str, key: tuple[str, ...]) -> None:
    """Find the rows whose key and time stand twice: with other values they are in conflict, else repeated."""
    values = _content(table)
    if table == "source_records":
        values += ", CAST(consents AS VARCHAR)"
    blamed = next(name for name in reversed(key) if name != "updated_at")
    # of consents that contradict each other at one instant the refusal stands
    refused = "decision = 'withdrawn'" if table == "consent_events" else "false"
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE judged_{table} AS
        WITH sound AS (SELECT * FROM staged_{table} WHERE fault_rule IS NULL),
        -- by a number in place of the key: rows that only seem alike are told apart below
        several AS (SELECT hash({_list(key)}) AS key_hash FROM sound GROUP BY key_hash HAVING count(*) > 1),
        alike AS (
          SELECT {_list(key)}, file, row, delivered_at, {refused} AS refused, hash({values}) AS content
          FROM sound SEMI JOIN several ON hash({_list(key)}) = key_hash
        ),
        compared AS (
          SELECT file, row,
            NOT refused AND delivered_at = max(delivered_at) OVER same_key
              AND min(content) OVER delivered_together <> max(content) OVER delivered_together AS differs,
            row_number() OVER (same_key ORDER BY delivered_at DESC, refused DESC, file, row) > 1 AS again,
            row_number() OVER (PARTITION BY {_list(key)}, file ORDER BY row) > 1 AS again_in_file
          FROM alike
          WINDOW same_key AS (PARTITION BY {_list(key)}),
            delivered_together AS (PARTITION BY {_list(key)}, delivered_at)
        )
        SELECT file, row, staged.updated_at,
          CASE WHEN compared.differs THEN {literal(blamed)} ELSE staged.fault_field END AS field,
          CASE WHEN compared.differs THEN 'conflicting_key' ELSE staged.fault_rule END AS rule,
          coalesce(compared.again, false) AS repeated, coalesce(compared.again_in_file, false) AS repeated_in_file
        FROM staged_{table} AS staged LEFT JOIN compared USING (file, row)
        """
    )


def _find_fresh(engine: Engine, table: str, key: tuple[str, ...], base: str | None) -> None:
    lasting = _list(tuple(name for name in key if name != "updated_at"))
    content = f"hash({_content(table)})"
    known, hashed = "", f"hash({lasting})"
    if base is not None:
        known = f"""
          UNION ALL
          SELECT {lasting}, updated_at, {content} AS content, NULL AS file, NULL AS row, NULL AS dated
          FROM {quote(base)} SEMI JOIN met ON {hashed} = key_hash
        """
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE met_{table} AS
        SELECT key_hash FROM (
          SELECT {hashed} AS key_hash FROM staged_{table}
          {f"UNION ALL SELECT {hashed} FROM {quote(base)}" if base is not None else ""}
        ) GROUP BY key_hash HAVING count(*) > 1
        """
    )
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE fresh_{table} AS
        WITH met AS (FROM met_{table}),
        bad AS (SELECT file, row FROM judged_{table} WHERE rule IS NOT NULL OR repeated),
        good AS (FROM staged_{table} ANTI JOIN bad USING (file, row)),
        versions AS (
          SELECT {lasting}, updated_at, {content} AS content, file, row, dated
          FROM good SEMI JOIN met ON {hashed} = key_hash
          {known}
        ),
        followed AS (
          SELECT file, row, dated, updated_at, content, lag(updated_at) OVER history AS updated_before,
            lag(content) OVER history AS content_before
          FROM versions
          WINDOW history AS (PARTITION BY {lasting} ORDER BY updated_at, file NULLS FIRST, row)
        )
        SELECT file, row FROM followed
        WHERE file IS NOT NULL
          AND (content IS DISTINCT FROM content_before OR (dated AND updated_at IS DISTINCT FROM updated_before))
        UNION ALL
        -- a key that is met once is new
        SELECT file, row FROM good ANTI JOIN met ON {hashed} = key_hash
        """
    )
    engine.execute(f"DROP TABLE met_{table}")


def _content(table: str) -> str:
    """What makes two versions of a row differ: not who delivered it or where, nor the buyer that a card told."""
    values = [quote(column.name) for column in CONTRACTS[table].columns if not column.key and column.name not in PLACE]
    if table == "tickets":
        found = ('"record_source"', '"source_record_id"')
        values = [f"CASE WHEN loyalty_card IS NULL THEN {value} END" if value in found else value for value in values]
    return ", ".join(values)


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(quote(name) for name in names)
