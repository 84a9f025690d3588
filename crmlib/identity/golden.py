"""The golden record: per field the value that survives, and where it comes from.

Where no rule says otherwise that is the most recent that can be used. The parts of an address stay together: they are
taken from one record, the newest with a street at the customer's latest postcode. A whole name is put together of its
parts.
"""

from __future__ import annotations

from datetime import date

from crmlib.engine import Engine, Step
from crmlib.identity.rulings import Rulings
from crmlib.identity.survivorship import FIELDS, choose_values
from crmlib.identity.usable import normalise_customer_records
from crmlib.params import GoldenSettings

PROVENANCE = Step(
    "provenance_made",
    """
    SELECT c.customer_id, c.field, r.source, r.source_record_id, r.updated_at AS value_updated_at, c.rule,
           c.alternatives, c.alternative_records
    FROM chosen_values c
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
"""
    + ",\n".join(f"               max(CASE WHEN field = '{field}' THEN value END) AS {field}" for field in FIELDS)
    + """
        FROM chosen_values
        GROUP BY customer_id
    )
    SELECT s.customer_id,
           coalesce(
               CASE WHEN g.contact_type = 'company' THEN g.company END,
               nullif(concat_ws(' ', g.given_name, g.surname_1, g.surname_2), ''),
               g.company
           ) AS full_name,
           g.given_name, g.surname_1, g.surname_2, g.company, g.contact_type, g.national_id, g.email, g.phone,
           CAST(g.birth_date AS DATE) AS birth_date, month(CAST(g.birth_date AS DATE)) AS birth_month,
           day(CAST(g.birth_date AS DATE)) AS birth_day, g.gender, g.language,
           g.address_line, g.postcode, g.municipality, g.province, g.country,
           p.island, p.latitude, p.longitude,
           g.home_store_id, CAST(g.employee AS BOOLEAN) AS employee, coalesce(g.loyalty_card, s.card) AS loyalty_card,
           s.interests, s.tags, s.origin, s.first_seen, s.last_seen, s.sources, s.records
    FROM customers_seen s
    LEFT JOIN golden g ON g.customer_id = s.customer_id
    LEFT JOIN postcodes p ON p.postcode = g.postcode
    """,
)


def consolidate_customers(
    engine: Engine,
    as_of_date: date,
    country: str,
    settings: GoldenSettings | None = None,
    rulings: Rulings | None = None,
) -> str:
    """Make the golden record of every customer.

    Parameters
    ----------
    engine : Engine
        Holds `identities`, and `source_records`, `tickets` and `postcodes` (empty where there are none).
    as_of_date : datetime.date
        Births after it are impossible.
    country : str
        Country (ISO 3166-1 alpha-2) of phones, national ids and postcodes that do not say theirs.
    settings : GoldenSettings, optional
        Rules by field; absent: the latest value survives.
    rulings : Rulings, optional
        Values that people pinned.

    Returns
    -------
    str
        ``customers_made``, with the columns of `customers`: a row per customer of `identities`, also for those
        who have a card or purchases and no record. Beside it ``provenance_made``, with the columns of
        `provenance`: source and record of every value, the rule that chose it, and the records of the other values
        there were.
    """
    normalise_customer_records(engine, as_of_date, country)
    choose_values(engine, settings or GoldenSettings(), rulings or Rulings())
    engine.run(PROVENANCE)
    engine.run(CUSTOMERS_SEEN)
    return engine.run(CUSTOMERS)
