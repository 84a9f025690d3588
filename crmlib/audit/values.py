"""What the values of records are worth: of each field the distinct values that are not right; all others are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa

from crmlib.audit import plain
from crmlib.engine import Engine, Step
from crmlib.fields.addresses import check_postcode_province, normalise_postcode
from crmlib.fields.dates import list_defaults
from crmlib.fields.emails import find_meant_domain, normalise_email
from crmlib.fields.names import normalise_name
from crmlib.fields.national_ids import normalise_national_id
from crmlib.fields.phones import normalise_phone

NAMES = ("full_name", "given_name", "surnames", "surname_1", "surname_2")
#: An address in the form in which two are compared.
EMAIL_TEXT = "CASE WHEN starts_with(email, ' ') OR ends_with(email, ' ') THEN lower(trim(email)) ELSE lower(email) END"
ID_TEXT = (
    "CASE WHEN regexp_full_match(national_id, '[0-9A-Z]*') THEN national_id "
    "ELSE upper(regexp_replace(national_id, '[^\\p{L}\\p{N}]', '', 'g')) END"
)
VALID = {"valid": pa.bool_()}
#: Names are many and their parts few: each part is looked at once.
PLAIN_PARTS = f"""
    WITH parts AS (
      SELECT given_name AS part FROM source_records UNION SELECT coalesce(surname_1, surnames) FROM source_records
    )
    SELECT part FROM parts WHERE {plain.is_plain_part("part")}
"""
DOUBTFUL_NAMES = f"""
    SELECT {", ".join(NAMES)} FROM source_records
    WHERE company IS NULL AND NOT coalesce(
      CASE WHEN coalesce(given_name, surname_1, surname_2, surnames) IS NULL
        THEN {plain.is_plain_whole_name("full_name")}
        ELSE given_name IN (SELECT part FROM plain_parts)
          AND coalesce(surname_1, surnames) IN (SELECT part FROM plain_parts) END,
      false)
