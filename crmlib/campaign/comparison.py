"""What the simulation says, as the tables of the room.

Intervals are of 80 %: the 10 % and 90 % quantiles over the replicates. What a plan brings is the difference to the
same replicate without any contact.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import t as student

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.notation import CATEGORIES
from crmlib.campaign.outcomes import Outcome, Simulation
from crmlib.campaign.shapes import REASONS

LOW, HIGH = 0.1, 0.9
ALL = "all"

#: Metrics of a plan, and what they are called.
METRICS = {
    "contacts": "Contacts",
    "reach": "People contacted",
    "contacts_per_person": "Contacts per person contacted",
    "cost": "Cost",
    "purchases": "Purchases",
    "incremental_purchases": "Purchases that would not have been",
    "incremental_margin": "Margin that would not have been",
    "net_gain": "That margin less the cost",
    "unsubscribes": "Unsubscriptions",
    "cost_per_impact": "Cost per contact",
    "cost_per_incremental_purchase": "Cost per purchase that would not have been",
    "owed_purchases": "Purchases pulled forward, still to be missed",
}
#: Metrics of which the difference to the first plan is told.
COMPARED = ("contacts", "cost", "incremental_purchases", "incremental_margin", "net_gain", "unsubscribes")
DIFFERENCE = "difference_"


def measure_plans(simulation: Simulation) -> dict[str, dict[str, Floats]]:
    """Each plan's metrics in each replicate.

    Returns
    -------
    dict of str to dict of str to ndarray
        Plan -> metric -> one value a replicate (NaN where undefined).
    """
    return {outcome.name: _measure(outcome, simulation.without) for outcome in simulation.outcomes}


def tabulate_comparison(simulation: Simulation) -> pd.DataFrame:
    """The plans side by side.

    Returns
    -------
    DataFrame
        Table `plan_comparison`: plan, metric, value, value_low, value_high. Metrics are those of `METRICS`; those that
        begin with ``difference_`` are a plan's less the first plan's, replicate by replicate.
    """
    measured = measure_plans(simulation)
    rows = [
        (plan, metric, *_summarise(metric, values, metrics))
        for plan, metrics in measured.items()
        for metric, values in metrics.items()
    ]
    first = measured[simulation.plans[0].name] if simulation.plans else {}
    for outcome in simulation.plans[1:]:
        own = measured[outcome.name]
        rows += [
            (outcome.name, f"{DIFFERENCE}{metric}", *_interval(own[metric] - first[metric])) for metric in COMPARED
        ]
    frame = pd.DataFrame(rows, columns=["plan", "metric", "value", "value_low", "value_high"])
    return frame[frame["value"].notna()].reset_index(drop=True)


def tabulate_forecast(simulation: Simulation) -> pa.Table:
    """What each plan does day by day.

    Returns
    -------
    pyarrow.Table
        Table `plan_forecast`.
    """
    return pa.concat_tables(
        [_forecast(simulation, outcome, category) for outcome in simulation.outcomes for category in (ALL, *CATEGORIES)]
    )


def tabulate_visits(simulation: Simulation) -> pd.DataFrame:
    """Purchases in each store under each plan, over the whole horizon.

    Returns
    -------
    DataFrame
        Table `plan_visits`: plan, store_id, visits, incremental (less those without any contact in the same replicate),
        each with its interval.
    """
    rows = []
    for outcome in simulation.outcomes:
        more = outcome.visits - simulation.without.visits
        for place, store in enumerate(simulation.stores):
            rows.append((outcome.name, store, *_interval(outcome.visits[:, place]), *_interval(more[:, place])))
    parts = [f"{name}{end}" for name in ("visits", "incremental") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["plan", "store_id", *parts])


def bound_mean(differences: Floats, confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean of differences of two plans, replicate by replicate, and the interval in which it surely lies.

    What a single replicate may be is wider, and is no reason to doubt the mean.
    """
    mean, number = float(differences.mean()), len(differences)
    if number < 2:
        return mean, float("-inf"), float("inf")
    either = float(student.ppf((1 + confidence) / 2, number - 1) * differences.std(ddof=1) / np.sqrt(number))
    return mean, mean - either, mean + either


