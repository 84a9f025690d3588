"""Staging: the rows of every file of an entity, typed, each with its file, its number and its fault."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from crmlib.engine import Engine, literal, quote
from crmlib.errors import InputError
from crmlib.params import ENTITIES, TICKET_FIELDS, EntitySource, Params
from crmlib.sources import mapping
from crmlib.sources.presets import apply_preset
from crmlib.sources.readers import ROW, ReadFile, find_files, read_file
from crmlib.tables import CONTRACTS, Column

#: Columns that are never missing: staging fills them.
GIVEN = ("source", "updated_at", "line", "bought_on", "record_source")
#: Columns that staging adds to a contract's: file and row, the fault, whether the row says when it was updated.
ADDED = "file BIGINT, row BIGINT, fault_field VARCHAR, fault_rule VARCHAR, dated BOOLEAN, delivered VARCHAR"


@dataclass(frozen=True)
class Delivery:
    """One file of one entity of one source.

    Parameters
    ----------
    number : int
        Its number in this intake.
    source, entity : str
    path : Path
    read : ReadFile
    hash : str
    delivered_at : datetime
    formats : str
        How it was read, in words.
    unused : tuple of str
        Headings nothing was made of.
    owner : str or None
    """

    number: int
    source: str
    entity: str
    path: Path
    read: ReadFile
    hash: str
    delivered_at: datetime
    formats: str = ""
    unused: tuple[str, ...] = ()
    owner: str | None = None


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

    def stage(self, source: str, entity: str, given: EntitySource, hash_of: Callable[[Path], str]) -> None:
        """Stage every file of one entity of one source.

        Raises
        ------
        InputError
            If a file is missing, empty or unreadable, or has not the columns the mapping names.
        """
        where = f"sources.{source}.{entity}"
        for path in find_files(self.params_file, given.path, where):
            number = len(self.deliveries) + 1
            read = read_file(self.engine, path, given.format, given.dialect, f"read_{number}", where)
            mapped = apply_preset(given, list(read.columns), path.name, where)
            mapping.check_columns(mapped, list(read.columns), path.name, where)
            delivery = Delivery(
                number,
                source,
                entity,
                path,
                read,
                hash_of(path),
                _delivered_at(path, given.delivered_on, self.delivered_by_default),
                owner=given.owner or self.params.sources[source].owner,
            )
            self._stage_file(delivery, mapped)

    def staged(self, table: str) -> str:
        """Name of the engine's table with a contract's staged rows, made when first asked for."""
        name = f"staged_{table}"
        if not self.engine.has(name):
            columns = [f"{quote(c.name)} {c.sql_type}" for c in _columns(table)]
            self.engine.execute(f"CREATE TABLE {quote(name)} ({', '.join(columns)}, consents JSON, {ADDED})")
        return name

    def _stage_file(self, delivery: Delivery, mapped: EntitySource) -> None:
        engine, read, table = self.engine, delivery.read, ENTITIES[delivery.entity]
        columns = {column.name: column for column in _columns(table)}
        consents = sorted(name for name in mapped.fields if name.startswith("consent."))
        for name in consents:
            columns[name] = Column(name, "time" if name == "consent.at" else "bool", "")
        texts = {
            name: mapping.text_of(source_field, read.columns, mapped.values.get(name), columns[name].kind)
            for name, source_field in mapped.fields.items()
        }
        said = f"said_{delivery.number}"
        engine.execute(
            f"CREATE OR REPLACE TABLE {said} AS SELECT {quote(ROW)} AS row, "
            + ", ".join(f"{text} AS {quote(name)}" for name, text in texts.items())
            + f", {_extra(mapped.keep)} AS extra, {_as_delivered(read)} AS delivered FROM {quote(read.table)}"
        )
        said_as = engine.columns(said)
        dates = [n for n in texts if columns[n].kind in ("date", "time") and said_as[n] == "VARCHAR"]
        numbers = [n for n in texts if columns[n].kind in ("money", "float", "int") and said_as[n] == "VARCHAR"]
        formats = mapping.find_formats(engine, said, dates, numbers, mapped)
        timezone = mapped.timezone or self.params.sources[delivery.source].timezone or self.params.run.timezone
        expressions, faults = {}, []
        for name in texts:
            expression, rule = mapping.typed(columns[name], quote(name), said_as[name], formats, timezone)
            expressions[name] = expression
            if rule:
                faults.append((name, rule))
        self._note_unmapped(delivery, said, [columns[name] for name in texts if columns[name].values])
        typed = ", ".join(f"{expression} AS {quote('typed ' + name)}" for name, expression in expressions.items())
        select, needed = _select(table, delivery, mapped, expressions, timezone)
        cases = [
            f"WHEN {quote(n)} IS NOT NULL AND {quote('typed ' + n)} IS NULL THEN {literal(n + '|' + r)}"
            for n, r in faults
        ]
        cases += [f"WHEN {expression} IS NULL THEN {literal(name + '|missing')}" for name, expression in needed]
        fault = f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS VARCHAR)"
        engine.execute(
            f"""
            INSERT INTO {quote(self.staged(table))}
            WITH typed AS (SELECT *, {typed} FROM {said}),
            judged AS (SELECT *, {fault} AS fault FROM typed)
            SELECT {", ".join(select)}, {_consents(consents, delivery)},
              {delivery.number}, row, split_part(fault, '|', 1), split_part(fault, '|', 2),
              {'"typed updated_at" IS NOT NULL' if "updated_at" in texts else "false"},
              CASE WHEN fault IS NOT NULL THEN delivered END
            FROM judged
            """
        )
        engine.execute(f"DROP TABLE {said}")
        used = {column for f in mapped.fields.values() for column in mapping.columns_of(f)} | set(mapped.keep)
        self.deliveries.append(
            Delivery(
                **{
                    **delivery.__dict__,
                    "formats": _tell_formats(read, formats),
                    "unused": tuple(name for name in read.columns if name not in used),
                }
            )
        )

    def _note_unmapped(self, delivery: Delivery, said: str, listed: list[Column]) -> None:
        for column in listed:
            allowed = ", ".join(literal(value) for value in column.values)
            found = self.engine.rows(
                f"SELECT {quote(column.name)} AS value, count(*) AS rows FROM {said} "
                f"WHERE lower({quote(column.name)}) NOT IN ({allowed}) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20"
            )
            self.unmapped += [
                {"source": delivery.source, "entity": delivery.entity, "field": column.name, **row} for row in found
            ]


def _columns(table: str) -> list[Column]:
    """A contract's columns, and for lines those of the ticket they may carry."""
    columns = list(CONTRACTS[table].columns)
    if table == "ticket_lines":
        tickets = CONTRACTS["tickets"]
        carried = [*TICKET_FIELDS, "bought_on", "record_source"]
        columns += [column for column in tickets.columns if column.name in carried]
    return columns


