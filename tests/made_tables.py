"""Contract tables made by hand: some columns of a few rows, the rest empty."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from crmlib.engine import Engine
from crmlib.tables import find_contract

Rows = Iterable[dict[str, Any]]


def make_table(engine: Engine, name: str, rows: Rows = ()) -> None:
    """A contract's table, seen in the engine as a run shows it: as a view."""
    columns = [column for column in find_contract(name).columns if "<" not in column.name]
    typed = ", ".join(f'CAST(NULL AS {column.sql_type}) AS "{column.name}"' for column in columns)
    engine.execute(f"CREATE OR REPLACE TABLE made_{name} AS SELECT {typed} WHERE false")
    frame = pd.DataFrame(list(rows))
    if len(frame):
        engine.register("rows_to_insert", frame)
        engine.execute(f"INSERT INTO made_{name} BY NAME SELECT * FROM rows_to_insert")
    engine.view(name, f"FROM made_{name}")


def make_tables(engine: Engine, *empty: str, **filled: Rows) -> None:
    """Several contract tables: those named without rows, and those with."""
    for name in empty:
        make_table(engine, name)
    for name, rows in filled.items():
        make_table(engine, name, rows)


def at(text: str) -> datetime:
    """A moment in UTC, such as ``2026-03-01`` or ``2026-03-01 12:30``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
