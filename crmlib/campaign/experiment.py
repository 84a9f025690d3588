"""Before launch: what each communication's control group could show, and how many people a lift takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from scipy import stats

from crmlib.campaign.assignment import UNITS, holdout_conditions
from crmlib.campaign.communications import Communication
from crmlib.campaign.eligibility import suppressed_set
from crmlib.campaign.exposure import BEFORE_DAYS
from crmlib.campaign.expressions import read_condition
from crmlib.campaign.lifts import SUSPICIOUS, power_reach
from crmlib.campaign.plan import ContactPlan
from crmlib.engine import Engine, Step, quote
from crmlib.params import CHANNELS

#: Relative lifts and shares of control in the table of sample sizes.
LIFTS, SHARES = (0.02, 0.05, 0.10, 0.20, 0.30), (0.05, 0.10, 0.20, 0.50)

RECENT_PURCHASES = Step(
    "recent_purchases",
    """
    SELECT customer_id,
           count(*) FILTER (WHERE bought_on > $window_from) AS purchases,
           count(*) FILTER (WHERE bought_on <= $window_from) AS before
    FROM buyer_tickets
    WHERE NOT is_return AND bought_on > $before_from
    GROUP BY customer_id
    """,
)


@dataclass(frozen=True)
class Spread:
    """How a group's purchases in a window vary between the units that are drawn.

    Parameters
    ----------
    people, units : int
    baseline : float
        Purchases per person.
    deviation : float
        Standard deviation of a unit's purchases per person, freed of what was bought before, per root of the units.
    """

    people: int
    units: int
    baseline: float
    deviation: float

    def detect(self, control_share: float, confidence: float = 0.95) -> float:
        """Smallest lift in purchases per person that is found four times out of five."""
        if self.units < 2 or not 0 < control_share < 1:
            return math.nan
        share = 1 / control_share + 1 / (1 - control_share)
        return power_reach(confidence) * self.deviation * math.sqrt(share / self.units)

    def need(self, relative_lift: float, control_share: float, confidence: float = 0.95) -> float:
        """People that a lift relative to the baseline takes, treated and controls together."""
        lift = abs(relative_lift) * self.baseline
        if not lift or not 0 < control_share < 1:
            return math.nan
        share = 1 / control_share + 1 / (1 - control_share)
        units = share * (power_reach(confidence) * self.deviation / lift) ** 2
        return math.ceil(units * self.people / self.units) if self.units else math.nan


def measure_spread(sums: dict[str, Any]) -> Spread:
    """Spread of purchases per person between units, less what the time before explains.

    Parameters
    ----------
    sums : dict
        k (units), n (people), y (purchases), b (purchases before) and the sums of products over units nn, yy, bb, yn,
        yb, bn.

    References
    ----------
    Deng, Knoblich, Lu (2018), Applying the delta method in metric analytics, eq. 4: people in units are a ratio.
    """
    k = sums["k"]
    if k < 3 or not sums["n"]:
        return Spread(int(sums["n"] or 0), k, math.nan, math.nan)
    n, y, b, nn, yy, bb, yn, yb, bn = (
        float(sums[name]) for name in ("n", "y", "b", "nn", "yy", "bb", "yn", "yb", "bn")
    )
    rate, before = y / n, b / n
    spread = yy - 2 * rate * yn + rate**2 * nn
    spread_before = bb - 2 * before * bn + before**2 * nn
    together = yb - rate * bn - before * yn + rate * before * nn
    explained = together**2 / spread_before if spread_before > 0 else 0.0
    return Spread(int(n), k, rate, math.sqrt(max(spread - explained, 0.0) / (k - 1)) / (n / k))


def plan_experiments(engine: Engine, plan: ContactPlan, as_of_date: date, confidence: float = 0.95) -> pd.DataFrame:
    """Tell for each communication what its control group could show, before anything is sent.

    Parameters
    ----------
    engine : Engine
        Holds ``audience_columns``, ``reach`` and ``buyer_tickets``.
    plan : ContactPlan
    as_of_date : datetime.date
    confidence : float

    Returns
    -------
    DataFrame
        A row per communication: communication, unit (drawn), control_share, people (with audience, permission and
        address today; of a triggered one, all whom it might ever reach), baseline (purchases per person in its window),
        detectable (relative lift found four times out of five if all of them were eligible), lift (as the plan thinks),
        needed (people for that lift), verdict.
    """
    rows: list[tuple[Any, ...]] = []
    windows: dict[int, list[tuple[int, Communication]]] = {}
    for place, communication in enumerate(plan.communications):
        window = max(1, round(communication.response.window))
        windows.setdefault(window, []).append((place, communication))
    for window, group in windows.items():
        last = pd.Timestamp(as_of_date) - pd.Timedelta(days=window)
        first = last - pd.Timedelta(days=BEFORE_DAYS)
        engine.run(RECENT_PURCHASES, window_from=last.date(), before_from=first.date())
        for place, communication in group:
            spread = measure_spread(_sum_units(engine, plan, communication))
            rows.append((place, *_tell_design(communication, spread, confidence)))
    columns = [
        "communication",
        "unit",
        "control_share",
        "people",
        "baseline",
        "detectable",
        "lift",
        "needed",
        "verdict",
    ]
    return pd.DataFrame(sorted(rows), columns=["place", *columns]).drop(columns="place")


def _tell_design(communication: Communication, spread: Spread, confidence: float) -> tuple[Any, ...]:
    share, lift = communication.control.share, communication.response.lift
    detectable = spread.detect(share, confidence) / spread.baseline if spread.baseline else math.nan
    needed = spread.need(lift, share, confidence)
    if not share:
        verdict = "no control group: it will never be known"
    elif math.isnan(detectable):
        verdict = "nobody who buys: nothing to compare"
    elif math.isnan(needed):
        verdict = "no lift is thought of"
    elif communication.trigger is not None:
        verdict = "large enough in time"
    else:
        verdict = "large enough" if needed <= spread.people else "too small for one round"
    return (
        communication.id, communication.control.unit, share, spread.people, spread.baseline, detectable, lift, needed,
        verdict,
    )  # fmt: skip


def _sum_units(engine: Engine, plan: ContactPlan, communication: Communication) -> dict[str, Any]:
    """Sums and sums of products over units, of those who have audience, permission and address."""
    values: dict[str, Any] = {}
    wanted = "true"
    if communication.where is not None:
        condition = read_condition(communication.where)
        wanted, values = condition.sql, condition.values
    bits = sum(1 << CHANNELS.index(channel) for channel in communication.channels)
    promotion, service = suppressed_set(plan)
    barred = service if communication.purpose == "service" else promotion
    unit = UNITS[communication.control.unit]
    return engine.row(
        f"""
        WITH people AS (
            SELECT coalesce({unit}, a.customer_id) AS unit, coalesce(p.purchases, 0) AS y, coalesce(p.before, 0) AS b
            FROM audience_columns AS a
            JOIN reach AS r ON r.customer_id = a.customer_id
            LEFT JOIN recent_purchases AS p ON p.customer_id = a.customer_id
            WHERE ({wanted}) AND r.{communication.purpose} & r.address & {bits} <> 0 AND ({barred}) = 0
        ),
        units AS (SELECT unit, count(*) AS n, sum(y) AS y, sum(b) AS b FROM people GROUP BY unit)
        SELECT count(*) AS k, sum(n) AS n, sum(y) AS y, sum(b) AS b, sum(n * n) AS nn, sum(y * y) AS yy,
               sum(b * b) AS bb, sum(y * n) AS yn, sum(y * b) AS yb, sum(b * n) AS bn
        FROM units
        """,
        **values,
    )


def tabulate_sample_sizes(
    spread: Spread, lifts: Sequence[float] = LIFTS, shares: Sequence[float] = SHARES, confidence: float = 0.95
) -> pd.DataFrame:
    """How many people a lift takes, by the share of control.

    Parameters
    ----------
    spread : Spread
    lifts : sequence of float
        Relative to the baseline.
    shares : sequence of float
        Of control.
    confidence : float

    Returns
    -------
    DataFrame
        lift, and a column of people (treated and controls together) per share, named like ``5 %``.
    """
    rows = [(lift, *(spread.need(lift, share, confidence) for share in shares)) for lift in lifts]
    return pd.DataFrame(rows, columns=["lift", *(f"{share:.0%}".replace("%", " %") for share in shares)])


def measure_base(engine: Engine, as_of_date: date, window_days: int) -> Spread:
    """Spread of the purchases of everybody who bought lately, in one window.

    Parameters
    ----------
    engine : Engine
        Holds ``buyer_tickets``.
    as_of_date : datetime.date
    window_days : int
    """
    last = pd.Timestamp(as_of_date) - pd.Timedelta(days=window_days)
    first = last - pd.Timedelta(days=BEFORE_DAYS)
    engine.run(RECENT_PURCHASES, window_from=last.date(), before_from=first.date())
    return measure_spread(
        engine.row(
            """
            SELECT count(*) AS k, count(*) AS n, sum(purchases) AS y, sum(before) AS b, count(*) AS nn,
                   sum(purchases * purchases) AS yy, sum(before * before) AS bb, sum(purchases) AS yn,
                   sum(purchases * before) AS yb, sum(before) AS bn
            FROM recent_purchases
            """
        )
    )


def check_strata(engine: Engine, plan: ContactPlan) -> pd.DataFrame:
    """Look whether the draw of the holdout group fell alike on every stratum that the plan names.

    Parameters
    ----------
    engine : Engine
        Holds ``audience_columns``.
    plan : ContactPlan

    Returns
    -------
    DataFrame
        A row per column of ``holdout: stratify:``: stratum, groups, people, held_out (share), least and most (share
        held out of a group of 100 or more), p_value of the chi-square test, alike.
    """
    if not plan.holdout.global_share or not plan.holdout.stratify:
        return pd.DataFrame(columns=STRATA_COLUMNS)
    held = holdout_conditions(plan, "salt")[0]
    rows = []
    for column in plan.holdout.stratify:
        counted = engine.frame(
            f"""
            SELECT CAST(a.{quote(column)} AS VARCHAR) AS value, count(*) AS people,
                   count(*) FILTER (WHERE {held}) AS held_out
            FROM audience_columns AS a
            WHERE a.{quote(column)} IS NOT NULL
            GROUP BY 1 ORDER BY 1
            """,
            salt=plan.holdout.salt,
        )
        if len(counted) < 2 or not counted["held_out"].sum():
            continue
        table = [counted["held_out"], counted["people"] - counted["held_out"]]
        p_value = float(stats.chi2_contingency(table).pvalue)
        shares = (counted["held_out"] / counted["people"])[counted["people"] >= 100]
        total = int(counted["people"].sum())
        share = counted["held_out"].sum() / total
        rows.append((column, len(counted), total, share, shares.min(), shares.max(), p_value, p_value >= SUSPICIOUS))
    return pd.DataFrame(rows, columns=STRATA_COLUMNS)


def tell_strata(engine: Engine, plan: ContactPlan) -> str:
    """Say how alike the holdout group was drawn over the strata that the plan names."""
    strata = check_strata(engine, plan)
    if strata.empty:
        return "The plan names no strata over which its holdout group is watched, or holds nobody out."
    uneven = strata.loc[~strata["alike"].astype(bool), "stratum"]
    if len(uneven):
        return f"The holdout group is uneven over {', '.join(uneven)}, more than chance makes it: choose another salt."
    return f"The holdout group ({strata['held_out'].iloc[0]:.1%}) falls alike over {', '.join(strata['stratum'])}."


STRATA_COLUMNS = ["stratum", "groups", "people", "held_out", "least", "most", "p_value", "alike"]
