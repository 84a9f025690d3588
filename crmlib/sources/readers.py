"""Readers: a delivered file becomes a table of the engine, every row with its number.

Text files are streamed, so that their size is no matter; encoding and dialect are sniffed where
params do not give them, and said. A line that cannot be read is kept with its number.
"""

from __future__ import annotations

import codecs
import csv
import importlib.util
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from crmlib.engine import Engine, literal, quote
from crmlib.errors import InputError
from crmlib.params import Dialect, resolve_path

DELIMITERS = (",", ";", "\t", "|")
SNIFFED_BYTES = 1 << 16
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
    resolved = Path(resolve_path(params_file, path))
    if not any(sign in path for sign in "*?["):
        if not resolved.is_file():
            raise InputError(f"{where}: there is no file {resolved}. Mend path: in {params_file}.")
        return [resolved]
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


def read_file(engine: Engine, path: Path, kind: str | None, dialect: Dialect, table: str, where: str) -> ReadFile:
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

    Raises
    ------
    InputError
        If the file is empty, or cannot be read as what it is said to be.
    """
    if path.stat().st_size == 0:
        raise InputError(f"{where}: the file {path.name} is empty.")
    if kind == "parquet" or (kind is None and path.suffix.lower() in (".parquet", ".pq")):
        return _read_parquet(engine, path, table, where)
    if kind == "tsv" and dialect.delimiter is None:
        dialect = dialect.model_copy(update={"delimiter": "\t"})
    return _read_text(engine, path, dialect, table, where)


def _read_parquet(engine: Engine, path: Path, table: str, where: str) -> ReadFile:
    if path.open("rb").read(4) != b"PAR1":
        raise InputError(f"{where}: the file {path.name} is not Parquet.")
    scan = f"read_parquet({literal(str(path))}, file_row_number = true)"
    engine.view(table, f"SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS {quote(ROW)} FROM {scan}")
    columns = engine.columns(table)
    del columns[ROW]
    rows = int(engine.row(f"SELECT count(*) AS n FROM {scan}")["n"])
    if rows == 0:
        raise InputError(f"{where}: the file {path.name} holds no rows.")
    return ReadFile(table, columns, rows)


def _read_text(engine: Engine, path: Path, given: Dialect, table: str, where: str) -> ReadFile:
    dialect, sniffed = sniff_dialect(path, given, where)
    assert dialect.encoding is not None
    assert dialect.delimiter is not None
    columns = read_heading(path, dialect, where)
    unreadable: dict[int, str] = {}
    counted = [0]
    schema = pa.schema([*((name, pa.string()) for name in columns), (ROW, pa.int64())])
    batches = (
        _split_on_whitespace(path, dialect, columns, unreadable)
        if dialect.delimiter == "whitespace"
        else _stream_csv(path, dialect, columns, unreadable)
    )

    def numbered() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            counted[0] += batch.num_rows
            yield batch

    try:
        engine.append(table, numbered(), schema)
    except (UnicodeDecodeError, pa.ArrowInvalid):
        raise InputError(
            f"{where}: the file {path.name} cannot be read as {dialect.encoding}; "
            "give its encoding under dialect:, such as {encoding: cp1252}."
        ) from None
    rows = counted[0] + len(unreadable)
    if rows == 0:
        raise InputError(f"{where}: the file {path.name} holds a heading but no rows.")
    return ReadFile(table, dict.fromkeys(columns, "VARCHAR"), rows, unreadable, dialect, sniffed)


def _stream_csv(
    path: Path, dialect: Dialect, columns: list[str], unreadable: dict[int, str]
) -> Iterator[pa.RecordBatch]:
    """Stream the rows under the heading; a row with another number of cells is set aside with its number."""
    heading_lines = dialect.skip_rows + (0 if dialect.header else 1)
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
    path: Path, dialect: Dialect, columns: list[str], unreadable: dict[int, str]
) -> Iterator[pa.RecordBatch]:
    """Lines whose cells stand apart by any run of blanks."""
    with path.open(encoding=dialect.encoding) as file:
        for _ in range(dialect.skip_rows + (0 if dialect.header else 1)):
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


def sniff_dialect(path: Path, given: Dialect, where: str) -> tuple[Dialect, tuple[str, ...]]:
    """Find out encoding and delimiter where they are not given.

    Returns
    -------
    (Dialect, tuple of str)
        The whole dialect, and the names of what was found out.

    Raises
    ------
    InputError
        If the file is no text, or not in the encoding that was given.
    """
    found: dict[str, str] = {}
    if given.encoding is None:
        found["encoding"] = _sniff_encoding(path, where)
    else:
        try:
            codecs.lookup(given.encoding)
        except LookupError:
            raise InputError(f"{where}: no encoding is called {given.encoding}; write utf-8 or cp1252.") from None
    encoding = found.get("encoding") or given.encoding
    assert encoding is not None
    if given.delimiter is None:
        found["delimiter"] = _sniff_delimiter(_head(path, encoding, where), given.skip_rows)
    return given.model_copy(update=found), tuple(found)


def read_heading(path: Path, dialect: Dialect, where: str) -> list[str]:
    """The names of a text file's columns; a name that stands twice gets a number.

    Raises
    ------
    InputError
        If there is none.
    """
    if dialect.header:
        return list(dialect.header)
    assert dialect.encoding is not None
    lines = _head(path, dialect.encoding, where).splitlines(keepends=True)[dialect.skip_rows :]
    if dialect.delimiter == "whitespace":
        names = lines[0].split() if lines else []
    else:
        names = next(csv.reader(io.StringIO("".join(lines)), delimiter=dialect.delimiter or ","), [])
    if not any(name.strip() for name in names):
        raise InputError(f"{where}: the file {path.name} has no heading; give its columns under dialect: header:.")
    unique: list[str] = []
    times: Counter[str] = Counter()
    for index, name in enumerate(names, start=1):
        plain = name.strip() or f"column_{index}"
        # the engine takes Email and email for one name
        times[plain.casefold()] += 1
        unique.append(plain if times[plain.casefold()] == 1 else f"{plain}_{times[plain.casefold()]}")
    return unique


def _head(path: Path, encoding: str, where: str) -> str:
    with path.open("rb") as file:
        start = file.read(SNIFFED_BYTES)
    try:
        return codecs.getincrementaldecoder(encoding)().decode(start)
    except UnicodeDecodeError:
        raise InputError(
            f"{where}: the file {path.name} is not in {encoding}; "
            "give its encoding under dialect:, such as {encoding: cp1252}."
        ) from None


def _sniff_encoding(path: Path, where: str) -> str:
    """UTF-8 if the whole file is; else by byte-order mark; else the Windows code page that fits best."""
    with path.open("rb") as file:
        start = file.read(SNIFFED_BYTES)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if start.startswith(codecs.BOM_UTF8):
            return "utf-8-sig"
        if b"\0" in start:
            raise InputError(f"{where}: the file {path.name} is no text; give its format: under the entity.")
        decoder = codecs.getincrementaldecoder("utf-8")()
        file.seek(0)
        try:
            while block := file.read(BLOCK_BYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            pass
        else:
            return "utf-8"
        file.seek(0)
        from charset_normalizer import from_bytes

        best = from_bytes(
            b"".join(line for line in file.read(1 << 20).splitlines(keepends=True) if not line.isascii()),
            cp_isolation=["cp1252", "cp1250", "cp1251", "cp437", "cp850", "iso8859_15"],
        ).best()
    # Western code pages differ in signs that hardly stand in customer data; the commonest is cp1252.
    encoding = best.encoding if best is not None and best.encoding in ("cp1250", "cp1251") else "cp1252"
    try:
        for line in path.open(encoding=encoding):
            del line
    except UnicodeDecodeError:
        raise InputError(
            f"{where}: the encoding of {path.name} could not be found out; "
            "give it under dialect:, such as {encoding: cp1252}."
        ) from None
    return encoding


def _sniff_delimiter(head: str, skip_rows: int) -> str:
    """The sign that splits most of the first lines into the same number of cells, more than one."""
    lines = head.splitlines(keepends=True)[skip_rows:][:50]
    if len(lines) > 2:
        lines = lines[:-1]
    scores = {}
    for delimiter in DELIMITERS:
        widths = [len(row) for row in csv.reader(io.StringIO("".join(lines)), delimiter=delimiter) if row]
        if widths and widths[0] > 1:
            scores[delimiter] = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
    return max(scores, key=lambda delimiter: scores[delimiter]) if scores else ","
