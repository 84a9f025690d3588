"""Readers: a delivered file becomes a view of the engine, every row with its number, whatever its format."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

from crmlib.engine import Engine, literal, quote
from crmlib.errors import EngineError, InputError
from crmlib.params import Dialect, Unfold, resolve_path
from crmlib.sources.dialects import check_not_empty, read_heading, sniff_dialect
from crmlib.sources.json_lines import read_json
from crmlib.sources.reading import ROW, ReadFile, narrow, take_sample
from crmlib.sources.text_files import read_text
from crmlib.sources.unfolding import unfold_rows
from crmlib.sources.workbooks import read_workbook

#: Ending of a file's name -> its format; any other is text.
ENDINGS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".tsv": "tsv",
    ".tab": "tsv",
}


def find_files(params_file: Path, path: str, where: str) -> list[Path]:
    """Find the files a path of the params means, in the order of their names.

    Parameters
    ----------
    params_file : Path
        Relative paths are from its folder.
    path : str
        A file, a glob, or ``package:<package>/<file inside it>``.
    where : str
        The key in the params, for the error.

    Raises
    ------
    InputError
        If there is none.
    """
    if path.startswith("package:"):
        return _find_in_package(path.removeprefix("package:"), where)
    if "://" in path:
        raise InputError(f"{where}: only files can be read, and {path} is an address. Mend path: in {params_file}.")
    resolved = Path(resolve_path(params_file, path))
    if resolved.is_file():
        return [resolved]
    if not any(sign in path for sign in "*?["):
        raise InputError(f"{where}: there is no file {resolved}. Mend path: in {params_file}.")
    anchor = Path(resolved.anchor)
    found = sorted(file for file in anchor.glob(str(resolved.relative_to(anchor))) if file.is_file())
    if not found:
        raise InputError(f"{where}: no file matches {resolved}. Mend path: in {params_file}.")
    return found


def _find_in_package(path: str, where: str) -> list[Path]:
    package, _, inner = path.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"{where}: the Python package {package} is not installed; install it with: "
            f"pip install {package.replace('_', '-')}."
        )
    for location in spec.submodule_search_locations:
        found = sorted(file for file in Path(location).glob(inner or "*") if file.is_file())
        if found:
            return found
    raise InputError(f"{where}: the package {package} holds no file {inner}.")


def kind_of(path: Path, given: str | None) -> str:
    """The format of a file: as params say, else by its name."""
    return given or ENDINGS.get(path.suffix.lower(), "csv")


def read_file(
    engine: Engine,
    path: Path,
    kind: str | None,
    dialect: Dialect,
    table: str,
    where: str,
    rows_with: str | dict[str, list[str]] | None = None,
    unfold: Unfold | None = None,
    rests: bool = False,
) -> ReadFile:
    """Read a file into a view of the engine.

    Parameters
    ----------
    engine : Engine
    path : Path
    kind : {"csv", "tsv", "parquet", "excel", "json"} or None
        Format; by the file's name when absent.
    dialect : Dialect
        What params say of how it is written.
    table : str
        Name of the view to make.
    where : str
        The key in the params, for errors.
    rows_with : str or dict of str to list of str, optional
        Column that must be filled, or hold one of the values listed: the other rows are another entity's. They keep
        their numbers.
    unfold : Unfold, optional
        Cells that are rows of their own.
    rests : bool
        Whether the rows of a text file that seems clean may stay in it until they are asked for.

    Raises
    ------
    InputError
        If the file is empty, or cannot be read as what it is said to be, or has no such column.
    """
    check_not_empty(path, where)
    known = kind_of(path, kind)
    if known == "parquet":
        read = _read_parquet(engine, path, table, where)
    elif known == "excel":
        read = read_workbook(engine, path, dialect, table, where)
    elif known == "json":
        read = read_json(engine, path, dialect, table, where)
    else:
        read = read_text(engine, path, known, dialect, table, where, rests and rows_with is None and unfold is None)
    if rows_with is not None:
        read = _keep_rows(engine, read, rows_with, path, where)
    if unfold is not None:
        return unfold_rows(engine, read, unfold, path.name, where)
    return read if read.rests else take_sample(engine, read)


def _keep_rows(
    engine: Engine, read: ReadFile, rows_with: str | dict[str, list[str]], path: Path, where: str
) -> ReadFile:
    for column in [rows_with] if isinstance(rows_with, str) else rows_with:
        if column not in read.columns:
            raise InputError(f"{where}.rows_with: the file {path.name} has no column '{column}'.")
    read = narrow(engine, read, read.columns, _are_kept(rows_with))
    kept = int(engine.row(f"SELECT count(*) AS n FROM {quote(read.table)}")["n"])
    return take_sample(engine, replace(read, rows=kept + len(read.unreadable)))


def _are_kept(rows_with: str | dict[str, list[str]]) -> str:
    """The condition that a row meets which is the entity's own."""
    asked = {rows_with: None} if isinstance(rows_with, str) else rows_with
    conditions = []
    for column, values in asked.items():
        text = f"coalesce(trim(CAST({quote(column)} AS VARCHAR)), '')"
        listed = ", ".join(literal(value) for value in values or ())
        conditions.append(f"{text} IN ({listed})" if listed else f"{text} <> ''")
    return " AND ".join(conditions)


def peek_columns(engine: Engine, path: Path, kind: str | None, dialect: Dialect, where: str) -> list[str]:
    """The headings of a file, of a text without reading it whole.

    Raises
    ------
    InputError
        As `read_file`.
    """
    known = kind_of(path, kind)
    if known in ("csv", "tsv"):
        return read_heading(path, sniff_dialect(path, known, dialect, where, whole=False)[0], where)[0]
    return list(read_file(engine, path, kind, dialect, "peeked", where).columns)


def _read_parquet(engine: Engine, path: Path, table: str, where: str) -> ReadFile:
    scan = f"read_parquet({literal(str(path))}, file_row_number = true)"
    try:
        engine.view(table, f"SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS {quote(ROW)} FROM {scan}")
        columns = engine.columns(table)
        rows = int(engine.row(f"SELECT count(*) AS n FROM {scan}")["n"])
    except EngineError:
        raise InputError(f"{where}: the file {path.name} is not Parquet, or is only part of such a file.") from None
    del columns[ROW]
    return ReadFile(table, columns, rows, kind="parquet")
