"""How right the identities are, where the truth is known or people ruled. Only these functions read the truth."""

from __future__ import annotations

import pandas as pd

from crmlib.engine import Engine, Step

COMPARED_CLUSTERS = Step(
    "compared_clusters",
    """
    SELECT source, source_record_id, customer_id, person_id,
           count(*) OVER (PARTITION BY customer_id) AS in_cluster,
           count(*) OVER (PARTITION BY person_id) AS in_person,
           count(*) OVER (PARTITION BY customer_id, person_id) AS in_both
    FROM judged_identities
    """,
)


def evaluate_identities(engine: Engine, identities: str, truth: str | None) -> pd.DataFrame:
    """Judge the identities by the truth.

    Parameters
    ----------
    engine : Engine
        Holds `source_records`: other entities name no person that could be a duplicate.
    identities : str
        Table with source, source_record_id, customer_id.
    truth : str, optional
        Table with source, source_record_id, person_id; without it there is nothing to tell.

    Returns
    -------
    pandas.DataFrame
        metric, value, n (cases behind it): precision, recall and F1 of the pairs inside the clusters
        (``pair_…``), of whole clusters (``cluster_…``), and per record (``bcubed_…``); and the share of the
        truth's records that were there to be judged (``judged_share``).

    References
    ----------
    Bagga, A., Baldwin, B. (1998). Entity-based cross-document coreferencing using the vector space model (B-cubed).
    """
    if truth is None:
        return pd.DataFrame({"metric": [], "value": [], "n": []}).astype({"metric": "str", "n": "int64"})
    engine.run(
        Step(
            "judged_identities",
            f"SELECT i.source, i.source_record_id, i.customer_id, t.person_id FROM {identities} i "
            f"JOIN {truth} t ON t.source = i.source AND t.source_record_id = i.source_record_id "
            "SEMI JOIN source_records r ON r.source = i.source AND r.source_record_id = i.source_record_id",
        )
    )
    engine.run(COMPARED_CLUSTERS)
    counted = engine.row(
        """
        SELECT count(*) AS records,
               coalesce(sum(in_cluster - 1), 0) / 2 AS found_pairs,
               coalesce(sum(in_person - 1), 0) / 2 AS true_pairs,
               coalesce(sum(in_both - 1), 0) / 2 AS right_pairs,
               count(DISTINCT customer_id) AS found_clusters,
               count(DISTINCT person_id) AS true_clusters,
               count(DISTINCT customer_id)
                   FILTER (WHERE in_cluster = in_person AND in_person = in_both) AS right_clusters,
               avg(in_both / in_cluster) AS bcubed_precision,
               avg(in_both / in_person) AS bcubed_recall
        FROM compared_clusters
        """
    )
    rows = []
    for kind in ("pair", "cluster"):
        found, true, right = (float(counted[f"{word}_{kind}s"]) for word in ("found", "true", "right"))
        precision, recall = _share(right, found), _share(right, true)
        rows += [
            (f"{kind}_precision", precision, found),
            (f"{kind}_recall", recall, true),
            (f"{kind}_f1", _f1(precision, recall), true),
        ]
    precision, recall = counted["bcubed_precision"] or 0.0, counted["bcubed_recall"] or 0.0
    rows += [
        ("bcubed_precision", precision, counted["records"]),
        ("bcubed_recall", recall, counted["records"]),
        ("bcubed_f1", _f1(precision, recall), counted["records"]),
    ]
    known = engine.row(f"SELECT count(*) AS n FROM {truth}")["n"]
    rows.append(("judged_share", _share(counted["records"], known), known))
    return pd.DataFrame(rows, columns=["metric", "value", "n"]).astype({"n": "int64"})


