"""What is to be simulated: a plan with the lifts that are known of it, and the days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.calendar import last_day
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.responses import MEASURED_DAYS, find_lifts
from crmlib.engine import Engine
from crmlib.errors import InputError


@dataclass(frozen=True)
class Scenario:
    """A plan to be simulated.

    Parameters
    ----------
    plan : ContactPlan
    lifts : DataFrame
        Of `find_lifts`.
    """

    plan: ContactPlan
    lifts: pd.DataFrame


@dataclass(frozen=True)
class Horizon:
    """The days that are simulated.

    Parameters
    ----------
    first_day, last_day : date
    season : ndarray
        How busy each day is, 1 on average.
    unrest : float
        By how much, relatively, all purchases of a week stray from the season together (of `estimate_unrest`).
    """

    first_day: date
    last_day: date
    season: Floats
    unrest: float = 0.0

    @property
    def days(self) -> list[date]:
        """Each of them."""
        return [self.first_day + timedelta(days=number) for number in range(len(self.season))]


def make_scenarios(engine: Engine, plans: Sequence[ContactPlan], measured_days: int = MEASURED_DAYS) -> list[Scenario]:
    """Put beside each plan the lifts that are known of its communications; see `find_lifts`."""
    return [Scenario(plan, find_lifts(engine, plan, measured_days)) for plan in plans]


def scale_responses(scenario: Scenario, factor: float) -> Scenario:
    """The same plan with every lift and every return so many times as large."""
    lifts = scenario.lifts.assign(
        lift=scenario.lifts["lift"] * factor, standard_error=scenario.lifts["standard_error"] * abs(factor)
    )
    scaled = [
        one.model_copy(
            update={"response": one.response.model_copy(update={"reactivate": one.response.reactivate * factor})}
        )
        for one in scenario.plan.communications
    ]
    return Scenario(scenario.plan.model_copy(update={"communications": scaled}), lifts)


def scale_all(scenarios: Sequence[Scenario], factor: float) -> list[Scenario]:
    """`scale_responses` for each of several plans."""
    return [scale_responses(scenario, factor) for scenario in scenarios]


def make_horizon(first_day: date, season: Floats, unrest: float = 0.0) -> Horizon:
    """The days from the first on, as many as the season has; see `Horizon`."""
    return Horizon(first_day, first_day + timedelta(days=len(season) - 1), season, unrest)


def plan_days(plans: Sequence[ContactPlan], as_of_date: date) -> tuple[date, int]:
    """The first day that can be simulated, and how many follow up to the end of the plans' horizon.

    Raises
    ------
    InputError
        If the horizon is past.
    """
    first = as_of_date + timedelta(days=1)
    days = (last_day(plans[0]) - first).days + 1
    if days < 1:
        raise InputError(
            f"The horizon of plan '{plans[0].id}' ended on {last_day(plans[0])}; give the plan a later start:."
        )
    return first, days


def choose_seed(given: int | None, plan: ContactPlan, of_the_run: int) -> int:
    """The seed that is given, else the plan's, else the run's."""
    return given if given is not None else plan.plan.seed if plan.plan.seed is not None else of_the_run
