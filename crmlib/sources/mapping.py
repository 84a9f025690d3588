"""Mapping: what a file's columns mean, as the expression for each field's text.

A field's text is taken from its columns, extracted, trimmed, and its words are put into ours.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from crmlib.engine import Engine, literal, quote
from crmlib.errors import EngineError, InputError
from crmlib.params import FieldFrom
from crmlib.sources.formats import fits
from crmlib.tables import Column

#: A column in a formula.
_COLUMN = re.compile(r"\{([^{}]+)\}")


def check_columns(
    fields: Mapping[str, FieldFrom], keep: list[str], columns: list[str], file_name: str, where: str
) -> None:
    """Check that every column a mapping names stands in the file.

    Parameters
    ----------
    fields : mapping of str to FieldFrom
    keep : list of str
        Further columns that are asked for.
    columns : list of str
        The file's headings.
    file_name, where : str
        For the error.

    Raises
    ------
    InputError
        A line for each missing column, naming it, the file, and the nearest heading it has.
    """
    wanted = dict.fromkeys([column for field in fields.values() for column in columns_of(field)] + keep)
    missing = [column for column in wanted if column not in columns]
    if missing and len(columns) == 1:
        raise InputError(
            f"{where}: the file {file_name} has no column '{missing[0]}'. "
            "Its heading is one single column: is the delimiter right?"
        )
    if missing:
        raise InputError("\n".join(_tell_missing(column, columns, file_name, where) for column in missing))


def _tell_missing(column: str, columns: list[str], file_name: str, where: str) -> str:
    near = difflib.get_close_matches(column, columns, n=1)
    told = [" ".join(name.split()) for name in near or columns[:40]]
    hint = f"Did you mean '{told[0]}'?" if near else f"It has: {', '.join(told)}."
    return f"{where}: the file {file_name} has no column '{column}'. {hint}"


def check_patterns(engine: Engine, fields: Mapping[str, FieldFrom], date: str | None, where: str) -> None:
    """Check that the engine can work with the patterns and the date format of a mapping.

    Raises
    ------
    InputError
        Naming the field.
    """
    for name, field in fields.items():
        if field.extract:
            try:
                engine.row(f"SELECT regexp_extract('', {literal(field.extract)}, 1) AS found")
            except EngineError:
                raise InputError(
                    f"{where}.fields.{name}.extract: this regular expression cannot be used; "
                    "look-arounds and back-references are not known here."
                ) from None
    if date is None:
        return
    try:
        engine.row(f"SELECT try_strptime('', {literal(date)}) AS found")
        known = "%" in date
    except EngineError:
        known = False
    if not known:
        raise InputError(f"{where}.dialect.date: this is no format of dates; write one such as '%d/%m/%Y'.")


def columns_of(field: FieldFrom) -> list[str]:
    """The columns a field is made of."""
    if field.formula is not None:
        return _COLUMN.findall(field.formula)
    if field.source_columns is None:
        return []
    return [field.source_columns] if isinstance(field.source_columns, str) else list(field.source_columns)


def rename_columns(field: FieldFrom, found: Mapping[str, str]) -> FieldFrom | None:
    """A field of columns that the file calls otherwise.

    Parameters
    ----------
    field : FieldFrom
    found : mapping of str to str
        What the field calls a column -> what the file does.

    Returns
    -------
    FieldFrom or None
        Made of those of its columns that the file has; None if it has none, or not all that a formula is of.
    """
    names = columns_of(field)
    if field.formula is not None:
        if any(name not in found for name in names):
            return None
        return field.model_copy(update={"formula": _COLUMN.sub(lambda name: f"{{{found[name[1]]}}}", field.formula)})
    if not names:
        return field
    there = [found[name] for name in names if name in found]
    one = isinstance(field.source_columns, str)
    return field.model_copy(update={"source_columns": there[0] if one else there}) if there else None


def text_of(
    field: FieldFrom,
    columns: Mapping[str, str],
    words: Mapping[str, object] | None = None,
    column: Column | None = None,
    decimal: str | None = None,
) -> str:
    """The expression for a field's text: its columns, extracted, trimmed, in our words.

    Parameters
    ----------
    field : FieldFrom
    columns : mapping of str to str
        The file's headings and their types in SQL.
    words : mapping of str to anything, optional
        What stands there -> what is meant.
    column : Column, optional
        What the field fills: a typed column that fits it stays as it is.
    decimal : str, optional
        The file's decimal sign, for formulas; absent: a point.
    """
    if field.formula is not None:
        figure = _COLUMN.sub(lambda found: _term(found[1], columns[found[1]], decimal or "."), field.formula)
        text = f"replace(CAST(CAST({figure} AS DECIMAL(18, 2)) AS VARCHAR), '.', {literal(decimal or '.')})"
        # said in words, so that the row is told like any other whose number cannot be read
        return f"coalesce({text}, 'no number')"
    if field.source_columns is None:
        return literal(_spell(field.value))
    sources = columns_of(field)
    if (
        len(sources) == 1
        and column is not None
        and not field.extract
        and not words
        and fits(column, columns[sources[0]])
    ):
        return _number_or_nothing(sources[0], columns[sources[0]])
    parts = [_column_text(source, columns[source]) for source in sources]
    if field.take == "first":
        filled = [f"nullif(trim({part}), '')" for part in parts]
        text = f"coalesce({', '.join(filled)})"
    else:
        text = parts[0] if len(parts) == 1 else f"concat_ws({literal(field.join)}, {', '.join(parts)})"
        # few cells are empty or have blanks around them, and only those are worth a copy; such a one sorts below a sign
        blank = f"{text} < '!' OR ends_with({text}, ' ')"
        text = f"CASE WHEN {blank} THEN nullif(trim({text}), '') ELSE {text} END"
    if field.extract:
        text = f"nullif(trim(regexp_extract({text}, {literal(field.extract)}, 1)), '')"
    if words:
        cases = " ".join(
            f"WHEN {literal(said.lower())} THEN {'NULL' if meant is None else literal(_spell(meant))}"
            for said, meant in words.items()
        )
        text = f"CASE lower({text}) {cases} ELSE {text} END"
    return text


def _term(column: str, kind: str, decimal: str) -> str:
    """A column as a number of a formula: an empty cell is 0, and what is no number makes the whole nothing."""
    text = f"trim({_column_text(column, kind)})"
    if kind == "VARCHAR" and decimal == ",":
        text = f"replace(replace({text}, '.', ''), ',', '.')"
    return f"CASE WHEN coalesce({text}, '') = '' THEN 0 ELSE TRY_CAST({text} AS DOUBLE) END"


def _number_or_nothing(column: str, kind: str) -> str:
    """Some writers of typed files mean an empty cell by "not a number"."""
    name = quote(column)
    return f"CASE WHEN NOT isnan({name}) THEN {name} END" if kind in ("DOUBLE", "FLOAT") else name


def _column_text(column: str, kind: str) -> str:
    name = quote(column)
    if kind == "VARCHAR":
        return name
    if kind in ("DOUBLE", "FLOAT"):
        whole = f"{name} = trunc({name}) AND abs({name}) < 1e15"
        return (
            f"CASE WHEN isnan({name}) THEN NULL WHEN {whole} THEN CAST(CAST({name} AS BIGINT) AS VARCHAR) "
            f"ELSE CAST({name} AS VARCHAR) END"
        )
    return f"CAST({name} AS VARCHAR)"


def _spell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
