"""What the page of the contact plan shows: plans side by side, by week, by reason, by communication."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from crmlib.campaign.calendar import calendar_days
from crmlib.campaign.communications import Communication
from crmlib.campaign.comparison import HIGH, LOW, METRICS, contacts_by_category
from crmlib.campaign.encoding import contact_costs
from crmlib.campaign.notation import CATEGORIES
from crmlib.campaign.outcomes import Outcome, Simulation
from crmlib.campaign.scenario import Scenario
from crmlib.campaign.shapes import MOST_COUNTED, REASONS

#: Bounds of the numbers of contacts that are shown together.
FREQUENCIES = (0, 1, 2, 4, 8, 16, 32)


def describe_plan(scenario: Scenario) -> pd.DataFrame:
    """A plan's communications, the higher first: what calls for them, how, and what they are thought to bring.

    Returns
    -------
    DataFrame
        communication, category, when (in words), channels, purpose, control, lift (and whence it is known).
    """
    plan = scenario.plan
    frame = pd.DataFrame(
        {
            "communication": [one.id for one in plan.communications],
            "category": [one.category.replace("_", " ") for one in plan.communications],
            "when": [_tell_when(one, len(calendar_days(plan, one))) for one in plan.communications],
            "channels": [", ".join(one.channels) for one in plan.communications],
            "purpose": [one.purpose for one in plan.communications],
            "control": [one.control.share for one in plan.communications],
            "lift": [
                f"{lift:+.0%}, {source}"
                for lift, source in zip(scenario.lifts["lift"], scenario.lifts["source"], strict=True)
            ],
        }
    )
    first = np.argsort([-one.priority for one in plan.communications], kind="stable")
    return frame.iloc[first].reset_index(drop=True)


def count_sources(scenarios: Sequence[Scenario]) -> pd.DataFrame:
    """Communications of each plan by whether their lift was measured: plan, measured, assumed."""
    measured = [int(scenario.lifts["source"].eq("measured").sum()) for scenario in scenarios]
    return pd.DataFrame(
        {
            "plan": [scenario.plan.id for scenario in scenarios],
            "measured": measured,
            "assumed": [len(one.lifts) - n for one, n in zip(scenarios, measured, strict=True)],
        }
    )


def lay_side_by_side(comparison: pd.DataFrame, plans: Sequence[str], currency: str) -> pd.DataFrame:
    """Metrics down, plans across, each cell a value with its interval in words.

    Parameters
    ----------
    comparison : DataFrame
        Of `tabulate_comparison`.
    plans : list of str
        In the order in which they are shown.
    currency : str

    Returns
    -------
    DataFrame
        Column measure, and one per plan.
    """
    money = ("cost", "incremental_margin", "net_gain", "cost_per_impact", "cost_per_incremental_purchase")
    found = {(row.plan, row.metric): row for row in comparison.itertuples()}
    rows = []
    for metric, label in METRICS.items():
        unit = f" ({currency})" if metric in money else ""
        cells = [_tell(found.get((plan, metric))) for plan in plans]
        rows.append((label + unit, *cells))
    return pd.DataFrame(rows, columns=["measure", *plans])


def count_contacts_by_week(simulation: Simulation, plan: str) -> pd.DataFrame:
    """A plan's mean contacts by week and category.

    Returns
    -------
    DataFrame
        week (its first day as text), category, contacts.
    """
    outcome = _find(simulation, plan)
    categories = [category.replace("_", " ") for category in CATEGORIES]
    frame = pd.DataFrame(contacts_by_category(outcome).mean(axis=0), columns=categories)
    return _by_week(simulation, frame).melt("week", var_name="category", value_name="contacts")


def tell_busiest(counted: pd.DataFrame, plan: str) -> str:
    """Say, as a title, which week brings most contacts, and of what.

    Parameters
    ----------
    counted : DataFrame
        Of `count_contacts_by_week`.
    plan : str
    """
    by_week = counted.groupby("week")["contacts"].sum()
    if not by_week.sum():
        return f"Plan {plan} contacts nobody"
    week = str(by_week.idxmax())
    most = counted[counted["week"] == week].set_index("category")["contacts"].idxmax()
    share = by_week.max() / by_week.sum()
    return f"The busiest week of plan {plan} begins on {week}: {share:.0%} of all its contacts, most of them {most}"


def count_purchases_by_week(simulation: Simulation) -> pd.DataFrame:
    """Mean purchases of whole weeks: week (its first day), a column per plan, and low and high without contact."""
    series = {outcome.name: outcome.counts["purchases"].mean(axis=0) for outcome in simulation.outcomes}
    frame = _by_week(simulation, pd.DataFrame(series), whole=True)
    weeks = np.arange(len(simulation.horizon.season)) // 7
    each = np.stack([np.bincount(weeks, one) for one in simulation.without.counts["purchases"]])[:, : len(frame)]
    frame["low"], frame["high"] = np.quantile(each, (LOW, HIGH), axis=0)
    frame["week"] = pd.to_datetime(frame["week"])
    return frame


def list_visits(visits: pd.DataFrame, plan: str) -> pd.DataFrame:
    """Visits of each store under a plan, the most first.

    Parameters
    ----------
    visits : DataFrame
        Of `tabulate_visits`.
    plan : str

    Returns
    -------
    DataFrame
        store_id, visits, visits_low, visits_high, incremental, incremental_low, incremental_high.
    """
    own = visits[visits["plan"] == plan].drop(columns="plan")
    return own.sort_values(["visits", "store_id"], ascending=[False, True], ignore_index=True)


def tell_visits(own: pd.DataFrame) -> str:
    """Say, as a title, how many visits a plan brings to how many stores."""
    surely = int((own["incremental_low"] > 0).sum())
    return (
        f"{own['incremental'].sum():,.0f} store visits of {own['visits'].sum():,.0f} would not be without contact; "
        f"{surely} of {len(own)} stores surely gain"
    )


def count_consent_base(simulation: Simulation, permitted: int) -> pd.DataFrame:
    """Mean permissions for promotion at the end of each week, one for each customer and channel.

    Parameters
    ----------
    simulation : Simulation
    permitted : int
        Permissions before the first day.

    Returns
    -------
    DataFrame
        week (its first day), a column per plan.
    """
    days = simulation.horizon.days
    ends = [min(begin + 6, len(days) - 1) for begin in range(0, len(days), 7)]
    left = {
        outcome.name: permitted - outcome.counts["unsubscribes"].sum(axis=2).mean(axis=0).cumsum()[ends]
        for outcome in simulation.plans
    }
    return pd.DataFrame({"week": pd.to_datetime([days[begin] for begin in range(0, len(days), 7)]), **left})


def tell_consent_base(frame: pd.DataFrame, plans: Sequence[str], permitted: int) -> str:
    """Say, as a title, which plan uses up most permissions."""
    lost = {plan: permitted - float(frame[plan].iloc[-1]) for plan in plans}
    most = max(lost, key=lambda plan: lost[plan])
    return f"Plan {most} uses up {lost[most] / max(permitted, 1):.1%} of the permissions by the end"


def count_skips(simulation: Simulation) -> pd.DataFrame:
    """Mean candidates that came to nothing: a row per reason that occurred, a column per plan; the commonest first."""
    frame = pd.DataFrame(
        {outcome.name: outcome.counts["skips"].sum(axis=(1, 2)).mean(axis=0) for outcome in simulation.plans},
        index=pd.Index([reason.replace("_", " ") for reason in REASONS], name="reason"),
    )
    frame = frame[(frame > 0).any(axis=1)]
    return frame.sort_values(list(frame.columns), ascending=False).reset_index()


def tell_skips(skipped: pd.DataFrame, plan: str) -> str:
    """Say, as a title, why most candidates of a plan come to nothing.

    Parameters
    ----------
    skipped : DataFrame
        Of `count_skips`.
    plan : str
    """
    total = float(skipped[plan].sum()) if len(skipped) else 0.0
    if not total:
        return f"Every candidate of plan {plan} is contacted"
    first = skipped.sort_values(plan, ascending=False, kind="stable").iloc[0]
    return f"{first[plan] / total:.0%} of plan {plan}'s candidates that come to nothing: {first['reason']}"


def count_communications(simulation: Simulation, plan: str) -> pd.DataFrame:
    """Mean contacts and cost of each of a plan's communications: communication, category, contacts, cost."""
    outcome = _find(simulation, plan)
    assert outcome.plan is not None
    contacts = outcome.mean_contacts().sum(axis=0)
    return pd.DataFrame(
        {
            "communication": [one.id for one in outcome.plan.communications],
            "category": [one.category for one in outcome.plan.communications],
            "contacts": contacts.sum(axis=1),
            "cost": (contacts * contact_costs(outcome.plan)).sum(axis=1),
        }
    )


