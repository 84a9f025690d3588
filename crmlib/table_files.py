"""Tables as files: where each lies, what of it may be seen, and how rows are made to keep their contract."""

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path
from typing import Any

from crmlib.engine import Engine, literal, quote
from crmlib.errors import ContractError, EngineError
from crmlib.run_folder import RunFolder
from crmlib.tables import Column, Contract


def table_path(folder: RunFolder, contract: Contract, notebook: str | None) -> Path:
    """Where a table lies: one file, or for a table of several rooms a folder with a file for each."""
    if not contract.shared:
        return folder.tables / f"{contract.name}.parquet"
    return folder.tables / contract.name / f"{notebook}.parquet" if notebook else folder.tables / contract.name


def stands(path: Path) -> bool:
    """Whether a table was written there."""
    return any(path.glob("*.parquet")) if path.is_dir() else path.exists()


def scan(path: Path) -> str:
    """What reads a table's file, or the files of a table of several rooms, in a query."""
    files = path / "*.parquet" if path.is_dir() else path
    return f"read_parquet({literal(str(files))}, hive_partitioning = false)"


def visible_rows(contract: Contract, path: Path, as_of: date, cutoff: datetime, facts: dict[str, Any]) -> str:
    """What was known at the end of the as-of date: of each key the version in force, unless it happens later."""
    moment = f"TIMESTAMPTZ '{cutoff.isoformat()}'"
    rows = scan(path)
    if contract.versioned:
        rows = f"{rows} WHERE updated_at < {moment}"
        if facts.get("superseded", 1):
            keys = ", ".join(quote(name) for name in contract.key if name != "updated_at")
            rows += f" QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY updated_at DESC) = 1"
    happened = []
    # a record that its source holds no more still has its withdrawn consents
    if contract.column("deleted") is not None and contract.name != "source_records":
        happened.append("NOT coalesce(deleted, false)")
    for name in contract.happens:
        column = contract.column(name)
        assert column is not None
        limit = f"<= DATE '{as_of}'" if column.kind == "date" else f"< {moment}"
        happened.append(f"({quote(name)} IS NULL OR {quote(name)} {limit})")
    where = f" WHERE {' AND '.join(happened)}" if happened else ""
    return f"SELECT * FROM (SELECT * FROM {rows}){where}"


def conform(contract: Contract, source: str, given: dict[str, str], notebook: str, in_order: bool = False) -> str:
    """The query that gives a contract's columns, in its order and types, sorted by its key unless rows are in order."""
    shown, held = [], []
    known = set()
    for column in contract.columns:
        names = [name for name in given if column.matches(name)]
        known.update(names)
        held += [f"{_cast(column, name, given[name])} AS {quote(name)}" for name in names]
        shown += [quote(name) for name in names]
        if column.name == "room" and not names:
            held.append(f"{literal(notebook)} AS room")
            shown.append("room")
        elif not names and "<" not in column.name:
            if not column.null:
                raise ContractError(f"Table '{contract.name}' must have the column '{column.name}'.")
            # what is empty is not carried through the sorting
            shown.append(f"CAST(NULL AS {column.sql_type}) AS {quote(column.name)}")
    unknown = sorted(set(given) - known)
    if unknown:
        raise ContractError(f"Table '{contract.name}' has no column {', '.join(unknown)} in its contract.")
    order = "" if in_order else f" ORDER BY {_list(contract.key)}"
    return f"SELECT {', '.join(shown)} FROM (SELECT {', '.join(held)} FROM {quote(source)}{order})"


def _cast(column: Column, name: str, given: str) -> str:
    value = quote(name)
    if given in ("DOUBLE", "FLOAT"):
        value = f"CASE WHEN NOT isnan({value}) THEN {value} END"
    return f"CAST({value} AS {column.sql_type})"


def as_today(contract: Contract, given: list[str]) -> str:
    """A contract's columns of a table written before it changed: what was not known then is empty."""
    columns = []
    for column in contract.columns:
        names = [quote(name) for name in given if column.matches(name)]
        if not names and "<" not in column.name:
            names = [f"CAST(NULL AS {column.sql_type}) AS {quote(column.name)}"]
        columns += names
    return ", ".join(columns)


def write_rows(engine: Engine, contract: Contract, query: str, path: Path) -> None:
    """Write a query's rows to a file, wholly on the disk when this returns."""
    try:
        engine.copy(query, path)
    except EngineError as error:
        raise ContractError(
            f"Table '{contract.name}' would break its contract: a value cannot be read as its column's type."
        ) from error
    path.chmod(0o600)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def check_rows(engine: Engine, contract: Contract, path: Path) -> dict[str, Any]:
    """Check a written file; give its rows and, for a table of versions, how many are superseded."""
    rows = scan(path)
    breaches = []
    for name in engine.arrow(f"SELECT * FROM {rows} LIMIT 0").column_names:
        column = contract.column(name)
        assert column is not None
        field = quote(name)
        if not column.null:
            breaches.append((f"'{name}' is empty", f"{field} IS NULL"))
        if column.values:
            allowed = ", ".join(literal(value) for value in column.values)
            breaches.append((f"'{name}' is none of {'/'.join(column.values)}", f"{field} NOT IN ({allowed})"))
        if column.kind == "float":
            breaches.append((f"'{name}' is infinite", f"isinf({field})"))
    counts = ", ".join(f"count(*) FILTER (WHERE {condition}) AS b{i}" for i, (_, condition) in enumerate(breaches))
    found = engine.row(f"SELECT count(*) AS rows, {counts} FROM {rows}")
    told = [f"{sentence} in {found[f'b{i}']:,} rows" for i, (sentence, _) in enumerate(breaches) if found[f"b{i}"]]
    facts = {"rows": found["rows"]} | ({"superseded": 0} if contract.versioned else {})
    lasting = contract.key[:-1] if contract.versioned else contract.key
    # as many hashes as rows are as many keys; only where there are fewer the keys themselves are counted
    if _count_distinct(engine, rows, f"hash({_list(lasting)})") < found["rows"]:
        keys = _count_distinct(engine, rows, _list(contract.key))
        if keys != found["rows"]:
            told.append(f"the key ({', '.join(contract.key)}) is not unique in {found['rows'] - keys:,} rows")
        if contract.versioned:
            facts["superseded"] = found["rows"] - _count_distinct(engine, rows, _list(lasting))
    if told:
        raise ContractError(f"Table '{contract.name}' would break its contract: {'; '.join(told)}.")
    return facts


def _count_distinct(engine: Engine, rows: str, values: str) -> int:
    return int(engine.row(f"SELECT count(*) AS n FROM (SELECT DISTINCT {values} FROM {rows})")["n"])


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(quote(name) for name in names)
