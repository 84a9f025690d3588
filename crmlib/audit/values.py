"""What the values of a record are worth: each is judged in SQL if it is plainly right, else once per distinct value."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from crmlib.audit import plain
from crmlib.engine import Engine, Step, quote
from crmlib.fields.addresses import check_postcode_province, normalise_postcode
from crmlib.fields.dates import OLDEST_AGE, normalise_birth_date
from crmlib.fields.emails import find_meant_domain, normalise_email
from crmlib.fields.names import normalise_name
from crmlib.fields.national_ids import normalise_national_id
from crmlib.fields.phones import normalise_phone

NAMES = ("full_name", "given_name", "surnames", "surname_1", "surname_2")
#: Columns that are judged, whatever the checks ask.
JUDGED = ("email", "phone", "national_id", *NAMES, "company", "birth_date", "postcode", "province")
OTHERS = (
    "source",
    "source_record_id",
    "delivery",
    "delivery_row",
    "home_store_id",
    "updated_at",
    "address_line",
    "street",
)
VALID = {"valid": pa.bool_()}
#: Names are many and their parts few: each part is looked at once.
PLAIN_PARTS = f"""
    WITH parts AS (
      SELECT given_name AS part FROM source_records UNION SELECT coalesce(surname_1, surnames) FROM source_records
    )
    SELECT part FROM parts WHERE {plain.is_plain_part("part")}
