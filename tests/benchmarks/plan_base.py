"""A large base of customers as rooms 03 to 06 leave it, made in SQL, and the calls of room 09 on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from crmlib.campaign import eligibility, history, people
from crmlib.campaign.outcomes import Simulation
from crmlib.campaign.people import PeopleTable
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.posterior import read_rhythm
from crmlib.campaign.reading import read_plan
from crmlib.campaign.scenario import make_horizon, make_scenarios
from crmlib.campaign.simulation import simulate_plans
from crmlib.engine import Engine
from crmlib.params import StageSettings
from crmlib.tables import find_contract
from tests.made_tables import make_table, make_tables

AS_OF, FIRST_DAY, DAYS = date(2026, 11, 1), date(2026, 11, 2), 182
EXAMPLE = Path(__file__).parents[1] / "params" / "contact_plan.yaml"
FIT = {"k": 1.6, "r": 1.2, "alpha": 20.0, "a": 0.8, "b": 6.0, "days_per_unit": 1.0}

_BASE = """
    SELECT 'c' || lpad(CAST(i AS VARCHAR), 8, '0') AS customer_id, i,
           hash(i, 1) % 10000 / 10000.0 AS u, hash(i, 2) % 10000 / 10000.0 AS v, hash(i, 3) % 10000 / 10000.0 AS w
    FROM range({number}) AS r(i)
"""
_TABLES = {
    "identities": "SELECT customer_id, 'erp' AS source, customer_id AS source_record_id FROM base",
    "customers": """
        SELECT customer_id, 'p' || i || '@correo.example' AS email, '+346' || lpad(CAST(i AS VARCHAR), 8, '0') AS phone,
               'Calle Mayor 1' AS address_line, '35' || lpad(CAST(i % 600 AS VARCHAR), 3, '0') AS postcode,
               27.7 + u AS latitude, -15.4 - v AS longitude, 1 + i % 12 AS birth_month, 1 + i % 28 AS birth_day,
               CASE WHEN w < 0.3 THEN 'online' ELSE 'store' END AS origin,
               'ST-' || lpad(CAST(i % 40 AS VARCHAR), 3, '0') AS home_store_id
        FROM base
    """,
    "permissions": """
        SELECT b.customer_id, c.channel, p.purpose, true AS allowed, 'granted' AS reason
        FROM base AS b
        CROSS JOIN (VALUES ('email', 0.7), ('push', 0.4), ('sms', 0.45), ('postal', 0.5)) AS c (channel, share)
        CROSS JOIN (VALUES ('marketing', 1.0), ('profiling', 0.8)) AS p (purpose, part)
        WHERE hash(b.i, c.channel) % 1000 < 1000 * c.share * p.part
    """,
    "purchase_summary": """
        SELECT customer_id, CAST(floor(-ln(1 - u) * 8) AS INTEGER) AS frequency,
               CASE WHEN floor(-ln(1 - u) * 8) = 0 THEN 0 ELSE CAST(60 + v * 500 AS INTEGER) END AS recency,
               CASE WHEN floor(-ln(1 - u) * 8) = 0 THEN CAST(w * 300 AS INTEGER)
                    ELSE CAST(60 + v * 500 + 5 - ln(1 - w) * 40 AS INTEGER) END AS T
        FROM base
    """,
    "lifecycle": "SELECT customer_id, 'on_rhythm' AS stage FROM base",
    "customer_value": """
        SELECT customer_id, 0.7 AS p_alive, 15 + 40 * w * w AS expected_value, 400 * w * u AS clv_12m,
               CAST(1 + floor(w * 10) AS INTEGER) AS value_decile
        FROM base
    """,
    "web_events": """
        SELECT 'shop' AS source, 'e' || i AS event_id, 'erp' AS record_source, customer_id AS source_record_id,
               'abandon' AS event, TIMESTAMPTZ '2026-10-01 12:00:00+00' AS happened_at
        FROM base WHERE w < 0.3 AND u < 0.4
    """,
    "stores": "SELECT 'ST-118' AS store_id, 'erp' AS source, 28.1 AS latitude, -15.5 AS longitude",
}
_EMPTY = (
    "tickets", "sends", "contact_decisions", "service_cases", "consent_events", "segments", "campaign_results",
    "campaigns", "source_records",
)  # fmt: skip


def make_large_base(engine: Engine, number: int) -> PeopleTable:
    """Make so many customers, and gather them as room 09 does."""
    engine.execute(f"CREATE OR REPLACE TABLE base AS {_BASE.format(number=number)}")
    make_tables(engine, *_EMPTY, *_TABLES)
    for name, sql in _TABLES.items():
        names = {column.name for column in find_contract(name).columns}
        made = f"SELECT * FROM ({sql})"
        if name == "purchase_summary":
            made = f"""
                SELECT *, frequency + 1 AS tickets, DATE '{AS_OF}' - T AS first_purchase_date,
                       DATE '{AS_OF}' - T + recency AS last_purchase_date FROM ({sql})
            """
        engine.execute(f"INSERT INTO made_{name} BY NAME {made}")
        assert names
    make_table(
        engine,
        "model_parameters",
        [{"room": "05", "model": "mbg_cnbd_k", "parameter": name, "value": value} for name, value in FIT.items()],
    )
    eligibility.find_reach(engine)
    history.collect_history(engine, FIRST_DAY, "UTC")
    return people.gather_people(engine, FIRST_DAY, AS_OF, 0.3)


def read_example() -> ContactPlan:
    """The plan of 16 communications, with all caps."""
    return read_plan(EXAMPLE).plan


def simulate(
    engine: Engine, everybody: PeopleTable, plans: Sequence[ContactPlan], replicates: int, days: int = DAYS
) -> Simulation:
    """What room 09 does."""
    import numpy as np

    horizon = make_horizon(FIRST_DAY, np.ones(days))
    return simulate_plans(
        engine, make_scenarios(engine, plans), everybody, horizon, read_rhythm(engine), StageSettings(), seed=7,
        replicates=replicates,
    )  # fmt: skip
