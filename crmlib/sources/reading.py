"""What reading a file gives, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from crmlib.engine import Engine, quote
from crmlib.params import Dialect

#: The column that numbers the rows; no heading is spelled so.
ROW = "#row"


@dataclass(frozen=True)
class ReadFile:
    """One file as it was read.

    Parameters
    ----------
    table : str
        View of the engine: the file's columns, then `ROW` (1 is the first under the heading).
    columns : dict of str to str
        The file's headings and their types in SQL.
    rows : int
        Rows in the file, unreadable ones included.
    unreadable : dict of int to str
        Row number and text of lines that could not be read.
    kind : str
        Format: csv, tsv, parquet, excel, json.
    dialect : Dialect
        How the file was read.
    sniffed : tuple of str
        Parts of the dialect that were found out, not given.
    stands_on : tuple of str
        Views that `table` is made of, the nearest first.
    """

    table: str
    columns: dict[str, str]
    rows: int
    unreadable: dict[int, str] = field(default_factory=dict)
    kind: str = "csv"
    dialect: Dialect = field(default_factory=Dialect)
    sniffed: tuple[str, ...] = ()
    stands_on: tuple[str, ...] = ()


def held_name(table: str) -> str:
    """The engine's table in which the rows lie that the view `table` shows, for formats that must be copied first."""
    return f"{table}_held"


def narrow(engine: Engine, read: ReadFile, columns: dict[str, str], condition: str = "true") -> ReadFile:
    """Show only some columns of a file, or the rows that meet a condition."""
    table = f"{read.table}_narrowed"
    shown = ", ".join(quote(name) for name in (*columns, ROW))
    engine.view(table, f"SELECT {shown} FROM {quote(read.table)} WHERE {condition}")
    return replace(read, table=table, columns=columns, stands_on=(read.table, *read.stands_on))


def drop_read(engine: Engine, read: ReadFile) -> None:
    """Let go of a file's rows as they were read."""
    names = (read.table, *read.stands_on)
    for name in names:
        engine.execute(f"DROP VIEW {quote(name)}")
    engine.execute(f"DROP TABLE IF EXISTS {quote(held_name(names[-1]))}")
