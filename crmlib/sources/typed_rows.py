"""Typed rows: what the texts of a file's rows are as values of their fields, and the first rule each row breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from crmlib.engine import Engine, literal, quote
from crmlib.params import ENTITIES, EntitySource
from crmlib.sources import formats, mapping
from crmlib.sources.columns import (
    choose_expressions,
    keep_extra,
    mapped_columns,
    needed_columns,
    state_consents,
    typed_name,
)
from crmlib.sources.delivery import Delivery
from crmlib.sources.forms import Form
from crmlib.sources.reading import ROW
from crmlib.sources.staged_tables import BETWEEN
from crmlib.sources.submissions import find_fault
from crmlib.tables import Column

#: The column of the rule of its form that a submission breaks.
FORM_FAULT = '"form fault"'
#: What is told of a value that cannot be read.
UNREAD = "(cannot be read)"


@dataclass(frozen=True)
class TypedRows:
    """The rows of one file as they are staged.

    Parameters
    ----------
    query : str
        The query that gives them.
    columns : tuple of str
        The columns it has: those of the contract that are filled, and those that staging adds.
    found : Formats
        How the file writes dates and numbers.
    """

    query: str
    columns: tuple[str, ...]
    found: formats.Formats


@contextmanager
def type_rows(
    engine: Engine, delivery: Delivery, form: Form | None, timezone: str, run_timezone: str
) -> Iterator[TypedRows]:
    """Type the rows of a file that was read; nothing is worked out before the query is run.

    Parameters
    ----------
    engine : Engine
    delivery : Delivery
        Its mapping names columns that the file has.
    form : Form or None
        The form whose submissions are delivered.
    timezone : str
        Of times that do not name theirs.
    run_timezone : str
        Where it is told what day it was.
    """
    read, given = delivery.read, delivery.given
    table = ENTITIES[delivery.entity]
    columns = mapped_columns(table, given)
    texts = {
        name: mapping.text_of(given.fields[name], read.columns, given.values.get(name), column, given.dialect.decimal)
        for name, column in columns.items()
    }
    said = engine.view(
        f"said_{delivery.number}",
        f"SELECT {quote(ROW)} AS row, {_named(texts)}, {keep_extra(given.keep)} AS extra, "
        f"{find_fault(form, read.columns)} AS {FORM_FAULT} FROM {quote(read.table)}",
    )
    sample = engine.view(f"sample_of_{said}", f"SELECT {_named(texts)} FROM {quote(read.sample)}")
    said_as = engine.columns(said)
    read_as_text = [column for name, column in columns.items() if said_as[name] == "VARCHAR"]
    found = formats.find_formats(engine, sample, read_as_text, given)
    reading = {name: formats.read_as(column, said_as[name], found, timezone) for name, column in columns.items()}
    typed = _view_typed(engine, said, reading)
    chosen = choose_expressions(table, delivery, columns, run_timezone)
    added = {
        "consents": state_consents(list(columns)),
        "file": str(delivery.number),
        "row": None if read.rests else "row",
        "fault": _find_fault(given, table, columns, reading, chosen),
        "unmapped": _state_unmapped(given, columns),
    }
    chosen |= {name: expression for name, expression in added.items() if expression is not None}
    query = f"SELECT {_named(chosen)} FROM {typed}"
    try:
        yield TypedRows(query, tuple(chosen), found)
    finally:
        for view in (typed, sample, said):
            engine.execute(f"DROP VIEW {quote(view)}")


def _find_fault(
    given: EntitySource,
    table: str,
    columns: Mapping[str, Column],
    reading: Mapping[str, formats.Reading],
    chosen: Mapping[str, str],
) -> str:
    """The expression for a row's first fault: its field and the rule it breaks."""
    cases = [f"WHEN {FORM_FAULT} IS NOT NULL THEN array_to_string({FORM_FAULT}, '{BETWEEN}')"]
    cases += [
        f"WHEN {quote(name)} IS NOT NULL AND {typed_name(name)} IS NULL "
        f"THEN {literal(name + BETWEEN)} || {read_as.rule}"
        for name, read_as in reading.items()
        if read_as.rule and given.fields[name].if_wrong == "reject"
    ]
    cases += [
        f"WHEN {chosen.get(name, 'NULL')} IS NULL THEN {literal(f'{name}{BETWEEN}missing')}"
        for name in needed_columns(table, columns)
    ]
    return f"CASE {' '.join(cases)} END"


def _view_typed(engine: Engine, said: str, reading: Mapping[str, formats.Reading]) -> str:
    """Add each field's value to what is said, beside what is prepared for it."""
    prepared = [
        f"{read_as.prepared} AS {formats.prepared_name(n)}" for n, read_as in reading.items() if read_as.prepared
    ]
    values = ", ".join(f"{read_as.value} AS {typed_name(name)}" for name, read_as in reading.items())
    return engine.view(f"typed_{said}", f"SELECT *, {values} FROM (SELECT {', '.join(['*', *prepared])} FROM {said})")


def _state_unmapped(given: EntitySource, columns: Mapping[str, Column]) -> str | None:
    """The expression for the values that leave their field empty: of no list, or unread; None if there can be none."""
    left = {}
    for name, column in columns.items():
        if column.values:
            allowed = ", ".join(literal(value) for value in column.values)
            left[name] = (f"lower({quote(name)}) NOT IN ({allowed})", quote(name))
        elif given.fields[name].if_wrong == "empty":
            left[name] = (f"{quote(name)} IS NOT NULL AND {typed_name(name)} IS NULL", literal(UNREAD))
    if not left:
        return None
    entries = ", ".join(
        f"CASE WHEN {wrong} THEN {{'field': {literal(name)}, 'said': {said}}} END"
        for name, (wrong, said) in left.items()
    )
    return (
        f"CASE WHEN {' OR '.join(wrong for wrong, _ in left.values())} THEN CAST(to_json([{entries}]) AS VARCHAR) END"
    )


def _named(expressions: Mapping[str, str]) -> str:
    return ", ".join(f"{expression} AS {quote(name)}" for name, expression in expressions.items())
