"""Campaigns that reach the same people at the same time: what each brings with the others held still."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from crmlib.behaviour.integrals import Floats
from crmlib.campaign.lifts import Lift
from crmlib.engine import Engine, Step

#: Another campaign counts where so many of a campaign's people were in each of its groups at the same time.
FEWEST_SHARED = 20
#: Most other campaigns that are held still at once: those that share the most people.
MOST_OTHERS = 40

# The people of a campaign by what else was running for them: whose window meets this one's, and in which group.
OVERLAP_CELLS = Step(
    "overlap_cells",
    """
    WITH judged AS (
        SELECT campaign_id, customer_id, arm, CAST(eligible_at AS DATE) AS day, purchases, purchases_before
        FROM campaign_outcomes
        WHERE judged
    ),
    met AS (
        SELECT a.campaign_id, a.customer_id,
               array_to_string(list_sort(list(b.campaign_id || $tab || b.arm)), $line) AS others
        FROM judged AS a
        JOIN judged AS b
            ON b.customer_id = a.customer_id AND b.campaign_id <> a.campaign_id
            AND b.day > a.day - CAST($window_days AS INTEGER) AND b.day < a.day + CAST($window_days AS INTEGER)
        GROUP BY a.campaign_id, a.customer_id
    )
    SELECT j.campaign_id, j.arm = 'treatment' AS treated, coalesce(m.others, '') AS others, count(*) AS n,
           CAST(sum(purchases) AS DOUBLE) AS after, CAST(sum(purchases_before) AS DOUBLE) AS before,
           CAST(sum(purchases * purchases) AS DOUBLE) AS after_squares,
           CAST(sum(purchases_before * purchases_before) AS DOUBLE) AS before_squares,
           CAST(sum(purchases * purchases_before) AS DOUBLE) AS products
    FROM judged AS j
    LEFT JOIN met AS m ON m.campaign_id = j.campaign_id AND m.customer_id = j.customer_id
    GROUP BY j.campaign_id, j.arm, coalesce(m.others, '')
    """,
)


def regress_jointly(engine: Engine, window_days: int, confidence: float = 0.95) -> dict[str, tuple[Lift, float]]:
    """Regress each campaign's purchases on its own assignment and on that of all that ran at the same time.

    Parameters
    ----------
    engine : Engine
        Holds ``campaign_outcomes``.
    window_days : int
    confidence : float

    Returns
    -------
    dict of str to (Lift, float)
        Campaign -> its lift in purchases per person with the others held still, and the share of its people whom
        another campaign met in the window. Campaigns whose own assignment cannot be told from the others' are left
        out, as are those nothing else met.
    """
    engine.run(OVERLAP_CELLS, window_days=window_days, tab="\t", line="\n")
    cells = engine.frame("SELECT * FROM overlap_cells ORDER BY campaign_id, treated, others")
    found = {}
    for campaign, own in cells.groupby("campaign_id", sort=True):
        if own["others"].eq("").all() or own["treated"].nunique() < 2:
            continue
        lift = estimate_joint_lift(own, confidence)
        if lift is not None:
            met = float(own.loc[own["others"] != "", "n"].sum() / own["n"].sum())
            found[str(campaign)] = (lift, met)
    return found


def estimate_joint_lift(cells: pd.DataFrame, confidence: float = 0.95) -> Lift | None:
    """Least squares on grouped people, with the error of White that needs no equal spread.

    Parameters
    ----------
    cells : DataFrame
        One campaign's rows of ``overlap_cells``.
    confidence : float

    Returns
    -------
    Lift or None
        None where its assignment goes along with the others' so that no lift can be told apart, or where there are no
        more people than unknowns.

    References
    ----------
    White (1980), A heteroskedasticity-consistent covariance matrix estimator, with the correction n / (n − k).
    """
    n = cells["n"].to_numpy(float)
    design = _design(cells, n)
    after, squares = _free_of_before(cells, design, n)
    information = design.T @ (design * n[:, None])
    if _is_tangled(design, n):
        return None
    inverse = np.linalg.pinv(information, hermitian=True)
    slopes = inverse @ (design.T @ after)
    fitted = design @ slopes
    residuals = np.maximum(squares - 2 * fitted * after + n * fitted**2, 0.0)
    freedom = n.sum() - np.linalg.matrix_rank(information)
    if freedom < 1:
        return None
    covariance = inverse @ (design.T @ (design * residuals[:, None])) @ inverse * n.sum() / freedom
    # a variance of zero may come out a rounding below it
    error = math.sqrt(max(covariance[0, 0], 0.0))
    reach = float(stats.norm.ppf((1 + confidence) / 2)) * error
    return Lift(float(slopes[0]), float(slopes[0]) - reach, float(slopes[0]) + reach, error)


def _design(cells: pd.DataFrame, n: Floats) -> Floats:
    """Own assignment, a constant, and for each other campaign whether it met somebody, and as treated."""
    met: list[dict[str, str]] = [_read(others) for others in cells["others"]]
    shared: dict[tuple[str, str], float] = {}
    for place, others in enumerate(met):
        for other in others.items():
            shared[other] = shared.get(other, 0.0) + n[place]
    names = sorted({name for name, _ in shared}, key=lambda name: (-_people(shared, name), name))
    columns: list[Any] = [cells["treated"].to_numpy(float), np.ones(len(cells))]
    for name in names[:MOST_OTHERS]:
        there = np.array([name in others for others in met], float)
        columns.append(there)
        if min(shared.get((name, arm), 0.0) for arm in ("treatment", "control")) >= FEWEST_SHARED:
            columns.append(np.array([others.get(name) == "treatment" for others in met], float))
    return np.column_stack(columns)


def _read(others: str) -> dict[str, str]:
    return dict(other.split("\t") for other in others.split("\n")) if others else {}


def _people(shared: dict[tuple[str, str], float], name: str) -> float:
    return sum(shared.get((name, arm), 0.0) for arm in ("treatment", "control"))


def _free_of_before(cells: pd.DataFrame, design: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Sums and sums of squares of what people bought, less what they bought before explains (within the cells)."""
    after, before = (cells[name].to_numpy(float) for name in ("after", "before"))
    squares, before_squares = (cells[name].to_numpy(float) for name in ("after_squares", "before_squares"))
    products = cells["products"].to_numpy(float)
    within = float((before_squares - before**2 / n).sum())
    theta = float((products - after * before / n).sum()) / within if within > 0 else 0.0
    common = before.sum() / n.sum()
    freed = after - theta * (before - n * common)
    shifted = before_squares - 2 * common * before + n * common**2
    return freed, squares - 2 * theta * (products - common * after) + theta**2 * shifted


def _is_tangled(design: Floats, n: Floats) -> bool:
    """Whether the others' assignment tells the own one exactly."""
    weighted = design * np.sqrt(n)[:, None]
    rest = weighted[:, 1:]
    own = weighted[:, 0]
    left = own - rest @ np.linalg.lstsq(rest, own, rcond=None)[0]
    return bool((left**2).sum() < 1e-9 * (own**2).sum())
