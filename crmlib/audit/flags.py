"""Each check as conditions over the rows of its entity: which rows it looks at, and which of them fail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from crmlib.audit import costs
from crmlib.audit.comparisons import is_apart, is_junk, is_shared
from crmlib.audit.conditions import bind
from crmlib.audit.reading import KEYS, Check
from crmlib.engine import Engine, literal, quote
from crmlib.params import CHANNELS, ENTITIES, PURPOSES

#: Column of each judged field -> whether its value can be right.
VERDICTS = {
    "name": "name_ok",
    "email": "email_ok",
    "phone": "phone_ok",
    "national_id": "national_id_ok",
    "birth_date": "birth_date_ok",
    "postcode": "postcode_ok",
}
REACHABLE = "(coalesce(email_ok, false) OR coalesce(phone_ok, false))"
#: What an address by which a channel reaches somebody needs.
USABLE = {
    "email": "coalesce(email_ok, false)",
    "ads": "coalesce(email_ok, false)",
    "sms": "coalesce(phone_ok, false)",
    "call": "coalesce(phone_ok, false)",
    "postal": "coalesce(postcode_ok, false) AND coalesce(address_line, street) IS NOT NULL",
    "push": "true",
}


class Flag(NamedTuple):
    """A check as SQL over the view of its entity.

    Parameters
    ----------
    check : Check
    field, name : str
        As the finding names them.
    sources : tuple of str
        The only sources that are looked at; none: all.
    given : str
        Condition for rows that have the field: a source without any is not blamed for what it never collects.
    applies, fails : str
        Conditions.
    blocked : int
        Bits of the consents that come to nothing where it fails; 0 where none does.
    """

    check: Check
    field: str
    name: str
    sources: tuple[str, ...]
    given: str
    applies: str
    fails: str
    blocked: int


def list_flags(
    engine: Engine, entity: str, view: str, checks: Sequence[Check], as_of_date: date, stale_after_days: int
) -> list[Flag]:
    """Each check of an entity as SQL; those that have nothing to compare with are left out.

    Parameters
    ----------
    engine : Engine
    entity, view : str
        As `crmlib.audit.rows.lay_out` made it.
    checks : sequence of Check
        Of this entity.
    as_of_date : datetime.date
    stale_after_days : int
    """
    columns = engine.columns(view)
    flags: list[Flag] = []
    for check in checks:
        if check.rule == "contactable":
            flags += _flag_contactable(engine, check)
            continue
        made = _make(engine, entity, columns, check, stale_after_days)
        if made is None:
            continue
        applies, fails = made
        if check.where:
            applies = f"{applies} AND ({bind(check.where, f'''DATE '{as_of_date}' ''')}\n)"
        blocked = sum(costs.bit_of(channel, "marketing") for channel in check.blocks) if entity == "customers" else 0
        fails = bind(fails, f"DATE '{as_of_date}'")
        given = _is_given(entity, check.field)
        flags.append(Flag(check, check.field, check.check, tuple(check.sources), given, applies, fails, blocked))
    return flags


def _is_given(entity: str, field: str) -> str:
    if entity == "customers" and field in ("record", "consent"):
        return "true"
    if entity == "customers" and field == "name":
        return "name_given"
    return f"{quote(field)} IS NOT NULL"


def _make(
    engine: Engine, entity: str, columns: dict[str, str], check: Check, stale_after_days: int
) -> tuple[str, str] | None:
    """Which rows a check looks at, and which of them fail; None if there is nothing it could compare with."""
    given, value = _is_given(entity, check.field), quote(check.field)
    if check.holds is not None:
        return "true", f"NOT ({check.holds}\n)"
    if check.among is not None:
        return given, f"{value} NOT IN ({', '.join(map(literal, check.among))})"
    if check.pattern is not None:
        return given, f"NOT regexp_full_match(CAST({value} AS VARCHAR), {literal(check.pattern)})"
    if check.known_in is not None:
        listed, key = ENTITIES[check.known_in], quote(KEYS[check.known_in])
        any_listed = engine.row(f"SELECT EXISTS (FROM {listed}) AS any")["any"]
        return (given, f"{value} NOT IN (SELECT {key} FROM {listed})") if any_listed else None
    match check.rule:
        case "filled":
            return "true", f"NOT ({given})"
        case "valid":
            return f"{VERDICTS[check.field]} IS NOT NULL", f"NOT {VERDICTS[check.field]}"
        case "whole_name":
            return "name_ok", "NOT name_whole"
        case "spelt_domain":
            return "email_ok", "NOT spelt_ok"
        case "not_junk":
            return given, is_junk(engine, entity, check.field)
        case "fits_province":
            return "fits_province IS NOT NULL", "NOT fits_province"
        case "fresh":
            return "true", f"age_days > {stale_after_days}"
        case "reachable":
            return "true", f"NOT {REACHABLE}"
        case "own":
            return given, is_shared(engine, entity, check.field)
        case "agrees":
            differs = f"differs_{check.field}"
            # where there is one source, nothing was compared
            return (f"{value} IS NOT NULL AND {differs} IS NOT NULL", differs) if differs in columns else None
        case "held":
            held = engine.row("SELECT EXISTS (FROM source_records WHERE loyalty_card IS NOT NULL) AS any")["any"]
            return (given, "record_source = 'card'") if held else None
        case "in_turn":
            return given, is_apart(engine)
    return None


def _flag_contactable(engine: Engine, check: Check) -> list[Flag]:
    """One flag for each channel and purpose on which any record of a source has decided."""
    asked = engine.rows(
        "SELECT DISTINCT record_source AS source, channel, purpose FROM consent_events ORDER BY ALL",
    )
    by_consent: dict[tuple[str, str], list[str]] = {}
    for row in asked:
        if row["channel"] in CHANNELS and row["purpose"] in PURPOSES:
            by_consent.setdefault((row["channel"], row["purpose"]), []).append(row["source"])
    flags = []
    for (channel, purpose), sources in by_consent.items():
        reached = f"granted & {costs.bit_of(channel, purpose)} <> 0 AND {USABLE[channel]}"
        name = f"{check.check}_for_{purpose}"
        flags.append(Flag(check, channel, name, tuple(sources), "true", "true", f"NOT ({reached})", 0))
    return flags
