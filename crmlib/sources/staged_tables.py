"""Staged tables: the rows of every file of a contract, typed, each with its file, its number and its fault.

What is held is little: no column that nothing fills, and nothing that is the same in all rows of a file. The view
beside a table shows every column.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from crmlib.engine import Engine, literal, quote
from crmlib.params import ENTITIES
from crmlib.sources.columns import staged_columns
from crmlib.sources.delivery import Delivery

#: What stands between the field and the rule of a fault.
BETWEEN = "\x1f"
#: Columns that are held beside a contract's: file and number of the row (none where rows came unnumbered), field and
#: rule of its fault, whether it says when it was updated (of a file's row its updated_at tells), the consents that it
#: states, the values that are mapped to nothing, and whether it is set aside though it has no fault.
ADDED = {
    "file": "INTEGER",
    "row": "BIGINT",
    "fault": "VARCHAR",
    "dated": "BOOLEAN",
    "consents": "JSON",
    "unmapped": "VARCHAR",
    "set_aside": "BOOLEAN",
}
#: Those that every staged table has from the start.
ALWAYS = ("file", "fault")
#: What is the same for all rows of a file.
BY_FILE = {"source": "VARCHAR", "delivery": "VARCHAR", "delivered_at": "TIMESTAMPTZ"}
#: How many values that are mapped to nothing are told of each field.
MOST_UNMAPPED = 20


def hold(engine: Engine, table: str, columns: Iterable[str]) -> str:
    """Name of the engine's table in which a contract's rows are staged, made and widened as it is needed.

    Parameters
    ----------
    engine : Engine
    table : str
        A contract's name.
    columns : iterable of str
        Columns that are to be filled.
    """
    name, kinds = f"staged_{table}_rows", _kinds(table)
    if not engine.has(name):
        begun = ", ".join(f"{quote(column)} {kinds[column]}" for column in ALWAYS)
        by_file = ", ".join(f"{column} {kind}" for column, kind in BY_FILE.items())
        engine.execute(f"CREATE TABLE {name} ({begun})")
        engine.execute(f"CREATE TABLE {name}_files (file INTEGER, begins BIGINT, {by_file})")
    held = engine.columns(name)
    for column in dict.fromkeys(columns):
        if column not in held:
            engine.execute(f"ALTER TABLE {name} ADD COLUMN {quote(column)} {kinds[column]}")
    return name


def _kinds(table: str) -> dict[str, str]:
    return {column.name: column.sql_type for column in staged_columns(table)} | ADDED


def add_rows(engine: Engine, delivery: Delivery, query: str, columns: Collection[str]) -> int:
    """Stage the rows of a file; give how many there are.

    Parameters
    ----------
    engine : Engine
    delivery : Delivery
    query : str
        The query that gives them, as `crmlib.sources.typed_rows.type_rows` makes it.
    columns : collection of str
        Its columns.
    """
    staged = hold(engine, ENTITIES[delivery.entity], columns)
    begins = _count(engine, staged)
    engine.execute(f"INSERT INTO {staged} BY NAME {query}")
    engine.execute(
        f"INSERT INTO {staged}_files VALUES ({delivery.number}, {begins}, $source, $load, $delivered_at)",
        source=delivery.source,
        load=delivery.load,
        delivered_at=delivery.delivered_at,
    )
    return _count(engine, staged) - begins


def _count(engine: Engine, staged: str) -> int:
    return int(engine.row(f"SELECT count(*) AS n FROM {staged}")["n"])


def find_unmapped(engine: Engine, delivery: Delivery) -> Iterator[dict[str, Any]]:
    """Values of a file that left their field empty, the commonest of each field: field, value, rows."""
    yield from engine.rows(
        f"""
        WITH told AS (
          SELECT unnest(from_json(unmapped, '[{{"field": "VARCHAR", "said": "VARCHAR"}}]'), recursive := true)
          FROM staged_{ENTITIES[delivery.entity]}_rows
          WHERE file = {delivery.number} AND unmapped IS NOT NULL
        )
        SELECT field, said AS value, count(*) AS rows
        FROM told WHERE field IS NOT NULL
        GROUP BY field, said
        QUALIFY row_number() OVER (PARTITION BY field ORDER BY rows DESC, said) <= {MOST_UNMAPPED}
        ORDER BY field, rows DESC, said
        """
    )


def show(engine: Engine, table: str) -> None:
    """Make the view ``staged_<table>`` of all that is staged by now.

    Rows stay in the order in which they came: there is nothing to join, what is the same in a file is looked up in a
    list. Those that came unnumbered have their number, too, and each of a file says where it stood; rows of file 0 are
    made of other rows.

    Parameters
    ----------
    engine : Engine
    table : str
        A contract's name. The view has its columns, and file, row, fault_field, fault_rule, dated, consents, set_aside,
        delivered_at and place (by which the engine finds a row).
    """
    name = f"staged_{table}_rows"
    held = engine.columns(name)
    files = engine.rows(f"FROM {name}_files ORDER BY file")
    row = _coalesce("came.row" if "row" in held else "", f"came.rowid - {_look_up(files, 'begins', 'BIGINT')} + 1")
    told = "came.updated_at" if "updated_at" in held else ""
    shown = {
        column: f"came.{quote(column)}" if column in held else f"CAST(NULL AS {kind})"
        for column, kind in _kinds(table).items()
    }
    shown |= {
        column: _coalesce(f"came.{column}" if column in held else "", _look_up(files, column, kind))
        for column, kind in BY_FILE.items()
    }
    shown |= {
        "row": row,
        "place": "came.rowid",
        "set_aside": f"coalesce({shown['set_aside']}, false)",
        "updated_at": _coalesce(told, shown["delivered_at"]),
        "dated": f"CASE WHEN came.file > 0 THEN {told or 'NULL'} IS NOT NULL ELSE {shown['dated']} END",
        "delivery_row": f"CASE WHEN came.file > 0 THEN {row} ELSE {shown['delivery_row']} END",
        "fault_field": f"nullif(split_part(came.fault, '{BETWEEN}', 1), '')",
        "fault_rule": f"nullif(split_part(came.fault, '{BETWEEN}', 2), '')",
    }
    del shown["fault"], shown["unmapped"]
    columns = ", ".join(f"{expression} AS {quote(column)}" for column, expression in shown.items())
    engine.view(f"staged_{table}", f"SELECT {columns} FROM {name} AS came")


def _coalesce(first: str, second: str) -> str:
    return f"coalesce({first}, {second})" if first else second


def _look_up(files: list[dict[str, Any]], column: str, kind: str) -> str:
    """Expression for what the file of a row says; nothing for file 0."""
    if not files:
        return f"CAST(NULL AS {kind})"
    said = {row["file"]: row[column] for row in files}
    if len(said) == 1:
        return f"CASE WHEN came.file > 0 THEN CAST({literal(str(files[0][column]))} AS {kind}) END"
    first, last = min(said), max(said)
    listed = ("NULL" if said.get(file) is None else literal(str(said[file])) for file in range(first, last + 1))
    place = f"CASE WHEN came.file > 0 THEN came.file - {first - 1} END"
    return f"CAST([{', '.join(listed)}] AS {kind}[])[{place}]"


def mark_aside(engine: Engine, table: str, rows: str) -> None:
    """Mark rows of a staged table that are set aside.

    Parameters
    ----------
    engine : Engine
    table : str
        A contract's name.
    rows : str
        Query for their file and row; there should be few.
    """
    if not engine.row(f"SELECT EXISTS ({rows}) AS some")["some"]:
        return
    staged = hold(engine, table, ["set_aside"])
    engine.execute(
        f"UPDATE {staged} SET set_aside = true "
        f"WHERE rowid IN (SELECT place FROM staged_{table} SEMI JOIN ({rows}) USING (file, row))"
    )
    show(engine, table)


def stand_in_order(engine: Engine, table: str) -> bool:
    """Whether the staged rows lie in the order of their files and numbers; those made of other rows may not."""
    found = engine.row(
        f"""
        WITH beside AS (
          SELECT file, row, lag(file) OVER () AS file_before, lag(row) OVER () AS row_before FROM staged_{table}
        )
        SELECT EXISTS (
          FROM beside WHERE file < file_before OR (file = file_before AND row < row_before)
        ) AS any
        """
    )
    return not found["any"]


def clear(engine: Engine) -> None:
    """Let go of what an earlier intake staged in the same engine."""
    for table in ENTITIES.values():
        engine.execute(f"DROP VIEW IF EXISTS fresh_{table}; DROP VIEW IF EXISTS staged_{table}")
        engine.execute(f"DROP TABLE IF EXISTS staged_{table}_rows; DROP TABLE IF EXISTS staged_{table}_rows_files")
