"""What the room shows: small tables without a value of any person."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date

import pandas as pd

from crmlib.engine import Engine, Step

#: Pairs less probable than this are not written.
LEAST_PROBABILITY = 0.001

FIELDS = {
    "given_key": "Given name",
    "surname_1_key": "First surname or company",
    "surname_2_key": "Second surname",
    "birth_day": "Date of birth",
    "national_id": "National id",
    "mailbox": "E-mail",
    "phone": "Phone",
    "street_key": "Street",
    "postcode_key": "Postcode",
    "municipality_key": "Municipality",
}


def summarise_fields(engine: Engine) -> pd.DataFrame:
    """Summarise what the records can be compared by.

    Parameters
    ----------
    engine : Engine
        Holds ``linkage_records`` and ``shared_values``.

    Returns
    -------
    pandas.DataFrame
        One row per field: field, filled (share of the records), values (distinct), records_left_out (whose value
        too many differently named people give).
    """
    parts = " UNION ALL ".join(
        f"SELECT {place} AS place, '{column}' AS name, count({column}) / greatest(count(*), 1) AS filled, "
        f"count(DISTINCT {column}) AS values FROM linkage_records"
        for place, column in enumerate(FIELDS)
    )
    found = engine.frame(
        f"""
        WITH fields AS ({parts}),
        left_out AS (SELECT field, sum(records)::BIGINT AS records FROM shared_values GROUP BY field)
        SELECT f.name, f.filled, f.values, coalesce(l.records, 0) AS records_left_out
        FROM fields f LEFT JOIN left_out l ON l.field = f.name
        ORDER BY f.place
        """
    )
    found.insert(0, "field", found.pop("name").map(FIELDS))
    return found


def summarise_weights(engine: Engine) -> pd.DataFrame:
    """Count the scored pairs by weight: match_weight (log2, in halves), pairs."""
    return engine.frame(
        "SELECT floor(2 * greatest(match_weight, -20)) / 2 AS match_weight, count(*) AS pairs FROM decided_pairs "
        "WHERE NOT contradicted AND decided_by = 'model' GROUP BY 1 ORDER BY 1"
    )


def summarise_decisions(engine: Engine, match_threshold: float) -> pd.DataFrame:
    """Count what became of the scored pairs.

    Parameters
    ----------
    engine : Engine
        Holds ``decided_pairs`` and ``clusters``.
    match_threshold : float

    Returns
    -------
    pandas.DataFrame
        decision, pairs.
    """
    return engine.frame(
        """
        WITH judged AS (
            SELECT p.contradicted, p.decided_by,
                   p.match_probability >= $threshold AS links,
                   l.cluster = r.cluster AS together
            FROM decided_pairs p
            JOIN clusters l ON l.record_no = p.record_no_l
            JOIN clusters r ON r.record_no = p.record_no_r
        ),
        told AS (
            SELECT CASE WHEN decided_by = 'reviewer' THEN CASE WHEN together THEN 4 ELSE 7 END
                        WHEN contradicted THEN 6 WHEN NOT links AND together THEN 3 WHEN NOT links THEN 8
                        WHEN NOT together THEN 5 WHEN decided_by = 'deterministic' THEN 1 ELSE 2 END AS place
            FROM judged
        )
        SELECT decision, count(t.place) AS pairs
        FROM (VALUES (1, 'one person: the same valid national id'), (2, 'one person: by the model'),
                     (3, 'one person: through other records'), (4, 'one person: a reviewer says so'),
                     (5, 'refused: would chain different people'),
                     (6, 'refused: ids or dates of birth rule it out'), (7, 'refused: a reviewer says so'),
                     (8, 'not alike enough')) AS d(place, decision)
        LEFT JOIN told t USING (place)
        GROUP BY d.place, decision
        ORDER BY d.place
        """,
        threshold=match_threshold,
    )


def estimate_quality(engine: Engine, match_threshold: float) -> dict[str, float]:
    """Estimate, by the model's own probabilities, how right the links are.

    Parameters
    ----------
    engine : Engine
        Holds ``decided_pairs``.
    match_threshold : float

    Returns
    -------
    dict
        precision: expected share of the links that are matches; recall: expected share of the matches among the
        scored pairs that are links. What blocking did not compare is in neither.
    """
    found = engine.row(
        """
        WITH judged AS (
            SELECT match_probability, match_probability >= $threshold AND NOT contradicted AS links FROM decided_pairs
        )
        SELECT count(*) FILTER (WHERE links) AS links,
               coalesce(sum(match_probability) FILTER (WHERE links), 0) AS right_links,
               coalesce(sum(match_probability), 0) AS matches
        FROM judged
        """,
        threshold=match_threshold,
    )
    return {
        "precision": found["right_links"] / found["links"] if found["links"] else 1.0,
        "recall": found["right_links"] / found["matches"] if found["matches"] else 1.0,
    }


def summarise_customers(engine: Engine, identities: str) -> pd.DataFrame:
    """Count customers by their number of records: records (1 to 9, and 10 for more), customers."""
    return engine.frame(
        f"""
        WITH judged AS (SELECT i.* FROM {identities} i SEMI JOIN source_records USING (source, source_record_id)),
        sizes AS (SELECT count(*) AS records FROM judged GROUP BY customer_id)
        SELECT least(records, 10) AS records, count(*) AS customers FROM sizes GROUP BY 1 ORDER BY 1
        """
    )


def summarise_duplicates(engine: Engine, identities: str) -> dict[str, float]:
    """Count records, customers and households.

    Parameters
    ----------
    engine : Engine
        Holds `source_records`.
    identities : str
        Table with source, source_record_id, customer_id, household_id.

    Returns
    -------
    dict
        records (of `source_records`), customers (they are), duplicate_share (of the records), others (customers whom
        tickets, consents and the like name alone), households, in_households (customers).
    """
    found = engine.row(
        f"""
        WITH known AS (SELECT source, source_record_id FROM source_records),
        told AS (SELECT i.*, k.source IS NOT NULL AS is_record
                 FROM {identities} i LEFT JOIN known k USING (source, source_record_id))
        SELECT count(*) FILTER (WHERE is_record) AS records,
               count(DISTINCT customer_id) FILTER (WHERE is_record) AS customers,
               count(DISTINCT customer_id) AS everybody,
               count(DISTINCT household_id) AS households,
               count(DISTINCT customer_id) FILTER (WHERE household_id IS NOT NULL) AS in_households
        FROM told
        """
    )
    others = found.pop("everybody") - found["customers"]
    return found | {"others": others, "duplicate_share": 1 - found["customers"] / max(1, found["records"])}


def tell_duplicates(counted: Mapping[str, float]) -> str:
    """What `summarise_duplicates` counted, as a finding to be filled with it."""
    others = " {others:,} more are known only from tickets, consents and the like." if counted["others"] else ""
    return (
        "{records:,} records are {customers:,} customers: {duplicate_share:.1%} of the records were duplicates."
        + others
        + " {in_households:,} of the customers live in {households:,} households of two or more."
    )


def summarise_events(engine: Engine, events: str, as_of_date: date) -> pd.DataFrame:
    """Count a day's events: event (in words), customers."""
    return engine.frame(
        f"""
        SELECT e.words AS event, count(n.customer_id) AS customers
        FROM (VALUES (1, 'created', 'new'), (2, 'merged_into', 'merged into another'),
                     (3, 'split_from', 'split from another'), (4, 'moved_to', 'some records moved to another'),
                     (5, 'left', 'gone: no record is left'), (6, 'returned', 'back after being gone')
             ) AS e(place, event, words)
        LEFT JOIN {events} n ON n.event = e.event AND n.as_of_date = $as_of_date
        GROUP BY e.place, e.words ORDER BY e.place
        """,
        as_of_date=as_of_date,
    )


def keep_likely_pairs(engine: Engine) -> str:
    """Make ``likely_pairs``, the table `match_pairs`: pairs of at least `LEAST_PROBABILITY`, and those ruled on."""
    return engine.run(
        Step(
            "likely_pairs",
            "SELECT * EXCLUDE (record_no_l, record_no_r) FROM decided_pairs "
            "WHERE match_probability >= $least OR decided_by = 'reviewer'",
        ),
        least=LEAST_PROBABILITY,
    )


def weight_of(probability: float) -> float:
    """The match weight (log2 of the odds) of a probability."""
    return math.log2(probability / (1 - probability))
