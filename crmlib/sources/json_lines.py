"""JSON: every line, or every entry of a document's list, is a row; its columns are the places in it, with dots."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from crmlib.engine import Engine, literal, quote
from crmlib.errors import InputError
from crmlib.params import Dialect
from crmlib.sources.reading import ROW, ReadFile, held_name

BATCH_ROWS = 20_000
#: A longer line is not looked at, nor a larger document.
LONGEST_LINE = 1 << 24
LARGEST_DOCUMENT = 1 << 28
#: More places than this are no columns: somebody wrote values as keys.
MOST_COLUMNS = 2_000


def read_json(engine: Engine, path: Path, given: Dialect, table: str, where: str) -> ReadFile:
    """Read a file of JSON lines, or one JSON document, into a view of the engine.

    Parameters
    ----------
    engine : Engine
    path : Path
    given : Dialect
        `records`: of a document, the dotted place of its list of rows.
    table : str
        Name of the view to make.
    where : str
        The key in the params, for errors.

    Returns
    -------
    ReadFile
        Columns such as ``customer.email``, as texts; a list stays JSON.

    Raises
    ------
    InputError
        If no line of it is JSON, or the document is too large, is cut off or has no such list.
    """
    unreadable: dict[int, str] = {}
    lines = _split_document(path, given, where) if _is_document(path, given) else _split_lines(path, unreadable)
    held = held_name(table)
    schema = pa.schema([("line", pa.string()), (ROW, pa.int64())])
    engine.append(held, _as_batches(lines, schema), schema)
    for row in engine.rows(f"SELECT line, {quote(ROW)} AS row FROM {quote(held)} WHERE NOT {_IS_ROW}"):
        unreadable[row["row"]] = row["line"]
    engine.execute(f"DELETE FROM {quote(held)} WHERE NOT {_IS_ROW}")
    rows = int(engine.row(f"SELECT count(*) AS n FROM {quote(held)}")["n"])
    if unreadable and not rows:
        raise InputError(f"{where}: the file {path.name} holds no line of JSON that is an object.")
    structure = engine.row(
        f"SELECT CAST(json_group_structure(CAST(line AS JSON)) AS VARCHAR) AS said FROM {quote(held)}"
    )["said"]
    places = list(_list_places(json.loads(structure or "{}"))) if rows else []
    if len(places) > MOST_COLUMNS:
        raise InputError(
            f"{where}: the rows of {path.name} have {len(places):,} different keys; are values used as keys?"
        )
    _view(engine, table, held, places)
    columns = dict.fromkeys((".".join(place) for place in places), "VARCHAR")
    read = ReadFile(table, columns, rows + len(unreadable), kind="json", dialect=given)
    return replace(read, unreadable=dict(sorted(unreadable.items())))


_IS_ROW = "(json_valid(line) AND json_type(CASE WHEN json_valid(line) THEN line END) = 'OBJECT')"


def _is_document(path: Path, given: Dialect) -> bool:
    """Whether the file is one document: a list, or an object whose rows params place, or that goes over lines."""
    if given.records is not None:
        return True
    with path.open("rb") as file:
        start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"[") or start.split(b"\n", 1)[0].strip() == b"{"


def _split_document(path: Path, given: Dialect, where: str) -> Iterator[tuple[int, str]]:
    if path.stat().st_size > LARGEST_DOCUMENT:
        raise InputError(
            f"{where}: {path.name} is one JSON document of over {LARGEST_DOCUMENT >> 20} MB; deliver JSON lines."
        )
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, RecursionError):
        raise InputError(f"{where}: the file {path.name} is no JSON document, or is cut off.") from None
    except UnicodeDecodeError:
        raise InputError(f"{where}: the file {path.name} is not in UTF-8, as JSON must be.") from None
    for name in given.records.split(".") if given.records else ():
        document = document.get(name) if isinstance(document, dict) else None
    if not isinstance(document, list):
        raise InputError(
            f"{where}.dialect.records: {path.name} has no list of rows there; give the dotted place of the list."
        )
    for number, entry in enumerate(document, start=1):
        yield number, json.dumps(entry, ensure_ascii=False)


def _split_lines(path: Path, unreadable: dict[int, str]) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                unreadable[number] = "(a line that is too long)"
                while (more := file.readline(LONGEST_LINE)) and not more.endswith(b"\n"):
                    pass
                continue
            line = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
            if not line:
                continue
            try:
                yield number, line.decode("utf-8")
            except UnicodeDecodeError:
                unreadable[number] = line.decode("utf-8", errors="replace")


def _as_batches(lines: Iterator[tuple[int, str]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    batch: list[tuple[int, str]] = []
    for line in lines:
        batch.append(line)
        if len(batch) == BATCH_ROWS:
            yield _as_batch(batch, schema)
            batch = []
    if batch:
        yield _as_batch(batch, schema)


def _as_batch(batch: list[tuple[int, str]], schema: pa.Schema) -> pa.RecordBatch:
    numbers, texts = zip(*batch, strict=True)
    return pa.record_batch([pa.array(texts, pa.string()), pa.array(numbers, pa.int64())], schema=schema)


def _list_places(structure: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every place of a merged structure that is no object itself."""
    for name, inner in structure.items():
        if isinstance(inner, dict) and inner:
            yield from _list_places(inner, (*above, name))
        else:
            yield (*above, name)


def _view(engine: Engine, table: str, held: str, places: list[tuple[str, ...]]) -> None:
    paths = ", ".join(literal("$." + ".".join(f'"{name}"' for name in place)) for place in places)
    cells = "".join(f", cells[{number}] AS {quote('.'.join(place))}" for number, place in enumerate(places, start=1))
    extracted = f"json_extract_string(line, [{paths}])" if places else "NULL"
    engine.view(
        table,
        f"SELECT {quote(ROW)}{cells} FROM (SELECT {quote(ROW)}, {extracted} AS cells FROM {quote(held)})",
    )
