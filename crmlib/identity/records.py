"""Records as the linkage model sees them: each field in the one form in which it is compared."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache, partial

import pyarrow as pa

from crmlib.engine import Engine, Step
from crmlib.fields.addresses import normalise_address, normalise_postcode
from crmlib.fields.dates import normalise_birth_date
from crmlib.fields.emails import normalise_email
from crmlib.fields.names import fold_name, is_common_given_name, list_given_name_variants, normalise_name
from crmlib.fields.national_ids import normalise_national_id
from crmlib.fields.phones import normalise_phone
from crmlib.fields.text import fold_text

#: A mailbox, phone or id that this many differently named people give says nothing about any of them.
MOST_SHARING = 8
#: What stands beyond this many letters of a field is not compared.
LONGEST_TEXT = 200

#: What is normalised of a record; whose these are as they were is normalised already.
FIELDS = (
    "full_name", "given_name", "surnames", "surname_1", "surname_2", "company", "job_title", "national_id", "email",
    "phone", "birth_date", "address_line", "street_type", "street", "house_number", "unit", "postcode", "municipality",
)  # fmt: skip

TOLD = ", ".join(f"coalesce({field}::VARCHAR, '')" for field in FIELDS)
HASHED_RECORDS = Step(
    "hashed_records",
    f"""
    WITH hashed AS (
        SELECT source, source_record_id, md5(concat_ws(chr(31), {TOLD})) AS record_hash FROM source_records
    )
    SELECT row_number() OVER (ORDER BY source, source_record_id) AS record_no, * FROM hashed
    """,
)

#: Records that are as they were: their numbers now and then.
STANDING_NUMBERS = Step(
    "standing_numbers",
    """
    SELECT h.record_no, s.record_no AS standing_no
    FROM hashed_records h
    JOIN standing_records s
        ON s.source = h.source AND s.source_record_id = h.source_record_id AND s.record_hash = h.record_hash
    """,
)

FRESH_RECORDS = Step(
    "fresh_records",
    """
    WITH fresh AS (SELECT * FROM hashed_records ANTI JOIN standing_numbers USING (record_no))
    SELECT f.record_no, f.record_hash, r.*
    FROM source_records r
    JOIN fresh f ON f.source = r.source AND f.source_record_id = r.source_record_id
    """,
)

NORMALISED_RECORDS = Step(
    "normalised_records",
    """
    SELECT r.record_no,
           r.source,
           r.source_record_id,
           r.record_hash,
           n.kind,
           n.given_key,
           n.given_variants,
           n.given_words,
           n.given_initials,
           n.given_abbreviated,
           n.given_common,
           n.given_block,
           n.surname_1_key,
           n.surname_2_key,
           n.name_key,
           CASE WHEN e.email_kind = 'personal' OR n.kind = 'company' THEN e.mailbox END AS mailbox,
           e.email_digits,
           CASE WHEN p.phone_valid THEN p.e164 END AS phone,
           p.phone_kind,
           i.id_value AS national_id,
           i.id_valid AS national_id_valid,
           CASE WHEN b.birth_defect IS DISTINCT FROM 'default' THEN strftime(r.birth_date, '%Y%m%d') END AS birth_day,
           j.job_key,
           a.street_key,
           a.number_key,
           a.unit_key,
           c.postcode_key,
           m.municipality_key
    FROM fresh_records r
    LEFT JOIN person_names n
        ON n.full_name IS NOT DISTINCT FROM r.full_name AND n.given_name IS NOT DISTINCT FROM r.given_name
        AND n.surnames IS NOT DISTINCT FROM r.surnames AND n.surname_1 IS NOT DISTINCT FROM r.surname_1
        AND n.surname_2 IS NOT DISTINCT FROM r.surname_2 AND n.company IS NOT DISTINCT FROM r.company
    LEFT JOIN emails e ON e.email = r.email
    LEFT JOIN phones p ON p.phone = r.phone
    LEFT JOIN national_ids i ON i.national_id = r.national_id
    LEFT JOIN birth_days b ON b.birth_date = r.birth_date
    LEFT JOIN addresses a
        ON a.address_line IS NOT DISTINCT FROM r.address_line AND a.street_type IS NOT DISTINCT FROM r.street_type
        AND a.street IS NOT DISTINCT FROM r.street AND a.house_number IS NOT DISTINCT FROM r.house_number
        AND a.unit IS NOT DISTINCT FROM r.unit
    LEFT JOIN postcodes_told c ON c.postcode = r.postcode
    LEFT JOIN municipalities m ON m.municipality = r.municipality
    LEFT JOIN job_titles j ON j.job_title = r.job_title
    ORDER BY r.record_no
    """,
)

PREPARED_RECORDS = """
    SELECT * FROM normalised_records
    UNION ALL BY NAME
    SELECT n.record_no, s.* EXCLUDE (record_no)
    FROM standing_records s
    JOIN standing_numbers n ON n.standing_no = s.record_no
