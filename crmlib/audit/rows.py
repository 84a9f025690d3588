"""The rows of each entity as checks see them: a view, with what is told of their values, sales and consents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from crmlib.audit import costs, plain
from crmlib.audit.comparisons import compare_sources
from crmlib.audit.reading import Check, columns_of
from crmlib.audit.values import NAMES, judge_values
from crmlib.engine import Engine, quote
from crmlib.params import ENTITIES

#: Columns of a record that are there whatever the checks ask.
ALWAYS = (
    "source",
    "source_record_id",
    "delivery",
    "delivery_row",
    "home_store_id",
    "updated_at",
    "address_line",
    "street",
)
#: Column that says in which store a row belongs.
STORES = {"customers": "home_store_id", "tickets": "store_id"}


def lay_out(
    engine: Engine, checks: Sequence[Check], country: str, as_of_date: date, base: str | None
) -> dict[str, str]:
    """Make the view of each entity that is checked: nothing is copied of tables that may be large.

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
        Entity -> view of the engine: source, store, delivery, delivery_row, revenue, age_days, the columns that checks
        name, and for customers those of `_show_customers`. Without entities of which there are no rows.
    """
    made = {}
    # how many records can be reached is told whatever is checked
    for entity in dict.fromkeys(("customers", *(check.entity for check in checks if check.entity in ENTITIES))):
        if engine.row(f"SELECT EXISTS (FROM {ENTITIES[entity]}) AS any")["any"]:
            own = [check for check in checks if check.entity == entity]
            if entity == "customers":
                judge_values(engine, country, as_of_date)
                costs.ascribe_revenue(engine, as_of_date, base)
                engine.run(costs.GRANTED)
                compared = dict.fromkeys(check.field for check in own if check.rule == "agrees")
                differing = compare_sources(engine, list(compared), base)
                made[entity] = _show_customers(engine, _columns_named(entity, own), differing, as_of_date)
            else:
                made[entity] = _show_others(engine, entity, _columns_named(entity, own), as_of_date)
    return made


def _columns_named(entity: str, checks: Sequence[Check]) -> list[str]:
    texts = " ".join(f"{check.field} {check.holds or ''} {check.where or ''}" for check in checks)
    return [name for name in columns_of(entity) if re.search(rf"\b{name}\b", texts)]


def _show_customers(engine: Engine, named: list[str], differing: list[str], as_of_date: date) -> str:
    """Make the view of the records.

    It also has granted (bits of the consents in force) and, each empty where there is no value: name_given, email_ok,
    spelt_ok (the provider), phone_ok, national_id_ok (empty, too, where no check digit is known), name_ok (no mere
    placeholder), name_whole (given name and surname), birth_date_ok, postcode_ok, fits_province; and
    ``differs_<field>`` of the fields that are compared between sources, empty where fewer than two have it.
    """
    columns = ", ".join(f"r.{quote(name)}" for name in dict.fromkeys((*ALWAYS, *named)))
    given = " OR ".join(f"r.{name} IS NOT NULL" for name in (*NAMES, "company"))
    same_name = " AND ".join(f"names.{name} IS NOT DISTINCT FROM r.{name}" for name in NAMES)
    asides = {
        f"differs_{field}": ("compared_records", f"compared_records.{quote(f'differs_{field}')}") for field in differing
    }
    asides["revenue"] = ("record_revenue", "coalesce(record_revenue.revenue, 0)")
    asides["granted"] = ("granted_consents", "coalesce(granted_consents.granted, 0)")
    # where there are no sales, or no consents, no record need be looked up among them
    filled = {
        table: engine.row(f"SELECT EXISTS (FROM {table}) AS any")["any"]
        for table in dict.fromkeys(table for table, _ in asides.values())
    }
    joins = "\n".join(
        f"LEFT JOIN {table} ON {table}.source = r.source AND {table}.source_record_id = r.source_record_id"
        for table, any_row in filled.items()
        if any_row
    )
    shown = ", ".join(
        f"{expression if filled[table] else ('NULL' if name.startswith('differs_') else '0')} AS {quote(name)}"
        for name, (table, expression) in asides.items()
    )
    return engine.view(
        "audited_customers",
        f"""
        SELECT {columns}, r.home_store_id AS store, {shown},
          date_diff('day', {_day_of("r.updated_at")}, DATE '{as_of_date}') AS age_days,
          CASE WHEN r.email IS NOT NULL THEN emails.email IS NULL OR emails.valid END AS email_ok,
          CASE WHEN r.email IS NOT NULL THEN emails.email IS NULL OR emails.spelt END AS spelt_ok,
          CASE WHEN r.phone IS NOT NULL THEN phones.phone IS NULL END AS phone_ok,
          CASE WHEN r.national_id IS NOT NULL THEN ids.national_id IS NULL OR ids.valid END AS national_id_ok,
          {given} AS name_given,
          CASE WHEN {given} THEN r.company IS NOT NULL OR coalesce(names.real, true) END AS name_ok,
          r.company IS NOT NULL OR coalesce(names.whole, true) AS name_whole,
          {plain.tell_birth_date("r.birth_date", as_of_date)} AND defaults.birth_date IS NULL AS birth_date_ok,
          CASE WHEN r.postcode IS NOT NULL THEN postcodes.postcode IS NULL END AS postcode_ok,
          CASE WHEN r.postcode IS NOT NULL AND r.province IS NOT NULL
            THEN provinces.postcode IS NULL OR provinces.fits END AS fits_province
        FROM source_records AS r
        LEFT JOIN faulty_emails AS emails ON emails.email = r.email
        LEFT JOIN faulty_phones AS phones ON phones.phone = r.phone
        LEFT JOIN faulty_ids AS ids ON ids.national_id = r.national_id
        LEFT JOIN faulty_names AS names ON {same_name}
        LEFT JOIN default_dates AS defaults ON defaults.source = r.source AND defaults.birth_date = r.birth_date
        LEFT JOIN faulty_postcodes AS postcodes ON postcodes.postcode = r.postcode
        LEFT JOIN faulty_provinces AS provinces ON provinces.postcode = r.postcode AND provinces.province = r.province
        {joins}
        """,
    )


def _show_others(engine: Engine, entity: str, named: list[str], as_of_date: date) -> str:
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
