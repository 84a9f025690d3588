"""Columns: what each staged column is made of, as expressions over a file's typed fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from crmlib.engine import literal, quote
from crmlib.params import MADE_FIELDS, TICKET_FIELDS, EntitySource
from crmlib.sources.delivery import Delivery
from crmlib.tables import CONTRACTS, Column


def staged_columns(table: str) -> list[Column]:
    """A contract's columns, and for lines those of the ticket they may carry."""
    columns = list(CONTRACTS[table].columns)
    if table == "ticket_lines":
        carried = [*TICKET_FIELDS, "bought_on", "record_source"]
        columns += [column for column in CONTRACTS["tickets"].columns if column.name in carried]
    return columns


def mapped_columns(table: str, given: EntitySource) -> dict[str, Column]:
    """The column that each mapped field fills; a stated consent is a yes or no."""
    known = {column.name: column for column in staged_columns(table)}
    return {
        name: known.get(name) or Column(name, "time" if name == "consent.at" else "bool", "") for name in given.fields
    }


def needed_columns(table: str, columns: Mapping[str, Column]) -> list[str]:
    """The columns that a row cannot do without."""
    needed = [column.name for column in CONTRACTS[table].columns if not column.null and column.name not in MADE_FIELDS]
    return [*needed, "bought_at"] if table == "ticket_lines" and "bought_at" in columns else needed


def typed_name(field: str) -> str:
    """The column of a field's typed value, quoted."""
    return quote(f"typed {field}")


def choose_expressions(table: str, delivery: Delivery, mapped: Collection[str], timezone: str) -> dict[str, str]:
    """The expression for each staged column: what is mapped, what intake makes itself, or nothing.

    Parameters
    ----------
    table : str
        A contract's name.
    delivery : Delivery
    mapped : collection of str
        The mapped fields.
    timezone : str
        Where the run is: what day it was is told there.
    """
    chosen = {column.name: f"CAST(NULL AS {column.sql_type})" for column in staged_columns(table)}
    chosen |= {name: typed_name(name) for name in mapped if name in chosen}
    chosen["source"] = literal(delivery.source)
    delivered = f"TIMESTAMPTZ '{delivery.delivered_at.isoformat()}'"
    chosen["updated_at"] = f"coalesce({chosen['updated_at']}, {delivered})"
    if table in ("tickets", "ticket_lines") and "ticket_id" not in mapped:
        chosen["ticket_id"] = f"'{delivery.hash[:12]}-' || row"
    if table == "ticket_lines" and "line" not in mapped:
        chosen["line"] = f"row_number() OVER (PARTITION BY {chosen['ticket_id']} ORDER BY row)"
    if "bought_at" in mapped:
        chosen["bought_on"] = f"CAST(timezone({literal(timezone)}, {chosen['bought_at']}) AS DATE)"
    if table != "source_records" and "source_record_id" in mapped and "record_source" not in mapped:
        other = literal(delivery.given.record_source or delivery.source)
        chosen["record_source"] = f"CASE WHEN {chosen['source_record_id']} IS NOT NULL THEN {other} END"
    elif "buyer_email" in mapped:
        other = literal(delivery.given.record_source or delivery.source)
        chosen["record_source"] = f"CASE WHEN {chosen['buyer_email']} IS NOT NULL THEN {other} END"
    if table == "source_records":
        chosen["extra"] = "extra"
        if delivery.given.tags:
            added = f"[{', '.join(literal(tag) for tag in delivery.given.tags)}]"
            own = chosen["tags"] if "tags" in mapped else "[]"
            chosen["tags"] = f"list_sort(list_distinct(list_concat({own}, {added})))"
    return chosen


def state_consents(names: list[str]) -> str:
    """The consents a customer's row states, as JSON: turned into events once the row is accepted."""
    stated = [name for name in names if name.startswith("consent.") and name != "consent.at"]
    if not stated:
        return "CAST(NULL AS JSON)"
    at = typed_name("consent.at") if "consent.at" in names else "CAST(NULL AS TIMESTAMPTZ)"
    entries = ", ".join(
        f"{{'channel': {literal(name.split('.')[1])}, 'purpose': {literal(name.split('.')[2])}, "
        f"'granted': {typed_name(name)}, 'at': CAST({at} AS VARCHAR)}}"
        for name in stated
    )
    return f"to_json([{entries}])"


def keep_extra(keep: list[str]) -> str:
    """The columns that are kept beside the fields, as JSON."""
    if not keep:
        return "CAST(NULL AS VARCHAR)"
    return f"CAST(json_object({', '.join(f'{literal(name)}, {quote(name)}' for name in keep)}) AS VARCHAR)"
