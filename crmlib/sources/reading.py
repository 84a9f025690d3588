"""What reading a file gives, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from crmlib.engine import Engine, quote
from crmlib.params import Dialect

#: Rows of a sample, about.
SAMPLED_ROWS = 4_000
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
    sample : str
        Table or view of rows from all over the file, in the same columns, to find out how it is written.
    rests : bool
        Whether the rows still lie in the file: they are read once, unnumbered, and `rows` is not known before.
    """

    table: str
    columns: dict[str, str]
    rows: int
    unreadable: dict[int, str] = field(default_factory=dict)
    kind: str = "csv"
    dialect: Dialect = field(default_factory=Dialect)
    sniffed: tuple[str, ...] = ()
    stands_on: tuple[str, ...] = ()
    sample: str = ""
    rests: bool = False


def held_name(table: str) -> str:
    """The engine's table in which the rows lie that the view `table` shows, for formats that must be copied first."""
    return f"{table}_held"


def take_sample(engine: Engine, read: ReadFile) -> ReadFile:
    """Take one row in so many of a file for its sample; always the same."""
    step = max(1, read.rows // SAMPLED_ROWS)
    engine.view(f"{read.table}_sample", f"FROM {quote(read.table)} WHERE hash({quote(ROW)}) % {step} = 0")
    return replace(read, sample=f"{read.table}_sample")


def narrow(engine: Engine, read: ReadFile, columns: dict[str, str], condition: str = "true") -> ReadFile:
    """Show only some columns of a file, or the rows that meet a condition."""
    table = f"{read.table}_narrowed"
    shown = ", ".join(quote(name) for name in (*columns, ROW))
    engine.view(table, f"SELECT {shown} FROM {quote(read.table)} WHERE {condition}")
    read = replace(read, table=table, columns=columns, stands_on=(read.table, *read.stands_on))
    return read if read.rests else take_sample(engine, read)


def drop_read(engine: Engine, read: ReadFile) -> None:
    """Let go of a file's rows as they were read."""
    names = (read.table, *read.stands_on)
    for name in names:
        engine.execute(f"DROP VIEW IF EXISTS {quote(f'{name}_sample')}; DROP VIEW {quote(name)}")
    engine.execute(f"DROP TABLE IF EXISTS {quote(held_name(names[-1]))}")


def tell_reading(read: ReadFile, found: tuple[str, ...], secret: tuple[str, ...]) -> str:
    """How a file was read, saying what was found out rather than given.

    Parameters
    ----------
    read : ReadFile
    found : tuple of str
        What was found out of its dates and numbers, in words.
    secret : tuple of str
        Headings of columns that were dropped unread.
    """
    dialect = read.dialect
    parts = {"parquet": ["Parquet"], "json": ["JSON"], "excel": [f"sheet {dialect.sheet}"]}.get(read.kind, [])
    if "sheet" in read.sniffed:
        parts[-1] += " (found)"
    if not parts:
        name = {"\t": "tab", "whitespace": "blanks"}.get(dialect.delimiter or "", dialect.delimiter)
        parts = [
            f"{dialect.encoding}{' (found)' if 'encoding' in read.sniffed else ''}",
            f"delimiter {name}{' (found)' if 'delimiter' in read.sniffed else ''}",
        ]
    parts += [f"{part} (found)" for part in found]
    if secret:
        parts.append(f"dropped unread as secret: {', '.join(secret)}")
    return ", ".join(parts)