"""
#: People are born on the days that systems write by default, too: it is one where it comes much more often than others.
DEFAULT_DATES = Step(
    "default_dates",
    f"""
    WITH days AS (
      SELECT source, birth_date, count(*) AS records FROM source_records WHERE birth_date IS NOT NULL GROUP BY ALL
    ),
    doubtful AS (
      SELECT * FROM days WHERE birth_date IN ({", ".join(f"DATE '{day}'" for day in sorted(list_defaults()))})
    )
    SELECT doubtful.source, doubtful.birth_date
    FROM doubtful LEFT JOIN days AS around
      ON around.source = doubtful.source AND around.birth_date <> doubtful.birth_date
      AND around.birth_date BETWEEN doubtful.birth_date - INTERVAL 60 DAY AND doubtful.birth_date + INTERVAL 60 DAY
    GROUP BY doubtful.source, doubtful.birth_date, doubtful.records
    -- five times as many as on a mean day of these four months, and more than chance brings to a small source
    HAVING doubtful.records > 3 AND doubtful.records > 5 * coalesce(sum(around.records), 0) / 120
    """,
)


def judge_values(engine: Engine, country: str, as_of_date: date) -> None:
    """Find the values that are not right: in SQL where that is plain, else once per distinct value.

    Makes ``marked_records``, with what is told of each record's addresses and numbers, and ``marked_phones``;
    ``faulty_emails``, ``faulty_phones``, ``faulty_ids``, ``faulty_names``, ``faulty_postcodes`` and
    ``faulty_provinces``: the values that are not right, as they were delivered, and what of them is not; and
    ``default_dates``.

    Parameters
    ----------
    engine : Engine
        Holds ``source_records``.
    country : str
    as_of_date : datetime.date
    """
    national = plain.phone_national("phone", country)
    engine.run(
        Step(
            "marked_records",
            f"""
            WITH spelt AS (
              SELECT source, email, {EMAIL_TEXT} AS email_text, phone, {national} AS phone_national,
                national_id, {ID_TEXT} AS id_text
              FROM source_records
            ),
            told AS (
              SELECT *, {plain.tell_email("email_text")} AS email_told,
                {plain.phone_e164("phone_national", country)} AS phone_told,
                {plain.tell_national_id("id_text", country)} AS id_told
              FROM spelt
            )
            SELECT source, email, email_told, phone, phone_told, national_id, id_text, id_told FROM told
            """,
        )
    )
    _find_faulty_emails(engine)
    _find_faulty_phones(engine, country)
    _find_faulty_ids(engine, country)
    engine.run(Step("plain_parts", PLAIN_PARTS))

    def judge_name(*parts: str | None) -> tuple[bool, bool]:
        worked = normalise_name(*parts)
        return worked.kind is not None, worked.valid

    _judge(engine, "name", DOUBTFUL_NAMES, judge_name, {"real": pa.bool_(), "whole": pa.bool_()}, "real AND whole")
    engine.run(DEFAULT_DATES)
    _judge(
        engine, "postcode", "SELECT postcode FROM source_records",
        lambda value: (normalise_postcode(value, country).valid,), VALID, "valid",
    )  # fmt: skip
    _judge(
        engine, "province",
        "SELECT postcode, province FROM source_records WHERE postcode IS NOT NULL AND province IS NOT NULL",
        lambda postcode, province: (check_postcode_province(postcode, province, country),),
        {"fits": pa.bool_()}, "fits",
    )  # fmt: skip


def _judge(
    engine: Engine,
    kind: str,
    sql: str,
    function: Callable[..., tuple[Any, ...]],
    fields: dict[str, pa.DataType],
    right: str,
) -> None:
    """Judge each distinct value that a query gives, and keep those that are not right."""
    judged = engine.map_distinct(f"judged_{kind}s", sql, function, fields)
    engine.run(Step(f"faulty_{kind}s", f"SELECT * FROM {judged} WHERE ({right}) IS DISTINCT FROM true"))


def _find_faulty_emails(engine: Engine) -> None:
    def judge_email(email: str) -> tuple[bool, bool]:
        return normalise_email(email).valid, find_meant_domain(email) is None

    spelt = {**VALID, "spelt": pa.bool_()}
    provider = f"split_part({EMAIL_TEXT}, '@', 2)"
    _judge(
        engine, "provider", f"SELECT {provider} AS provider FROM marked_records WHERE email_told",
        lambda provider: judge_email(f"nombre.apellido@{provider}"), spelt, "valid AND spelt",
    )  # fmt: skip
    engine.map_distinct(
        "judged_emails", "SELECT email FROM marked_records WHERE email_told IS NULL", judge_email, spelt
    )
    engine.run(
        Step(
            "faulty_emails",
            f"""
            SELECT email, valid, spelt FROM judged_emails WHERE NOT (valid AND spelt)
            UNION ALL
            SELECT DISTINCT email, false, CAST(NULL AS BOOLEAN) FROM marked_records WHERE NOT email_told
            UNION ALL
            SELECT DISTINCT email, valid, spelt
            FROM marked_records JOIN faulty_providers ON faulty_providers.provider = {provider} WHERE email_told
            """,
        )
    )


def _find_faulty_phones(engine: Engine, country: str) -> None:
    def judge_phone(phone: str) -> tuple[str | None, bool]:
        worked = normalise_phone(phone, country)
        return worked.e164, worked.valid

    wrong = plain.is_wrong_phone("phone", country)
    unknown = "FROM marked_records WHERE phone_told IS NULL"
    engine.map_distinct(
        "judged_phones", f"SELECT phone {unknown} AND NOT {wrong}", judge_phone, {"e164": pa.string(), **VALID}
    )
    engine.view(
        "marked_phones",
        """
        SELECT source, marked.phone, coalesce(phone_told, e164) AS e164
        FROM marked_records AS marked
        LEFT JOIN judged_phones AS judged ON judged.phone = CASE WHEN phone_told IS NULL THEN marked.phone END
        """,
    )
    faulty = f"SELECT phone FROM judged_phones WHERE NOT valid UNION ALL SELECT DISTINCT phone {unknown} AND {wrong}"
    engine.run(Step("faulty_phones", faulty))


def _find_faulty_ids(engine: Engine, country: str) -> None:
    engine.map_distinct(
        "judged_ids",
        "SELECT national_id FROM marked_records WHERE id_told IS NULL",
        lambda value: (normalise_national_id(value, country).valid,),
        VALID,
    )
    engine.run(
        Step(
            "faulty_ids",
            """
            SELECT national_id, valid FROM judged_ids WHERE valid IS DISTINCT FROM true
            UNION ALL
            SELECT DISTINCT national_id, false FROM marked_records WHERE NOT id_told
            """,
        )
    )
