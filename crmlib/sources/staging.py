"""Staging: the rows of every file of an entity, typed, each with its file, its number and its fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from crmlib.engine import Engine, literal, quote
from crmlib.errors import EngineError, InputError
from crmlib.origins import Access
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
from crmlib.sources.databases import Database
from crmlib.sources.delivery import Delivery
from crmlib.sources.forms import find_form
from crmlib.sources.hidden import check_not_secret, drop_secrets
from crmlib.sources.landing import Landed, Landing, ask, day_in_name, describe_reading, is_on_server
from crmlib.sources.presets import apply_preset, describe_preset, own_rows
from crmlib.sources.readers import find_files, peek_columns, read_file
from crmlib.sources.reading import ROW, ReadFile, drop_read
from crmlib.sources.servers import open_server, path_on_server
from crmlib.sources.submissions import apply_form, find_fault
from crmlib.tables import Column

#: Columns that staging adds to a contract's: file and row, the fault, whether the row says when it was updated.
ADDED = (
    "consents JSON, file BIGINT, row BIGINT, fault_field VARCHAR, fault_rule VARCHAR, dated BOOLEAN, "
    "delivered_at TIMESTAMPTZ, unmapped STRUCT(field VARCHAR, said VARCHAR)[]"
)
#: The column of the rule of its form that a submission breaks.
FORM_FAULT = '"form fault"'
#: Who may deliver nothing: a list on which nobody stands is one all the same.
MAY_BE_EMPTY = ("suppressions",)
#: What is told of a value that cannot be read, and how many values are told of each field.
UNREAD, MOST_UNMAPPED = "(cannot be read)", 20


@dataclass
class Staging:
    """What is staged so far.

    Parameters
    ----------
    engine : Engine
    params : Params
    landing : Landing
    delivered_by_default : datetime
        When a file was delivered that does not say so: the end of the as-of date.
    deliveries : list of Delivery
        What was read.
    known : list of dict
        Rows of the ledger for what was known, and not read again.
    unmapped : list of dict
        Values that must be one of a list and are mapped to none, counted.
    """

    engine: Engine
    params: Params
    landing: Landing
    delivered_by_default: datetime
    deliveries: list[Delivery] = field(default_factory=list)
    known: list[dict[str, Any]] = field(default_factory=list)
    unmapped: list[dict[str, Any]] = field(default_factory=list)

    def stage(self, source: str, entity: str, where: str, given: EntitySource) -> None:
        """Stage every file of one entity of one source; of a folder with a file a day, some may hold no rows.

        Raises
        ------
        InputError
            If a file is missing, empty or unreadable, or has not the columns the mapping names, or if none holds a row.
        """
        mapping.check_patterns(self.engine, given.fields, given.dialect.date, where)
        begun, known = len(self.deliveries), len(self.known)
        for landed in self.landing.land(source, entity, given, where, self.read_with(source, given)):
            if landed.path is None:
                self._know(source, entity, given, landed)
            else:
                self._stage_landed(source, entity, where, given, landed, landed.path)
        came = self.deliveries[begun:]
        may_be_empty = entity in MAY_BE_EMPTY or len(self.known) > known or given.path is None
        if not may_be_empty and not any(delivery.read.rows for delivery in came):
            raise InputError(f"{where}: the file {came[-1].path.name} holds a heading but no rows.")

    def read_with(self, source: str, given: EntitySource) -> str:
        """Hash of how an entity is read: its mapping and preset, and the time zones."""
        zones = (self.params.sources[source].timezone or "", self.params.run.timezone, self.params.run.country)
        preset = describe_preset(given.preset) if given.preset is not None else ""
        form = find_form(given, self.landing.params_file)
        read_as = given.model_dump_json(exclude={"owner", "expects", "most_unmapped"})
        return describe_reading(read_as, preset, form.model_dump_json() if form is not None else "", *zones)

    def _know(self, source: str, entity: str, given: EntitySource, landed: Landed) -> None:
        self.known += [
            {
                **row,
                "rows_accepted": 0,
                "rows_unchanged": row["rows_read"] - row["rows_rejected"],
                "owner": given.owner or self.params.sources[source].owner,
                "reached": landed.reached,
                "taken_in_as_of": self.landing.as_of_date,
            }
            for row in landed.known
        ]

    def _stage_landed(
        self, source: str, entity: str, where: str, given: EntitySource, landed: Landed, path: Path
    ) -> None:
        state = path.stat()
        with open_members(path, given.member, where) as files:
            for member, file in files.items():
                stage = partial(self._stage_member, source, entity, where, given, landed, path, member, file)
                rests = _may_rest(entity, given)
                try:
                    stage(rests=rests)
                except EngineError:
                    if not rests:
                        raise
                    # a line is not clean: now every row is read with its number
                    stage(rests=False)
        if (path.stat().st_size, path.stat().st_mtime_ns) != (state.st_size, state.st_mtime_ns):
            raise InputError(
                f"{where}: the file {path.name} changed while it was read. Let the sender write it under another name, "
                "and rename it once it is whole."
            )

    def _stage_member(
        self,
        source: str,
        entity: str,
        where: str,
        given: EntitySource,
        landed: Landed,
        path: Path,
        member: str,
        file: Path,
        *,
        rests: bool,
    ) -> None:
        engine = self.engine
        number = len(self.deliveries) + 1
        kind = given.format if given.path is not None else None
        whole = read_file(engine, file, kind, given.dialect, f"read_{number}", where, own_rows(given, where), rests)
        read, secret = drop_secrets(engine, whole)
        try:
            submitted = apply_form(find_form(given, self.landing.params_file), given, read.columns)
            mapped = apply_preset(submitted, entity, list(read.columns), file.name, where)
            used = {column for one in mapped.fields.values() for column in mapping.columns_of(one)}
            check_not_secret({*used, *mapped.keep}, secret, where)
            mapping.check_columns(mapped.fields, mapped.keep, list(read.columns), file.name, where)
            delivery = Delivery(
                number,
                source,
                entity,
                where,
                mapped,
                path,
                member,
                f"{landed.load}/{member}" if member else landed.load,
                read,
                landed.hash,
                self._delivered_at(landed.load, given.delivered_on),
                reached=landed.reached,
                read_with=self.read_with(source, given),
                owner=given.owner or self.params.sources[source].owner,
            )
            self.deliveries.append(self._stage_file(delivery, secret))
        finally:
            drop_read(engine, read)

    def staged(self, table: str) -> str:
        """Name of the engine's table into which a contract's rows are staged, made when first asked for.

        Beside it stands the view ``staged_<table>`` of the same rows, in which those that came unnumbered have their
        number, too (rows stay in the order in which they came), and each of a file says where it stood.
        """
        name = f"staged_{table}_rows"
        if not self.engine.has(name):
            columns = [f"{quote(c.name)} {c.sql_type}" for c in staged_columns(table)]
            self.engine.execute(f"CREATE TABLE {quote(name)} ({', '.join(columns)}, {ADDED})")
            self.engine.execute(f"CREATE TABLE {quote(f'{name}_begin')} (file BIGINT, begins BIGINT)")
            self.engine.view(
                f"staged_{table}",
                f"SELECT * REPLACE (CASE WHEN file > 0 THEN row ELSE delivery_row END AS delivery_row) FROM ("
                f"SELECT came.* REPLACE (coalesce(came.row, came.rowid - begins + 1) AS row) "
                f"FROM {quote(name)} AS came LEFT JOIN {quote(f'{name}_begin')} USING (file))",
            )
        return name

    def _delivered_at(self, load: str, given: date | None) -> datetime:
        """The end of the day in the file's name, else of the day in params, else of the as-of date."""
        day = day_in_name(load) or given
        if day is None:
            return self.delivered_by_default
        return end_of_day(day, self.params.run.timezone) - timedelta(seconds=1)

    def _stage_file(self, delivery: Delivery, secret: tuple[str, ...]) -> Delivery:
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
            f"SELECT {quote(ROW)} AS row, {_named(texts)}, {keep_extra(given.keep)} AS extra, "
            f"{find_fault(find_form(given, self.landing.params_file), read.columns)} AS {FORM_FAULT} "
            f"FROM {quote(read.table)}",
        )
        sample = engine.view(f"sample_of_{said}", f"SELECT {_named(texts)} FROM {quote(read.sample)}")
        said_as = engine.columns(said)
        read_as_text = [column for name, column in columns.items() if said_as[name] == "VARCHAR"]
        found = formats.find_formats(engine, sample, read_as_text, given)
        timezone = given.timezone or self.params.sources[delivery.source].timezone or self.params.run.timezone
        reading = {name: formats.read_as(column, said_as[name], found, timezone) for name, column in columns.items()}
        typed = _view_typed(engine, said, reading)
        chosen = choose_expressions(table, delivery, columns, self.params.run.timezone)
        chosen |= {
            "consents": state_consents(list(columns)),
            "file": str(delivery.number),
            "delivered_at": f"TIMESTAMPTZ '{delivery.delivered_at.isoformat()}'",
            "row": "row",
            "fault_field": "fault[1]",
            "fault_rule": "fault[2]",
            "dated": f"{typed_name('updated_at')} IS NOT NULL" if "updated_at" in columns else "false",
            "unmapped": _state_unmapped(given, columns),
        }
        fault = _find_fault(given, table, columns, reading, chosen)
        staged = self.staged(table)
        begins = int(engine.row(f"SELECT count(*) AS n FROM {quote(staged)}")["n"])
        try:
            engine.execute(
                f"INSERT INTO {quote(staged)} BY NAME "
                f"SELECT {_named(chosen)} FROM (SELECT *, {fault} AS fault FROM {typed})"
            )
        finally:
            for view in (typed, sample, said):
                engine.execute(f"DROP VIEW {quote(view)}")
        engine.execute(f"INSERT INTO {quote(f'{staged}_begin')} VALUES ({delivery.number}, {begins})")
        if read.rests:
            came = int(engine.row(f"SELECT count(*) AS n FROM {quote(staged)}")["n"]) - begins
            read = replace(read, rows=came)
        self.unmapped += _find_unmapped(engine, delivery, staged)
        used = {column for name in given.fields.values() for column in mapping.columns_of(name)} | set(given.keep)
        unused = tuple(name for name in read.columns if name not in used)
        return replace(delivery, read=read, told=_tell_formats(read, found, secret), unused=unused)


