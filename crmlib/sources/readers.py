"""Readers: a delivered file becomes a table of the engine, every row with its number.

Text files are streamed, so that their size is no matter; encoding and dialect are sniffed where
params do not give them, and said. A line that cannot be read is kept with its number.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from crmlib.engine import Engine, literal, quote
from crmlib.errors import EngineError, InputError
from crmlib.params import Dialect, resolve_path
from crmlib.sources.dialects import check_not_empty, read_heading, sniff_dialect

BLOCK_BYTES = 1 << 22
#: The column that numbers the rows; no heading is spelled so.
ROW = "#row"


@dataclass(frozen=True)
class ReadFile:
    """One file as it was read.

    Parameters
    ----------
    table : str
        Table of the engine: the file's columns, then `ROW` (1 is the first under the heading).
    columns : dict of str to str
        The file's headings and their types in SQL.
    rows : int
        Rows in the file, unreadable ones included.
    unreadable : dict of int to str
        Row number and text of lines that could not be read.
    dialect : Dialect
        How the file was read.
    sniffed : tuple of str
        Parts of the dialect that were found out, not given.
    """

    table: str
    columns: dict[str, str]
    rows: int
    unreadable: dict[int, str] = field(default_factory=dict)
    dialect: Dialect = field(default_factory=Dialect)
    sniffed: tuple[str, ...] = ()


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
        return [_find_in_package(path.removeprefix("package:"), where)]
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


def _find_in_package(path: str, where: str) -> Path:
    package, _, inner = path.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"{where}: the Python package {package} is not installed; install it with: "
            f"pip install {package.replace('_', '-')}."
        )
    for location in spec.submodule_search_locations:
        if (file := Path(location) / inner).is_file():
            return file
    raise InputError(f"{where}: the package {package} holds no file {inner}.")


def read_file(
    engine: Engine,
    path: Path,
    kind: str | None,
    dialect: Dialect,
    table: str,
    where: str,
    rows_with: str | dict[str, list[str]] | None = None,
) -> ReadFile:
    """Read a file into a table of the engine.

    Parameters
    ----------
    engine : Engine
    path : Path
    kind : {"csv", "tsv", "parquet"} or None
        Format; by the file's name when absent.
    dialect : Dialect
        What params say of a text file.
    table : str
        Name of the table to make.
    where : str
        The key in the params, for errors.
    rows_with : str or dict of str to list of str, optional
        Column that must be filled, or hold one of the values listed: the other rows are another entity's. They keep
        their numbers.

    Raises
    ------
    InputError
        If the file is empty, or cannot be read as what it is said to be, or has no such column.
    """
    if is_parquet(path, kind):
        read = _read_parquet(engine, path, table, where)
    else:
        read = _read_text(engine, path, kind, dialect, table, where)
    return read if rows_with is None else _keep_rows(engine, read, rows_with, path, where)


def _keep_rows(
    engine: Engine, read: ReadFile, rows_with: str | dict[str, list[str]], path: Path, where: str
) -> ReadFile:
    for column in [rows_with] if isinstance(rows_with, str) else rows_with:
        if column not in read.columns:
            raise InputError(f"{where}.rows_with: the file {path.name} has no column '{column}'.")
    filled = _are_kept(rows_with)
    if read.dialect.encoding is None:
        scan = f"read_parquet({literal(str(path))}, file_row_number = true)"
        engine.view(
            read.table,
            f"SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS {quote(ROW)} FROM {scan} WHERE {filled}",
        )
    else:
        engine.execute(f"DELETE FROM {quote(read.table)} WHERE NOT ({filled})")
    kept = int(engine.row(f"SELECT count(*) AS n FROM {quote(read.table)}")["n"])
    return replace(read, rows=kept + len(read.unreadable))


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
    """The headings of a file, without reading it whole.

    Raises
    ------
    InputError
        As `read_file`.
    """
    if is_parquet(path, kind):
        return list(_read_parquet(engine, path, "peeked", where).columns)
    return read_heading(path, sniff_dialect(path, kind, dialect, where)[0], where)[0]


def is_parquet(path: Path, kind: str | None) -> bool:
    """Whether a file is to be read as Parquet: as params say, else by its name."""
    return kind == "parquet" or (kind is None and path.suffix.lower() in (".parquet", ".pq"))


def _read_parquet(engine: Engine, path: Path, table: str, where: str) -> ReadFile:
    check_not_empty(path, where)
    scan = f"read_parquet({literal(str(path))}, file_row_number = true)"
    try:
        engine.view(table, f"SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS {quote(ROW)} FROM {scan}")
        columns = engine.columns(table)
        rows = int(engine.row(f"SELECT count(*) AS n FROM {scan}")["n"])
    except EngineError:
        raise InputError(f"{where}: the file {path.name} is not Parquet, or is only part of such a file.") from None
    del columns[ROW]
    return ReadFile(table, columns, rows)


def _read_text(engine: Engine, path: Path, kind: str | None, given: Dialect, table: str, where: str) -> ReadFile:
    dialect, sniffed = sniff_dialect(path, kind, given, where)
    columns, heading_lines = read_heading(path, dialect, where)
    read = ReadFile(table, dict.fromkeys(columns, "VARCHAR"), 0, {}, dialect, sniffed)
    stream = _split_on_whitespace if dialect.delimiter == "whitespace" else _stream_csv
    counted = 0
    problem: Exception | None = None
    last: str | None = None

    def numbered() -> Iterator[pa.RecordBatch]:
        nonlocal counted, problem, last
        try:
            for batch in stream(path, dialect, heading_lines, columns, read.unreadable):
                counted += batch.num_rows
                last = batch.column(len(columns) - 1)[-1].as_py() if batch.num_rows else last
                yield batch
        except (UnicodeDecodeError, pa.ArrowInvalid) as error:
            problem = error
            raise

    schema = pa.schema([*((name, pa.string()) for name in columns), (ROW, pa.int64())])
    try:
        engine.append(table, numbered(), schema)
    except EngineError:
        if problem is None:
            raise
    rows = counted + len(read.unreadable)
    if "straddling" in str(problem) or (problem is None and _is_quote_open(path, last, read.unreadable.get(rows))):
        raise InputError(
            f"{where}: the file {path.name} cannot be read to its end: a quotation mark is opened and never closed."
        )
    if problem is not None:
        raise InputError(
            f"{where}: the file {path.name} cannot be read as {dialect.encoding}; "
            "give its encoding under dialect:, such as {encoding: cp1252}."
        )
    return replace(read, rows=rows)


def _is_quote_open(path: Path, last_cell: str | None, last_line: str | None) -> bool:
    """Whether the last row goes on over a line's end without a quotation mark to close it."""
    if last_line is not None:
        return "\n" in last_line and last_line.count('"') % 2 == 1
    if last_cell is None or "\n" not in last_cell:
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64))
        return not file.read().replace(b"\0", b"").rstrip(b"\r\n").endswith(b'"')


