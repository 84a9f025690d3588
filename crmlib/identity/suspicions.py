"""What should make one look twice: clusters that hang by a thread, and ids that moved."""

from __future__ import annotations

import pandas as pd

from crmlib.engine import Engine

#: Records of one customer from which a shared value is likelier than so many registrations.
MANY_RECORDS = 8


def summarise_suspicions(engine: Engine, match_threshold: float) -> pd.DataFrame:
    """Count the customers whose records may not be one person's.

    Parameters
    ----------
    engine : Engine
        Holds ``clusters``, ``linkage_records`` and ``decided_pairs``.
    match_threshold : float

    Returns
    -------
    pandas.DataFrame
        suspicion, customers, records: those held together by a link not much above the threshold, those of
        `MANY_RECORDS` or more, those that hold two dates of birth or two valid ids, those with two
        records that rule each other out, and those that nearly were one with another.
    """
    return engine.frame(
        """
        WITH held AS (
            SELECT c.cluster, count(*) AS records, min(c.match_probability) AS weakest,
                   count(DISTINCT l.birth_day) AS births,
                   count(DISTINCT l.national_id) FILTER (WHERE l.national_id_valid) AS ids
            FROM clusters c
            JOIN linkage_records l ON l.record_no = c.record_no
            GROUP BY c.cluster
        ),
        pairs AS (
            SELECT l.cluster AS cluster_l, r.cluster AS cluster_r, p.contradicted,
                   p.match_probability >= $threshold AS links
            FROM decided_pairs p
            JOIN clusters l ON l.record_no = p.record_no_l
            JOIN clusters r ON r.record_no = p.record_no_r
        ),
        refused AS (
            SELECT unnest([cluster_l, cluster_r]) AS cluster
            FROM pairs WHERE links AND NOT contradicted AND cluster_l <> cluster_r
        ),
        suspected AS (
            SELECT 1 AS place, cluster FROM held WHERE weakest < 1 - (1 - $threshold) / 2
            UNION ALL
            SELECT 2, cluster FROM held WHERE records >= $many
            UNION ALL
            SELECT 3, cluster FROM held WHERE births > 1
            UNION ALL
            SELECT 4, cluster FROM held WHERE ids > 1
            UNION ALL
            SELECT DISTINCT 5, cluster_l FROM pairs WHERE contradicted AND cluster_l = cluster_r
            UNION ALL
            SELECT DISTINCT 6, cluster FROM refused
        )
        SELECT suspicion, count(s.cluster) AS customers, coalesce(sum(h.records), 0)::BIGINT AS records
        FROM (VALUES (1, 'held together by a link in doubt'), (2, 'very many records'), (3, 'several dates of birth'),
                     (4, 'several valid ids'), (5, 'two records that rule each other out'),
                     (6, 'nearly joined with another customer')) AS w(place, suspicion)
        LEFT JOIN suspected s ON s.place = w.place
        LEFT JOIN held h ON h.cluster = s.cluster
        GROUP BY w.place, suspicion
        ORDER BY w.place
        """,
        threshold=match_threshold,
        many=MANY_RECORDS,
    )


def summarise_stability(engine: Engine, identities: str, base_identities: str | None) -> dict[str, float]:
    """Compare whose each record is with the run before.

    Parameters
    ----------
    engine : Engine
    identities, base_identities : str
        Tables with source, source_record_id, customer_id; None where there is no run before.

    Returns
    -------
    dict
        records (of both runs), kept (whose customer is the same), kept_share, moved, arrived, gone.
    """
    before = base_identities or f"(FROM {identities} WHERE false)"
    found = engine.row(
        f"""
        SELECT count(*) FILTER (WHERE b.customer_id = i.customer_id) AS kept,
               count(*) FILTER (WHERE b.customer_id <> i.customer_id) AS moved,
               count(*) FILTER (WHERE b.customer_id IS NULL) AS arrived,
               count(*) FILTER (WHERE i.customer_id IS NULL) AS gone
        FROM {identities} i
        FULL JOIN {before} b ON b.source = i.source AND b.source_record_id = i.source_record_id
        """
    )
    records = found["kept"] + found["moved"]
    return found | {"records": records, "kept_share": found["kept"] / records if records else 1.0}
