"""Staging: the rows of every file of an entity, typed, each with its file, its number and its fault."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from crmlib.engine import Engine, literal, quote
from crmlib.errors import InputError
from crmlib.params import ENTITIES, EntitySource, Params, TruthSource, end_of_day
from crmlib.sources import formats, mapping
from crmlib.sources.archives import open_members
from crmlib.sources.columns import (
    choose_expressions,
    keep_extra,
    mapped_columns,
    needed_columns,
    staged_columns,
    state_consents,
    typed_name,
)
from crmlib.sources.delivery import Delivery
from crmlib.sources.presets import apply_preset, own_rows
from crmlib.sources.readers import ROW, ReadFile, find_files, peek_columns, read_file
from crmlib.tables import Column

#: Columns that staging adds to a contract's: file and row, the fault, whether the row says when it was updated.
ADDED = "consents JSON, file BIGINT, row BIGINT, fault_field VARCHAR, fault_rule VARCHAR, dated BOOLEAN"


@dataclass
class Staging:
    """What is staged so far.

    Parameters
    ----------
    engine : Engine
    params : Params
    params_file : Path
    delivered_by_default : datetime
        When a file was delivered that does not say so: the end of the as-of date.
    """

    engine: Engine
    params: Params
    params_file: Path
    delivered_by_default: datetime
    deliveries: list[Delivery] = field(default_factory=list)
    unmapped: list[dict[str, Any]] = field(default_factory=list)

    def stage(self, source: str, entity: str, where: str, given: EntitySource, hash_of: Callable[[Path], str]) -> None:
        """Stage every file of one entity of one source; of a folder with a file a day, some may hold no rows.

        Raises
        ------
        InputError
            If a file is missing, empty or unreadable, or has not the columns the mapping names, or if none holds a row.
        """
        mapping.check_patterns(self.engine, given.fields, given.dialect.date, where)
        paths = find_files(self.params_file, given.path, where)
        names = Counter(path.name for path in paths)
        begun = len(self.deliveries)
        for path in paths:
            load = path.name if names[path.name] == 1 else f"{path.parent.name}/{path.name}"
            with open_members(path, given.member, where) as files:
                for member, file in files.items():
                    number = len(self.deliveries) + 1
                    rows = own_rows(given, where)
                    read = read_file(self.engine, file, given.format, given.dialect, f"read_{number}", where, rows)
                    mapped = apply_preset(given, entity, list(read.columns), file.name, where)
                    mapping.check_columns(mapped.fields, mapped.keep, list(read.columns), file.name, where)
                    delivery = Delivery(
                        number,
                        source,
                        entity,
                        where,
                        mapped,
                        path,
                        member,
                        f"{load}/{member}" if member else load,
                        read,
                        hash_of(path),
                        self._delivered_at(path, given.delivered_on),
                        owner=given.owner or self.params.sources[source].owner,
                    )
                    self.deliveries.append(self._stage_file(delivery))
                    drop_read(self.engine, read)
        if not any(delivery.read.rows for delivery in self.deliveries[begun:]):
            raise InputError(f"{where}: the file {paths[-1].name} holds a heading but no rows.")

    def staged(self, table: str) -> str:
        """Name of the engine's table with a contract's staged rows, made when first asked for."""
        name = f"staged_{table}"
        if not self.engine.has(name):
            columns = [f"{quote(c.name)} {c.sql_type}" for c in staged_columns(table)]
            self.engine.execute(f"CREATE TABLE {quote(name)} ({', '.join(columns)}, {ADDED})")
        return name

    def _delivered_at(self, path: Path, given: date | None) -> datetime:
        """The end of the day in the file's name, else of the day in params, else of the as-of date."""
        day = _day_in_name(path) or given
        if day is None:
            return self.delivered_by_default
        return end_of_day(day, self.params.run.timezone) - timedelta(seconds=1)

    def _stage_file(self, delivery: Delivery) -> Delivery:
        engine, read, given = self.engine, delivery.read, delivery.given
        table = ENTITIES[delivery.entity]
        columns = mapped_columns(table, given)
        texts = {
            name: mapping.text_of(
                given.fields[name], read.columns, given.values.get(name), column, given.dialect.decimal
            )
            for name, column in columns.items()
        }
        said = engine.view(
            f"said_{delivery.number}",
            f"SELECT {quote(ROW)} AS row, {_named(texts)}, {keep_extra(given.keep)} AS extra FROM {quote(read.table)}",
        )
        said_as = engine.columns(said)
        read_as_text = [column for name, column in columns.items() if said_as[name] == "VARCHAR"]
        found = formats.find_formats(engine, said, read.rows, read_as_text, given)
        timezone = given.timezone or self.params.sources[delivery.source].timezone or self.params.run.timezone
        reading = {name: formats.read_as(column, said_as[name], found, timezone) for name, column in columns.items()}
        typed = _view_typed(engine, said, reading)
        self.unmapped += _find_unmapped(engine, delivery, said, columns.values())
        self.unmapped += _count_emptied(engine, delivery, typed)
        chosen = choose_expressions(table, delivery, columns, self.params.run.timezone)
        chosen |= {
            "consents": state_consents(list(columns)),
            "file": str(delivery.number),
            "row": "row",
            "fault_field": "fault[1]",
            "fault_rule": "fault[2]",
            "dated": f"{typed_name('updated_at')} IS NOT NULL" if "updated_at" in columns else "false",
        }
        fault = _find_fault(given, table, columns, reading, chosen)
        engine.execute(
            f"INSERT INTO {quote(self.staged(table))} BY NAME "
            f"SELECT {_named(chosen)} FROM (SELECT *, {fault} AS fault FROM {typed})"
        )
        engine.execute(f"DROP VIEW {quote(typed)}; DROP VIEW {quote(said)}")
        used = {column for name in given.fields.values() for column in mapping.columns_of(name)} | set(given.keep)
        unused = tuple(name for name in read.columns if name not in used)
        return replace(delivery, told=_tell_formats(read, found), unused=unused)