def _stream_csv(
    path: Path, dialect: Dialect, heading_lines: int, columns: list[str], unreadable: dict[int, str]
) -> Iterator[pa.RecordBatch]:
    """Stream the rows under the heading; a row with another number of cells is set aside with its number."""
    faulty: list[int] = []

    def set_aside(row: pacsv.InvalidRow) -> str:
        faulty.append(row.number - heading_lines)
        unreadable[row.number - heading_lines] = row.text
        return "skip"

    reader = pacsv.open_csv(
        path,
        read_options=pacsv.ReadOptions(
            use_threads=False,
            block_size=BLOCK_BYTES,
            column_names=columns,
            skip_rows=heading_lines,
            encoding=dialect.encoding,
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=set_aside
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), null_values=[""], strings_can_be_null=True
        ),
    )
    number = 0
    passed = 0
    for batch in reader:
        numbers: list[int] = []
        while len(numbers) < batch.num_rows:
            number += 1
            if passed < len(faulty) and faulty[passed] == number:
                passed += 1
            else:
                numbers.append(number)
        yield pa.record_batch([*batch.columns, pa.array(numbers, pa.int64())], names=[*columns, ROW])


def _split_on_whitespace(
    path: Path, dialect: Dialect, heading_lines: int, columns: list[str], unreadable: dict[int, str]
) -> Iterator[pa.RecordBatch]:
    """Lines whose cells stand apart by any run of blanks."""
    with path.open(encoding=dialect.encoding) as file:
        for _ in range(heading_lines):
            next(file, None)
        rows: list[list[str | int]] = []
        for number, line in enumerate((line for line in file if line.strip()), start=1):
            cells = line.split()
            if len(cells) != len(columns):
                unreadable[number] = line.rstrip("\n")
                continue
            rows.append([*cells, number])
            if len(rows) == 50_000:
                yield _as_batch(rows, columns)
                rows = []
        if rows:
            yield _as_batch(rows, columns)


def _as_batch(rows: list[list[str | int]], columns: list[str]) -> pa.RecordBatch:
    return pa.record_batch([pa.array(values) for values in zip(*rows, strict=True)], names=[*columns, ROW])
