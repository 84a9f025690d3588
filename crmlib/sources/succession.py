"""Succession: the table a run leaves is the base's, with the staged rows that are new or changed.

Of rows with the same key and time those delivered last count; where these differ they are in conflict:
nothing says which is true. A row that says when it was updated is unchanged if that version is known;
one that does not is unchanged if the version in force when it was delivered says the same.
"""

from __future__ import annotations

from crmlib.engine import Engine, literal, quote
from crmlib.sources.staged_tables import mark_aside, stand_in_order
from crmlib.tables import CONTRACTS

#: Rule of rows with one key that differ.
CONFLICTING = "conflicting_key"
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
        Name of the engine's view. Beside it stand the view ``fresh_<table>`` (the new and changed rows as they are
        staged) and the tables ``aside_<table>`` (file and row of the others, the field and rule that each breaks, or
        none if it is unchanged, and whether that is so because it repeats another) and ``repeated_<table>`` (file and
        row of those that repeat another of their file).
    """
    key = CONTRACTS[table].key
    columns = ", ".join(quote(column.name) for column in CONTRACTS[table].columns)
    _find_met(engine, table, key, base)
    _compare(engine, table, key)
    _set_aside(engine, table, key, base)
    engine.execute(f"DROP TABLE met_{table}; DROP TABLE compared_{table}")
    engine.view(f"unaccepted_{table}", f"FROM aside_{table}")
    if base is None:
        # a join would not keep the order in which the rows came
        mark_aside(engine, table, f"SELECT file, row FROM aside_{table} WHERE rule IS NULL OR rule = '{CONFLICTING}'")
        engine.view(f"fresh_{table}", f"FROM staged_{table} WHERE fault_rule IS NULL AND NOT set_aside")
    else:
        some = engine.row(f"SELECT EXISTS (FROM aside_{table}) AS any")["any"]
        chosen = f" ANTI JOIN aside_{table} USING (file, row)" if some else ""
        engine.view(f"fresh_{table}", f"FROM staged_{table}{chosen}")
    if base is None:
        return engine.view(f"intake_{table}", f"SELECT {columns} FROM fresh_{table}")
    return engine.view(
        f"intake_{table}",
        f"WITH fresh AS (SELECT {columns} FROM fresh_{table}) SELECT {columns} FROM fresh "
        f"UNION ALL SELECT {columns} FROM {quote(base)} ANTI JOIN fresh USING ({_list(key)})",
    )


def narrow(engine: Engine, table: str, base: str | None) -> str:
    """Show only those columns of a table's successor that hold anything: nobody need carry the others about.

    Those of a first load stand in the order in which they came.

    Parameters
    ----------
    engine : Engine
        Holds what `succeed` made.
    table : str
        A contract's name.
    base : str or None
        View of the table as the base run left it.

    Returns
    -------
    str
        Name of the engine's view.
    """
    staged = {*engine.columns(f"staged_{table}_rows"), *PLACE, "updated_at"}
    names = [column.name for column in CONTRACTS[table].columns]
    others = [name for name in names if name not in staged]
    if base is not None and others:
        told = ", ".join(f"count({quote(name)}) > 0 AS {quote(name)}" for name in others)
        staged |= {name for name, any_held in engine.row(f"SELECT {told} FROM {quote(base)}").items() if any_held}
    held = ", ".join(quote(name) for name in names if name in staged)
    if base is not None:
        return engine.view(f"filled_{table}", f"SELECT {held} FROM intake_{table}")
    order = "" if stand_in_order(engine, table) else " ORDER BY file, row"
    return engine.view(f"filled_{table}", f"SELECT {held} FROM fresh_{table}{order}")


def _find_met(engine: Engine, table: str, key: tuple[str, ...], base: str | None) -> None:
    """Find the keys, each as a number, that are met more than once: all others are new, and need no further look."""
    hashed = f"hash({_list(_lasting(key))})"
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE met_{table} AS
        SELECT key_hash FROM (
          SELECT {hashed} AS key_hash FROM staged_{table}
          {f"UNION ALL SELECT {hashed} FROM {quote(base)}" if base is not None else ""}
        ) GROUP BY key_hash HAVING count(*) > 1
        """
    )


