"""Workbooks (Excel, OpenDocument): the first sheet that can be seen becomes a table of texts."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from crmlib.engine import Engine, quote
from crmlib.errors import InputError
from crmlib.params import Dialect
from crmlib.sources.archives import check_unpacked_size
from crmlib.sources.cells import say
from crmlib.sources.headings import name_columns
from crmlib.sources.reading import ROW, ReadFile, held_name

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

BATCH_ROWS = 20_000


def read_workbook(engine: Engine, path: Path, given: Dialect, table: str, where: str) -> ReadFile:
    """Read a sheet into a table of the engine; formulas count as what they last gave.

    Parameters
    ----------
    engine : Engine
    path : Path
    given : Dialect
        `sheet`, `skip_rows` and `header` of it.
    table : str
        Name of the view to make.
    where : str
        The key in the params, for errors.

    Raises
    ------
    InputError
        If the file is no workbook, has a password, or has no such sheet, or the sheet has no heading.
    """
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    if zipfile.is_zipfile(path):
        check_unpacked_size(path, where)
    try:
        with CalamineWorkbook.from_path(path) as book:
            sheet = _find_sheet(book, given.sheet, path.name, where)
            rows = iter(sheet.iter_rows())
            columns = _read_heading(rows, given, path.name, where)
            schema = pa.schema([*((name, pa.string()) for name in columns), (ROW, pa.int64())])
            engine.append(held_name(table), _as_batches(rows, len(columns), schema), schema)
    except PasswordError:
        raise InputError(f"{where}: the workbook {path.name} has a password; deliver it without one.") from None
    except CalamineError:
        raise InputError(f"{where}: the file {path.name} is no workbook, or is only part of one.") from None
    engine.view(table, f"FROM {quote(held_name(table))}")
    held = int(engine.row(f"SELECT count(*) AS n FROM {quote(table)}")["n"])
    found = given.model_copy(update={"sheet": sheet.name})
    sniffed = () if given.sheet else ("sheet",)
    return ReadFile(table, dict.fromkeys(columns, "VARCHAR"), held, kind="excel", dialect=found, sniffed=sniffed)


def _find_sheet(book: CalamineWorkbook, name: str | None, file_name: str, where: str) -> CalamineSheet:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    known = [sheet for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    if name is None:
        shown = [sheet.name for sheet in known if sheet.visible == SheetVisibleEnum.Visible]
        # a sheet in front that holds nothing is a cover
        name = next((sheet for sheet in shown if book.get_sheet_by_name(sheet).height), None)
    elif name not in {sheet.name for sheet in known}:
        names = ", ".join(sheet.name for sheet in known)
        raise InputError(f"{where}.dialect.sheet: {file_name} has no sheet '{name}'; it has: {names}.")
    if name is None:
        raise InputError(f"{where}: the workbook {file_name} has no sheet with rows that can be seen.")
    return book.get_sheet_by_name(name)


def _read_heading(rows: Iterator[list[Any]], given: Dialect, file_name: str, where: str) -> list[str]:
    for _ in range(given.skip_rows):
        next(rows, None)
    if given.header:
        return list(given.header)
    for row in rows:
        names = [(say(cell) or "").strip() for cell in row]
        if any(names):
            while not names[-1]:
                names.pop()
            return name_columns(names)
    raise InputError(f"{where}: the sheet of {file_name} has no heading; give its columns under dialect: header:.")


def _as_batches(rows: Iterator[list[Any]], width: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Rows that are not empty, each with its number under the heading, and cut or filled to the heading's width."""
    kept: list[list[Any]] = []
    for number, row in enumerate(rows, start=1):
        cells = [say(cell) or None for cell in row[:width]]
        if any(cell is not None for cell in cells):
            kept.append([*cells, *[None] * (width - len(cells)), number])
        if len(kept) == BATCH_ROWS:
            yield _as_batch(kept, schema)
            kept = []
    if kept:
        yield _as_batch(kept, schema)


def _as_batch(rows: list[list[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [pa.array(cells, kind.type) for cells, kind in zip(columns, schema, strict=True)], schema=schema
    )
