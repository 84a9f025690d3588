"""Customer ids that stay: a cluster keeps the id of the customer it shares most records with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pandas as pd

from crmlib.engine import Engine, Step, literal
from crmlib.tables import CONTRACTS

#: Hexadecimal digits of a customer id: at a hundred million customers a clash is one in two thousand.
ID_DIGITS = 16

NO_CLUSTERS = Step(
    "clusters",
    "SELECT 0::BIGINT AS record_no, 0::BIGINT AS cluster, 0.0::DOUBLE AS match_probability WHERE false",
)
NO_LINKAGE_RECORDS = Step(
    "linkage_records",
    "SELECT 0::BIGINT AS record_no, ''::VARCHAR AS source, ''::VARCHAR AS source_record_id WHERE false",
)

CLUSTERED_RECORDS = Step(
    "clustered_records",
    """
    WITH grouped AS (
        SELECT k.source, k.source_record_id, k.source || chr(31) || k.source_record_id AS record_key,
               c.cluster, c.match_probability
        FROM record_keys k
        LEFT JOIN linkage_records l ON l.source = k.source AND l.source_record_id = k.source_record_id
        LEFT JOIN clusters c ON c.record_no = l.record_no
    )
    SELECT source, source_record_id, match_probability,
           CASE WHEN cluster IS NULL THEN record_key
                ELSE min(record_key) OVER (PARTITION BY cluster) END AS cluster_key
    FROM grouped
    """,
)

SHARED_RECORDS = Step(
    "shared_records",
    """
    SELECT c.cluster_key, b.customer_id, count(*) AS records, min(f.first_seen) AS first_seen
    FROM clustered_records c
    JOIN base_customers b ON b.source = c.source AND b.source_record_id = c.source_record_id
    LEFT JOIN base_first_seen f ON f.customer_id = b.customer_id
    GROUP BY c.cluster_key, b.customer_id
    """,
)

CONTESTED_IDS = Step(
    "contested_ids",
    """
    SELECT cluster_key, customer_id, records, first_seen,
           count(*) OVER (PARTITION BY cluster_key) AS customers_of_cluster,
           count(*) OVER (PARTITION BY customer_id) AS clusters_of_customer
    FROM shared_records
    """,
)

KEPT_IDS = Step(
    "kept_ids",
    """
    SELECT cluster_key, customer_id
    FROM contested_ids
    WHERE customers_of_cluster = 1 AND clusters_of_customer = 1
    UNION ALL
    SELECT cluster_key, customer_id FROM awarded_ids
    """,
)

IDENTITIES = Step(
    "new_identities",
    """
    SELECT c.source, c.source_record_id, coalesce(k.customer_id, n.customer_id) AS customer_id, c.match_probability
    FROM clustered_records c
    LEFT JOIN kept_ids k ON k.cluster_key = c.cluster_key
    LEFT JOIN given_ids n ON n.cluster_key = c.cluster_key
    """,
)

EVENTS = Step(
    "new_identity_events",
    """
    WITH ids AS (
        SELECT cluster_key, customer_id FROM kept_ids
        UNION ALL
        SELECT cluster_key, customer_id FROM given_ids
    ),
    origins AS (
        SELECT n.customer_id, o.customer_id AS other_customer_id,
               row_number() OVER (
                   PARTITION BY n.cluster_key ORDER BY o.records DESC, o.first_seen NULLS LAST, o.customer_id
               ) AS place
        FROM given_ids n
        JOIN shared_records o ON o.cluster_key = n.cluster_key
    ),
    heirs AS (
        SELECT o.customer_id, i.customer_id AS other_customer_id,
               row_number() OVER (PARTITION BY o.customer_id ORDER BY o.records DESC, i.customer_id) AS place
        FROM shared_records o
        JOIN ids i ON i.cluster_key = o.cluster_key
        WHERE o.customer_id NOT IN (SELECT customer_id FROM ids)
    ),
    losses AS (
        SELECT o.customer_id, i.customer_id AS other_customer_id,
               row_number() OVER (PARTITION BY o.customer_id ORDER BY o.records DESC, i.customer_id) AS place
        FROM shared_records o
        JOIN ids i ON i.cluster_key = o.cluster_key AND i.customer_id <> o.customer_id
        LEFT JOIN origins s
            ON s.customer_id = i.customer_id AND s.other_customer_id = o.customer_id AND s.place = 1
        WHERE s.customer_id IS NULL AND o.customer_id IN (SELECT customer_id FROM ids)
    ),
    happened AS (
        SELECT customer_id,
               CASE WHEN customer_id IN (SELECT customer_id FROM base_events) THEN 'returned'
                    ELSE 'created' END AS event,
               NULL::VARCHAR AS other_customer_id
        FROM given_ids
        WHERE customer_id NOT IN (SELECT customer_id FROM origins)
        UNION ALL
        SELECT customer_id, 'split_from', other_customer_id FROM origins WHERE place = 1
        UNION ALL
        SELECT customer_id, 'merged_into', other_customer_id FROM heirs WHERE place = 1
        UNION ALL
        SELECT customer_id, 'moved_to', other_customer_id FROM losses WHERE place = 1
        UNION ALL
        SELECT DISTINCT customer_id, 'left', NULL
        FROM base_customers
        WHERE customer_id NOT IN (SELECT customer_id FROM ids)
          AND customer_id NOT IN (SELECT customer_id FROM shared_records)
    )
    SELECT customer_id, as_of_date, event, other_customer_id FROM base_events
    UNION
    SELECT customer_id, $as_of_date::DATE, event, other_customer_id FROM happened
    """,
)


def collect_record_keys(engine: Engine) -> str:
    """Collect every record that any entity names.

    Parameters
    ----------
    engine : Engine
        Holds the incoming tables, as far as there are any.

    Returns
    -------
    str
        ``record_keys``: source, source_record_id, each once; a loyalty card that no record holds is named
        (``card``, number) by the tickets.
    """
    named = [
        name
        for name, contract in CONTRACTS.items()
        if contract.column("record_source") and contract.column("source_record_id") and engine.has(name)
    ]
    selected = ["SELECT source, source_record_id FROM source_records"] if engine.has("source_records") else []
    selected += [f"SELECT record_source, source_record_id FROM {name}" for name in named]
    together = " UNION ".join(selected) or "SELECT '' AS source, '' AS source_record_id WHERE false"
    return engine.run(
        Step(
            "record_keys",
            f"SELECT * FROM ({together}) WHERE source IS NOT NULL AND source_record_id IS NOT NULL",
        )
    )


def assign_customer_ids(
    engine: Engine, as_of_date: date, base_identities: str | None = None, base_events: str | None = None
) -> str:
    """Give every record the id of its customer.

    Parameters
    ----------
    engine : Engine
        Holds ``record_keys``; and ``linkage_records`` and ``clusters`` where records were linked, else each
        record is its own customer.
    as_of_date : datetime.date
        Day of the events.
    base_identities, base_events : str, optional
        The base run's `identities` and `identity_events`.

    Returns
    -------
    str
        ``new_identities``: source, source_record_id, customer_id, match_probability. Beside it
        ``new_identity_events``: the base's events and this run's.

    Notes
    -----
    Of the clusters that share records with a customer, the one that shares most keeps the id; ties go to the
    customer seen first. A new id is a hash of the cluster's smallest record key, so that it depends on neither
    the order of the rows nor the number of the run. A customer none of whose records is named any more has left;
    who comes back with the same records has the same id again. An id given up in a merge or erased is nobody's for
    good.
    """
    if not engine.has("clusters"):
        engine.run(NO_CLUSTERS)
        engine.run(NO_LINKAGE_RECORDS)
    nobody = "SELECT '' AS source, '' AS source_record_id, '' AS customer_id WHERE false"
    nothing = "SELECT '' AS customer_id, NULL::DATE AS as_of_date, '' AS event, '' AS other_customer_id WHERE false"
    known = f"SELECT source, source_record_id, customer_id FROM {base_identities}" if base_identities else nobody
    seen = f"SELECT customer_id, as_of_date, event, other_customer_id FROM {base_events}" if base_events else nothing
    engine.run(Step("base_customers", known))
    engine.run(Step("base_events", seen))
    engine.run(
        Step(
            "base_first_seen",
            "SELECT customer_id, min(as_of_date) AS first_seen FROM base_events WHERE event <> 'merged_into' "
            "GROUP BY customer_id",
        )
    )
    engine.run(CLUSTERED_RECORDS)
    engine.run(SHARED_RECORDS)
    engine.run(CONTESTED_IDS)
    engine.register("awarded_ids", _award_contested(engine))
    engine.run(KEPT_IDS)
    _give_new_ids(engine)
    engine.run(EVENTS, as_of_date=as_of_date)
    return engine.run(IDENTITIES)


def _award_contested(engine: Engine) -> pd.DataFrame:
    """The ids of customers that merged or split: largest overlap first, ties to the oldest."""
    rows = engine.rows(
        "SELECT cluster_key, customer_id FROM contested_ids "
        "WHERE customers_of_cluster > 1 OR clusters_of_customer > 1 "
        "ORDER BY records DESC, first_seen NULLS LAST, customer_id, cluster_key"
    )
    awarded: dict[str, str] = {}
    taken: set[str] = set()
    for row in rows:
        if row["cluster_key"] not in awarded and row["customer_id"] not in taken:
            awarded[row["cluster_key"]] = row["customer_id"]
            taken.add(row["customer_id"])
    return pd.DataFrame({"cluster_key": list(awarded), "customer_id": list(awarded.values())}, dtype="str")


def _give_new_ids(engine: Engine) -> None:
    """Make ``given_ids``; an id that was ever somebody else's is not given again."""
    engine.run(
        Step(
            "taken_ids",
            "SELECT customer_id FROM base_customers UNION SELECT customer_id FROM base_events "
            "WHERE event IN ('merged_into', 'erased') UNION SELECT customer_id FROM kept_ids",
        )
    )
    engine.run(Step("given_ids", "SELECT cluster_key, customer_id FROM kept_ids WHERE false"))
    for suffix in _suffixes():
        engine.execute(
            f"""
            INSERT INTO given_ids
            WITH wanted AS (
                SELECT DISTINCT cluster_key,
                       'c' || left(sha256(cluster_key || {literal(suffix)}), {ID_DIGITS}) AS customer_id
                FROM clustered_records
                WHERE cluster_key NOT IN (SELECT cluster_key FROM kept_ids)
                  AND cluster_key NOT IN (SELECT cluster_key FROM given_ids)
            )
            SELECT min(cluster_key), customer_id
            FROM wanted
            WHERE customer_id NOT IN (SELECT customer_id FROM taken_ids)
              AND customer_id NOT IN (SELECT customer_id FROM given_ids)
            GROUP BY customer_id
            """
        )
        left = engine.row(
            "SELECT count(DISTINCT cluster_key) - (SELECT count(*) FROM kept_ids) "
            "- (SELECT count(*) FROM given_ids) AS n FROM clustered_records"
        )["n"]
        if left == 0:
            return


def _suffixes() -> Iterator[str]:
    number = 0
    while True:
        yield f"#{number}" if number else ""
        number += 1
