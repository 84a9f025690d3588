"""Text files: their lines become rows of a table, streamed, so that their size is no matter.

A clean file is read by the engine itself; one that it will not read is read again, line by line, and
what cannot be read is kept with its number.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from crmlib.engine import Engine, literal, quote
from crmlib.errors import EngineError, InputError
from crmlib.params import Dialect
from crmlib.sources.dialects import read_heading, sniff_dialect
from crmlib.sources.reading import ROW, ReadFile, held_name

BLOCK_BYTES = 1 << 22
#: Places of a file that a sample is taken from, and bytes at each.
SAMPLED_PLACES, SAMPLED_BYTES = 8, 1 << 16
#: Encodings that the engine reads by itself.
PLAIN = ("utf-8", "utf-8-sig")


def read_text(
    engine: Engine, path: Path, kind: str, given: Dialect, table: str, where: str, rests: bool = False
) -> ReadFile:
    """Read a text file into a table of the engine.

    Parameters
    ----------
    engine : Engine
    path : Path
    kind : {"csv", "tsv"}
    given : Dialect
        What params say of it.
    table : str
        Name of the view to make.
    where : str
        The key in the params, for errors.
    rests : bool
        Whether the rows of a file that seems clean may stay in it until they are asked for.

    Raises
    ------
    InputError
        If the file is empty or no text, has no heading, or cannot be read to its end.
    """
    # of what rests in its file the engine will say if it is no UTF-8
    dialect, sniffed = sniff_dialect(path, kind, given, where, whole=not rests)
    columns, heading_lines = read_heading(path, dialect, where)
    read = ReadFile(table, dict.fromkeys(columns, "VARCHAR"), 0, {}, kind, dialect, sniffed)
    # an empty line is a row of one column, and none of several; a heading over several lines is one row to skip
    clean = dialect.encoding in PLAIN and dialect.delimiter != "whitespace" and len(columns) > 1 and heading_lines < 2
    if clean and rests:
        scan = _scan(path, dialect, heading_lines, columns)
        engine.view(table, f"SELECT *, CAST(NULL AS BIGINT) AS {quote(ROW)} FROM {scan}")
        engine.register(held_name(table), _sample_rows(path, dialect, columns))
        return replace(read, sample=held_name(table), rests=True)
    if rests:
        return read_text(engine, path, kind, given, table, where)
    if clean and _read_clean(engine, path, dialect, heading_lines, columns, table):
        rows = int(engine.row(f"SELECT count(*) AS n FROM {quote(held_name(table))}")["n"])
        return replace(read, rows=rows)
    return _read_lines(engine, path, heading_lines, columns, read, where)


def _read_clean(
    engine: Engine, path: Path, dialect: Dialect, heading_lines: int, columns: list[str], table: str
) -> bool:
    """Let the engine read a file that has no fault; rows keep their order, so that their place is their number."""
    scan = _scan(path, dialect, heading_lines, columns)
    try:
        engine.execute(f"CREATE OR REPLACE TABLE {quote(held_name(table))} AS FROM {scan}")
    except EngineError:
        return False
    engine.view(table, f"SELECT *, rowid + 1 AS {quote(ROW)} FROM {quote(held_name(table))}")
    return True


def _scan(path: Path, dialect: Dialect, heading_lines: int, columns: list[str]) -> str:
    named = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    return (
        f"read_csv({literal(str(path))}, auto_detect = false, columns = {{{named}}}, "
        f"delim = {literal(dialect.delimiter or ',')}, "
        f"quote = '\"', escape = '\"', header = false, skip = {heading_lines}, nullstr = '', strict_mode = true)"
    )


def _sample_rows(path: Path, dialect: Dialect, columns: list[str]) -> pa.Table:
    """Rows from several places of a file, without reading what lies between."""
    size = path.stat().st_size
    rows: list[list[str | None]] = []
    with path.open("rb") as file:
        for place in range(SAMPLED_PLACES):
            file.seek(size * place // SAMPLED_PLACES)
            # the rest of a line; of the first place, the heading
            file.readline()
            text = file.read(SAMPLED_BYTES).decode("utf-8", errors="replace").rpartition("\n")[0]
            cells = csv.reader(io.StringIO(text, newline=""), delimiter=dialect.delimiter or ",")
            rows += [[cell or None for cell in row] for row in cells if len(row) == len(columns)]
    values = zip(*rows, strict=True) if rows else [()] * len(columns)
    return pa.table([pa.array(column, pa.string()) for column in values], names=columns)


def _read_lines(
    engine: Engine, path: Path, heading_lines: int, columns: list[str], read: ReadFile, where: str
) -> ReadFile:
    dialect = read.dialect
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
            if str(error).startswith("Could not skip initial"):
                return  # there is nothing under the heading
            problem = error
            raise

    schema = pa.schema([*((name, pa.string()) for name in columns), (ROW, pa.int64())])
    try:
        engine.append(held_name(read.table), numbered(), schema)
        engine.view(read.table, f"FROM {quote(held_name(read.table))}")
    except EngineError:
        if problem is None:
            raise
    rows = counted + len(read.unreadable)
    if problem is None and dialect.delimiter != "whitespace":
        _let_empty_cells_go(engine, read, schema)
    if "straddling" in str(problem):
        raise InputError(
            f"{where}: the file {path.name} cannot be read to its end: a quotation mark is opened and never closed, or "
            f"a row is longer than {BLOCK_BYTES >> 20} MB."
        )
    if problem is None and _is_quote_open(path, last, read.unreadable.get(rows)):
        raise InputError(
            f"{where}: the file {path.name} cannot be read to its end: a quotation mark is opened and never closed."
        )
    if problem is not None:
        raise InputError(
            f"{where}: the file {path.name} cannot be read as {dialect.encoding}; "
            "give its encoding under dialect:, such as {encoding: cp1252}."
        )
    return replace(read, rows=rows)


def _let_empty_cells_go(engine: Engine, read: ReadFile, schema: pa.Schema) -> None:
    """Take up the rows whose surplus cells are all empty, as the engine does in a clean file: they say no more."""
    width = len(read.columns)
    taken: list[list[str | int | None]] = []
    for number, line in list(read.unreadable.items()):
        cells = next(csv.reader(io.StringIO(line, newline=""), delimiter=read.dialect.delimiter or ","), [])
        if len(cells) > width and not any(cells[width:]):
            taken.append([*(cell or None for cell in cells[:width]), number])
            del read.unreadable[number]
    if taken:
        columns = [pa.array(values, kind.type) for values, kind in zip(zip(*taken, strict=True), schema, strict=True)]
        engine.register("taken_up", pa.table(columns, schema=schema))
        engine.execute(f"INSERT INTO {quote(held_name(read.table))} FROM taken_up; DROP TABLE taken_up")


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
