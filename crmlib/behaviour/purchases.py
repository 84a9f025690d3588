"""From purchase days to how each customer buys.

Nothing dated after `as_of_date` is read, so that the same steps, run with an earlier date, give an honest view of the
past.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd

from crmlib.behaviour.habits import HABIT_STEPS, TICKET_STEPS
from crmlib.behaviour.purchase_days import DAY_STEPS, VALID
from crmlib.engine import Engine, Step

#: Customers whose habits are found at once: some hundred megabytes.
CUSTOMERS_AT_ONCE = 100_000

BUYER_TICKETS = Step(
    "buyer_tickets",
    f"""
SELECT i.customer_id, t.source, t.ticket_id, t.bought_at, t.bought_on, t.amount, t.discount, t.items,
       t.channel, t.store_id,
       coalesce(t.amount, 0) < 0 AS is_return
FROM tickets AS t
JOIN identities AS i ON i.source = t.record_source AND i.source_record_id = t.source_record_id
WHERE t.bought_on <= $as_of_date AND {VALID}
""",
)

# What lifetimes calls a summary; of the amounts, the first day's is left out.
PURCHASE_FREQUENCY = Step(
    "purchase_frequency",
    """
WITH counted AS (
    SELECT customer_no,
           count(*) - 1 AS frequency,
           min(bought_on) AS first_purchase_date,
           max(bought_on) AS last_purchase_date,
           sum(tickets) AS tickets,
           sum(amount) AS amount,
           count(amount) AS known,
           min_by(CAST(coalesce(amount, 0) AS DECIMAL(18, 2)), bought_on) AS first_amount,
           min(CASE WHEN amount IS NOT NULL THEN bought_on END) AS first_known
    FROM purchase_days
    GROUP BY customer_no
)
SELECT n.customer_id, c.customer_no, c.frequency,
       date_diff('day', c.first_purchase_date, c.last_purchase_date) AS recency,
       date_diff('day', c.first_purchase_date, CAST($as_of_date AS DATE)) AS T,
       CAST(c.amount - c.first_amount AS DOUBLE)
           / nullif(c.known - CASE WHEN c.first_known = c.first_purchase_date THEN 1 ELSE 0 END, 0) AS monetary_value,
       c.first_purchase_date, c.last_purchase_date, c.tickets, c.amount
FROM counted AS c
JOIN customer_numbers AS n ON n.customer_no = c.customer_no
""",
)

PURCHASE_GAPS = Step(
    "purchase_gaps",
    """
SELECT customer_no, bought_on, amount,
       lag(bought_on) OVER (PARTITION BY customer_no ORDER BY bought_on) AS previous_on,
       date_diff('day', lag(bought_on) OVER (PARTITION BY customer_no ORDER BY bought_on), bought_on) AS gap
FROM purchase_days
""",
)

# Regularity: closed-form estimate of a gamma shape from the mean and the mean logarithm of the gaps,
# with its small-sample bias taken off (Louzada, Ramos, Ramos 2019, eq. 10; start by Minka 2002).
PURCHASE_RHYTHM = Step(
    "purchase_rhythm",
    """
WITH gaps AS (
    SELECT customer_no,
           max(previous_on) AS previous_purchase_date,
           CAST(coalesce(sum(CAST(ln(gap) AS DECIMAL(18, 12))), 0) AS DOUBLE) AS sum_log_itt,
           median(gap) AS median_gap
    FROM purchase_gaps
    GROUP BY customer_no
),
rhythm AS (
    SELECT f.customer_id, f.customer_no, f.frequency, f.recency, f.T, f.monetary_value, f.first_purchase_date,
           f.last_purchase_date, g.previous_purchase_date, f.tickets, f.amount, g.sum_log_itt, g.median_gap
    FROM purchase_frequency AS f
    JOIN gaps AS g ON g.customer_no = f.customer_no
),
spread AS (
    SELECT *,
           CASE WHEN frequency >= 3 THEN greatest(ln(recency / frequency) - sum_log_itt / frequency, 0.005) END AS s
    FROM rhythm
),
shape AS (
    SELECT *, (3 - s + sqrt((s - 3) * (s - 3) + 24 * s)) / (12 * s) AS k
    FROM spread
)
SELECT customer_id, customer_no, frequency, recency, T, monetary_value, first_purchase_date, last_purchase_date,
       previous_purchase_date, tickets, amount, sum_log_itt, median_gap,
       k - (3 * k - 2 * k / (3 * (1 + k)) - 4 * k / (5 * (1 + k) * (1 + k))) / frequency AS regularity
FROM shape
""",
)

PURCHASE_SUMMARY = Step(
    "purchase_summary_of_some",
    """
SELECT r.customer_id, r.frequency, r.recency, r.T, r.monetary_value, r.first_purchase_date, r.last_purchase_date,
       r.previous_purchase_date, r.tickets, r.amount, r.sum_log_itt, r.regularity, r.median_gap,
       h.usual_weekday, h.usual_daypart, c.channel_shares, h.home_store_id, k.category_shares,
       b.basket_items, b.basket_amount, b.discount_share
