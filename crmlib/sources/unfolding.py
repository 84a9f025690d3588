"""Unfolding: a row that holds several cells of a kind, as an order its lines, becomes a row for each that is filled."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from crmlib.engine import Engine, literal, quote
from crmlib.errors import EngineError, InputError
from crmlib.params import Unfold
from crmlib.sources.reading import ROW, ReadFile, take_sample

#: How far apart the rows of the file are then numbered: the third cell of its row 12 is row 12003.
STEP = 1000


def list_unfolded(columns: Iterable[str], unfold: Unfold | None) -> list[str]:
    """The columns of a file once its cells are unfolded; those it has, if it has no such cells."""
    headings = list(columns)
    if unfold is None:
        return headings
    left = [name for name in headings if not re.fullmatch(unfold.columns, name)]
    return [*left, *map(_part_name(unfold), unfold.parts)] if len(left) < len(headings) else headings


def unfold_rows(engine: Engine, read: ReadFile, unfold: Unfold, file_name: str, where: str) -> ReadFile:
    """Show each filled cell of a file as a row, beside what the row says that it stands in.

    Parameters
    ----------
    engine : Engine
    read : ReadFile
    unfold : Unfold
    file_name, where : str
        For the error.

    Raises
    ------
    InputError
        If the file has no such cell, or as many of them in a row as rows cannot be numbered by; or if the pattern of
        their entries cannot be used.
    """
    cells = [name for name in read.columns if re.fullmatch(unfold.columns, name)]
    entries = ", ".join(_list_entries(f"CAST({quote(name)} AS VARCHAR)", unfold.each) for name in cells)
    listed = f"SELECT *, flatten([{entries}]) AS cells FROM {quote(read.table)}"
    most = _count_most(engine, listed, where) if cells and unfold.each else len(cells)
    if not cells or most >= STEP:
        raise InputError(
            f"{where}.unfold.columns: the file {file_name} has {most:,} cells in a row that are called "
            f"{unfold.columns}; there must be one at least, and fewer than {STEP:,}."
        )
    table = f"{read.table}_unfolded"
    others = {name: kind for name, kind in read.columns.items() if name not in cells}
    end = re.escape(unfold.between)
    parts = {
        _part_name(unfold)(part): f"nullif(regexp_extract(cell, {literal(_part(part, end))}, 1), '')"
        for part in unfold.parts
    }
    shown = ", ".join([*map(quote, others), *(f"{text} AS {quote(name)}" for name, text in parts.items())])
    engine.view(
        table,
        f"SELECT {shown}, {quote(ROW)} * {STEP} + place AS {quote(ROW)} FROM ("
        f"SELECT *, unnest(cells) AS cell, unnest(range(1, len(cells) + 1)) AS place FROM ({listed})) "
        "WHERE trim(cell) <> ''",
    )
    unreadable = {row * STEP: text for row, text in read.unreadable.items()}
    rows = int(engine.row(f"SELECT count(*) AS n FROM {quote(table)}")["n"]) + len(unreadable)
    unfolded = replace(
        read,
        table=table,
        columns={**others, **dict.fromkeys(parts, "VARCHAR")},
        rows=rows,
        unreadable=unreadable,
        stands_on=(read.table, *read.stands_on),
    )
    return take_sample(engine, unfolded)


def _list_entries(cell: str, each: str | None) -> str:
    """The entries of a cell; one in which there is none is told as it is, so that nothing is lost."""
    if each is None:
        return f"[{cell}]"
    found = f"regexp_extract_all({cell}, {literal(each)})"
    return f"CASE WHEN len({found}) > 0 THEN {found} ELSE [{cell}] END"


def _count_most(engine: Engine, listed: str, where: str) -> int:
    try:
        return int(engine.row(f"SELECT coalesce(max(len(cells)), 1) AS most FROM ({listed})")["most"])
    except EngineError:
        raise InputError(
            f"{where}.unfold.each: this regular expression cannot be used; look-arounds and back-references are not "
            "known here."
        ) from None


def _part_name(unfold: Unfold) -> Callable[[str], str]:
    return f"{unfold.name}.{{}}".format


def _part(part: str, end: str) -> str:
    return rf"(?:^|{end}){re.escape(part)}:([^{end}]*)"
