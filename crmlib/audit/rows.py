"""The rows of each entity as checks see them: a table, and for each check which rows it looks at and which fail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from crmlib.audit import costs
from crmlib.audit.conditions import bind
from crmlib.audit.reading import KEYS, Check, columns_of
from crmlib.audit.values import judge_values
from crmlib.engine import Engine, Step, literal, quote
from crmlib.fields.reference import read_words
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
#: Expression by which two values of a field are the same; of other fields the value itself.
SAME = {"email": "email_text", "phone": "phone_e164", "national_id": "id_text"}
#: What an address by which a channel reaches somebody needs.
USABLE = {
    "email": "coalesce(email_ok, false)",
    "ads": "coalesce(email_ok, false)",
    "sms": "coalesce(phone_ok, false)",
    "call": "coalesce(phone_ok, false)",
    "postal": "coalesce(postcode_ok, false) AND coalesce(address_line, street) IS NOT NULL",
    "push": "true",
}
#: People whose records are of several sources, each told by a number: most are of one, and need no further look.
KNOWN_BY_SEVERAL = """
    SELECT hash(person) AS person_hash FROM {table} WHERE person IS NOT NULL
    GROUP BY person_hash HAVING min(source) <> max(source)
"""
#: Column that says in which store a row belongs.
STORES = {"customers": "home_store_id", "tickets": "store_id"}


class Flag(NamedTuple):
    """A check as SQL over the table of its entity.

    Parameters
    ----------
    check : Check
    field, name : str
        As the finding names them.
    applies, fails : str
        Conditions.
    blocked : str
        Condition for rows that cannot be contacted because of it though they agreed; ``false`` where none is.
    """

    check: Check
    field: str
    name: str
    applies: str
    fails: str
    blocked: str


def lay_out(
    engine: Engine, checks: Sequence[Check], country: str, as_of_date: date, base: str | None
) -> dict[str, str]:
    """Make the table of each entity that is checked.

    Parameters
    ----------
    engine : Engine
        Holds every table that room 01 writes.
    checks : sequence of Check
    country : str
    as_of_date : datetime.date
    base : str or None
        ``identities`` of the base run.

    Returns
    -------
    dict of str to str
        Entity -> table of the engine: source, store, delivery, delivery_row, revenue, the columns that checks name,
        and for customers `values.judge_values`' and granted (bits of the consents in force). Without empty entities.
    """
    made = {}
    for entity in dict.fromkeys(check.entity for check in checks if check.entity in ENTITIES):
        if engine.row(f"SELECT EXISTS (FROM {ENTITIES[entity]}) AS any")["any"]:
            named = _columns_named(entity, [check for check in checks if check.entity == entity])
            if entity == "customers":
                made[entity] = _lay_out_customers(engine, named, country, as_of_date, base)
            else:
                made[entity] = _lay_out_others(engine, entity, named, as_of_date)
    return made


def _columns_named(entity: str, checks: Sequence[Check]) -> list[str]:
    texts = " ".join(f"{check.field} {check.holds or ''} {check.where or ''}" for check in checks)
    return [name for name in columns_of(entity) if re.search(rf"\b{name}\b", texts)]


def _lay_out_customers(engine: Engine, named: list[str], country: str, as_of_date: date, base: str | None) -> str:
    judge_values(engine, country, as_of_date, named)
    costs.ascribe_revenue(engine, as_of_date, base)
    engine.run(costs.GRANTED)
    person = "CASE WHEN national_id_ok THEN id_text END"
    known = ""
    if base is not None:
        person, known = (
            f"coalesce(known.customer_id, {person})",
            (
                f"LEFT JOIN {quote(base)} AS known "
                "ON known.source = judged.source AND known.source_record_id = judged.source_record_id"
            ),
        )
    return engine.run(
        Step(
            "audited_customers",
            f"""
            SELECT judged.*, judged.home_store_id AS store, {person} AS person,
              coalesce(record_revenue.revenue, 0) AS revenue, coalesce(granted_consents.granted, 0) AS granted,
              date_diff('day', {_day_of("judged.updated_at")}, CAST($as_of_date AS DATE)) AS age_days
            FROM judged_records AS judged
            {known}
            LEFT JOIN record_revenue
              ON record_revenue.source = judged.source AND record_revenue.source_record_id = judged.source_record_id
            LEFT JOIN granted_consents
              ON granted_consents.source = judged.source
              AND granted_consents.source_record_id = judged.source_record_id
            """,
        ),
        as_of_date=as_of_date,
    )


def _lay_out_others(engine: Engine, entity: str, named: list[str], as_of_date: date) -> str:
    """A view: nothing is copied of tables that may be large."""
    held = dict.fromkeys(("source", "delivery", "delivery_row", *named, *_asides(entity)))
    revenue = "0"
    if entity == "tickets":
        revenue = f"CASE WHEN bought_on > DATE '{as_of_date}' - INTERVAL 365 DAY THEN coalesce(amount, 0) ELSE 0 END"
    store = STORES.get(entity, "CAST(NULL AS VARCHAR)")
    dated = f"date_diff('day', {_day_of('updated_at')}, DATE '{as_of_date}')"
    return engine.view(
        f"audited_{entity}",
        f"SELECT {', '.join(map(quote, held))}, {store} AS store, {revenue} AS revenue, {dated} AS age_days "
        f"FROM {quote(ENTITIES[entity])}",
    )


def _day_of(moment: str) -> str:
    """The day of a moment in UTC, without asking the calendar of any place."""
    return f"CAST(make_timestamp(epoch_us({moment})) AS DATE)"


def _asides(entity: str) -> tuple[str, ...]:
    return ("record_source", "bought_on") if entity == "tickets" else ()


def list_flags(
    engine: Engine, entity: str, table: str, checks: Sequence[Check], as_of_date: date, stale_after_days: int
) -> list[Flag]:
    """Each check of an entity as SQL; those that have nothing to look at are left out.

    Parameters
    ----------
    engine : Engine
    entity, table : str
        As `lay_out` made it.
    checks : sequence of Check
        Of this entity.
    as_of_date : datetime.date
    stale_after_days : int
    """
    present = _find_present(engine, entity, table, checks)
    if any(check.rule == "agrees" and len(present[check.field]) > 1 for check in checks):
        engine.run(Step("known_by_several", KNOWN_BY_SEVERAL.format(table=quote(table))))
    flags: list[Flag] = []
    for check in checks:
        sources = [source for source in present[check.field] if not check.sources or source in check.sources]
        if not sources:
            continue
        if check.rule == "contactable":
            flags += _flag_contactable(engine, check, table)
            continue
        if check.rule == "agrees" and len(present[check.field]) < 2:
            continue
        made = _make(engine, entity, table, check, stale_after_days)
        if made is None:
            continue
        applies, fails = made
        conditions = [f"source IN ({', '.join(map(literal, sources))})", applies]
        conditions += [f"({bind(check.where, f'''DATE '{as_of_date}' ''')}\n)"] if check.where else []
        blocked = "false"
        if check.blocks and entity == "customers":
            bits = sum(costs.bit_of(channel, "marketing") for channel in check.blocks)
            blocked = f"granted & {bits} <> 0"
        fails = bind(fails, f"DATE '{as_of_date}'")
        flags.append(Flag(check, check.field, check.check, " AND ".join(conditions), fails, blocked))
    return flags


def _find_present(engine: Engine, entity: str, table: str, checks: Sequence[Check]) -> dict[str, list[str]]:
    """Field -> the sources that have it at all: no source is blamed for what it never collects."""
    fields = dict.fromkeys(check.field for check in checks)
    counts = ", ".join(f"coalesce(bool_or({_is_given(entity, field)}), false) AS {quote(field)}" for field in fields)
    rows = engine.rows(f"SELECT source, {counts} FROM {quote(table)} GROUP BY source ORDER BY source")
    return {field: [row["source"] for row in rows if row[field]] for field in fields}


def _is_given(entity: str, field: str) -> str:
    if entity == "customers" and field in ("record", "consent"):
        return "true"
    if entity == "customers" and field == "name":
        return "name_given"
    return f"{quote(field)} IS NOT NULL"


def _make(engine: Engine, entity: str, table: str, check: Check, stale_after_days: int) -> tuple[str, str] | None:
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
            return given, _is_junk(engine, table, check)
        case "fits_province":
            return "fits_province IS NOT NULL", "NOT fits_province"
        case "fresh":
            return "true", f"age_days > {stale_after_days}"
        case "reachable":
            return "true", "NOT (coalesce(email_ok, false) OR coalesce(phone_ok, false))"
        case "own":
            return given, _is_shared(engine, table, check)
        case "agrees":
            return _disagree(engine, table, check)
        case "held":
            held = engine.row("SELECT EXISTS (FROM source_records WHERE loyalty_card IS NOT NULL) AS any")["any"]
            return (given, "record_source = 'card'") if held else None
        case "in_turn":
            return given, _is_apart(engine, table)
    return None


def _is_junk(engine: Engine, table: str, check: Check) -> str:
    """Whether a text is written where there is nothing: a placeholder's words, signs, one letter over and over."""
    value, junk = quote(check.field), f"junk_{check.entity}_{check.field}"
    said = read_words("no_value")
    words = "|".join(sorted(map(re.escape, said)))
    letters = "|".join(f"{letter}+" for letter in "abcdefghijklmnopqrstuvwxyz0")
    folded = "trim(regexp_replace(lower(strip_accents(text)), '[^\\p{L}0-9]+', ' ', 'g'))"
    # whoever writes nothing writes little: longer texts are not looked into, and each text once
    longest = max(map(len, said)) + 4
    short = f"SELECT DISTINCT {value} AS text FROM {quote(table)} WHERE length({value}) <= {longest}"
    texts = engine.run(Step(f"short_{check.entity}_{check.field}", short))
    form = literal(f"(?:{words}|{letters}|)")
    engine.run(Step(junk, f"SELECT text FROM {quote(texts)} WHERE regexp_full_match({folded}, {form})"))
    return f"{value} IN (SELECT text FROM {quote(junk)})"


