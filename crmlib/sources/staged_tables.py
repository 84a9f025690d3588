"""Staged tables: the rows of every file of a contract, typed, each with its file, its number and its fault.

They hold no column that nothing fills: the view beside them shows every column, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from crmlib.engine import Engine, literal, quote
from crmlib.params import ENTITIES
from crmlib.sources.columns import staged_columns
from crmlib.sources.delivery import Delivery

#: Columns that staging adds to a contract's: file and row, the fault, whether the row says when it was updated.
ADDED = {
    "file": "BIGINT",
    "row": "BIGINT",
    "fault_field": "VARCHAR",
    "fault_rule": "VARCHAR",
    "dated": "BOOLEAN",
    "consents": "JSON",
    "unmapped": "STRUCT(field VARCHAR, said VARCHAR)[]",
}
#: Those that every staged table has from the start.
ALWAYS = ("file", "row", "fault_field", "fault_rule")
#: How many values that are mapped to nothing are told of each field.
MOST_UNMAPPED = 20
#: What is the same for all rows of a file.
BY_FILE = {"delivery": "VARCHAR", "delivered_at": "TIMESTAMPTZ"}


def hold(engine: Engine, table: str, columns: Iterable[str]) -> str:
    """Name of the engine's table into which a contract's rows are staged, made and widened as it is needed.

    Beside it stands the view ``staged_<table>`` of the same rows with every column, in which those that came unnumbered
    have their number, too (rows stay in the order in which they came), and each of a file says where it stood.

    Parameters
    ----------
    engine : Engine
    table : str
        A contract's name.
    columns : iterable of str
        Columns that are to be filled.
    """
    name = f"staged_{table}_rows"
    kinds = {column.name: column.sql_type for column in staged_columns(table)} | ADDED
    if not engine.has(name):
        begun = ", ".join(f"{quote(column)} {kinds[column]}" for column in ALWAYS)
        known = ", ".join(f"{column} {kind}" for column, kind in BY_FILE.items())
        engine.execute(
            f"CREATE TABLE {name} ({begun}); CREATE TABLE {name}_files (file BIGINT, begins BIGINT, {known})"
        )
    held = engine.columns(name)
    for column in columns:
        if column not in held:
            engine.execute(f"ALTER TABLE {name} ADD COLUMN {quote(column)} {kinds[column]}")
            held[column] = kinds[column]
    shown = (f"{_show(column, held, kind)} AS {quote(column)}" for column, kind in (kinds | BY_FILE).items())
    engine.view(
        f"staged_{table}",
        f"SELECT {', '.join(shown)} FROM {name} AS came LEFT JOIN {name}_files AS by_file ON by_file.file = came.file",
    )
    return name


def _show(column: str, held: Collection[str], kind: str) -> str:
    own = f"came.{quote(column)}" if column in held else f"CAST(NULL AS {kind})"
    number = "coalesce(came.row, came.rowid - begins + 1)"
    if column == "row":
        return number
    if column == "delivery_row":
        return f"CASE WHEN came.file > 0 THEN {number} ELSE {own} END"
    if column in BY_FILE:
        return f"coalesce({own}, by_file.{column})" if column in held else f"by_file.{column}"
    return own


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
        f"INSERT INTO {staged}_files VALUES ({delivery.number}, {begins}, {literal(delivery.load)}, $delivered_at)",
        delivered_at=delivery.delivered_at,
    )
    return _count(engine, staged) - begins


def _count(engine: Engine, staged: str) -> int:
    return int(engine.row(f"SELECT count(*) AS n FROM {staged}")["n"])


def find_unmapped(engine: Engine, delivery: Delivery) -> Iterator[dict[str, Any]]:
    """Values of a file that left their field empty, the commonest of each field: field, value, rows."""
    yield from engine.rows(
        f"""
        SELECT field, said AS value, count(*) AS rows
        FROM (
          SELECT unnest(unmapped, recursive := true) FROM staged_{ENTITIES[delivery.entity]}_rows
          WHERE file = {delivery.number}
        )
        WHERE field IS NOT NULL
        GROUP BY field, said
        QUALIFY row_number() OVER (PARTITION BY field ORDER BY rows DESC, said) <= {MOST_UNMAPPED}
        ORDER BY field, rows DESC, said
        """
    )


def clear(engine: Engine) -> None:
    """Let go of what an earlier intake staged in the same engine."""
    for table in ENTITIES.values():
        engine.execute(f"DROP VIEW IF EXISTS fresh_{table}; DROP VIEW IF EXISTS staged_{table}")
        engine.execute(f"DROP TABLE IF EXISTS staged_{table}_rows; DROP TABLE IF EXISTS staged_{table}_rows_files")