def _select(
    table: str, delivery: Delivery, mapped: EntitySource, expressions: dict[str, str], timezone: str
) -> tuple[list[str], list[tuple[str, str]]]:
    """The expression for each staged column, and those a row cannot do without."""
    chosen = {name: quote("typed " + name) for name in expressions}
    chosen["source"] = literal(delivery.source)
    delivered = f"TIMESTAMPTZ '{delivery.delivered_at.isoformat()}'"
    chosen["updated_at"] = f"coalesce({chosen['updated_at']}, {delivered})" if "updated_at" in chosen else delivered
    if table in ("tickets", "ticket_lines") and "ticket_id" not in chosen:
        chosen["ticket_id"] = f"'{delivery.hash[:12]}-' || row"
    if table == "ticket_lines" and "line" not in chosen:
        chosen["line"] = f"row_number() OVER (PARTITION BY {chosen['ticket_id']} ORDER BY row)"
    if "bought_at" in chosen:
        chosen["bought_on"] = f"CAST(timezone({literal(timezone)}, {chosen['bought_at']}) AS DATE)"
    if "record_source" not in chosen and "source_record_id" in chosen and table != "source_records":
        other = literal(mapped.record_source or delivery.source)
        chosen["record_source"] = f"CASE WHEN {chosen['source_record_id']} IS NOT NULL THEN {other} END"
    if table == "source_records":
        chosen["extra"] = "extra"
        if mapped.tags:
            added = f"[{', '.join(literal(tag) for tag in mapped.tags)}]"
            chosen["tags"] = f"list_distinct(list_concat({chosen.get('tags', '[]')}, {added}))"
    select, needed = [], []
    for column in _columns(table):
        expression = chosen.get(column.name, f"CAST(NULL AS {column.sql_type})")
        select.append(expression)
        carried = table == "ticket_lines" and column.name == "bought_at" and "bought_at" not in expressions
        if not column.null and column.name not in GIVEN and not carried:
            needed.append((column.name, expression))
    return select, needed


