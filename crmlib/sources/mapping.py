"""Mapping: what a file's columns mean, as one typed query; every value that is wrong is told.

A field's text is taken from its columns, its words are put into ours, and it is read as the type its
contract asks for. A text that cannot be read so is a fault of its row.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from crmlib.engine import Engine, literal, quote
from crmlib.errors import InputError
from crmlib.params import EntitySource, FieldFrom
from crmlib.tables import Column

DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y%m%d", "%Y/%m/%d", "%d/%m/%y")
CLOCKS = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S", " %H:%M:%S.%f", "T%H:%M:%S.%f", " %I:%M %p")
YES = ("true", "t", "yes", "y", "1", "si", "sí", "s", "x")
NO = ("false", "f", "no", "n", "0")
#: Beyond this an amount or a quantity is taken for a slip of the keyboard.
IMPOSSIBLE_AMOUNT = 10_000_000
YEARS = (1850, 2150)

#: Rule -> the sentence that tells of it.
RULES = {
    "not_a_date": "This is not a date, or is none in the format of the column.",
    "not_a_number": "This is not a number.",
    "impossible_amount": "No amount is this large.",
    "not_yes_or_no": "This is neither yes nor no.",
    "unknown_value": "This value must be one of a list, and is mapped to none of it.",
    "missing": "A row cannot do without this field.",
    "wrong_cells": "The line has another number of cells than the heading.",
    "conflicting_key": "Rows with this key differ, and nothing says which is newer.",
}


@dataclass(frozen=True)
class Formats:
    """How a file writes its dates and numbers.

    Parameters
    ----------
    dates : dict of str to str
        Field -> format, as ``strptime`` writes it.
    decimal : str
        The decimal sign.
    sniffed : tuple of str
        What was found out, not given.
    """

    dates: Mapping[str, str]
    decimal: str
    sniffed: tuple[str, ...]


def check_columns(delivery: EntitySource, columns: list[str], name: str, where: str) -> None:
    """Check that every column the mapping names stands in the file.

    Raises
    ------
    InputError
        Naming the column, the file, and the nearest heading it has.
    """
    wanted = [column for field in delivery.fields.values() for column in columns_of(field)] + delivery.keep
    for column in wanted:
        if column in columns:
            continue
        near = difflib.get_close_matches(column, columns, n=1)
        if near:
            hint = f"Did you mean '{near[0]}'?"
        elif len(columns) == 1:
            hint = "Its heading is one single column: is the delimiter right?"
        else:
            hint = f"It has: {', '.join(columns[:40])}."
        raise InputError(f"{where}: the file {name} has no column '{column}'. {hint}")


def columns_of(field: FieldFrom) -> list[str]:
    """The columns a field is made of."""
    if field.source_columns is None:
        return []
    return [field.source_columns] if isinstance(field.source_columns, str) else list(field.source_columns)


def text_of(field: FieldFrom, columns: Mapping[str, str], words: Mapping[str, object] | None, kind: str) -> str:
    """The expression for a field's text: its columns, extracted, trimmed, in our words.

    A column that is no text in the file already, and is to be none here, stays as it is.
    """
    if field.source_columns is None:
        return literal(_spell(field.value))
    sources = columns_of(field)
    if len(sources) == 1 and kind != "text" and not field.extract and not words and columns[sources[0]] != "VARCHAR":
        return quote(sources[0])
    parts = [_column_text(column, columns[column]) for column in sources]
    text = parts[0] if len(parts) == 1 else f"concat_ws({literal(field.join)}, {', '.join(parts)})"
    text = f"nullif(trim({text}), '')"
    if field.extract:
        text = f"nullif(trim(regexp_extract({text}, {literal(field.extract)}, 1)), '')"
    if words:
        cases = " ".join(
            f"WHEN {literal(said.lower())} THEN {'NULL' if meant is None else literal(_spell(meant))}"
            for said, meant in words.items()
        )
        text = f"CASE lower({text}) {cases} ELSE {text} END"
    return text


def _column_text(column: str, kind: str) -> str:
    name = quote(column)
    if kind == "VARCHAR":
        return name
    if kind in ("DOUBLE", "FLOAT"):
        whole = f"{name} = trunc({name}) AND abs({name}) < 1e15"
        return f"CASE WHEN {whole} THEN CAST(CAST({name} AS BIGINT) AS VARCHAR) ELSE CAST({name} AS VARCHAR) END"
    return f"CAST({name} AS VARCHAR)"


def _spell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def find_formats(engine: Engine, table: str, dates: list[str], numbers: list[str], delivery: EntitySource) -> Formats:
    """Find out how a file writes dates and numbers, from its distinct values.

    Parameters
    ----------
    engine : Engine
    table : str
        A table with the fields' texts.
    dates, numbers : list of str
        Fields that are dates or times, and numbers.
    delivery : EntitySource
        Its dialect comes first.

    Returns
    -------
    Formats
    """
    sniffed = []
    given = delivery.dialect.date
    days = (given,) if given else DAYS
    found = {}
    for name in dates:
        candidates = [day + clock for day in days for clock in CLOCKS]
        if given and re.search(r"%[HI]", given):
            candidates = [given]
        counts = ", ".join(
            f"count(*) FILTER (WHERE year(try_strptime(text, {literal(f)})) BETWEEN {YEARS[0]} AND {YEARS[1]}) AS f{i}"
            for i, f in enumerate(candidates)
        )
        row = engine.row(
            f"SELECT {counts} FROM (SELECT DISTINCT {quote(name)} AS text FROM {quote(table)} "
            f"WHERE {quote(name)} IS NOT NULL LIMIT 5000)"
        )
        # the first of the equally good: day before month, as is written nearly everywhere
        best = max(range(len(candidates)), key=lambda i: row[f"f{i}"])
        found[name] = candidates[best]
        if not given and row[f"f{best}"]:
            sniffed.append(f"{name} {candidates[best]}")
    decimal: str = delivery.dialect.decimal or ""
    if not decimal:
        decimal = _find_decimal(engine, table, numbers)
        if numbers:
            sniffed.append(f"decimal {decimal}")
    return Formats(found, decimal, tuple(sniffed))


def _find_decimal(engine: Engine, table: str, numbers: list[str]) -> str:
    if not numbers:
        return "."
    texts = " UNION ALL ".join(
        f"(SELECT DISTINCT {quote(name)} AS text FROM {quote(table)} WHERE {quote(name)} IS NOT NULL LIMIT 5000)"
        for name in numbers
    )
    row = engine.row(
        rf"""
        SELECT
          count(*) FILTER (WHERE regexp_matches(text, '^-?[0-9.]*,[0-9]{{1,2}}\D*$')) AS comma,
          count(*) FILTER (WHERE regexp_matches(text, '^-?[0-9,]*\.[0-9]+\D*$')) AS point
        FROM ({texts})
        """
    )
    return "," if row["comma"] > row["point"] else "."


def typed(column: Column, field: str, said_as: str, formats: Formats, timezone: str) -> tuple[str, str | None]:
    """The expression that reads a field's text as its type, and the rule broken where it gives nothing.

    Parameters
    ----------
    column : Column
        The contract's column.
    field : str
        The field's text, as an expression.
    said_as : str
        Its type in SQL: VARCHAR, or what a typed file has.
    formats : Formats
    timezone : str
        Of times that do not name theirs.

    Returns
    -------
    (str, str or None)
        Expression, and the rule's name; None where any text will do.
    """
    if column.kind == "text":
        if not column.values:
            return field, None
        allowed = ", ".join(literal(value) for value in column.values)
        return f"CASE WHEN lower({field}) IN ({allowed}) THEN lower({field}) END", (
            None if column.null else "unknown_value"
        )
    if said_as != "VARCHAR":
        return _native(column, field, said_as, timezone)
    if column.kind == "texts":
        parts = rf"regexp_split_to_array({field}, '\s*(?:,|;|\||:::)\s*')"
        return f"list_filter({parts}, part -> part <> '')", None
    if column.kind == "bool":
        yes, no = (", ".join(literal(word) for word in words) for words in (YES, NO))
        return (
            f"CASE WHEN lower({field}) IN ({yes}) THEN true WHEN lower({field}) IN ({no}) THEN false END",
            ("not_yes_or_no"),
        )
    if column.kind in ("date", "time"):
        moment = f"try_strptime({field}, {literal(formats.dates[column.name])})"
        plausible = f"CASE WHEN year({moment}) BETWEEN {YEARS[0]} AND {YEARS[1]} THEN {moment} END"
        if column.kind == "date":
            return f"CAST({plausible} AS DATE)", "not_a_date"
        # a time that names its own zone needs none of ours
        zoned = rf"regexp_matches({field}, '\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|UTC|[+-]\d\d:?\d\d)$')"
        own = f"TRY_CAST(replace({field}, ' UTC', 'Z') AS TIMESTAMPTZ)"
        return (
            f"CASE WHEN {zoned} THEN {own} ELSE timezone({literal(timezone)}, {plausible}) END",
            "not_a_date",
        )
    thousands, decimal = (".", ",") if formats.decimal == "," else (",", ".")
    plain = rf"regexp_replace({field}, '[\s''€$£]|EUR|USD', '', 'g')"
    plain = f"replace(replace({plain}, {literal(thousands)}, ''), {literal(decimal)}, '.')"
    if column.kind == "int":
        return f"TRY_CAST({plain} AS BIGINT)", "not_a_number"
    number = f"TRY_CAST({plain} AS DOUBLE)"
    possible = f"CASE WHEN abs({number}) < {IMPOSSIBLE_AMOUNT} THEN TRY_CAST({plain} AS {column.sql_type}) END"
    return possible, "impossible_amount" if column.kind == "money" else "not_a_number"


def _native(column: Column, field: str, said_as: str, timezone: str) -> tuple[str, str | None]:
    """Read a value that the file holds typed already."""
    if column.kind == "time" and said_as != "TIMESTAMP WITH TIME ZONE":
        return f"timezone({literal(timezone)}, TRY_CAST({field} AS TIMESTAMP))", "not_a_date"
    if column.kind in ("time", "date"):
        return f"TRY_CAST({field} AS {column.sql_type})", "not_a_date"
    if column.kind in ("money", "float"):
        possible = f"CASE WHEN abs({field}) < {IMPOSSIBLE_AMOUNT} THEN TRY_CAST({field} AS {column.sql_type}) END"
        return possible, "impossible_amount" if column.kind == "money" else "not_a_number"
    return (
        f"TRY_CAST({field} AS {column.sql_type})",
        "not_yes_or_no" if column.kind == "bool" else "not_a_number",
    )