FROM purchase_rhythm AS r
LEFT JOIN purchase_habits AS h ON h.customer_no = r.customer_no
LEFT JOIN channel_shares AS c ON c.customer_no = r.customer_no
LEFT JOIN category_shares AS k ON k.customer_no = r.customer_no
LEFT JOIN baskets AS b ON b.customer_no = r.customer_no
WHERE r.customer_no BETWEEN $first_no AND $last_no
""",
)

HOLDOUT_PURCHASES = Step(
    "holdout_purchases",
    """
SELECT customer_no, amount, bought_on, date_diff('day', CAST($origin AS DATE), bought_on) AS days_ahead
FROM purchase_days
WHERE bought_on > $origin
""",
)

CALIBRATION_AND_HOLDOUT = """
WITH holdout AS (
    SELECT customer_no, count(*) AS purchases, sum(amount) AS amount, min(days_ahead) AS next_purchase_days{marks}
    FROM holdout_purchases
    GROUP BY customer_no
)
SELECT r.customer_id, r.frequency, r.recency, r.T, r.monetary_value, r.last_purchase_date, r.previous_purchase_date,
       r.sum_log_itt,
       coalesce(h.purchases, 0) AS holdout_purchases,
       CAST(coalesce(h.amount, 0) AS DOUBLE) AS holdout_amount, h.next_purchase_days{marked}
FROM purchase_rhythm AS r
LEFT JOIN holdout AS h ON h.customer_no = r.customer_no
ORDER BY r.customer_id
"""

TICKETS_BY_BUYER = """
SELECT CASE WHEN t.source_record_id IS NULL THEN 'anonymous' ELSE 'known customer' END AS buyer,
       count(*) AS tickets,
       count(*) FILTER (WHERE t.amount < 0) AS returns,
       CAST(sum(t.amount) AS DOUBLE) AS amount
FROM tickets AS t
WHERE t.bought_on <= $as_of_date
GROUP BY buyer
ORDER BY buyer DESC
"""

FREQUENCY_STEPS = (*DAY_STEPS, PURCHASE_FREQUENCY)
RHYTHM_STEPS = (*FREQUENCY_STEPS, PURCHASE_GAPS, PURCHASE_RHYTHM)


def summarise_purchases(engine: Engine, as_of_date: date, timezone: str = "UTC") -> str:
    """Summarise how each customer buys.

    Parameters
    ----------
    engine : Engine
        With tables tickets, identities and, for category shares, ticket_lines and products.
    as_of_date : date
        Nothing later is read.
    timezone : str
        In which the time of day is told.

    Returns
    -------
    str
        Name of a table with the columns of `purchase_summary`.
    """
    made = "purchase_summary_made"
    _run(engine, *RHYTHM_STEPS, *TICKET_STEPS, as_of_date=as_of_date, timezone=timezone)
    customers = engine.row("SELECT count(*) AS customers FROM customer_numbers")["customers"]
    for first in range(1, max(customers, 1) + 1, CUSTOMERS_AT_ONCE):
        _run(engine, *HABIT_STEPS, PURCHASE_SUMMARY, first_no=first, last_no=first + CUSTOMERS_AT_ONCE - 1)
        put = f"CREATE OR REPLACE TABLE {made} AS" if first == 1 else f"INSERT INTO {made}"
        engine.execute(f"{put} FROM {PURCHASE_SUMMARY.name}")
    return made


def summarise_calibration_and_holdout(
    engine: Engine, origin: date, as_of_date: date, marks: Sequence[int] = ()
) -> pd.DataFrame:
    """What was known at an earlier date, and what came after it.

    Parameters
    ----------
    engine : Engine
        With tables tickets and identities.
    origin : date
        Last day that is known.
    as_of_date : date
        Last day of the holdout period.
    marks : sequence of int
        Days after `origin` within which purchase days are counted, too.

    Returns
    -------
    DataFrame
        A row per customer who had bought by then: customer_id, frequency, recency, T, monetary_value,
        last_purchase_date, previous_purchase_date, sum_log_itt (as of `origin`); holdout_purchases (purchase days
        after it), holdout_amount, next_purchase_days (days from `origin`, null if none), purchases_<mark>d.
    """
    _run(engine, *DAY_STEPS, HOLDOUT_PURCHASES, as_of_date=as_of_date, origin=origin)
    _run(engine, *RHYTHM_STEPS, as_of_date=origin)
    counted = [f",\n           count(*) FILTER (WHERE days_ahead <= {days:d}) AS purchases_{days:d}d" for days in marks]
    marked = [f",\n       coalesce(h.purchases_{days:d}d, 0) AS purchases_{days:d}d" for days in marks]
    frame = engine.frame(CALIBRATION_AND_HOLDOUT.format(marks="".join(counted), marked="".join(marked)))
    numbers = ["monetary_value", "next_purchase_days"]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def count_tickets_by_buyer(engine: Engine, as_of_date: date) -> pd.DataFrame:
    """Count tickets of known customers and anonymous ones.

    Returns
    -------
    DataFrame
        Columns buyer, tickets, returns, amount; at most two rows.
    """
    return engine.frame(TICKETS_BY_BUYER, as_of_date=as_of_date)


def _run(engine: Engine, *steps: Step, **values: Any) -> None:
    for step in steps:
        engine.run(step, **values)
