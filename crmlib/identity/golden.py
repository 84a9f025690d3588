"""The golden record: per field the most recent value that can be used, and where it comes from.

The parts of an address stay together: they are taken from one record, the newest with a street at the customer's
latest postcode. A whole name is put together of its parts.
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from crmlib.engine import Engine, Step
from crmlib.identity.usable import normalise_customer_records

ADDRESS_PARTS = "address_line, postcode, municipality, province, country"
#: Fields in which customers and records are compared, and what a reader calls them.
COMPARED_FIELDS = {
    "given_name": "Given name",
    "surname_1": "First surname",
    "surname_2": "Second surname",
    "email": "E-mail address",
    "phone": "Phone",
    "national_id": "National id",
    "birth_date": "Date of birth",
    "gender": "Gender",
    "address_line": "Street address",
    "postcode": "Postcode",
    "home_store_id": "Home store",
    "loyalty_card": "Loyalty card",
}

#: Every value a customer was ever given, the latest record that gives it.
FIELD_VALUES = Step(
    "field_values",
    f"""
    WITH texts AS (
        SELECT customer_id, recency, given_name, surname_1, surname_2, company, contact_type, national_id, email, phone,
               CAST(birth_date AS VARCHAR) AS birth_date, gender, language, {ADDRESS_PARTS}, home_store_id,
               CAST(employee AS VARCHAR) AS employee, loyalty_card
        FROM customer_records
    ),
    told AS (
        SELECT customer_id, recency, field, value
        FROM texts UNPIVOT (value FOR field IN (
            given_name, surname_1, surname_2, company, contact_type, national_id, email, phone, birth_date, gender,
            language, {ADDRESS_PARTS}, home_store_id, employee, loyalty_card
        ))
    ),
    differing AS (
        SELECT customer_id, field, value, max(recency) AS recency FROM told GROUP BY customer_id, field, value
    )
    SELECT customer_id, field, max_by(value, recency) AS value, max(recency) AS recency, count(*) - 1 AS alternatives
    FROM differing
    GROUP BY customer_id, field
    """,
)

CUSTOMER_ADDRESSES = Step(
    "customer_addresses",
    f"""
    WITH ranked AS (
        SELECT r.customer_id, r.recency, {ADDRESS_PARTS},
               row_number() OVER (
                   PARTITION BY r.customer_id
                   ORDER BY r.postcode IS NOT DISTINCT FROM latest.value DESC, r.address_line IS NOT NULL DESC,
                            r.recency DESC
               ) AS place
        FROM customer_records r
        LEFT JOIN field_values latest ON latest.customer_id = r.customer_id AND latest.field = 'postcode'
        WHERE coalesce(r.address_line, r.postcode, r.municipality, r.province) IS NOT NULL
    )
    SELECT customer_id, recency, {ADDRESS_PARTS} FROM ranked WHERE place = 1
    """,
)

PROVENANCE = Step(
    "provenance_made",
    f"""
    WITH parts AS (
        SELECT customer_id, recency, field, value
        FROM customer_addresses UNPIVOT (value FOR field IN ({ADDRESS_PARTS}))
    ),
    chosen AS (
        SELECT customer_id, field, recency, 'latest' AS rule, alternatives
        FROM field_values
        WHERE field NOT IN ('address_line', 'postcode', 'municipality', 'province', 'country')
        UNION ALL
        SELECT p.customer_id, p.field, p.recency, 'address_of_latest_postcode', v.alternatives
        FROM parts p
        JOIN field_values v ON v.customer_id = p.customer_id AND v.field = p.field
    )
    SELECT c.customer_id, c.field, r.source, r.source_record_id, r.updated_at AS value_updated_at, c.rule,
           c.alternatives
    FROM chosen c
    JOIN customer_records r ON r.recency = c.recency
    """,
)

CUSTOMERS_SEEN = Step(
    "customers_seen",
    """
    WITH known AS (
        SELECT customer_id, list_sort(list(DISTINCT source)) AS sources,
               min(CASE WHEN source = 'card' THEN source_record_id END) AS card
        FROM identities
        GROUP BY customer_id
    ),
    recorded AS (
        SELECT customer_id, count(*) AS records, min(created_at) AS first_seen, max(updated_at) AS last_seen,
               min_by(origin, seniority) FILTER (WHERE origin IS NOT NULL) AS origin,
               list_sort(list_distinct(flatten(list(interests) FILTER (WHERE interests IS NOT NULL)))) AS interests,
               list_sort(list_distinct(flatten(list(tags) FILTER (WHERE tags IS NOT NULL)))) AS tags
        FROM customer_records
        GROUP BY customer_id
    ),
    bought AS (
        SELECT i.customer_id, min(t.bought_at) AS first_seen, max(t.bought_at) AS last_seen
        FROM tickets t
        JOIN identities i ON i.source = t.record_source AND i.source_record_id = t.source_record_id
        GROUP BY i.customer_id
    )
    SELECT k.customer_id, k.sources, k.card, coalesce(r.records, 0) AS records, r.origin, r.interests, r.tags,
           least(r.first_seen, b.first_seen) AS first_seen, greatest(r.last_seen, b.last_seen) AS last_seen
    FROM known k
    LEFT JOIN recorded r ON r.customer_id = k.customer_id
    LEFT JOIN bought b ON b.customer_id = k.customer_id
    """,
)

CUSTOMERS = Step(
    "customers_made",
    """
    WITH golden AS (
        SELECT customer_id,
               max(CASE WHEN field = 'given_name' THEN value END) AS given_name,
               max(CASE WHEN field = 'surname_1' THEN value END) AS surname_1,
               max(CASE WHEN field = 'surname_2' THEN value END) AS surname_2,
               max(CASE WHEN field = 'company' THEN value END) AS company,
               max(CASE WHEN field = 'contact_type' THEN value END) AS contact_type,
               max(CASE WHEN field = 'national_id' THEN value END) AS national_id,
               max(CASE WHEN field = 'email' THEN value END) AS email,
               max(CASE WHEN field = 'phone' THEN value END) AS phone,
               CAST(max(CASE WHEN field = 'birth_date' THEN value END) AS DATE) AS birth_date,
               max(CASE WHEN field = 'gender' THEN value END) AS gender,
               max(CASE WHEN field = 'language' THEN value END) AS language,
               max(CASE WHEN field = 'home_store_id' THEN value END) AS home_store_id,
               CAST(max(CASE WHEN field = 'employee' THEN value END) AS BOOLEAN) AS employee,
               max(CASE WHEN field = 'loyalty_card' THEN value END) AS loyalty_card
        FROM field_values
        GROUP BY customer_id
    )
    SELECT s.customer_id,
           coalesce(
               CASE WHEN g.contact_type = 'company' THEN g.company END,
               nullif(concat_ws(' ', g.given_name, g.surname_1, g.surname_2), ''),
               g.company
           ) AS full_name,
           g.given_name, g.surname_1, g.surname_2, g.company, g.contact_type, g.national_id, g.email, g.phone,
           g.birth_date, month(g.birth_date) AS birth_month, day(g.birth_date) AS birth_day, g.gender, g.language,
           a.address_line, a.postcode, a.municipality, a.province, a.country,
           p.island, p.latitude, p.longitude,
           g.home_store_id, g.employee, coalesce(g.loyalty_card, s.card) AS loyalty_card,
           s.interests, s.tags, s.origin, s.first_seen, s.last_seen, s.sources, s.records
    FROM customers_seen s
    LEFT JOIN golden g ON g.customer_id = s.customer_id
    LEFT JOIN customer_addresses a ON a.customer_id = s.customer_id
    LEFT JOIN postcodes p ON p.postcode = a.postcode
    """,
)


def consolidate_customers(engine: Engine, as_of_date: date, country: str) -> str:
    """Make the golden record of every customer.

    Parameters
    ----------
    engine : Engine
        Holds `identities`, and `source_records`, `tickets` and `postcodes` (empty where there are none).
    as_of_date : datetime.date
        Births after it are impossible.
    country : str
        Country (ISO 3166-1 alpha-2) of phones, national ids and postcodes that do not say theirs.

    Returns
    -------
    str
        ``customers_made``, with the columns of `customers`: a row per customer of `identities`, also for those
        who have a card or purchases and no record. Beside it ``provenance_made``, with the columns of
        `provenance`: source and record of every value, the rule (latest, address_of_latest_postcode), and how
        many other values there were.
    """
    normalise_customer_records(engine, as_of_date, country)
    for step in (FIELD_VALUES, CUSTOMER_ADDRESSES, PROVENANCE, CUSTOMERS_SEEN):
        engine.run(step)
    return engine.run(CUSTOMERS)


def summarise_completeness(engine: Engine) -> pd.DataFrame:
    """Compare how complete records are with how complete customers are.

    Parameters
    ----------
    engine : Engine
        Holds `customers` and ``customer_records``.

    Returns
    -------
    DataFrame
        field (in words), records (share of records with a usable value), customers (share of the customers with
        a record who have one), gained (difference of the shares).
    """
    counts = ", ".join(f"count({field}) / nullif(count(*), 0) AS {field}" for field in COMPARED_FIELDS)
    records = engine.row(f"SELECT {counts} FROM customer_records")
    customers = engine.row(f"SELECT {counts} FROM customers WHERE records > 0")
    frame = pd.DataFrame(
        {
            "field": list(COMPARED_FIELDS.values()),
            "records": pd.Series(list(records.values()), dtype="float64"),
            "customers": pd.Series(list(customers.values()), dtype="float64"),
        }
    )
    return frame.assign(gained=frame["customers"] - frame["records"])


def summarise_provenance(engine: Engine) -> pd.DataFrame:
    """Tell which source the values of each field come from.

    Parameters
    ----------
    engine : Engine
        Holds `provenance`.

    Returns
    -------
    DataFrame
        field (in words), source, values, share (of the field's values).
    """
    found = engine.frame(
        """
        SELECT field, source, count(*) AS values, count(*) / sum(count(*)) OVER (PARTITION BY field) AS share
        FROM provenance
        GROUP BY field, source
        ORDER BY field, source
        """
    )
    found = found[found["field"].isin(list(COMPARED_FIELDS))]
    return found.assign(field=found["field"].map(COMPARED_FIELDS))


def summarise_consolidation(engine: Engine) -> dict[str, float]:
    """Count what consolidation made.

    Parameters
    ----------
    engine : Engine
        Holds `customers` and `provenance`.

    Returns
    -------
    dict
        customers, recorded (with at least one record), records, joined (customers of two records or more),
        chosen (values for which there was another), reachable (customers with an e-mail address or a phone).
    """
    return engine.row(
        """
        SELECT count(*) AS customers, count(*) FILTER (WHERE records > 0) AS recorded,
               coalesce(CAST(sum(records) AS BIGINT), 0) AS records, count(*) FILTER (WHERE records > 1) AS joined,
               count(*) FILTER (WHERE email IS NOT NULL OR phone IS NOT NULL) AS reachable,
               (SELECT count(*) FROM provenance WHERE alternatives > 0) AS chosen
        FROM customers
        """
    )
