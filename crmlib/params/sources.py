"""The section ``sources``: what each system delivers, how it is written, and what its columns mean."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from crmlib.documents import Settings, Where
from crmlib.origins import Access, Query, Service
from crmlib.params.vocabulary import (
    CHANNELS,
    CONSENT_DETAILS,
    ENTITIES,
    MADE_FIELDS,
    OWN_CONSENT_DETAILS,
    PURPOSES,
    TICKET_FIELDS,
    Scalar,
    TimeZone,
)
from crmlib.tables import CONTRACTS


class Dialect(Settings):
    """How a file is written; what is absent is sniffed, and said.

    Parameters
    ----------
    delimiter, encoding, decimal, date : str, optional
    header : list of str, optional
        Names of the columns of a file without a heading.
    skip_rows : int
        Rows above the heading.
    sheet : str, optional
        Of a workbook; absent: the first that can be seen.
    records : str, optional
        Of a JSON document: the dotted place of the list of its rows.
    """

    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    date: str | None = None
    header: list[str] | None = None
    skip_rows: int = Field(default=0, ge=0)
    sheet: str | None = None
    records: str | None = None

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is not None and value != "whitespace" and len(value) != 1:
            raise ValueError("give one character, or the word whitespace")
        return value


class FieldFrom(Settings):
    """A field made of one or several columns, or of a fixed value.

    Parameters
    ----------
    source_columns : str or list of str, as ``from``
        Column or columns; several are joined with `join`.
    extract : str, optional
        Regular expression; its first group is the value.
    join : str
        What stands between the values of several columns.
    take : {"all", "first"}
        Of several columns: all that are filled, or only the first that is.
    value : optional
        The same value for every row, in place of ``from``.
    formula : str, optional
        A sum over columns, in place of ``from``, such as ``{Price} * {Quantity} - {Discount}``: columns in braces,
        numbers, + - * / and parentheses; an empty cell counts as 0.
    if_wrong : {"reject", "empty"}
        What becomes of a row whose value cannot be read: quarantine, or it goes without this field, and is counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    source_columns: str | list[str] | None = Field(default=None, alias="from")
    extract: str | None = None
    join: str = " "
    take: Literal["all", "first"] = "all"
    value: Scalar | None = None
    formula: str | None = None
    if_wrong: Literal["reject", "empty"] = "reject"

    @field_validator("extract")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                groups = re.compile(value).groups
            except re.error as error:
                raise ValueError(f"this is not a regular expression ({error})") from None
            if groups != 1:
                raise ValueError("give exactly one group in parentheses: it is the value")
        return value

    @field_validator("formula")
    @classmethod
    def _is_a_sum(cls, value: str | None) -> str | None:
        if value is not None and not _is_sum(value):
            raise ValueError(
                "write columns in braces, numbers, + - * / and parentheses, such as '{Price} * {Quantity}'"
            )
        return value

    @model_validator(mode="after")
    def _has_one_origin(self) -> FieldFrom:
        if sum(origin is not None for origin in (self.source_columns, self.value, self.formula)) != 1:
            raise ValueError("give one of from:, value: and formula:")
        return self


def _is_sum(text: str) -> bool:
    """Whether a text is arithmetic over columns in braces; Python's own grammar says so, nothing is evaluated."""
    plain = re.sub(r"\{[^{}]+\}", "1", text)
    if not re.fullmatch(r"[\d.\s()+*/-]+", plain):
        return False
    try:
        tree = ast.parse(plain.strip(), mode="eval")
    except SyntaxError:
        return False
    known = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Constant, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.USub)
    return all(isinstance(node, known) for node in ast.walk(tree)) and "{" in text


def _as_field(value: Any) -> Any:
    if not isinstance(value, (str, dict, FieldFrom)):
        raise ValueError("write a column's heading, in quotes if it is a number, or {from: …}")
    return {"from": value} if isinstance(value, str) else value


FieldMap = Annotated[FieldFrom, BeforeValidator(_as_field)]


class Expected(Settings):
    """Days on which a delivery must come, as their names tell.

    Parameters
    ----------
    every : {"day", "week", "month"}
    but : list of str
        Weekdays without a delivery.
    not_on : list of date
        Further days without one.
    missing : {"alarm", "stop"}
        What a missing one does: it is told, or it stops the run.
    """

    every: Literal["day", "week", "month"] = "day"
    but: list[Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]] = Field(
        default_factory=list
    )
    not_on: list[date] = Field(default_factory=list)
    missing: Literal["alarm", "stop"] = "alarm"


