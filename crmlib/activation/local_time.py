"""Whose clock says when it is night: the time zone of the store where a customer buys, else of where they live.

The hours in which a channel rests are local ones, and within a country it may be later here than there: in the Canary
Islands it is an hour earlier than in Madrid.
"""

from __future__ import annotations

from crmlib.engine import Engine, Step

#: Time zones of Spain, and the first two figures of the postcodes that do not keep Madrid's.
MADRID = "Europe/Madrid"
ELSEWHERE_IN_SPAIN = {"35": "Atlantic/Canary", "38": "Atlantic/Canary", "51": "Africa/Ceuta"}

_BY_POSTCODE = (
    "CASE left({postcode}, 2) "
    + " ".join(f"WHEN '{first_two}' THEN '{zone}'" for first_two, zone in ELSEWHERE_IN_SPAIN.items())
    + " ELSE CASE WHEN length({postcode}) = 5 AND TRY_CAST({postcode} AS INTEGER) BETWEEN 1000 AND 52999 THEN '"
    + MADRID
    + "' END END"
)

CUSTOMER_ZONES = Step(
    "customer_zones",
    f"""
    WITH places AS (
        SELECT store_id, max(postcode) AS postcode FROM stores GROUP BY store_id
    ),
    placed AS (
        SELECT c.customer_id, s.postcode AS of_store, c.postcode AS of_customer
        FROM customers AS c
        LEFT JOIN places AS s ON s.store_id = c.home_store_id
    )
    SELECT customer_id,
           CASE WHEN $spanish
                THEN coalesce({_BY_POSTCODE.format(postcode="of_store")}, {_BY_POSTCODE.format(postcode="of_customer")})
           END AS time_zone
    FROM placed
    """,
)


def find_zones(engine: Engine, plan_zone: str) -> str:
    """Find the time zone by which each customer's hours of rest are told.

    Parameters
    ----------
    engine : Engine
        Holds `customers` and `stores`.
    plan_zone : str
        The plan's. Only where it is one of Spain's do postcodes tell others.

    Returns
    -------
    str
        ``customer_zones``: customer_id, time_zone (NULL: the plan's holds).
    """
    return engine.run(CUSTOMER_ZONES, spanish=plan_zone in {MADRID, *ELSEWHERE_IN_SPAIN.values()})
