"""The ledger of plans: what each forecast promised week by week, and, once the week is past, what came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from crmlib.behaviour import promises
from crmlib.behaviour.promises import COLUMNS
from crmlib.behaviour.purchase_days import DAY_STEPS
from crmlib.campaign.comparison import HIGH, LOW
from crmlib.campaign.outcomes import NO_CONTACT, Simulation
from crmlib.engine import Engine, Step

ROOM = "09"
#: What is promised for each week, and what a reader calls it.
PROMISED = {"purchases": "Purchases", "contacts": "Contacts", "cost": "Cost", "unsubscribes": "Unsubscriptions"}
#: Weeks ahead that are judged together: up to so many.
AHEAD = (1, 4, 13, 53)
#: Share of the promised intervals that should hold what came.
NOMINAL = HIGH - LOW
IN_FORCE, COMPARED = "in force: ", "compared: "
DAYS = 7

# Only customers who had bought when the forecast was made are in it, so only their purchases count.
WHAT_CAME = Step(
    "what_came",
    """
    WITH due AS (
        SELECT DISTINCT made_on, due_on, metric
        FROM open_promises
        WHERE due_on <= $as_of_date AND starts_with(segment, $in_force)
    ),
    known AS (
        SELECT customer_no, min(bought_on) AS first_on FROM purchase_days GROUP BY customer_no
    ),
    bought AS (
        SELECT d.made_on, d.due_on, d.metric, count(*) AS value
        FROM due AS d
        JOIN purchase_days AS p ON p.bought_on > d.due_on - 7 AND p.bought_on <= d.due_on
        JOIN known AS k ON k.customer_no = p.customer_no AND k.first_on <= d.made_on
        WHERE d.metric = 'purchases'
        GROUP BY d.made_on, d.due_on, d.metric
    ),
    sent AS (
        SELECT CAST(sent_at AT TIME ZONE $timezone AS DATE) AS day, count(*) AS contacts,
               CAST(coalesce(sum(cost), 0) AS DOUBLE) AS cost, count(*) FILTER (WHERE unsubscribed) AS unsubscribes
        FROM sends
        WHERE sent_at IS NOT NULL AND coalesce("group", 'treatment') <> 'control'
        GROUP BY CAST(sent_at AT TIME ZONE $timezone AS DATE)
    ),
    mailed AS (
        SELECT d.made_on, d.due_on, d.metric,
               sum(CASE d.metric WHEN 'contacts' THEN s.contacts WHEN 'cost' THEN s.cost ELSE s.unsubscribes END)
                   AS value
        FROM due AS d
        JOIN sent AS s ON s.day > d.due_on - 7 AND s.day <= d.due_on
        WHERE d.metric <> 'purchases'
        GROUP BY d.made_on, d.due_on, d.metric
    )
    SELECT d.made_on, d.due_on, d.metric, CAST(coalesce(b.value, m.value, 0) AS DOUBLE) AS happened
    FROM due AS d
    LEFT JOIN bought AS b ON b.made_on = d.made_on AND b.due_on = d.due_on AND b.metric = d.metric
    LEFT JOIN mailed AS m ON m.made_on = d.made_on AND m.due_on = d.due_on AND m.metric = d.metric
    """,
)


def promise_plans(simulation: Simulation, made_on: date) -> pd.DataFrame:
    """What each plan promises for each whole week, the first plan being in force.

    Parameters
    ----------
    simulation : Simulation
    made_on : datetime.date
        The as-of date.

    Returns
    -------
    DataFrame
        Rows of `forecast_ledger`, with intervals of 80 % over the replicates.
    """
    rows = []
    first, weeks = simulation.horizon.first_day, len(simulation.horizon.season) // DAYS
    plans = [outcome for outcome in simulation.outcomes if outcome.name != NO_CONTACT]
    for place, outcome in enumerate(plans):
        segment = (COMPARED if place else IN_FORCE) + outcome.name
        for metric in PROMISED:
            counts = outcome.counts[metric]
            daily = counts.reshape(*counts.shape[:2], -1).sum(axis=2)[:, : weeks * DAYS]
            weekly = daily.reshape(len(daily), weeks, DAYS).sum(axis=2)
            low, high = np.quantile(weekly, (LOW, HIGH), axis=0)
            for week, promised in enumerate(weekly.mean(axis=0)):
                due_on = first + timedelta(days=DAYS * (week + 1) - 1)
                name = f"{ROOM} {made_on} {segment} {metric} {due_on}"
                rows.append(
                    (name, ROOM, made_on, due_on, segment, metric, float(promised), low[week], high[week], np.nan)
                )
    return pd.DataFrame(rows, columns=COLUMNS)


def score_promises(engine: Engine, base: str | None, as_of_date: date, timezone: str) -> pd.DataFrame:
    """Lay what came beside what the base's ledger promises, where the week is past.

    Parameters
    ----------
    engine : Engine
        Holds `tickets`, `identities` and `sends`.
    base : str or None
        The base run's `forecast_ledger`.
    as_of_date : datetime.date
    timezone : str
        In which the day of a send is told.

    Returns
    -------
    DataFrame
        This room's rows of `forecast_ledger`. Only the plan that was in force is scored: what another would have
        brought is never known.
    """
    if base is None:
        return pd.DataFrame(columns=COLUMNS)
    for step in DAY_STEPS:
        engine.run(step, as_of_date=as_of_date)
    engine.view("open_promises", f"SELECT * FROM {base} WHERE room = '{ROOM}' AND happened IS NULL")
    engine.run(WHAT_CAME, as_of_date=as_of_date, timezone=timezone, in_force=IN_FORCE)
    return engine.frame(
        f"""
        SELECT {", ".join(f"l.{name}" for name in COLUMNS[:-1])}, coalesce(l.happened, w.happened) AS happened
        FROM {base} AS l
        LEFT JOIN what_came AS w
            ON w.made_on = l.made_on AND w.due_on = l.due_on AND w.metric = l.metric
            AND starts_with(l.segment, $in_force)
        WHERE l.room = '{ROOM}'
        ORDER BY l.forecast_id
        """,
        in_force=IN_FORCE,
    )


def carry_on(engine: Engine, base: str | None, simulation: Simulation, as_of_date: date, timezone: str) -> pd.DataFrame:
    """Carry the ledger on: what stood in the base's, with what came of it, and what the plans promise now.

    Parameters
    ----------
    engine, base, as_of_date, timezone
        As for `score_promises`.
    simulation : Simulation
        The plan in force first.

    Returns
    -------
    DataFrame
        This room's rows of `forecast_ledger`.
    """
    scored = score_promises(engine, base, as_of_date, timezone)
    return promises.carry_on(scored, promise_plans(simulation, as_of_date))


def judge_promises(scored: pd.DataFrame, ahead: Sequence[int] = AHEAD) -> pd.DataFrame:
    """How right the promises were, by metric and by how far ahead they looked.

    Parameters
    ----------
    scored : DataFrame
        Of `score_promises`.
    ahead : sequence of int
        Upper ends of the groups, in weeks.

    Returns
    -------
    DataFrame
        metric (in words), ahead (in words), weeks (promises judged), promised, happened (means a week), bias
        (relative, above 0: too much was promised), coverage (share inside the interval of 80 %).
    """
    past = scored[scored["happened"].notna()]
    weeks = (pd.to_datetime(past["due_on"]) - pd.to_datetime(past["made_on"])).dt.days / DAYS
    inside = (past["promised_low"] <= past["happened"]) & (past["happened"] <= past["promised_high"])
    past = past.assign(ahead=np.searchsorted(np.asarray(ahead), np.ceil(weeks)), inside=inside)
    rows = []
    for (metric, group_number), group in past.groupby(["metric", "ahead"]):
        place = min(int(str(group_number)), len(ahead) - 1)
        low, high = (ahead[place - 1] + 1 if place else 1), ahead[place]
        happened = group["happened"].mean()
        rows.append(
            {
                "metric": PROMISED[str(metric)],
                "ahead": f"week {low}" if low == high else f"weeks {low} to {high}",
                "weeks": len(group),
                "promised": group["promised"].mean(),
                "happened": happened,
                "bias": group["promised"].mean() / happened - 1 if happened else np.nan,
                "coverage": group["inside"].mean(),
            }
        )
    columns = ["metric", "ahead", "weeks", "promised", "happened", "bias", "coverage"]
    judged = pd.DataFrame(rows, columns=columns)
    order = {word: place for place, word in enumerate(PROMISED.values())}
    return judged.sort_values("metric", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def tell_scores(scored: pd.DataFrame) -> str:
    """Say of every metric how far off the promises were, and how often what came lay inside their interval."""
    return " ".join(
        f"{one['metric']}, {one['ahead']} ahead: {one['promised']:,.0f} promised and {one['happened']:,.0f} came "
        f"a week, {one['coverage']:.0%} of {one['weeks']} inside the interval of {NOMINAL:.0%}."
        for one in judge_promises(scored).to_dict("records")
    )


def tell_promises(traced: pd.DataFrame) -> str:
    """Say, as a title, how the purchases that came lay to those that were promised."""
    inside = traced["happened"].between(traced["low"], traced["high"]).sum() if len(traced) else 0
    return f"In {inside} of {len(traced)} weeks that are past, purchases came as promised"


def trace_purchases(scored: pd.DataFrame) -> pd.DataFrame:
    """Weeks that are past: purchases as last promised before the week began, with the interval, and those that came.

    Returns
    -------
    DataFrame
        week (its last day), promised, low, high, happened; a row per week.
    """
    past = scored[(scored["metric"] == "purchases") & scored["happened"].notna()]
    begun = pd.to_datetime(past["due_on"]) - pd.to_timedelta(DAYS, unit="D")
    past = past[pd.to_datetime(past["made_on"]) <= begun].sort_values("made_on").drop_duplicates("due_on", keep="last")
    renamed = past.rename(columns={"due_on": "week", "promised_low": "low", "promised_high": "high"})
    traced = renamed[["week", "promised", "low", "high", "happened"]].sort_values("week", ignore_index=True)
    return traced.assign(week=pd.to_datetime(traced["week"]))