def _find_fault(
    given: EntitySource,
    table: str,
    columns: Mapping[str, Column],
    reading: Mapping[str, formats.Reading],
    chosen: Mapping[str, str],
) -> str:
    """The expression for a row's first fault: its field and the rule it breaks."""
    cases = [
        f"WHEN {quote(name)} IS NOT NULL AND {typed_name(name)} IS NULL THEN [{literal(name)}, {read_as.rule}]"
        for name, read_as in reading.items()
        if read_as.rule and given.fields[name].if_wrong == "reject"
    ]
    cases += [
        f"WHEN {chosen[name]} IS NULL THEN [{literal(name)}, 'missing']" for name in needed_columns(table, columns)
    ]
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS VARCHAR[])"


def _view_typed(engine: Engine, said: str, reading: Mapping[str, formats.Reading]) -> str:
    """Add each field's value to what is said, beside what is prepared for it."""
    prepared = [
        f"{read_as.prepared} AS {formats.prepared_name(n)}" for n, read_as in reading.items() if read_as.prepared
    ]
    values = ", ".join(f"{read_as.value} AS {typed_name(name)}" for name, read_as in reading.items())
    return engine.view(f"typed_{said}", f"SELECT *, {values} FROM (SELECT {', '.join(['*', *prepared])} FROM {said})")


def _count_emptied(engine: Engine, delivery: Delivery, typed: str) -> list[dict[str, Any]]:
    """Values that cannot be read and leave their field empty, by field."""
    lenient = [name for name, mapped in delivery.given.fields.items() if mapped.if_wrong == "empty"]
    if not lenient:
        return []
    counts = ", ".join(
        f"count(*) FILTER (WHERE {quote(name)} IS NOT NULL AND {typed_name(name)} IS NULL) AS {quote(name)}"
        for name in lenient
    )
    counted = engine.row(f"SELECT {counts} FROM {typed}")
    place = {"source": delivery.source, "entity": delivery.entity, "value": "(cannot be read)"}
    return [{**place, "field": name, "rows": rows} for name, rows in counted.items() if rows]


