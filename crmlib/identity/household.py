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
        SELECT i.customer_id, r.surname_1_key, r.surname_2_key, r.unit_key, r.landline, r.phone, r.mailbox,
               r.street_key || '/' || r.number_key || '/' || coalesce(r.postcode_key, r.municipality_key) AS home
        FROM linkage_records r
        JOIN new_identities i ON i.source = r.source AND i.source_record_id = r.source_record_id
        WHERE r.kind = 'person'
    ),
    named AS (
        SELECT customer_id, home, unit_key, unnest([surname_1_key, surname_2_key]) AS surname
        FROM members WHERE home IS NOT NULL
    ),
    surnames AS (SELECT DISTINCT customer_id, home, unit_key, surname FROM named WHERE surname IS NOT NULL),
    homes AS (
        SELECT home, surname FROM surnames GROUP BY home, surname
        HAVING count(DISTINCT customer_id) BETWEEN 2 AND $largest
    ),
    told AS (
        SELECT customer_id,
               unnest(['landline/' || landline, 'mailbox/' || mailbox, 'door/' || home || '/' || unit_key,
                       'phone/' || phone || '/' || surname_1_key, 'phone/' || phone || '/' || surname_2_key]) AS sign
        FROM members
    ),
    signs AS (SELECT DISTINCT customer_id, sign FROM told WHERE sign IS NOT NULL),
    shared AS (SELECT sign FROM signs GROUP BY sign HAVING count(*) BETWEEN 2 AND $largest)
    SELECT l.customer_id AS customer_id_l, r.customer_id AS customer_id_r
    FROM surnames l
    JOIN surnames r ON r.home = l.home AND r.surname = l.surname AND l.customer_id < r.customer_id
        AND (l.unit_key = r.unit_key OR l.unit_key IS NULL OR r.unit_key IS NULL)
    JOIN homes h ON h.home = l.home AND h.surname = l.surname
    UNION
    SELECT l.customer_id, r.customer_id
    FROM signs l
    JOIN shared h ON h.sign = l.sign
    JOIN signs r ON r.sign = l.sign AND l.customer_id < r.customer_id
    """,
)


def assign_households(engine: Engine) -> str:
    """Add households to the identities.

    Parameters
    ----------
    engine : Engine
        Holds ``new_identities``, and ``linkage_records`` where records were linked.

    Returns
    -------
    str
        ``household_identities``: ``new_identities`` and household_id, the same for customers tied by a door (an address
        down to the unit), by a house and a surname, by a landline or a mailbox, or by a mobile and a surname; null for
        those tied to nobody.
    """
    ties = _find_ties(engine)
    place, customers = pd.factorize(pd.concat([ties["customer_id_l"], ties["customer_id_r"]]), sort=True)
    left, right = np.split(place, 2)
    home = find_components(len(customers), left, right)
    members = np.bincount(home)[home]
    # customers stand in order: the first of a home is its head
    _, first, of_home = np.unique(home, return_index=True, return_inverse=True)
    households = pd.DataFrame(
        {"customer_id": customers, "household_id": "h" + pd.Series(customers[first[of_home]], dtype="str").str.slice(1)}
    )
    engine.register("households", households[members <= LARGEST_HOUSEHOLD])
    return engine.run(
        Step(
            "household_identities",
            "SELECT i.*, h.household_id FROM new_identities i LEFT JOIN households h USING (customer_id)",
        )
    )


def _find_ties(engine: Engine) -> pd.DataFrame:
    if "surname_1_key" not in engine.columns("linkage_records"):
        return pd.DataFrame({"customer_id_l": [], "customer_id_r": []}, dtype="str")
    engine.run(HOUSEHOLD_TIES, largest=LARGEST_HOUSEHOLD)
    return engine.frame("SELECT customer_id_l, customer_id_r FROM household_ties ORDER BY ALL")