def _may_rest(entity: str, given: EntitySource) -> bool:
    """Whether rows need no number before they are staged: none of their keys is made of it."""
    made = {"tickets": ("ticket_id",), "ticket_lines": ("ticket_id", "line")}.get(entity, ())
    return all(name in given.fields for name in made)


def _find_fault(
    given: EntitySource,
    table: str,
    columns: Mapping[str, Column],
    reading: Mapping[str, formats.Reading],
    chosen: Mapping[str, str],
) -> str:
    """The expression for a row's first fault: its field and the rule it breaks."""
    cases = [f"WHEN {FORM_FAULT} IS NOT NULL THEN {FORM_FAULT}"]
    cases += [
        f"WHEN {quote(name)} IS NOT NULL AND {typed_name(name)} IS NULL THEN [{literal(name)}, {read_as.rule}]"
        for name, read_as in reading.items()
        if read_as.rule and given.fields[name].if_wrong == "reject"
    ]
    cases += [
        f"WHEN {chosen[name]} IS NULL THEN [{literal(name)}, 'missing']" for name in needed_columns(table, columns)
    ]
    return f"CASE {' '.join(cases)} END"


def _view_typed(engine: Engine, said: str, reading: Mapping[str, formats.Reading]) -> str:
    """Add each field's value to what is said, beside what is prepared for it."""
    prepared = [
        f"{read_as.prepared} AS {formats.prepared_name(n)}" for n, read_as in reading.items() if read_as.prepared
    ]
    values = ", ".join(f"{read_as.value} AS {typed_name(name)}" for name, read_as in reading.items())
    return engine.view(f"typed_{said}", f"SELECT *, {values} FROM (SELECT {', '.join(['*', *prepared])} FROM {said})")


