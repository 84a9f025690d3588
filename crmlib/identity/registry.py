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
    ),
    heads AS (
        SELECT cluster, min(record_key) AS cluster_key FROM grouped WHERE cluster IS NOT NULL GROUP BY cluster
    )
    SELECT g.source, g.source_record_id, g.match_probability, coalesce(h.cluster_key, g.record_key) AS cluster_key
    FROM grouped g
    LEFT JOIN heads h ON h.cluster = g.cluster
    """,
)

SHARED_RECORDS = Step(
    "shared_records",
    """
    SELECT c.cluster_key, b.customer_id, count(*) AS records
    FROM clustered_records c
    JOIN base_customers b ON b.source = c.source AND b.source_record_id = c.source_record_id
    GROUP BY c.cluster_key, b.customer_id
    """,
)

#: What clusters share with customers that merged or split.
CONTESTED_IDS = Step(
    "contested_ids",
    """
    WITH merged AS (SELECT cluster_key FROM shared_records GROUP BY cluster_key HAVING count(*) > 1),
    parted AS (SELECT customer_id FROM shared_records GROUP BY customer_id HAVING count(*) > 1),
    contested AS (
        SELECT s.*
        FROM shared_records s
        LEFT JOIN merged m ON m.cluster_key = s.cluster_key
        LEFT JOIN parted p ON p.customer_id = s.customer_id
        WHERE m.cluster_key IS NOT NULL OR p.customer_id IS NOT NULL
    ),
    seen AS (
        SELECT e.customer_id, min(e.as_of_date) AS first_seen
        FROM base_events e
        SEMI JOIN contested c ON c.customer_id = e.customer_id
        WHERE e.event <> 'merged_into'
        GROUP BY e.customer_id
    )
    SELECT c.cluster_key, c.customer_id, c.records, s.first_seen
    FROM contested c
    LEFT JOIN seen s ON s.customer_id = c.customer_id
    """,
)

KEPT_IDS = Step(
    "kept_ids",
    """
    SELECT s.cluster_key, s.customer_id
    FROM shared_records s
    ANTI JOIN contested_ids c ON c.cluster_key = s.cluster_key AND c.customer_id = s.customer_id
    UNION ALL
    SELECT cluster_key, customer_id FROM awarded_ids
    """,
)

NAMELESS_CLUSTERS = Step(
    "nameless_clusters",
    "SELECT DISTINCT c.cluster_key FROM clustered_records c ANTI JOIN kept_ids k ON k.cluster_key = c.cluster_key",
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
        SELECT n.customer_id, o.customer_id AS other_customer_id
        FROM given_ids n
        JOIN shared_records o ON o.cluster_key = n.cluster_key
        LEFT JOIN contested_ids c ON c.cluster_key = o.cluster_key AND c.customer_id = o.customer_id
        QUALIFY row_number() OVER (
            PARTITION BY n.cluster_key ORDER BY o.records DESC, c.first_seen NULLS LAST, o.customer_id
        ) = 1
    ),
    parted AS (
        SELECT o.customer_id, i.customer_id AS other_customer_id, o.records, k.customer_id IS NOT NULL AS stays
        FROM shared_records o
        JOIN ids i ON i.cluster_key = o.cluster_key AND i.customer_id <> o.customer_id
        LEFT JOIN ids k ON k.customer_id = o.customer_id
    ),
    heirs AS (
        SELECT customer_id, other_customer_id
        FROM parted
        WHERE NOT stays
        QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY records DESC, other_customer_id) = 1
    ),
    losses AS (
        SELECT p.customer_id, p.other_customer_id
        FROM parted p
        ANTI JOIN origins s ON s.customer_id = p.other_customer_id AND s.other_customer_id = p.customer_id
        WHERE p.stays
        QUALIFY row_number() OVER (PARTITION BY p.customer_id ORDER BY p.records DESC, p.other_customer_id) = 1
    ),
    happened AS (
        SELECT g.customer_id,
               CASE WHEN b.customer_id IS NULL THEN 'created' ELSE 'returned' END AS event,
               NULL::VARCHAR AS other_customer_id
        FROM given_ids g
        ANTI JOIN origins o ON o.customer_id = g.customer_id
        LEFT JOIN (SELECT DISTINCT customer_id FROM base_events) b ON b.customer_id = g.customer_id
        UNION ALL
        SELECT customer_id, 'split_from', other_customer_id FROM origins
        UNION ALL
        SELECT customer_id, 'merged_into', other_customer_id FROM heirs
        UNION ALL
        SELECT customer_id, 'moved_to', other_customer_id FROM losses
        UNION ALL
        SELECT DISTINCT b.customer_id, 'left', NULL
        FROM base_customers b
        ANTI JOIN ids i ON i.customer_id = b.customer_id
        ANTI JOIN shared_records s ON s.customer_id = b.customer_id
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
    engine.run(Step("given_ids", "SELECT cluster_key, customer_id FROM kept_ids WHERE false"))
    engine.run(NAMELESS_CLUSTERS)
    for suffix in _suffixes():
        engine.execute(
            f"""
            INSERT INTO given_ids
            WITH wanted AS (
                SELECT cluster_key, 'c' || left(sha256(cluster_key || {literal(suffix)}), {ID_DIGITS}) AS customer_id
                FROM nameless_clusters ANTI JOIN given_ids USING (cluster_key)
            ),
            taken AS (
                SELECT customer_id FROM base_customers
                UNION ALL
                SELECT customer_id FROM base_events WHERE event IN ('merged_into', 'erased')
                UNION ALL
                SELECT customer_id FROM kept_ids
                UNION ALL
                SELECT customer_id FROM given_ids
            )
            SELECT min(cluster_key), customer_id
            FROM wanted ANTI JOIN taken USING (customer_id)
            GROUP BY customer_id
            """
        )
        left = engine.row("SELECT count(*) AS n FROM nameless_clusters ANTI JOIN given_ids USING (cluster_key)")["n"]
        if left == 0:
            return


def _suffixes() -> Iterator[str]:
    number = 0
    while True:
        yield f"#{number}" if number else ""
        number += 1
