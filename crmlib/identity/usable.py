"""Values that can be used: of each record the ones that can exist, each in its one form."""

from __future__ import annotations

from datetime import date
from functools import partial

import pyarrow as pa

from crmlib.engine import Engine, Step
from crmlib.fields.addresses import normalise_postcode
from crmlib.fields.dates import normalise_birth_date
from crmlib.fields.emails import normalise_email
from crmlib.fields.names import normalise_name
from crmlib.fields.national_ids import normalise_national_id
from crmlib.fields.phones import normalise_phone

CUSTOMER_RECORDS = Step(
    "customer_records",
    """
    WITH usable AS (
        SELECT i.customer_id, r.source, r.source_record_id, r.updated_at,
               coalesce(r.created_at, r.updated_at) AS created_at,
               n.used_given_name AS given_name,
               n.used_surname_1 AS surname_1,
               n.used_surname_2 AS surname_2,
               coalesce(n.used_company, r.company) AS company,
               coalesce(r.contact_type, n.kind, CASE WHEN r.company IS NOT NULL THEN 'company' END) AS contact_type,
               d.used_national_id AS national_id,
               e.used_email AS email,
               p.used_phone AS phone,
               b.used_birth_date AS birth_date,
               r.gender,
               lower(r.language) AS language,
               coalesce(
                   r.address_line,
                   nullif(concat_ws(' ', r.street_type, r.street, r.house_number, r.unit), '')
               ) AS address_line,
               c.used_postcode AS postcode,
               r.municipality,
               coalesce(c.used_province, r.province) AS province,
               r.country,
               r.home_store_id,
               r.employee,
               r.loyalty_card,
               r.interests,
               r.tags,
               r.origin,
               coalesce(r.deleted, false) AS deleted
        FROM source_records r
        JOIN identities i ON i.source = r.source AND i.source_record_id = r.source_record_id
        LEFT JOIN usable_names n
            ON n.full_name IS NOT DISTINCT FROM r.full_name AND n.given_name IS NOT DISTINCT FROM r.given_name
            AND n.surnames IS NOT DISTINCT FROM r.surnames AND n.surname_1 IS NOT DISTINCT FROM r.surname_1
            AND n.surname_2 IS NOT DISTINCT FROM r.surname_2
        LEFT JOIN usable_national_ids d ON d.national_id = r.national_id
        LEFT JOIN usable_emails e ON e.email = r.email
        LEFT JOIN usable_phones p ON p.phone = r.phone
        LEFT JOIN usable_birth_dates b ON b.birth_date = r.birth_date
        LEFT JOIN usable_postcodes c ON c.postcode = r.postcode
    )
    SELECT *,
           row_number() OVER (
               ORDER BY NOT deleted, updated_at, created_at, source, source_record_id
           ) AS recency,
           row_number() OVER (ORDER BY created_at, updated_at, source, source_record_id) AS seniority
    FROM usable
    """,
)

CONTACT_KEYS = Step(
    "contact_keys",
    """
    SELECT DISTINCT customer_id, key_kind, key
    FROM (
        SELECT customer_id, 'email' AS key_kind, email AS key FROM customer_records
        UNION ALL
        SELECT customer_id, 'phone', phone FROM customer_records
        UNION ALL
        SELECT customer_id, 'national_id', national_id FROM customer_records
        UNION ALL
        SELECT customer_id, 'loyalty_card', loyalty_card FROM customer_records
        UNION ALL
        SELECT customer_id, 'loyalty_card', source_record_id FROM identities WHERE source = 'card'
    )
    WHERE key IS NOT NULL
    """,
)


def normalise_customer_records(engine: Engine, as_of_date: date, country: str) -> str:
    """Write every record's values in their one form, without those that cannot exist.

    Parameters
    ----------
    engine : Engine
        Holds `source_records` and `identities`.
    as_of_date : datetime.date
        Births after it are impossible.
    country : str
        Country (ISO 3166-1 alpha-2) of phones, national ids and postcodes that do not say theirs.

    Returns
    -------
    str
        ``customer_records``: a row per record with customer_id, its values as `customers` has them, updated_at,
        created_at, deleted, recency (1, 2, … from the record updated first, before it those that their source holds no
        more; no two are equal) and seniority (from the one created first). Beside it
        ``contact_keys`` (customer_id, key_kind, key): every e-mail, phone, national id
        and card of each customer, also of earlier times.
    """
    text = pa.string()
    engine.map_distinct(
        "usable_names",
        "SELECT full_name, given_name, surnames, surname_1, surname_2 FROM source_records",
        _use_name,
        dict.fromkeys(("used_given_name", "used_surname_1", "used_surname_2", "used_company", "kind"), text),
    )
    engine.map_distinct("usable_emails", "SELECT email FROM source_records", use_email, {"used_email": text})
    engine.map_distinct(
        "usable_phones", "SELECT phone FROM source_records", partial(use_phone, country=country), {"used_phone": text}
    )
    engine.map_distinct(
        "usable_national_ids",
        "SELECT national_id FROM source_records",
        partial(use_national_id, country=country),
        {"used_national_id": text},
    )
    engine.map_distinct(
        "usable_birth_dates",
        "SELECT birth_date FROM source_records",
        partial(_use_birth_date, as_of_date=as_of_date),
        {"used_birth_date": pa.date32()},
    )
    engine.map_distinct(
        "usable_postcodes",
        "SELECT postcode FROM source_records",
        partial(_use_postcode, country=country),
        {"used_postcode": text, "used_province": text},
    )
    engine.run(CUSTOMER_RECORDS)
    engine.run(CONTACT_KEYS)
    return CUSTOMER_RECORDS.name


def use_email(email: str | None) -> tuple[str | None]:
    """The address in its one form; nothing if it is none."""
    read = normalise_email(email)
    return (read.address if read.valid else None,)


def use_phone(phone: str | None, country: str) -> tuple[str | None]:
    """The number in E.164; nothing if nobody could answer it."""
    read = normalise_phone(phone, country)
    return (read.e164 if read.valid else None,)


def use_national_id(national_id: str | None, country: str) -> tuple[str | None]:
    """The id in its one form; nothing if its check digit is wrong."""
    read = normalise_national_id(national_id, country)
    return (None if read.valid is False else read.value,)


def _use_name(
    full_name: str | None, given_name: str | None, surnames: str | None, surname_1: str | None, surname_2: str | None
) -> tuple[str | None, ...]:
    name = normalise_name(full_name, given_name, surnames, surname_1, surname_2)
    return name.given_name, name.surname_1, name.surname_2, name.company, name.kind


def _use_birth_date(birth_date: date | None, as_of_date: date) -> tuple[date | None]:
    return (normalise_birth_date(birth_date, as_of_date).date,)


def _use_postcode(postcode: str | None, country: str) -> tuple[str | None, str | None]:
    read = normalise_postcode(postcode, country)
    return (read.postcode, read.province) if read.valid else (None, None)