"""

CHANGED_RECORDS = Step("changed_records", "SELECT record_no FROM fresh_records")

#: Fields whose value few people share.
SHARED_FIELDS = ("mailbox", "phone", "national_id")
CONTACT_VALUES = Step("contact_values", f"SELECT name_key, {', '.join(SHARED_FIELDS)} FROM prepared_records")
FREQUENT = " UNION ALL ".join(
    f"SELECT '{field}' AS field, {field} AS value FROM contact_values "
    f"WHERE {field} IS NOT NULL GROUP BY {field} HAVING count(*) >= $most_sharing"
    for field in SHARED_FIELDS
)
HOLDERS = " UNION ALL ".join(
    f"SELECT f.field, f.value, r.name_key FROM contact_values r "
    f"JOIN frequent f ON f.field = '{field}' AND f.value = r.{field}"
    for field in SHARED_FIELDS
)
SHARED_VALUES = Step(
    "shared_values",
    f"""
    WITH frequent AS ({FREQUENT}),
    holders AS ({HOLDERS})
    SELECT field, value, count(DISTINCT name_key) AS names, count(*) AS records
    FROM holders
    GROUP BY field, value
    HAVING count(DISTINCT name_key) >= $most_sharing
    """,
)

LINKAGE_RECORDS = Step(
    "linkage_records",
    """
    WITH telling AS (
        SELECT r.*,
               CASE WHEN m.value IS NULL THEN r.mailbox END AS telling_mailbox,
               CASE WHEN p.value IS NULL THEN r.phone END AS telling_phone,
               CASE WHEN i.value IS NULL THEN r.national_id END AS telling_id
        FROM prepared_records r
        LEFT JOIN shared_values m ON m.field = 'mailbox' AND m.value = r.mailbox
        LEFT JOIN shared_values p ON p.field = 'phone' AND p.value = r.phone
        LEFT JOIN shared_values i ON i.field = 'national_id' AND i.value = r.national_id
    )
    SELECT r.record_no,
           r.source,
           r.source_record_id,
           r.kind,
           r.given_key,
           r.given_variants,
           r.given_words,
           r.given_initials,
           r.given_abbreviated,
           r.given_common,
           r.given_block,
           r.surname_1_key,
           r.surname_2_key,
           r.name_key,
           r.telling_mailbox AS mailbox,
           split_part(r.telling_mailbox, '@', 1) AS email_local,
           CASE WHEN r.telling_mailbox IS NOT NULL THEN r.email_digits END AS email_digits,
           r.telling_phone AS phone,
           CASE WHEN r.phone_kind = 'landline' THEN r.telling_phone END AS landline,
           r.telling_id AS national_id,
           CASE WHEN r.telling_id IS NOT NULL THEN r.national_id_valid END AS national_id_valid,
           r.birth_day,
           r.job_key,
           r.street_key,
           r.number_key,
           r.unit_key,
           r.postcode_key,
           r.municipality_key
    FROM telling r
    """,
)


def normalise_records(engine: Engine, as_of_date: date, country: str, standing: str | None = None) -> str:
    """Normalise every field of `source_records`, each distinct value once.

    Parameters
    ----------
    engine : Engine
        Holds `source_records`.
    as_of_date : datetime.date
        Births after it are impossible.
    country : str
        Country (ISO 3166-1 alpha-2) of phones, national ids and postcodes that do not say theirs.
    standing : str, optional
        An earlier run's ``prepared_records``: records whose fields are as they were then are taken from it.

    Returns
    -------
    str
        ``linkage_records``: record_no (dense, by source and source_record_id), source, source_record_id, kind,
        given_key, given_variants (names it may stand for), given_words (of all variants), given_initials,
        given_abbreviated (a word is an initial), given_common, given_block, surname_1_key, surname_2_key,
        name_key (all words, sorted), mailbox, email_local, email_digits, phone, landline, national_id,
        national_id_valid (null: no check known), birth_day (yyyymmdd; also one that nobody alive can have, which still
        tells records apart), job_key, street_key, number_key, unit_key, postcode_key, municipality_key. Beside it
        ``shared_values`` holds the mailboxes, phones and ids left out
        because `MOST_SHARING` differently named people or more give them; ``prepared_records`` what a later run can
        begin from; and ``changed_records`` the record_no of those that were normalised now.
    """
    engine.run(HASHED_RECORDS)
    nobody = "SELECT 0::BIGINT AS record_no, '' AS source, '' AS source_record_id, '' AS record_hash WHERE false"
    engine.view("standing_records", f"FROM {standing}" if standing else nobody)
    engine.run(STANDING_NUMBERS)
    engine.run(FRESH_RECORDS)
    text, flag = pa.string(), pa.bool_()
    engine.map_distinct(
        "person_names",
        "SELECT full_name, given_name, surnames, surname_1, surname_2, company FROM fresh_records",
        _name_keys,
        {
            "kind": text,
            "given_key": text,
            "given_variants": pa.list_(text),
            "given_words": pa.list_(text),
            "given_initials": text,
            "given_abbreviated": flag,
            "given_common": flag,
            "given_block": text,
            "surname_1_key": text,
            "surname_2_key": text,
            "name_key": text,
        },
    )
    engine.map_distinct(
        "emails",
        "SELECT email FROM fresh_records",
        _email_keys,
        {"mailbox": text, "email_digits": text, "email_kind": text},
    )
    engine.map_distinct(
        "phones",
        "SELECT phone FROM fresh_records",
        partial(normalise_phone, region=country),
        {"e164": text, "phone_kind": text, "phone_valid": flag},
    )
    engine.map_distinct(
        "national_ids",
        "SELECT national_id FROM fresh_records",
        partial(normalise_national_id, country=country),
        {"id_value": text, "id_kind": text, "id_valid": flag},
    )
    engine.map_distinct(
        "birth_days",
        "SELECT birth_date FROM fresh_records",
        partial(normalise_birth_date, as_of_date=as_of_date),
        {"born_on": pa.date32(), "birth_defect": text, "birth_valid": flag},
    )
    engine.map_distinct(
        "addresses",
        "SELECT address_line, street_type, street, house_number, unit FROM fresh_records",
        _address_keys,
        {"street_key": text, "number_key": text, "unit_key": text},
    )
    engine.map_distinct(
        "postcodes_told",
        "SELECT postcode FROM fresh_records",
        partial(_postcode_keys, country=country),
        {"postcode_key": text},
    )
    engine.map_distinct("municipalities", "SELECT municipality FROM fresh_records", _fold, {"municipality_key": text})
    engine.map_distinct("job_titles", "SELECT job_title FROM fresh_records", _fold, {"job_key": text})
    engine.run(NORMALISED_RECORDS)
    engine.view("prepared_records", PREPARED_RECORDS)
    engine.run(CHANGED_RECORDS)
    engine.run(CONTACT_VALUES)
    engine.run(SHARED_VALUES, most_sharing=MOST_SHARING)
    return engine.run(LINKAGE_RECORDS)


def _name_keys(
    full_name: str | None,
    given_name: str | None,
    surnames: str | None,
    surname_1: str | None,
    surname_2: str | None,
    company: str | None,
) -> tuple[str | list[str] | bool | None, ...]:
    name = normalise_name(full_name, given_name, surnames, surname_1, surname_2)
    if name.kind is None and company:
        name = name._replace(kind="company", company=company)
    if name.kind == "company":
        key = fold_text((name.company or "")[:LONGEST_TEXT]) or None
        return "company", *[None] * 7, key, None, key
    given = fold_name(name.given_name)
    first, second = fold_name(name.surname_1), fold_name(name.surname_2)
    all_words = sorted(" ".join(filter(None, (given, first, second))).split())
    return name.kind, *_given_name_keys(given), first, second, " ".join(all_words) or None


@lru_cache(maxsize=65_536)
def _given_name_keys(given: str | None) -> tuple[str | list[str] | bool | None, ...]:
    words = (given or "").split()
    variants = list_given_name_variants(given)
    others = [variant for variant in variants if variant != given]
    return (
        given,
        variants or None,
        sorted({word for variant in variants for word in variant.split()}) or None,
        "".join(word[0] for word in words) or None,
        any(len(word) == 1 for word in words),
        is_common_given_name(given),
        others[0] if len(others) == 1 else given,
    )


def _email_keys(email: str | None) -> tuple[str | None, str | None, str | None]:
    read = normalise_email(email)
    digits = None if read.mailbox is None else re.sub("[^0-9]+", "", read.mailbox)
    return read.mailbox, digits, read.kind


def _address_keys(
    address_line: str | None,
    street_type: str | None,
    street: str | None,
    house_number: str | None,
    unit: str | None,
) -> tuple[str | None, str | None, str | None]:
    read = normalise_address(address_line, street_type, street, house_number, unit)
    number = None if read.house_number in ("S/N", "0") else read.house_number
    return read.street_key, number, fold_text(read.unit) or None


def _postcode_keys(postcode: str | None, country: str) -> tuple[str | None]:
    read = normalise_postcode(postcode, country)
    return (read.postcode if read.valid else None,)


def _fold(value: str | None) -> tuple[str | None]:
    return (fold_text((value or "")[:LONGEST_TEXT]) or None,)