def _state_unmapped(given: EntitySource, columns: Mapping[str, Column]) -> str:
    """The expression for the values that leave their field empty: those of no list, and those that cannot be read."""
    left = {}
    for name, column in columns.items():
        if column.values:
            allowed = ", ".join(literal(value) for value in column.values)
            left[name] = (f"lower({quote(name)}) NOT IN ({allowed})", quote(name))
        elif given.fields[name].if_wrong == "empty":
            left[name] = (f"{quote(name)} IS NOT NULL AND {typed_name(name)} IS NULL", literal(UNREAD))
    if not left:
        return "NULL"
    entries = ", ".join(
        f"CASE WHEN {wrong} THEN {{'field': {literal(name)}, 'said': {said}}} END"
        for name, (wrong, said) in left.items()
    )
    return f"CASE WHEN {' OR '.join(wrong for wrong, _ in left.values())} THEN [{entries}] END"


def _named(expressions: Mapping[str, str]) -> str:
    return ", ".join(f"{expression} AS {quote(name)}" for name, expression in expressions.items())


def _find_unmapped(engine: Engine, delivery: Delivery, staged: str) -> Iterator[dict[str, Any]]:
    """Values that left their field empty, the commonest of each field."""
    for row in engine.rows(
        f"""
        SELECT field, said AS value, count(*) AS rows
        FROM (SELECT unnest(unmapped, recursive := true) FROM {quote(staged)} WHERE file = {delivery.number})
        WHERE field IS NOT NULL
        GROUP BY field, said
        QUALIFY row_number() OVER (PARTITION BY field ORDER BY rows DESC, said) <= {MOST_UNMAPPED}
        ORDER BY field, rows DESC, said
        """
    ):
        yield {"source": delivery.source, "entity": delivery.entity, **row}


