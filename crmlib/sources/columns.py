"""Columns: what each staged column is made of, as expressions over a file's typed fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from crmlib.engine import literal, quote
from crmlib.params import MADE_FIELDS, TICKET_FIELDS, EntitySource
from crmlib.sources.clocks import tell_local
from crmlib.sources.delivery import Delivery
from crmlib.tables import CONTRACTS, Column

#: Kind of each detail of a consent; the consent itself is a yes or no.
CONSENT_KINDS = {
    **dict.fromkeys(("at", "granted_at", "confirmed_at"), "time"),
    **dict.fromkeys(("form", "ip", "evidence", "legal_basis", "wording_version"), "text"),
}


def staged_columns(table: str) -> list[Column]:
    """A contract's columns, and for lines those of the ticket they may carry."""
    columns = list(CONTRACTS[table].columns)
    if table == "ticket_lines":
        carried = [*TICKET_FIELDS, "bought_on", "record_source"]
        columns += [column for column in CONTRACTS["tickets"].columns if column.name in carried]
    return columns


def mapped_columns(table: str, given: EntitySource) -> dict[str, Column]:
    """The column that each mapped field fills; a stated consent is a yes or no, and has its details."""
    known = {column.name: column for column in staged_columns(table)}
    return {
        name: known.get(name) or Column(name, CONSENT_KINDS.get(name.split(".")[-1], "bool"), "")
        for name in given.fields
    }


def needed_columns(table: str, columns: Mapping[str, Column]) -> list[str]:
    """The columns that a row cannot do without."""
    needed = [column.name for column in CONTRACTS[table].columns if not column.null and column.name not in MADE_FIELDS]
    return [*needed, "bought_at"] if table == "ticket_lines" and "bought_at" in columns else needed


def typed_name(field: str) -> str:
    """The column of a field's typed value, quoted."""
    return quote(f"typed {field}")


def choose_expressions(table: str, delivery: Delivery, mapped: Collection[str], timezone: str) -> dict[str, str]:
    """The expression for each staged column that is filled, by what is mapped or by intake itself, row by row.

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
    held = {column.name for column in staged_columns(table)}
    chosen = {name: typed_name(name) for name in mapped if name in held}
    if table in ("tickets", "ticket_lines") and "ticket_id" not in mapped:
        chosen["ticket_id"] = f"'{delivery.hash[:12]}-' || row"
    if table == "ticket_lines" and "line" not in mapped:
        chosen["line"] = f"row_number() OVER (PARTITION BY {chosen['ticket_id']} ORDER BY row)"
    if "bought_at" in mapped:
        chosen["bought_on"] = f"CAST({tell_local(chosen['bought_at'], timezone)} AS DATE)"
    if table != "source_records" and "source_record_id" in mapped and "record_source" not in mapped:
        other = literal(delivery.given.record_source or delivery.source)
        chosen["record_source"] = f"CASE WHEN {chosen['source_record_id']} IS NOT NULL THEN {other} END"
    elif "buyer_email" in mapped:
        other = literal(delivery.given.record_source or delivery.source)
        chosen["record_source"] = f"CASE WHEN {chosen['buyer_email']} IS NOT NULL THEN {other} END"
    if table == "source_records":
        if delivery.given.keep:
            chosen["extra"] = "extra"
        if delivery.given.tags:
            added = f"[{', '.join(literal(tag) for tag in delivery.given.tags)}]"
            own = chosen["tags"] if "tags" in mapped else "[]"
            chosen["tags"] = f"list_sort(list_distinct(list_concat({own}, {added})))"
    return chosen


def state_consents(names: list[str]) -> str | None:
    """The consents a customer's row states, as JSON: turned into events once the row is accepted; None if none can."""
    stated = [name for name in names if name.startswith("consent.") and len(name.split(".")) > 2]
    given = {name.removeprefix("consent."): typed_name(name) for name in names if name.startswith("consent.")}
    entries = []
    for name in stated:
        _, channel, purpose, *detail = name.split(".")
        own = f"{channel}.{purpose}"
        if detail == ["wording_version"]:
            continue
        at, granted = given.get("at", "CAST(NULL AS TIMESTAMPTZ)"), typed_name(name)
        if detail == ["granted_at"]:
            granted, at = f"CASE WHEN {granted} IS DISTINCT FROM {at} AND {granted} IS NOT NULL THEN true END", granted
        # where a row tells of a grant and of what followed, the proof of the grant is no proof of the rest
        grant = detail == ["granted_at"] or f"{own}.granted_at" not in given
        evidence = _tell_grant(given, granted) if grant else []
        evidence += [given["evidence"]] if "evidence" in given and not detail else []
        wording = given.get(f"{own}.wording_version") or given.get("wording_version") or "CAST(NULL AS VARCHAR)"
        entries.append(
            f"{{'channel': {literal(channel)}, 'purpose': {literal(purpose)}, 'granted': {granted}, "
            f"'at': CAST({at} AS VARCHAR), 'wording_version': {wording}, "
            f"'legal_basis': {given.get('legal_basis', 'CAST(NULL AS VARCHAR)')}, "
            f"'evidence': nullif(concat_ws(', ', {', '.join(evidence) or 'NULL'}), '')}}"
        )
    return f"to_json([{', '.join(entries)}])" if entries else None


def _tell_grant(given: Mapping[str, str], granted: str) -> list[str]:
    """What proves a decision, as texts: the form, the address, the second step of a double opt-in."""
    told = [f"'form ' || {given['form']}"] if "form" in given else []
    told += [f"'from ' || {given['ip']}"] if "ip" in given else []
    confirmed = given.get("confirmed_at", "CAST(NULL AS TIMESTAMPTZ)")
    if "confirmed_at" in given:
        told.append(f"'confirmed ' || strftime(timezone('UTC', {confirmed}), '%Y-%m-%d %H:%M:%S UTC')")
    if "double_opt_in" in given:
        told.append(
            f"CASE WHEN {granted} AND {given['double_opt_in']} AND {confirmed} IS NULL THEN 'not confirmed' END"
        )
    return told


def keep_extra(keep: list[str]) -> str:
    """The columns that are kept beside the fields, as JSON."""
    if not keep:
        return "CAST(NULL AS VARCHAR)"
    return f"CAST(json_object({', '.join(f'{literal(name)}, {quote(name)}' for name in keep)}) AS VARCHAR)"