def drop_read(engine: Engine, read: ReadFile) -> None:
    """Let go of a file's rows as they were read."""
    engine.execute(f"DROP {'VIEW' if read.dialect.encoding is None else 'TABLE'} {quote(read.table)}")


def _day_in_name(path: Path) -> date | None:
    named = re.search(r"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)", path.stem)
    try:
        return date(int(named[1]), int(named[2]), int(named[3])) if named else None
    except ValueError:
        return None


def _named(expressions: Mapping[str, str]) -> str:
    return ", ".join(f"{expression} AS {quote(name)}" for name, expression in expressions.items())


def _find_unmapped(
    engine: Engine, delivery: Delivery, said: str, columns: Iterable[Column]
) -> Iterator[dict[str, Any]]:
    """Values that must be one of a list and are none of it, the commonest of each field."""
    for column in columns:
        if not column.values:
            continue
        allowed = ", ".join(literal(value) for value in column.values)
        for row in engine.rows(
            f"SELECT {quote(column.name)} AS value, count(*) AS rows FROM {said} "
            f"WHERE lower({quote(column.name)}) NOT IN ({allowed}) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20"
        ):
            yield {"source": delivery.source, "entity": delivery.entity, "field": column.name, **row}


def _tell_formats(read: ReadFile, found: formats.Formats) -> str:
    """How a file was read, saying what was found out rather than given."""
    if read.dialect.encoding is None:
        return "Parquet"
    name = {"\t": "tab", "whitespace": "blanks"}.get(read.dialect.delimiter or "", read.dialect.delimiter)
    parts = [
        f"{read.dialect.encoding}{' (found)' if 'encoding' in read.sniffed else ''}",
        f"delimiter {name}{' (found)' if 'delimiter' in read.sniffed else ''}",
        *(f"{part} (found)" for part in found.sniffed),
    ]
    return ", ".join(parts)


def list_entries(params: Params) -> Iterator[tuple[str, str, str, EntitySource]]:
    """Every place where a source delivers: source, entity, its key in the params, and what they say of it."""
    for source, described in params.sources.items():
        for entity, entries in described.entities.items():
            for index, given in enumerate(entries, start=1):
                where = f"sources.{source}.{entity}"
                yield source, entity, f"{where}[{index}]" if len(entries) > 1 else where, given


def check_sources(params: Params, params_file: Path) -> list[str]:
    """Every problem of the sources that can be seen without reading them whole, as sentences."""
    problems: list[str] = []
    engine = Engine(threads=1, memory_limit="1GB")
    for _, entity, where, given in list_entries(params):
        with _gathering(problems, params_file):
            for path, columns in _peek(engine, params_file, given, where):
                mapped = apply_preset(given, entity, columns, path.name, where)
                mapping.check_columns(mapped.fields, mapped.keep, columns, path.name, where)
    for name, truth in params.truth.items():
        with _gathering(problems, params_file):
            for path, columns in _peek(engine, params_file, truth, f"truth.{name}"):
                mapping.check_columns(truth.fields, [], columns, path.name, f"truth.{name}")
    engine.close()
    return problems


@contextmanager
def _gathering(problems: list[str], params_file: Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        problems += [f"{params_file}: {line}" for line in str(error).splitlines()]


def _peek(
    engine: Engine, params_file: Path, given: EntitySource | TruthSource, where: str
) -> Iterator[tuple[Path, list[str]]]:
    mapping.check_patterns(engine, given.fields, given.dialect.date, where)
    member = given.member if isinstance(given, EntitySource) else None
    for path in find_files(params_file, given.path, where):
        with open_members(path, member, where) as files:
            for file in files.values():
                yield file, peek_columns(engine, file, given.format, given.dialect, where)
