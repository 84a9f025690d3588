"""Checks: one line of plain data each, judged for every source in one pass of set work."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import pyarrow as pa

from crmlib.engine import Engine, Step, literal, quote
from crmlib.fields.addresses import check_postcode_province, normalise_postcode
from crmlib.fields.dates import normalise_birth_date
from crmlib.fields.emails import normalise_email
from crmlib.fields.names import normalise_name
from crmlib.fields.national_ids import normalise_national_id
from crmlib.fields.phones import normalise_phone
from crmlib.params import Params

#: Fields whose absence is a defect where the source has them at all.
WANTED = (
    "email",
    "phone",
    "national_id",
    "birth_date",
    "postcode",
    "address_line",
    "loyalty_card",
    "home_store_id",
    "gender",
    "language",
)
#: Fields that one person alone should have in one source.
PERSONAL = ("email", "phone", "national_id", "loyalty_card")


class Check(NamedTuple):
    """One check of one field.

    Parameters
    ----------
    field, check, dimension : str
    applies : str
        Which rows are checked, as a condition in SQL.
    fails : str
        Which of them fail.
    words : str
        What is wrong with the failing rows, to follow their number.
    """

    field: str
    check: str
    dimension: str
    applies: str
    fails: str
    words: str


def list_record_checks(stale_after_days: int) -> list[Check]:
    """The checks of records of people and companies."""
    return [
        Check("name", "filled", "completeness", "company IS NULL", "name_valid IS NULL", "have no name"),
        *(
            Check(field, "filled", "completeness", "true", f"{field} IS NULL", f"have no {field.replace('_', ' ')}")
            for field in WANTED
        ),
        Check(
            "email", "valid", "validity", "email IS NOT NULL", "NOT email_valid", "have an impossible e-mail address"
        ),
        Check("phone", "valid", "validity", "phone IS NOT NULL", "NOT phone_valid", "have an impossible phone number"),
        Check(
            "national_id",
            "valid",
            "validity",
            "national_id_valid IS NOT NULL",
            "NOT national_id_valid",
            "have a national id whose check digit is wrong",
        ),
        Check("name", "valid", "validity", "name_valid IS NOT NULL", "NOT name_valid", "have a name that is none"),
        Check(
            "birth_date",
            "plausible",
            "validity",
            "birth_date IS NOT NULL",
            "NOT birth_date_valid",
            "have an implausible date of birth",
        ),
        Check("postcode", "valid", "validity", "postcode IS NOT NULL", "NOT postcode_valid", "have no such postcode"),
        Check(
            "postcode",
            "fits_province",
            "consistency",
            "fits_province IS NOT NULL",
            "NOT fits_province",
            "have a postcode of another province",
        ),
        *(
            Check(
                field,
                "own",
                "uniqueness",
                f"{field} IS NOT NULL",
                f"{field}_holders > 1",
                f"share their {field.replace('_', ' ')} with another record of the same source",
            )
            for field in PERSONAL
        ),
        Check(
            "record",
            "fresh",
            "timeliness",
            "true",
            f"age_days > {stale_after_days}",
            f"were last updated more than {stale_after_days} days ago",
        ),
        Check(
            "record",
            "reachable",
            "contactability",
            "true",
            "NOT (coalesce(email_valid, false) OR coalesce(phone_valid, false))",
            "have neither a valid e-mail address nor a valid phone number",
        ),
    ]


TICKET_CHECKS = [
    Check("buyer", "known", "completeness", "true", "source_record_id IS NULL", "name no buyer"),
    Check("amount", "filled", "completeness", "true", "amount IS NULL", "have no amount"),
    Check("store_id", "filled", "completeness", "true", "store_id IS NULL", "name no store"),
    Check("store_id", "known", "consistency", "store_id IS NOT NULL", "NOT store_known", "name a store nobody lists"),
]

REVENUE = Step(
    "record_revenue",
    """
    SELECT record_source AS source, source_record_id, sum(amount) AS revenue
    FROM tickets
    WHERE source_record_id IS NOT NULL AND bought_on > CAST($as_of_date AS DATE) - INTERVAL 365 DAY
    GROUP BY record_source, source_record_id
    """,
)

AUDITED_RECORDS = Step(
    "audited_records",
    """
    SELECT
      records.*,
      names.valid AS name_valid,
      emails.valid AS email_valid,
      phones.valid AS phone_valid,
      national_ids.valid AS national_id_valid,
      birth_dates.valid AS birth_date_valid,
      postcodes_worked.valid AS postcode_valid,
      provinces.fits AS fits_province,
      count(records.email) OVER (PARTITION BY records.source, lower(records.email)) AS email_holders,
      count(phones.e164) OVER (PARTITION BY records.source, phones.e164) AS phone_holders,
      count(records.national_id) OVER (PARTITION BY records.source, upper(records.national_id)) AS national_id_holders,
      count(records.loyalty_card) OVER (PARTITION BY records.source, records.loyalty_card) AS loyalty_card_holders,
      date_diff('day', CAST(records.updated_at AS DATE), CAST($as_of_date AS DATE)) AS age_days,
      coalesce(record_revenue.revenue, 0) AS revenue
    FROM source_records AS records
    LEFT JOIN worked_names AS names
      ON names.full_name IS NOT DISTINCT FROM records.full_name
      AND names.given_name IS NOT DISTINCT FROM records.given_name
      AND names.surnames IS NOT DISTINCT FROM records.surnames
      AND names.surname_1 IS NOT DISTINCT FROM records.surname_1
      AND names.surname_2 IS NOT DISTINCT FROM records.surname_2
    LEFT JOIN worked_emails AS emails ON emails.email = records.email
    LEFT JOIN worked_phones AS phones ON phones.phone = records.phone
    LEFT JOIN worked_national_ids AS national_ids ON national_ids.national_id = records.national_id
    LEFT JOIN worked_birth_dates AS birth_dates ON birth_dates.birth_date = records.birth_date
    LEFT JOIN worked_postcodes AS postcodes_worked ON postcodes_worked.postcode = records.postcode
    LEFT JOIN worked_provinces AS provinces
      ON provinces.postcode = records.postcode AND provinces.province = records.province
    LEFT JOIN record_revenue
      ON record_revenue.source = records.source AND record_revenue.source_record_id = records.source_record_id
    """,
)

AUDITED_TICKETS = Step(
    "audited_tickets",
    """
    SELECT
      tickets.source, tickets.source_record_id, tickets.amount, tickets.store_id,
      stores.store_id IS NOT NULL OR (SELECT count(*) FROM stores) = 0 AS store_known,
      CASE WHEN bought_on > CAST($as_of_date AS DATE) - INTERVAL 365 DAY THEN amount ELSE 0 END AS revenue
    FROM tickets
    LEFT JOIN stores USING (store_id)
    """,
)


def check_records(engine: Engine, params: Params, as_of_date: date) -> str:
    """Judge every record of every source.

    Parameters
    ----------
    engine : Engine
        With the views ``source_records``, ``tickets`` and ``stores``.
    params : Params
    as_of_date : datetime.date

    Returns
    -------
    str
        Name of the engine's table: source, entity, field, check, dimension, rows, failing, customers, revenue_at_risk.
    """
    _work_values(engine, params.run.country, as_of_date)
    engine.run(REVENUE, as_of_date=as_of_date)
    records = engine.run(AUDITED_RECORDS, as_of_date=as_of_date)
    present = _find_present(engine, records)
    judged = [
        _judge(check, records, "customers", "count(*)", present.get(check.field))
        for check in list_record_checks(params.audit.stale_after_days)
    ]
    tickets = engine.run(AUDITED_TICKETS, as_of_date=as_of_date)
    judged += [_judge(check, tickets, "tickets", "NULL", None) for check in TICKET_CHECKS]
    engine.execute(f"CREATE OR REPLACE TABLE judged_checks AS {' UNION ALL '.join(judged)}")
    return "judged_checks"


def _work_values(engine: Engine, country: str, as_of_date: date) -> None:
    """Validate each distinct value once."""
    valid = {"valid": pa.bool_()}
    names = ("full_name", "given_name", "surnames", "surname_1", "surname_2")

    def judge_name(*parts: str | None) -> tuple[bool]:
        return (normalise_name(*parts).valid,)

    engine.map_distinct("worked_names", f"SELECT {', '.join(names)} FROM source_records", judge_name, valid)
    engine.map_distinct(
        "worked_emails", "SELECT email FROM source_records", lambda email: (normalise_email(email).valid,), valid
    )

    def judge_phone(phone: str) -> tuple[str | None, bool]:
        worked = normalise_phone(phone, country)
        return worked.e164, worked.valid

    engine.map_distinct(
        "worked_phones", "SELECT phone FROM source_records", judge_phone, {"e164": pa.string(), **valid}
    )
    engine.map_distinct(
        "worked_national_ids",
        "SELECT national_id FROM source_records",
        lambda value: (normalise_national_id(value, country).valid,),
        valid,
    )
    engine.map_distinct(
        "worked_birth_dates",
        "SELECT birth_date FROM source_records",
        lambda value: (normalise_birth_date(value, as_of_date).valid,),
        valid,
    )
    engine.map_distinct(
        "worked_postcodes",
        "SELECT postcode FROM source_records",
        lambda value: (normalise_postcode(value, country).valid,),
        valid,
    )
    engine.map_distinct(
        "worked_provinces",
        "SELECT postcode, province FROM source_records",
        lambda postcode, province: (check_postcode_province(postcode, province, country),),
        {"fits": pa.bool_()},
    )


def _find_present(engine: Engine, records: str) -> dict[str, list[str]]:
    """Field -> the sources that have it at all: no source is blamed for what it never collects."""
    counts = ", ".join(f"count({quote(field)}) AS {quote(field)}" for field in WANTED)
    rows = engine.rows(
        f"SELECT source, count(name_valid) AS name, {counts} FROM {quote(records)} GROUP BY source ORDER BY source"
    )
    return {field: [row["source"] for row in rows if row[field]] for field in ("name", *WANTED)}


def _judge(check: Check, table: str, entity: str, customers: str, sources: list[str] | None) -> str:
    within = "true" if sources is None else f"source IN ({', '.join(literal(s) for s in sources) or 'NULL'})"
    fails = f"FILTER (WHERE {check.fails})"
    return f"""
        SELECT source, {literal(entity)} AS entity, {literal(check.field)} AS field, {literal(check.check)} AS check,
          {literal(check.dimension)} AS dimension, count(*) AS rows, count(*) {fails} AS failing,
          CAST({customers + " " + fails if customers != "NULL" else "NULL"} AS BIGINT) AS customers,
          coalesce(sum(revenue) {fails}, 0) AS revenue_at_risk
        FROM {quote(table)} WHERE {check.applies} AND {within} GROUP BY source
    """