class Unfold(Settings):
    """Cells of a kind that stand beside each other in a row, such as the lines of an order: each is to be a row.

    Parameters
    ----------
    columns : str
        Regular expression of their headings, such as ``line_item_\\d+``.
    name : str
        What the cell is called then: its parts are the columns ``<name>.<part>``.
    parts : list of str
        Parts of a cell, written ``part:value``.
    between : str
        What stands between them.
    each : str, optional
        Regular expression of one entry, where a cell holds several: each is to be a row.
    """

    columns: str
    name: str
    parts: list[str] = Field(min_length=1)
    between: str = Field(default="|", min_length=1, max_length=1)
    each: str | None = None

    @field_validator("columns", "each")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"this is not a regular expression ({error})") from None
        return value


class EntitySource(Settings):
    """Where one entity of a source lies, and what its columns mean.

    Parameters
    ----------
    path : str, optional
        A file, a glob, ``package:<package>/<file>``, or a glob on a server: ``sftp://``, ``ftp://``, ``s3://``. What
        is packed (zip, gzip) is unpacked.
    sql : Query, optional
        In place of `path`: what a database answers.
    rest : Service, optional
        In place of `path`: what a web service answers.
    access : Access, optional
        How one gets in where `path` is on a server.
    member : str, optional
        Of a zip: name or glob of the members that are meant; absent: all.
    rows_with : str or dict of str to list of str, optional
        Column that says which rows are this entity's: those in which it is filled, or holds one of the values listed.
        The others belong to another entity of the same file (the lines of an order) and are not counted here.
    unfold : Unfold, optional
        Cells that are rows of their own.
    format : str, optional
        By the file's name when absent.
    expects : Expected, optional
        The days on which a delivery must come.
    form : str, optional
        File of the form's definition whose submissions are delivered, as seen from the params file.
    abandoned_after_hours : int, optional
        Of web events: hours after which a cart nobody came back to is one left behind; absent: only what is delivered.
    full_snapshot : bool
        Whether each delivery holds every row there is: one that is in it no more was deleted at the source.
    most_unmapped : float, optional
        Share of a field's values that may be mapped to nothing before the run is stopped.
    """

    path: str | None = None
    sql: Query | None = None
    rest: Service | None = None
    access: Access | None = None
    member: str | None = None
    rows_with: str | dict[str, list[str]] | None = None
    unfold: Unfold | None = None
    format: Literal["csv", "tsv", "parquet", "excel", "json"] | None = None
    dialect: Dialect = Dialect()
    preset: str | None = None
    form: str | None = None
    fields: dict[str, FieldMap] = Field(default_factory=dict)
    values: dict[str, dict[str, Scalar | None]] = Field(default_factory=dict)
    tags: list[str] = Field(default_factory=list)
    keep: list[str] = Field(default_factory=list)
    record_source: str | None = None
    delivered_on: date | None = None
    expects: Expected | None = None
    abandoned_after_hours: int | None = Field(default=None, ge=1, le=720)
    full_snapshot: bool = False
    most_unmapped: float | None = Field(default=None, ge=0, lt=1)
    timezone: TimeZone | None = None
    owner: str | None = None

    @model_validator(mode="after")
    def _lies_somewhere(self) -> EntitySource:
        if sum(origin is not None for origin in (self.path, self.sql, self.rest)) != 1:
            raise ValueError("say where it lies: one of path:, sql: and rest:")
        if self.access is not None and (self.path is None or "://" not in self.path):
            raise ValueError("access: is for a path: on a server, such as sftp://host/folder/*.csv")
        if self.full_snapshot and any(origin is not None and origin.cursor for origin in (self.sql, self.rest)):
            raise ValueError("with a cursor: only what is new is delivered, and that is no full snapshot")
        return self


class TruthSource(Settings):
    """A table of known truth; only evaluation reads it."""

    path: str
    format: Literal["csv", "tsv", "parquet"] | None = None
    dialect: Dialect = Dialect()
    fields: dict[str, FieldMap]


