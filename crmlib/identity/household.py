"""Who lives together: kept beside the person, and never a reason to merge."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.engine import Engine, Step
from crmlib.identity.clusters import find_components

#: More customers than this under one roof and surname are a residence or an error, not a household.
LARGEST_HOUSEHOLD = 12

HOUSEHOLD_TIES = Step(
    "household_ties",
    """
    WITH members AS (
        SELECT c.cluster, r.surname_1_key, r.surname_2_key, r.unit_key, r.landline, r.phone, r.mailbox,
               r.street_key || '/' || r.number_key || '/' || coalesce(r.postcode_key, r.municipality_key) AS home
        FROM linkage_records r
        JOIN clusters c ON c.record_no = r.record_no
        WHERE r.kind = 'person'
    ),
    named AS (
        SELECT cluster, home, unit_key, unnest([surname_1_key, surname_2_key]) AS surname
        FROM members WHERE home IS NOT NULL
    ),
    surnames AS (SELECT DISTINCT cluster, home, unit_key, surname FROM named WHERE surname IS NOT NULL),
    homes AS (
        SELECT home, surname FROM surnames GROUP BY home, surname
        HAVING count(DISTINCT cluster) BETWEEN 2 AND $largest
    ),
    told AS (
        SELECT cluster,
               unnest(['landline/' || landline, 'mailbox/' || mailbox, 'door/' || home || '/' || unit_key,
                       'phone/' || phone || '/' || surname_1_key, 'phone/' || phone || '/' || surname_2_key]) AS sign
        FROM members
    ),
    signs AS (SELECT DISTINCT cluster, sign FROM told WHERE sign IS NOT NULL),
    shared AS (SELECT sign FROM signs GROUP BY sign HAVING count(*) BETWEEN 2 AND $largest)
    SELECT l.cluster AS cluster_l, r.cluster AS cluster_r
    FROM surnames l
    JOIN surnames r ON r.home = l.home AND r.surname = l.surname AND l.cluster < r.cluster
        AND (l.unit_key = r.unit_key OR l.unit_key IS NULL OR r.unit_key IS NULL)
    JOIN homes h ON h.home = l.home AND h.surname = l.surname
    UNION
    SELECT l.cluster, r.cluster
    FROM signs l
    JOIN shared h ON h.sign = l.sign
    JOIN signs r ON r.sign = l.sign AND l.cluster < r.cluster
    """,
)

#: A cluster is called by its smallest record, which is its customer's.
HOUSEHOLDS = Step(
    "households",
    """
    WITH named AS (
        SELECT m.home, i.customer_id
        FROM home_members m
        JOIN linkage_records r ON r.record_no = m.cluster
        JOIN new_identities i ON i.source = r.source AND i.source_record_id = r.source_record_id
    )
    SELECT customer_id, 'h' || substr(min(customer_id) OVER (PARTITION BY home), 2) AS household_id
    FROM named
    QUALIFY count(*) OVER (PARTITION BY home) <= $largest
    """,
)


def assign_households(engine: Engine) -> str:
    """Add households to the identities.

    Parameters
    ----------
    engine : Engine
        Holds ``new_identities``, ``linkage_records`` and ``clusters``.

    Returns
    -------
    str
        ``household_identities``: ``new_identities`` and household_id, the same for customers tied by a door (an address
        down to the unit), by a house and a surname, by a landline or a mailbox, or by a mobile and a surname; null for
        those tied to nobody.
    """
    ties = _find_ties(engine)
    place, tied = pd.factorize(pd.concat([ties["cluster_l"], ties["cluster_r"]]))
    home = find_components(len(tied), *np.split(place, 2))
    engine.register("home_members", pd.DataFrame({"cluster": np.asarray(tied, dtype=np.int64), "home": home}))
    engine.run(HOUSEHOLDS, largest=LARGEST_HOUSEHOLD)
    return engine.run(
        Step(
            "household_identities",
            "SELECT i.*, h.household_id FROM new_identities i LEFT JOIN households h USING (customer_id)",
        )
    )


def _find_ties(engine: Engine) -> pd.DataFrame:
    if "surname_1_key" not in engine.columns("linkage_records"):
        return pd.DataFrame({"cluster_l": [], "cluster_r": []}, dtype="int64")
    engine.run(HOUSEHOLD_TIES, largest=LARGEST_HOUSEHOLD)
    return engine.frame("SELECT cluster_l, cluster_r FROM household_ties ORDER BY ALL")
