"""Staging: the rows of every file of an entity, typed, each with its file, its number and its fault."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from crmlib.engine import Engine
from crmlib.errors import EngineError, InputError
from crmlib.params import EntitySource, Params, end_of_day
from crmlib.sources import mapping
from crmlib.sources.archives import open_members
from crmlib.sources.delivery import Delivery
from crmlib.sources.forms import find_form
from crmlib.sources.hidden import check_not_secret, drop_secrets
from crmlib.sources.landing import Landed, Landing, day_in_name, describe_reading
from crmlib.sources.presets import apply_preset, describe_preset, own_cells, own_rows
from crmlib.sources.readers import read_file
from crmlib.sources.reading import drop_read, tell_reading
from crmlib.sources.staged_tables import add_rows, find_unmapped
from crmlib.sources.submissions import apply_form
from crmlib.sources.typed_rows import type_rows

#: Who may deliver nothing: a list on which nobody stands is one all the same.
MAY_BE_EMPTY = ("suppressions",)


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
        # of orders there may be some of which nothing was given back
        in_cells = own_cells(given, where) is not None
        may_be_empty = entity in MAY_BE_EMPTY or len(self.known) > known or given.path is None or in_cells
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
        own = (own_rows(given, where), own_cells(given, where))
        whole = read_file(engine, file, kind, given.dialect, f"read_{number}", where, *own, rests)
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

    def _delivered_at(self, load: str, given: date | None) -> datetime:
        """The end of the day in the file's name, else of the day in params, else of the as-of date."""
        day = day_in_name(load) or given
        if day is None:
            return self.delivered_by_default
        return end_of_day(day, self.params.run.timezone) - timedelta(seconds=1)

    def _stage_file(self, delivery: Delivery, secret: tuple[str, ...]) -> Delivery:
        read, given = delivery.read, delivery.given
        form = find_form(given, self.landing.params_file)
        timezone = given.timezone or self.params.sources[delivery.source].timezone or self.params.run.timezone
        with type_rows(self.engine, delivery, form, timezone, self.params.run.timezone) as typed:
            came = add_rows(self.engine, delivery, typed.query, typed.columns)
        if "unmapped" in typed.columns:
            self.unmapped += [
                {"source": delivery.source, "entity": delivery.entity, **row}
                for row in find_unmapped(self.engine, delivery)
            ]
        used = {column for name in given.fields.values() for column in mapping.columns_of(name)} | set(given.keep)
        return replace(
            delivery,
            read=replace(read, rows=came) if read.rests else read,
            told=tell_reading(read, typed.found.sniffed, secret),
            unused=tuple(name for name in read.columns if name not in used),
        )


def _may_rest(entity: str, given: EntitySource) -> bool:
    """Whether rows need no number before they are staged: none of their keys is made of it."""
    made = {"tickets": ("ticket_id",), "ticket_lines": ("ticket_id", "line")}.get(entity, ())
    return all(name in given.fields for name in made)