def _is_shared(engine: Engine, table: str, check: Check) -> str:
    same = SAME.get(check.field, quote(check.field)) if check.entity == "customers" else quote(check.field)
    shared = f"shared_{check.entity}_{check.field}"
    # most values stand once: these are told by a number in place of each, and left out
    engine.run(
        Step(
            shared,
            f"""
            WITH several AS (
              SELECT hash(source, {same}) AS value_hash FROM {quote(table)} WHERE {same} IS NOT NULL
              GROUP BY value_hash HAVING count(*) > 1
            )
            SELECT source, {same} AS shared
            FROM {quote(table)} SEMI JOIN several ON hash(source, {same}) = value_hash
            WHERE {same} IS NOT NULL
            GROUP BY ALL HAVING count(*) > 1
            """,
        )
    )
    return f"({same} IS NOT NULL AND (source, {same}) IN (SELECT (source, shared) FROM {quote(shared)}))"


def _disagree(engine: Engine, table: str, check: Check) -> tuple[str, str]:
    """Records of people whom several sources know, and of these the ones of whom two sources say different things."""
    compared = f"compared_{check.field}"
    value = quote(check.field)
    engine.run(
        Step(
            compared,
            f"""
            SELECT person, min({value}) <> max({value}) AS differs
            FROM {quote(table)} SEMI JOIN known_by_several ON hash(person) = person_hash
            WHERE person IS NOT NULL AND {value} IS NOT NULL
            GROUP BY person HAVING min(source) <> max(source)
            """,
        )
    )
    several = f"person IN (SELECT person FROM {compared})"
    return f"{value} IS NOT NULL AND {several}", f"person IN (SELECT person FROM {compared} WHERE differs)"


def _is_apart(engine: Engine, table: str) -> str:
    """Whether a ticket came in another delivery than most of its source's tickets of that day."""
    engine.run(
        Step(
            "days_apart",
            f"""
            WITH days AS (
              SELECT source, bought_on, delivery, count(*) AS tickets FROM {quote(table)}
              WHERE delivery IS NOT NULL GROUP BY ALL
            )
            SELECT source, bought_on, delivery FROM days
            QUALIFY row_number() OVER (PARTITION BY source, bought_on ORDER BY tickets DESC, delivery) > 1
            """,
        )
    )
    return "coalesce((source, bought_on, delivery) IN (SELECT (source, bought_on, delivery) FROM days_apart), false)"


def _flag_contactable(engine: Engine, check: Check, table: str) -> list[Flag]:
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
        within = f"source IN ({', '.join(map(literal, sources))})"
        reached = f"granted & {costs.bit_of(channel, purpose)} <> 0 AND {USABLE[channel]}"
        flags.append(Flag(check, channel, f"{check.check}_for_{purpose}", within, f"NOT ({reached})", "false"))
    return flags