def evaluate_households(engine: Engine, identities: str, people: str | None, homes: str | None) -> pd.DataFrame:
    """Judge who is said to live together by the truth.

    Parameters
    ----------
    engine : Engine
        Holds `source_records`.
    identities : str
        Table with source, source_record_id, customer_id, household_id.
    people, homes : str, optional
        Tables with source, source_record_id, person_id; and with person_id, household_id. Without either there is
        nothing to tell.

    Returns
    -------
    pandas.DataFrame
        metric, value, n: ``household_precision``, ``household_recall`` and ``household_f1`` of the pairs of records
        that are two people's (by the truth) or two customers' (as found) of one home.
    """
    if people is None or homes is None:
        return pd.DataFrame({"metric": [], "value": [], "n": []}).astype({"metric": "str", "n": "int64"})
    counted = engine.row(
        f"""
        WITH judged AS (
            SELECT i.customer_id, i.household_id AS found, t.person_id, h.household_id AS home
            FROM {identities} i
            JOIN {people} t ON t.source = i.source AND t.source_record_id = i.source_record_id
            SEMI JOIN source_records r ON r.source = i.source AND r.source_record_id = i.source_record_id
            LEFT JOIN {homes} h ON h.person_id = t.person_id
        ),
        sizes AS (
            SELECT count(*) AS records, found IS NOT NULL AS is_found, home IS NOT NULL AS is_home,
                   grouping(found) + 2 * grouping(customer_id) + 4 * grouping(home) + 8 * grouping(person_id) AS kind
            FROM judged
            GROUP BY GROUPING SETS ((found), (found, customer_id), (home), (home, person_id), (found, home),
                                    (found, home, customer_id), (found, home, person_id),
                                    (found, home, customer_id, person_id))
        ),
        pairs AS (SELECT kind, is_found, is_home, records * (records - 1) / 2 AS pairs FROM sizes)
        SELECT coalesce(sum(CASE kind WHEN 14 THEN pairs WHEN 12 THEN -pairs END) FILTER (WHERE is_found), 0) AS found,
               coalesce(sum(CASE kind WHEN 11 THEN pairs WHEN 3 THEN -pairs END) FILTER (WHERE is_home), 0) AS true,
               coalesce(sum(CASE kind WHEN 10 THEN pairs WHEN 0 THEN pairs ELSE -pairs END)
                        FILTER (WHERE is_found AND is_home AND kind IN (10, 8, 2, 0)), 0) AS right_pairs
        FROM pairs
        """
    )
    found, true, right = (float(counted[name]) for name in ("found", "true", "right_pairs"))
    precision, recall = _share(right, found), _share(right, true)
    rows = [
        ("household_precision", precision, found),
        ("household_recall", recall, true),
        ("household_f1", _f1(precision, recall), true),
    ]
    return pd.DataFrame(rows, columns=["metric", "value", "n"]).astype({"n": "int64"})


def evaluate_thresholds(engine: Engine, truth: str) -> pd.DataFrame:
    """Judge single links by the truth, at every threshold.

    Parameters
    ----------
    engine : Engine
        Holds ``decided_pairs``.
    truth : str
        Table with source, source_record_id, person_id.

    Returns
    -------
    pandas.DataFrame
        match_weight (whole numbers of log2), precision, recall (of the scored pairs' matches and those that
        blocking missed), f1 of the pairs that weigh at least that; contradicted pairs do not link.
    """
    return engine.frame(
        f"""
        WITH matches AS (
            SELECT sum(n * (n - 1) / 2) AS pairs
            FROM (SELECT count(*) AS n FROM {truth} t SEMI JOIN linkage_records r
                  ON r.source = t.source AND r.source_record_id = t.source_record_id GROUP BY person_id)
        ),
        judged AS (
            SELECT CASE WHEN p.decided_by = 'deterministic' THEN 1000 ELSE floor(p.match_weight) END AS weight,
                   (l.person_id = r.person_id)::INT AS is_match
            FROM decided_pairs p
            JOIN {truth} l ON l.source = p.source_l AND l.source_record_id = p.source_record_id_l
            JOIN {truth} r ON r.source = p.source_r AND r.source_record_id = p.source_record_id_r
            WHERE NOT p.contradicted
        ),
        thresholds AS (SELECT unnest(range(-10, 41))::DOUBLE AS match_weight),
        counted AS (
            SELECT t.match_weight, count(*) AS links, sum(is_match) AS right_links
            FROM thresholds t
            JOIN judged j ON j.weight >= t.match_weight
            GROUP BY t.match_weight
        )
        SELECT match_weight, right_links / links AS precision, right_links / pairs AS recall,
               2 * right_links / (links + pairs) AS f1
        FROM counted CROSS JOIN matches
        ORDER BY match_weight
        """
    )


def evaluate_labels(engine: Engine, match_threshold: float) -> pd.DataFrame:
    """Judge what the model alone would have decided by what people ruled.

    Parameters
    ----------
    engine : Engine
        Holds ``model_pairs``.
    match_threshold : float

    Returns
    -------
    pandas.DataFrame
        metric, value, n: ``label_precision`` (of the pairs the model links, the share ruled the same),
        ``label_recall`` (of the pairs ruled the same, the share it links), ``label_agreement``; without rulings,
        nothing. People are asked where the model is in doubt, so these figures are of doubtful pairs.
    """
    counted = engine.row(
        """
        WITH judged AS (
            SELECT match_probability >= $threshold AND NOT contradicted AS links, decision = 'same' AS same
            FROM model_pairs
        )
        SELECT count(*) AS labels, count(*) FILTER (WHERE links) AS links, count(*) FILTER (WHERE same) AS same,
               count(*) FILTER (WHERE links AND same) AS both, count(*) FILTER (WHERE links = same) AS agreed
        FROM judged
        """,
        threshold=match_threshold,
    )
    rows = [
        ("label_precision", _share(counted["both"], counted["links"]), counted["links"]),
        ("label_recall", _share(counted["both"], counted["same"]), counted["same"]),
        ("label_agreement", _share(counted["agreed"], counted["labels"]), counted["labels"]),
    ]
    told = [row for row in rows if row[2]]
    return pd.DataFrame(told, columns=["metric", "value", "n"]).astype(
        {"metric": "str", "value": "float", "n": "int64"}
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
