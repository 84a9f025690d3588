"""The door: rows that name somebody who was erased are stopped and counted, and nothing of them is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import pyarrow as pa

from crmlib.engine import quote
from crmlib.params import ENTITIES
from crmlib.sources.staged_tables import BETWEEN
from crmlib.sources.staging import Staging
from crmlib.sources.tombstones import (
    CARD,
    Tombstones,
    email_form,
    name_birth_form,
    national_id_form,
    record_form,
)

#: The rule that a stopped row breaks.
ERASED = "erased"
#: What is kept of a line that cannot be read and names somebody erased.
NOT_KEPT = "(not kept: it names somebody who was erased)"
NAME = ("full_name", "given_name", "surnames", "surname_1", "surname_2")
_BETWEEN_CELLS = re.compile(r"[;,\t|\"]")

#: The field that is told, the columns that are looked at, and whether their values name somebody.
Check = tuple[str, tuple[str, ...], Callable[..., bool]]


def stop_erased(staging: Staging, tombstones: Tombstones | None) -> None:
    """Fault every staged row that names somebody who was erased, whatever else is wrong with it.

    Parameters
    ----------
    staging : Staging
        Everything that was delivered is staged.
    tombstones : Tombstones or None
        None: nobody was erased yet.
    """
    if tombstones is None:
        return
    country = staging.params.run.country
    for table in ENTITIES.values():
        staged = f"staged_{table}_rows"
        if not staging.engine.has(staged):
            continue
        columns = {*staging.engine.columns(staged), "source"}
        for check in _list_checks(columns, tombstones, country):
            _stop_rows(staging, staged, *check)
    for delivery in staging.deliveries:
        for row, text in delivery.read.unreadable.items():
            if _names_erased(text, delivery.source, tombstones, country):
                delivery.read.unreadable[row] = NOT_KEPT


def _list_checks(columns: Collection[str], tombstones: Tombstones, country: str) -> list[Check]:
    """What of a table's rows may name somebody."""
    known = tombstones.holds

    def is_record(source: str | None, source_record_id: str | None) -> bool:
        return known("record", record_form(source, source_record_id)) or known("email", email_form(source_record_id))

    def is_key(source: str, key_kind: str | None, key: str | None) -> bool:
        forms = {
            "email": ("email", email_form(key)),
            "national_id": ("national_id", national_id_form(key, country)),
            "loyalty_card": ("record", record_form(CARD, key)),
            "source_record_id": ("record", record_form(source, key)),
        }
        kind, form = forms.get((key_kind or "").lower(), ("record", None))
        return known(kind, form)

    checks: list[Check] = [
        ("source_record_id", ("source", "source_record_id"), is_record),
        ("source_record_id", ("record_source", "source_record_id"), is_record),
        ("email", ("email",), lambda email: known("email", email_form(email))),
        ("buyer_email", ("buyer_email",), lambda email: known("email", email_form(email))),
        ("loyalty_card", ("loyalty_card",), lambda card: known("record", record_form(CARD, card))),
        ("national_id", ("national_id",), lambda value: known("national_id", national_id_form(value, country))),
        ("birth_date", ("birth_date", *NAME), lambda born, *name: known("name_birth", name_birth_form(born, *name))),
        ("key", ("source", "key_kind", "key"), is_key),
    ]
    return [check for check in checks if set(check[1]) - set(NAME) <= set(columns)]


def _stop_rows(staging: Staging, staged: str, field: str, names: tuple[str, ...], check: Callable[..., bool]) -> None:
    engine = staging.engine
    held = (*engine.columns(staged), "source")
    said = (quote(name) if name in held else f"CAST(NULL AS VARCHAR) AS {quote(name)}" for name in names)
    rows = f"{quote(staged)} JOIN {quote(f'{staged}_files')} USING (file)"
    given = f"SELECT {', '.join(said)} FROM {rows} WHERE {quote(field)} IS NOT NULL"
    engine.map_distinct("looked_at", given, partial(_as_row, check), {ERASED: pa.bool_()})
    if engine.row(f"SELECT bool_or({ERASED}) AS found FROM looked_at")["found"]:
        compared = [quote(name) for name in names if name in held and name != "source"]
        same = " AND ".join(f"found.{name} IS NOT DISTINCT FROM staged.{name}" for name in compared)
        theirs = "found.source = by_file.source" if "source" in names else "true"
        engine.execute(
            f"UPDATE {quote(staged)} AS staged SET fault = '{field}{BETWEEN}{ERASED}' "
            f"FROM (SELECT * FROM looked_at WHERE {ERASED}) AS found, {quote(f'{staged}_files')} AS by_file "
            f"WHERE by_file.file = staged.file AND {theirs} AND {same}"
        )
    engine.execute("DROP TABLE looked_at")


def _as_row(check: Callable[..., bool], *values: Any) -> tuple[bool]:
    return (check(*values),)


def _names_erased(text: str, source: str, tombstones: Tombstones, country: str) -> bool:
    """Whether any cell of a line that could not be read as a row names somebody erased."""
    return any(
        tombstones.holds("record", record_form(source, cell))
        or tombstones.holds("record", record_form(CARD, cell))
        or tombstones.holds("email", email_form(cell))
        or tombstones.holds("national_id", national_id_form(cell, country))
        for cell in map(str.strip, _BETWEEN_CELLS.split(text))
        if cell
    )