def _tell_formats(read: ReadFile, found: formats.Formats, secret: tuple[str, ...]) -> str:
    """How a file was read, saying what was found out rather than given."""
    dialect = read.dialect
    parts = {"parquet": ["Parquet"], "json": ["JSON"], "excel": [f"sheet {dialect.sheet}"]}.get(read.kind, [])
    if "sheet" in read.sniffed:
        parts[-1] += " (found)"
    if not parts:
        name = {"\t": "tab", "whitespace": "blanks"}.get(dialect.delimiter or "", dialect.delimiter)
        parts = [
            f"{dialect.encoding}{' (found)' if 'encoding' in read.sniffed else ''}",
            f"delimiter {name}{' (found)' if 'delimiter' in read.sniffed else ''}",
        ]
    parts += [f"{part} (found)" for part in found.sniffed]
    if secret:
        parts.append(f"dropped unread as secret: {', '.join(secret)}")
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
            for name, columns in _peek(engine, params_file, given, where):
                submitted = apply_form(find_form(given, params_file), given, columns)
                mapped = apply_preset(submitted, entity, columns, name, where)
                mapping.check_columns(mapped.fields, mapped.keep, columns, name, where)
    for name, truth in params.truth.items():
        with _gathering(problems, params_file):
            for file, columns in _peek(engine, params_file, truth, f"truth.{name}"):
                mapping.check_columns(truth.fields, [], columns, file, f"truth.{name}")
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
) -> Iterator[tuple[str, list[str]]]:
    """Name and columns of what is delivered, as far as they can be known without fetching or reading it whole."""
    mapping.check_patterns(engine, given.fields, given.dialect.date, where)
    if isinstance(given, EntitySource) and given.path is None:
        asker = ask(given, params_file, where)
        if isinstance(asker, Database):
            yield "the query's answer", asker.peek()
        else:
            asker.peek()
        return
    if isinstance(given, EntitySource) and is_on_server(str(given.path)):
        with open_server(str(given.path), given.access or Access(), params_file, where) as server:
            server.find(path_on_server(str(given.path)))
        return
    member = given.member if isinstance(given, EntitySource) else None
    for path in find_files(params_file, str(given.path), where):
        with open_members(path, member, where) as files:
            for file in files.values():
                yield file.name, peek_columns(engine, file, given.format, given.dialect, where)