def count_frequencies(simulation: Simulation) -> pd.DataFrame:
    """Mean customers by number of contacts in the horizon: contacts (in words), a column per plan."""
    bounds = [*FREQUENCIES, MOST_COUNTED + 1]
    names = [
        str(low) if high == low + 1 else f"{low} to {high - 1}" if high <= MOST_COUNTED else f"{low} and more"
        for low, high in pairwise(bounds)
    ]
    found = {
        outcome.name: np.add.reduceat(outcome.totals["histogram"].mean(axis=0), FREQUENCIES)
        for outcome in simulation.plans
    }
    return pd.DataFrame({"contacts": names, **found})


def _tell_when(communication: Communication, days: int) -> str:
    trigger = communication.trigger
    if trigger is None:
        return f"calendar: {days} {'day' if days == 1 else 'days'}"
    detail = trigger.state or trigger.field or trigger.status or (f"number {trigger.nth}" if trigger.nth else "")
    said = " ".join(part for part in (trigger.event, detail) if part).replace("_", " ")
    return f"{said}, after {trigger.delay:.0f} d" if trigger.delay >= 1 else said


def _by_week(simulation: Simulation, daily: pd.DataFrame, whole: bool = False) -> pd.DataFrame:
    """Days added up to weeks from the first day on; `whole` leaves a broken last week out."""
    weeks = np.arange(len(daily)) // 7
    summed = daily.groupby(weeks).sum()
    if whole and len(daily) % 7:
        summed = summed.iloc[:-1]
    days = simulation.horizon.days
    summed.insert(0, "week", [days[7 * int(week)].isoformat() for week in summed.index])
    return summed


def _find(simulation: Simulation, plan: str) -> Outcome:
    return next(outcome for outcome in simulation.outcomes if outcome.name == plan)


def _tell(row: Any) -> str:
    if row is None:
        return "–"
    size = (
        max(abs(row.value), abs(row.value_low), abs(row.value_high)) if not np.isnan(row.value_high) else abs(row.value)
    )
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 4
    low, value = f"{row.value_low:,.{digits}f}", f"{row.value:,.{digits}f}"
    if np.isnan(row.value_high):
        return f"{value} ({low} or more)"
    high = f"{row.value_high:,.{digits}f}"
    return value if low == high == value else f"{value} ({low} to {high})"