def _consents(names: list[str], delivery: Delivery) -> str:
    """The consents a customer's row states, as JSON: turned into events once the row is accepted."""
    stated = [name for name in names if name != "consent.at"]
    if not stated:
        return "CAST(NULL AS JSON)"
    at = f"{quote('typed consent.at')}" if "consent.at" in names else "CAST(NULL AS TIMESTAMPTZ)"
    entries = ", ".join(
        f"{{'channel': {literal(name.split('.')[1])}, 'purpose': {literal(name.split('.')[2])}, "
        f"'granted': {quote('typed ' + name)}, 'at': CAST({at} AS VARCHAR)}}"
        for name in stated
    )
    return f"to_json([{entries}])"


def _extra(keep: list[str]) -> str:
    if not keep:
        return "CAST(NULL AS VARCHAR)"
    return f"CAST(json_object({', '.join(f'{literal(name)}, {quote(name)}' for name in keep)}) AS VARCHAR)"


def _as_delivered(read: ReadFile) -> str:
    pairs = ", ".join(f"{literal(name)}, {quote(name)}" for name in read.columns)
    return f"CAST(json_object({pairs}) AS VARCHAR)"


def _tell_formats(read: ReadFile, formats: mapping.Formats) -> str:
    """How a file was read, saying what was found out rather than given."""
    if read.dialect.encoding is None:
        return "Parquet"
    name = {"\t": "tab", "whitespace": "blanks"}.get(read.dialect.delimiter or "", read.dialect.delimiter)
    parts = [
        f"{read.dialect.encoding}{' (found)' if 'encoding' in read.sniffed else ''}",
        f"delimiter {name}{' (found)' if 'delimiter' in read.sniffed else ''}",
        *(f"{part} (found)" for part in formats.sniffed),
    ]
    return ", ".join(parts)


def _delivered_at(path: Path, given: date | None, default: datetime) -> datetime:
    """The end of the day in the file's name, else of the day in params, else of the as-of date."""
    named = re.search(r"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)", path.stem)
    day = given
    if named:
        try:
            day = date(int(named[1]), int(named[2]), int(named[3]))
        except ValueError:
            day = given
    if day is None:
        return default
    return datetime.combine(day, default.timetz())


def check_sources(params: Params, params_file: Path) -> list[str]:
    """Every problem of the sources that can be seen without reading them whole, as sentences."""
    problems = []
    engine = Engine(threads=1, memory_limit="1GB")
    for source, described in params.sources.items():
        for entity, deliveries in described.entities.items():
            where = f"sources.{source}.{entity}"
            for given in deliveries:
                try:
                    for path in find_files(params_file, given.path, where):
                        columns = _peek(engine, path, given, where)
                        mapped = apply_preset(given, columns, path.name, where)
                        mapping.check_columns(mapped, columns, path.name, where)
                except InputError as error:
                    problems.append(f"{params_file}: {error}")
    engine.close()
    return problems


def _peek(engine: Engine, path: Path, given: EntitySource, where: str) -> list[str]:
    """The headings of a file."""
    from crmlib.sources.readers import read_heading, sniff_dialect

    if path.stat().st_size == 0:
        raise InputError(f"{where}: the file {path.name} is empty.")
    if given.format == "parquet" or (given.format is None and path.suffix.lower() in (".parquet", ".pq")):
        return list(read_file(engine, path, "parquet", given.dialect, "peek", where).columns)
    dialect = given.dialect
    if given.format == "tsv" and dialect.delimiter is None:
        dialect = dialect.model_copy(update={"delimiter": "\t"})
    return read_heading(path, sniff_dialect(path, dialect, where)[0], where)


def end_of_as_of(cutoff: datetime) -> datetime:
    """The last second of the as-of date: when a file was delivered that does not say so."""
    return cutoff - timedelta(seconds=1)