"""

#: People are born on the days that systems write by default, too: it is one where it comes much more often than others.
DEFAULT_DATES = Step(
    "default_dates",
    """
    WITH days AS (
      SELECT source, birth_date, count(*) AS records FROM record_values WHERE birth_date IS NOT NULL GROUP BY ALL
    ),
    doubtful AS (SELECT days.* FROM days JOIN worked_birth_dates USING (birth_date) WHERE may_be_default)
    SELECT doubtful.source, doubtful.birth_date
    FROM doubtful LEFT JOIN days AS around
      ON around.source = doubtful.source AND around.birth_date <> doubtful.birth_date
      AND around.birth_date BETWEEN doubtful.birth_date - INTERVAL 60 DAY AND doubtful.birth_date + INTERVAL 60 DAY
    GROUP BY doubtful.source, doubtful.birth_date, doubtful.records
    -- five times as many as on a mean day of these four months, and more than chance brings to a small source
    HAVING doubtful.records > 3 AND doubtful.records > 5 * coalesce(sum(around.records), 0) / 120
    """,
)


def judge_values(engine: Engine, country: str, as_of_date: date, columns: list[str]) -> str:
    """Judge the values of every record.

    Parameters
    ----------
    engine : Engine
        Holds ``source_records``.
    country : str
    as_of_date : datetime.date
    columns : list of str
        Further columns of ``source_records`` that are to be kept.

    Returns
    -------
    str
        ``judged_records``, a view: a row per record with these columns, and email_ok, spelt_ok, phone_ok, phone_e164,
        national_id_ok (empty where no check digit is known), name_ok (no mere placeholder), name_whole (given name
        and surname), birth_date_ok, postcode_ok, fits_province; each empty where there is no value.
    """
    kept = ", ".join(quote(name) for name in dict.fromkeys((*OTHERS, *JUDGED, *columns)))
    engine.run(Step("plain_parts", PLAIN_PARTS))
    engine.run(
        Step(
            "record_values",
            f"""
            WITH spelt AS (
              SELECT {kept}, CASE WHEN starts_with(email, ' ') OR ends_with(email, ' ') THEN lower(trim(email))
                  ELSE lower(email) END AS email_text,
                CASE WHEN regexp_full_match(national_id, '[0-9A-Z]*') THEN national_id
                  ELSE upper(regexp_replace(national_id, '[^0-9A-Za-z]', '', 'g')) END AS id_text,
                coalesce(surname_1, surnames) AS surname,
                {plain.phone_national("phone", country)} AS phone_national
              FROM source_records
            ),
            told AS (
              SELECT *, coalesce({plain.is_plain_email("email_text")}, false) AS plain_email,
                {plain.phone_e164("phone_national", country)} AS plain_phone,
                {plain.national_id("id_text", country)} AS plain_id,
                company IS NOT NULL OR coalesce(
                  given_name IN (SELECT part FROM plain_parts) AND surname IN (SELECT part FROM plain_parts), false
                ) AS plain_name
              FROM spelt
            )
            SELECT * EXCLUDE (phone_national, surname),
              CASE WHEN plain_email THEN split_part(email_text, '@', 2) END AS provider
            FROM told
            """,
        )
    )
    _work_doubtful(engine, country, as_of_date)
    same_name = " AND ".join(f"names.{name} IS NOT DISTINCT FROM v.{name}" for name in NAMES)
    named = " OR ".join(f"v.{name} IS NOT NULL" for name in NAMES)
    own = ", ".join(f"v.{quote(name)}" for name in dict.fromkeys((*OTHERS, *columns)))
    return engine.view(
        "judged_records",
        f"""
        SELECT {own}, v.email_text, v.id_text,
          CASE WHEN v.plain_email THEN providers.valid ELSE emails.valid END AS email_ok,
          CASE WHEN v.plain_email THEN providers.spelt ELSE emails.spelt END AS spelt_ok,
          CASE WHEN v.plain_phone IS NOT NULL THEN true ELSE phones.valid END AS phone_ok,
          coalesce(v.plain_phone, phones.e164) AS phone_e164,
          CASE WHEN v.plain_id THEN true ELSE ids.valid END AS national_id_ok,
          {named} OR v.company IS NOT NULL AS name_given,
          CASE WHEN v.plain_name THEN true ELSE names.real END AS name_ok,
          CASE WHEN v.plain_name THEN true WHEN names.real THEN names.whole END AS name_whole,
          days.valid AND defaults.birth_date IS NULL AS birth_date_ok, codes.valid AS postcode_ok,
          provinces.fits AS fits_province
        FROM record_values AS v
        LEFT JOIN worked_providers AS providers ON providers.provider = v.provider
        LEFT JOIN worked_emails AS emails ON emails.email = CASE WHEN NOT v.plain_email THEN v.email END
        LEFT JOIN worked_phones AS phones ON phones.phone = CASE WHEN v.plain_phone IS NULL THEN v.phone END
        LEFT JOIN worked_ids AS ids
          ON ids.national_id = CASE WHEN v.plain_id IS DISTINCT FROM true THEN v.national_id END
        LEFT JOIN worked_names AS names ON NOT v.plain_name AND {same_name}
        LEFT JOIN worked_birth_dates AS days ON days.birth_date = v.birth_date
        LEFT JOIN default_dates AS defaults ON defaults.source = v.source AND defaults.birth_date = v.birth_date
        LEFT JOIN worked_postcodes AS codes ON codes.postcode = v.postcode
        LEFT JOIN worked_provinces AS provinces
          ON provinces.postcode = v.postcode AND provinces.province = v.province
        """,
    )


def _work_doubtful(engine: Engine, country: str, as_of_date: date) -> None:
    """Judge each distinct value that is not plainly right, and each provider."""

    def judge_email(email: str) -> tuple[bool, bool]:
        return normalise_email(email).valid, find_meant_domain(email) is None

    def judge_phone(phone: str) -> tuple[str | None, bool]:
        worked = normalise_phone(phone, country)
        return worked.e164, worked.valid

    def judge_name(*parts: str | None) -> tuple[bool, bool]:
        worked = normalise_name(*parts)
        return worked.kind is not None, worked.valid

    def judge_birth_date(value: date) -> tuple[bool, bool]:
        worked = normalise_birth_date(value, as_of_date)
        young = as_of_date.year - value.year <= OLDEST_AGE
        return worked.valid or (worked.defect == "default" and young), worked.defect == "default"

    spelt = {**VALID, "spelt": pa.bool_()}
    engine.map_distinct(
        "worked_providers",
        "SELECT provider FROM record_values",
        lambda provider: judge_email(f"nombre.apellido@{provider}"),
        spelt,
    )
    engine.map_distinct("worked_emails", "SELECT email FROM record_values WHERE NOT plain_email", judge_email, spelt)
    engine.map_distinct(
        "worked_phones",
        "SELECT phone FROM record_values WHERE plain_phone IS NULL",
        judge_phone,
        {"e164": pa.string(), **VALID},
    )
    engine.map_distinct(
        "worked_ids",
        "SELECT national_id FROM record_values WHERE plain_id IS DISTINCT FROM true",
        lambda value: (normalise_national_id(value, country).valid,),
        VALID,
    )
    engine.map_distinct(
        "worked_names",
        f"SELECT {', '.join(NAMES)} FROM record_values WHERE NOT plain_name",
        judge_name,
        {"real": pa.bool_(), "whole": pa.bool_()},
    )
    engine.map_distinct(
        "worked_birth_dates",
        "SELECT birth_date FROM record_values",
        judge_birth_date,
        {**VALID, "may_be_default": pa.bool_()},
    )
    engine.run(DEFAULT_DATES)
    engine.map_distinct(
        "worked_postcodes",
        "SELECT postcode FROM record_values",
        lambda value: (normalise_postcode(value, country).valid,),
        VALID,
    )
    engine.map_distinct(
        "worked_provinces",
        "SELECT postcode, province FROM record_values",
        lambda postcode, province: (check_postcode_province(postcode, province, country),),
        {"fits": pa.bool_()},
    )
