"""A small base of customers in the engine, as rooms 03 to 06 leave it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from crmlib.campaign import eligibility, history, people
from crmlib.campaign.outcomes import Simulation
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.posterior import read_rhythm
from crmlib.campaign.scenario import Scenario, make_horizon, make_scenarios, plan_days
from crmlib.campaign.season import estimate_season
from crmlib.campaign.simulation import simulate_plans
from crmlib.engine import Engine
from crmlib.params import StageSettings
from tests.made_tables import Rows, make_tables

AS_OF = date(2026, 11, 1)
FIRST_DAY = date(2026, 11, 2)
CHANNELS = ("email", "sms", "push", "postal", "call")


def name(number: int) -> str:
    return f"c{number:05d}"


def permit(number: int, channel: str = "email", purpose: str = "marketing", **more: Any) -> dict[str, Any]:
    told = {"allowed": True, "reason": "granted"} | more
    return {"customer_id": name(number), "channel": channel, "purpose": purpose, **told}


def make_base(engine: Engine, number: int, permissions: Rows | None = None, **tables: Rows) -> None:
    """So many customers who buy about every 20 days, all with an address, and permitted by e-mail unless said.

    Parameters
    ----------
    engine : Engine
    number : int
    permissions : rows of table `permissions`, optional
    **tables : rows
        In place of what is made here.
    """
    rows = range(number)
    last = [AS_OF - timedelta(days=1 + place % 15) for place in rows]
    fit = {"r": 4.0, "alpha": 80.0, "a": 0.5, "b": 50.0, "k": 1.0}
    made: dict[str, Rows] = {
        "identities": [
            {"customer_id": name(place), "source": "shop", "source_record_id": str(place)} for place in rows
        ],
        "customers": [
            {
                "customer_id": name(place), "email": f"p{place}@a.example", "phone": f"+346{place:08d}",
                "given_name": "Ana", "surname_1": "Gil", "address_line": "Calle Mayor 1", "postcode": "35200",
            }
            for place in rows
        ],
        "permissions": [permit(place) for place in rows] if permissions is None else permissions,
        "purchase_summary": [
            {
                "customer_id": name(place), "frequency": 10, "recency": 200, "T": 200 + (AS_OF - last[place]).days,
                "first_purchase_date": last[place] - timedelta(days=200), "last_purchase_date": last[place],
                "tickets": 11,
            }
            for place in rows
        ],
        "lifecycle": [{"customer_id": name(place), "stage": "on_rhythm"} for place in rows],
        "customer_value": [
            {"customer_id": name(place), "p_alive": 0.95, "expected_value": 20.0, "value_decile": 1 + place % 10}
            for place in rows
        ],
        "model_parameters": [
            {"room": "05", "model": "mbg_cnbd_k", "parameter": parameter, "value": value}
            for parameter, value in [*fit.items(), ("days_per_unit", 1)]
        ],
    }  # fmt: skip
    empty = ("tickets", "sends", "contact_decisions", "web_events", "service_cases", "consent_events", "segments")
    absent = ("campaign_results", "campaigns", "stores")
    make_tables(engine, *(table for table in (*empty, *absent) if table not in tables), **made | tables)


def gather(engine: Engine, base_decisions: str | None = None) -> people.PeopleTable:
    """What rooms 09 and 10 gather before they look at a plan."""
    eligibility.find_reach(engine)
    history.collect_history(engine, FIRST_DAY, "UTC", base_decisions)
    return people.gather_people(engine, FIRST_DAY, AS_OF, 0.3)


def simulate(engine: Engine, *plans: ContactPlan, factor: float = 1.0, replicates: int = 6) -> Simulation:
    """Rooms 09's calls on the base."""
    first_day, days = plan_days(plans, AS_OF)
    everybody = gather(engine)
    horizon = make_horizon(first_day, estimate_season(engine, AS_OF, first_day, days))
    scenarios = [
        Scenario(one.plan, one.lifts.assign(lift=one.lifts["lift"] * factor)) for one in make_scenarios(engine, plans)
    ]
    return simulate_plans(
        engine, scenarios, everybody, horizon, read_rhythm(engine), StageSettings(), seed=7, replicates=replicates
    )