def _compare(engine: Engine, table: str, key: tuple[str, ...]) -> None:
    """Compare the rows whose key and time stand twice: with other values they are in conflict, else repeated."""
    values = _content(table)
    if table == "source_records":
        values += ", CAST(consents AS VARCHAR)"
    # of consents that contradict each other at one instant the refusal stands
    refused = "decision = 'withdrawn'" if table == "consent_events" else "false"
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE compared_{table} AS
        WITH met AS (
          FROM staged_{table} SEMI JOIN met_{table} ON hash({_list(_lasting(key))}) = key_hash
          WHERE fault_rule IS NULL
        ),
        -- by a number in place of the key: rows that only seem alike are told apart below
        several AS (SELECT hash({_list(key)}) AS key_hash FROM met GROUP BY key_hash HAVING count(*) > 1),
        alike AS (
          SELECT {_list(key)}, file, row, delivered_at, {refused} AS refused, hash({values}) AS content
          FROM met SEMI JOIN several ON hash({_list(key)}) = key_hash
        )
        SELECT file, row,
          NOT refused AND delivered_at = max(delivered_at) OVER same_key
            AND min(content) OVER delivered_together <> max(content) OVER delivered_together AS differs,
          row_number() OVER (same_key ORDER BY delivered_at DESC, refused DESC, file, row) > 1 AS again,
          row_number() OVER (PARTITION BY {_list(key)}, file ORDER BY row) > 1 AS again_in_file
        FROM alike
        WINDOW same_key AS (PARTITION BY {_list(key)}),
          delivered_together AS (PARTITION BY {_list(key)}, delivered_at)
        """
    )
    engine.execute(
        f"CREATE OR REPLACE TABLE repeated_{table} AS "
        f"SELECT file, row FROM compared_{table} WHERE again_in_file AND NOT differs"
    )


def _set_aside(engine: Engine, table: str, key: tuple[str, ...], base: str | None) -> None:
    """Set aside the rows that break a rule, and those that say nothing new."""
    lasting, hashed = _list(_lasting(key)), f"hash({_list(_lasting(key))})"
    content = f"hash({_content(table)})"
    known = ""
    if base is not None:
        known = f"""
          UNION ALL
          SELECT {lasting}, updated_at, {content} AS content, NULL AS file, NULL AS row, NULL AS dated
          FROM {quote(base)} SEMI JOIN met_{table} ON {hashed} = key_hash
        """
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE aside_{table} AS
        WITH versions AS (
          SELECT {lasting}, updated_at, {content} AS content, file, row, dated
          FROM staged_{table} SEMI JOIN met_{table} ON {hashed} = key_hash
          ANTI JOIN (SELECT file, row FROM compared_{table} WHERE differs OR again) AS bad USING (file, row)
          WHERE fault_rule IS NULL
          {known}
        ),
        followed AS (
          SELECT file, row, dated, updated_at, content, lag(updated_at) OVER history AS updated_before,
            lag(content) OVER history AS content_before
          FROM versions
          WINDOW history AS (PARTITION BY {lasting} ORDER BY updated_at, file NULLS FIRST, row)
        )
        SELECT file, row, fault_field AS field, fault_rule AS rule, false AS repeated
        FROM staged_{table} WHERE fault_rule IS NOT NULL
        UNION ALL
        SELECT file, row, CASE WHEN differs THEN {literal(_lasting(key)[-1])} END,
          CASE WHEN differs THEN '{CONFLICTING}' END, NOT differs
        FROM compared_{table} WHERE differs OR again
        UNION ALL
        SELECT file, row, NULL, NULL, false FROM followed
        WHERE file IS NOT NULL AND content IS NOT DISTINCT FROM content_before
          AND NOT (coalesce(dated, false) AND updated_at IS DISTINCT FROM updated_before)
        """
    )


def _lasting(key: tuple[str, ...]) -> tuple[str, ...]:
    """The key but for the time: what all versions of a row have in common."""
    return tuple(name for name in key if name != "updated_at")


def _content(table: str) -> str:
    """What makes two versions of a row differ: not who delivered it or where, nor the buyer that a card told."""
    values = [quote(column.name) for column in CONTRACTS[table].columns if not column.key and column.name not in PLACE]
    if table == "tickets":
        found = ('"record_source"', '"source_record_id"')
        values = [f"CASE WHEN loyalty_card IS NULL THEN {value} END" if value in found else value for value in values]
    return ", ".join(values)


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(quote(name) for name in names)