def _measure(outcome: Outcome, without: Outcome) -> dict[str, Floats]:
    counts, nothing = outcome.counts, without.counts
    purchases = counts["purchases"].sum(axis=1)
    if outcome.plan is None:
        return {"purchases": purchases}
    contacts = counts["contacts"].sum(axis=(1, 2, 3)).astype(float)
    reach = outcome.totals["histogram"][:, 1:].sum(axis=1).astype(float)
    cost = counts["cost"].sum(axis=(1, 2))
    more = purchases - nothing["purchases"].sum(axis=1)
    margin = counts["margin"].sum(axis=1) - nothing["margin"].sum(axis=1)
    return {
        "contacts": contacts,
        "reach": reach,
        "contacts_per_person": _ratio(contacts, reach),
        "cost": cost,
        "purchases": purchases,
        "incremental_purchases": more,
        "incremental_margin": margin,
        "net_gain": margin - cost,
        "unsubscribes": counts["unsubscribes"].sum(axis=(1, 2)).astype(float),
        "cost_per_impact": _ratio(cost, contacts),
        "cost_per_incremental_purchase": _ratio(cost, np.where(more > 0, more, 0.0)),
        "owed_purchases": outcome.totals["owed"].astype(float),
    }


def _ratio(part: Floats, whole: Floats) -> Floats:
    ratio: Floats = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole != 0)
    return ratio


def _summarise(metric: str, values: Floats, metrics: dict[str, Floats]) -> tuple[float, float, float]:
    """Value and interval; a cost per incremental purchase is that of the means, open above if it may be infinite."""
    if metric != "cost_per_incremental_purchase":
        return _interval(values)
    more = metrics["incremental_purchases"].mean()
    if more <= 0:
        return float("nan"), float("nan"), float("nan")
    known = values[~np.isnan(values)]
    high = np.quantile(known, HIGH) if len(known) == len(values) else float("nan")
    return float(metrics["cost"].mean() / more), float(np.quantile(known, LOW)), float(high)


def _interval(values: Floats) -> tuple[float, float, float]:
    if np.isnan(values).all():
        return float("nan"), float("nan"), float("nan")
    low, high = np.nanquantile(values, (LOW, HIGH))
    return float(np.nanmean(values)), float(low), float(high)


def _forecast(simulation: Simulation, outcome: Outcome, category: str) -> pa.Table:
    counts = outcome.counts
    every = category == ALL
    place = slice(None) if every else slice(CATEGORIES.index(category), CATEGORIES.index(category) + 1)
    contacts = contacts_by_category(outcome)[:, :, place].sum(axis=2)
    credit = counts["credit"][:, :, place].sum(axis=2)
    skips = counts["skips"][:, :, place].sum(axis=2).mean(axis=0)
    days = len(contacts[0])
    nothing = [None] * days
    low, high = np.quantile(contacts, (LOW, HIGH), axis=0)
    credit_low, credit_high = np.quantile(credit, (LOW, HIGH), axis=0)
    bought = counts["purchases"]
    columns = {
        "plan": [outcome.name] * days,
        "day": simulation.horizon.days,
        "category": [category] * days,
        "contacts": contacts.mean(axis=0),
        "contacts_low": low,
        "contacts_high": high,
        "skips": [[(name, n) for name, n in zip(REASONS, row, strict=True) if n > 0] for row in skips],
        "cost": counts["cost"][:, :, place].sum(axis=2).mean(axis=0),
        "purchases": bought.mean(axis=0) if every else nothing,
        "purchases_low": np.quantile(bought, LOW, axis=0) if every else nothing,
        "purchases_high": np.quantile(bought, HIGH, axis=0) if every else nothing,
        "incremental_purchases": counts["credited_purchases"][:, :, place].sum(axis=2).mean(axis=0),
        "incremental_margin": credit.mean(axis=0),
        "incremental_margin_low": credit_low,
        "incremental_margin_high": credit_high,
        "unsubscribes": counts["unsubscribes"].sum(axis=2).mean(axis=0) if every else nothing,
    }
    kinds = {
        "plan": pa.string(),
        "day": pa.date32(),
        "category": pa.string(),
        "skips": pa.map_(pa.string(), pa.float64()),
    }
    return pa.table({name: pa.array(values, kinds.get(name, pa.float64())) for name, values in columns.items()})


def contacts_by_category(outcome: Outcome) -> NDArray[np.int64]:
    """Contacts, replicates × days × categories."""
    plan = outcome.plan
    found = np.zeros((*outcome.counts.shape, len(CATEGORIES)), np.int64)
    for place, communication in enumerate(plan.communications if plan else []):
        category = CATEGORIES.index(communication.category)
        found[:, :, category] += outcome.counts["contacts"][:, :, place].sum(axis=2)
    return found
