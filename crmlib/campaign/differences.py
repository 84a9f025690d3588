"""Campaigns without a control group: what those addressed did before and after, beside those who were not.

Nothing here is a lift. Whoever was addressed was chosen, and whoever is chosen for buying more goes on buying more; the
difference-in-differences takes off what was so before, not what would have come to be so.
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from crmlib.campaign.lifts import Sample, estimate_mean_lift
from crmlib.engine import Engine, Step

WARNING = (
    "There was no control group, so this is no lift: those addressed were chosen, and may have gone their own way."
)

# Everybody who bought in the 91 days before counts on either side, so that no newcomer is compared with a loyal one.
BEFORE_AND_AFTER = Step(
    "before_and_after",
    """
    WITH campaigns AS (
        SELECT campaign_id, CAST(min(eligible_at) AS DATE) AS day
        FROM campaign_customers
        GROUP BY campaign_id
        HAVING bool_and(arm = 'treatment') AND CAST(min(eligible_at) AS DATE) <= $judged_until
            AND CAST(min(eligible_at) AS DATE) >= (SELECT min(bought_on) FROM buyer_tickets) + CAST($days AS INTEGER)
    ),
    sums AS (
        SELECT c.campaign_id, t.customer_id,
               CAST(coalesce(sum(t.amount) FILTER (WHERE t.bought_on >= c.day), 0) AS DOUBLE) AS after,
               CAST(coalesce(sum(t.amount) FILTER (WHERE t.bought_on < c.day), 0) AS DOUBLE) AS before
        FROM campaigns AS c
        JOIN buyer_tickets AS t
            ON t.bought_on >= c.day - CAST($days AS INTEGER) AND t.bought_on < c.day + CAST($days AS INTEGER)
        GROUP BY c.campaign_id, t.customer_id
    ),
    known AS (
        SELECT c.campaign_id, b.customer_id
        FROM campaigns AS c
        JOIN (SELECT customer_id, min(bought_on) AS first_on FROM buyer_tickets GROUP BY customer_id) AS b
            ON b.first_on < c.day
    ),
    people AS (
        SELECT k.campaign_id, a.customer_id IS NOT NULL AS addressed,
               coalesce(s.after, 0) AS after, coalesce(s.before, 0) AS before
        FROM known AS k
        LEFT JOIN sums AS s ON s.campaign_id = k.campaign_id AND s.customer_id = k.customer_id
        LEFT JOIN campaign_customers AS a ON a.campaign_id = k.campaign_id AND a.customer_id = k.customer_id
    )
    SELECT campaign_id, addressed, count(*) AS n, sum(before) AS before, sum(after) AS after,
           sum(after * after) AS after_squares, sum(after - before) AS change,
           sum((after - before) * (after - before)) AS change_squares
    FROM people
    GROUP BY campaign_id, addressed
    """,
)


def compare_without_control(
    engine: Engine, as_of_date: date, days: int, confidence: float = 0.95, smallest: int = 20
) -> pd.DataFrame:
    """Put beside each other what those addressed and all other known buyers spent before and after.

    Parameters
    ----------
    engine : Engine
        Holds ``campaign_customers`` and ``buyer_tickets``.
    as_of_date : datetime.date
        Campaigns whose days after are not over by then are left out, as are those whose days before are not on record.
    days : int
        Days before the campaign's first day, and from it on.
    confidence : float
    smallest : int
        Fewer people addressed, or not addressed, are no comparison.

    Returns
    -------
    DataFrame
        A row per campaign without any control: campaign_id, addressed and others (people), before_addressed and
        before_others, after_addressed and after_others (sales per person), naive (difference after), and difference
        (of the differences, after less before) with difference_low and difference_high.
    """
    judged_until = pd.Timestamp(as_of_date) - pd.Timedelta(days=days - 1)
    engine.run(BEFORE_AND_AFTER, days=days, judged_until=judged_until.date())
    groups: dict[str, dict[bool, dict[str, float]]] = {}
    for row in engine.rows("SELECT * FROM before_and_after ORDER BY campaign_id"):
        groups.setdefault(row["campaign_id"], {})[row["addressed"]] = row
    rows = []
    for campaign, found in groups.items():
        if len(found) < 2 or min(group["n"] for group in found.values()) < smallest:
            continue
        those, others = found[True], found[False]
        change = estimate_mean_lift(_change(those), _change(others), confidence)
        rows.append(
            {
                "campaign_id": campaign,
                "addressed": int(those["n"]),
                "others": int(others["n"]),
                "before_addressed": those["before"] / those["n"],
                "before_others": others["before"] / others["n"],
                "after_addressed": those["after"] / those["n"],
                "after_others": others["after"] / others["n"],
                "naive": those["after"] / those["n"] - others["after"] / others["n"],
                "difference": change.lift,
                "difference_low": change.low,
                "difference_high": change.high,
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


COLUMNS = [
    "campaign_id", "addressed", "others", "before_addressed", "before_others", "after_addressed", "after_others",
    "naive", "difference", "difference_low", "difference_high",
]  # fmt: skip


def _change(group: dict[str, float]) -> Sample:
    return Sample(int(group["n"]), group["change"], group["change_squares"])