class Source(Settings):
    """One system that delivers data."""

    KEYS: ClassVar = ("owner", "timezone", *ENTITIES)

    owner: str | None = None
    timezone: TimeZone | None = None
    entities: dict[str, list[EntitySource]] = Field(default_factory=dict)


def check_sources(document: dict[str, Any]) -> Iterator[tuple[Where, str]]:
    """What no single setting can know."""
    sources = document.get("sources")
    if not isinstance(sources, dict):
        return
    yield from _check_trust(document, list(sources))
    for name, source in sources.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            yield ("sources", name), "name a source with small letters, digits and underscores."
        if not isinstance(source, dict):
            continue
        entities = [entity for entity in source if entity in ENTITIES]
        if not entities:
            yield ("sources", name), f"give it at least one entity: {', '.join(ENTITIES)}."
        for entity in entities:
            given = source[entity] if isinstance(source[entity], list) else [source[entity]]
            for index, delivery in enumerate(given):
                if isinstance(delivery, dict):
                    yield from _check_delivery(("sources", name, entity, index), entity, delivery, list(sources))


def _check_trust(document: dict[str, Any], sources: list[str]) -> Iterator[tuple[Where, str]]:
    here: Any = document
    for key in ("identity", "golden", "sources"):
        here = here.get(key) if isinstance(here, dict) else None
    for place, name in enumerate(here if isinstance(here, list) else []):
        if name not in sources:
            yield ("identity", "golden", "sources", place), f"there is no such source; there are {', '.join(sources)}."


def _check_delivery(
    here: Where, entity: str, delivery: dict[str, Any], sources: list[str]
) -> Iterator[tuple[Where, str]]:
    fields, values = (part if isinstance(part := delivery.get(key), dict) else {} for key in ("fields", "values"))
    known = known_fields(entity)
    mapped_elsewhere = delivery.get("preset") or delivery.get("form")
    if not mapped_elsewhere and not delivery.get("fields"):
        yield here, "give fields: (what its columns mean) or a preset:, such as fields: {bought_at: DATE}."
    elif not mapped_elsewhere and (missing := [name for name in needed_fields(entity) if name not in fields]):
        yield (*here, "fields"), f"'{entity}' cannot do without {', '.join(missing)}."
    for field in fields:
        consent = re.fullmatch(r"consent\.(\w+)\.(\w+)(?:\.(\w+))?", field)
        if entity == "customers" and consent:
            if consent[1] not in CHANNELS or consent[2] not in PURPOSES:
                yield (
                    (*here, "fields", field),
                    f"write consent.<channel>.<purpose>; channels {', '.join(CHANNELS)}; "
                    f"purposes {', '.join(PURPOSES)}.",
                )
            elif consent[3] is not None and consent[3] not in OWN_CONSENT_DETAILS:
                yield (*here, "fields", field), f"of one consent there may be {', '.join(OWN_CONSENT_DETAILS)}."
        elif field not in known:
            near = difflib.get_close_matches(field, known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Known here: {', '.join(known)}."
            yield (*here, "fields", field), f"'{entity}' has no such field. {hint}"
    for field in values:
        if field not in known and field not in fields:
            yield (*here, "values", field), f"'{entity}' has no such field."
    for key in ("tags", "keep", "form"):
        if delivery.get(key) and entity != "customers":
            yield (*here, key), "only customers have this."
    if delivery.get("abandoned_after_hours") and entity != "web_events":
        yield (*here, "abandoned_after_hours"), "only web_events have this."
    if (other := delivery.get("record_source")) and other not in (*sources, "card"):
        yield (*here, "record_source"), f"there is no such source; there are {', '.join(sources)}."


def known_fields(entity: str) -> list[str]:
    """What the columns of an entity may be mapped to."""
    own = ("source", "bought_on", "extra", "delivery", "delivery_row")
    known = [column.name for column in CONTRACTS[ENTITIES[entity]].columns if column.name not in own]
    if entity == "ticket_lines":
        known += TICKET_FIELDS
    return [*known, *(f"consent.{detail}" for detail in CONSENT_DETAILS)] if entity == "customers" else known


def needed_fields(entity: str) -> list[str]:
    """What an entity cannot do without."""
    contract = CONTRACTS[ENTITIES[entity]]
    made = (*MADE_FIELDS, "ticket_id") if contract.name in ("tickets", "ticket_lines") else MADE_FIELDS
    return [column.name for column in contract.columns if not column.null and column.name not in made]
