"""Habits: when, where and what a customer usually buys, from the tickets of known customers.

The steps read `buyer_tickets`, which `purchases` makes.
"""

from __future__ import annotations

from crmlib.engine import Step

# A source whose tickets all bear the same time of day (or the two that summer time makes of it) knows no times.
TIMED_SOURCES = Step(
    "timed_sources",
    """
WITH times AS (
    SELECT source, hour(bought_at) * 60 + minute(bought_at) AS minutes
    FROM buyer_tickets
)
SELECT source
FROM times
GROUP BY source
HAVING count(DISTINCT minutes) > 2
""",
)

PURCHASE_HABITS = Step(
    "purchase_habits",
    """
WITH bought AS (
    SELECT b.customer_id, b.store_id, t.source IS NOT NULL AS timed,
           date_diff('day', DATE '1969-12-29', b.bought_on) % 7 + 1 AS weekday,  -- from a Monday
           hour(b.bought_at AT TIME ZONE $timezone) AS hour_of_day
    FROM buyer_tickets AS b
    LEFT JOIN timed_sources AS t ON t.source = b.source
    WHERE NOT b.is_return
),
habits AS (
    SELECT customer_id, 'weekday' AS habit, CAST(weekday AS VARCHAR) AS choice FROM bought
    UNION ALL
    SELECT customer_id, 'daypart' AS habit,
           CASE WHEN hour_of_day < 6 THEN 'night' WHEN hour_of_day < 12 THEN 'morning'
                WHEN hour_of_day < 18 THEN 'afternoon' ELSE 'evening' END AS choice
    FROM bought WHERE timed
    UNION ALL
    SELECT customer_id, 'store' AS habit, store_id AS choice FROM bought WHERE store_id IS NOT NULL
),
counted AS (
    SELECT customer_id, habit, choice, count(*) AS times
    FROM habits
    GROUP BY customer_id, habit, choice
),
ranked AS (
    SELECT customer_id, habit, choice,
           row_number() OVER (PARTITION BY customer_id, habit ORDER BY times DESC, choice) AS place
    FROM counted
)
SELECT customer_id,
       CAST(max(CASE WHEN habit = 'weekday' THEN choice END) AS BIGINT) AS usual_weekday,
       max(CASE WHEN habit = 'daypart' THEN choice END) AS usual_daypart,
       max(CASE WHEN habit = 'store' THEN choice END) AS home_store_id
FROM ranked
WHERE place = 1
GROUP BY customer_id
""",
)

CHANNEL_SHARES = Step(
    "channel_shares",
    """
WITH counted AS (
    SELECT customer_id, channel, count(*) AS tickets
    FROM buyer_tickets
    WHERE NOT is_return AND channel IS NOT NULL
    GROUP BY customer_id, channel
),
shares AS (
    SELECT customer_id, channel, tickets / sum(tickets) OVER (PARTITION BY customer_id) AS share
    FROM counted
)
SELECT customer_id, map(list(channel ORDER BY channel), list(share ORDER BY channel)) AS channel_shares
FROM shares
GROUP BY customer_id
""",
)

CATEGORY_SHARES = Step(
    "category_shares",
    """
WITH spent AS (
    SELECT b.customer_id, p.category, sum(l.amount) AS amount
    FROM buyer_tickets AS b
    JOIN ticket_lines AS l ON l.source = b.source AND l.ticket_id = b.ticket_id
    JOIN products AS p ON p.product_id = l.product_id
    WHERE p.category IS NOT NULL
    GROUP BY b.customer_id, p.category
    HAVING sum(l.amount) > 0
),
shares AS (
    SELECT customer_id, category,
           CAST(amount AS DOUBLE) / CAST(sum(amount) OVER (PARTITION BY customer_id) AS DOUBLE) AS share
    FROM spent
)
SELECT customer_id, map(list(category ORDER BY category), list(share ORDER BY category)) AS category_shares
FROM shares
GROUP BY customer_id
""",
)

BASKETS = Step(
    "baskets",
    """
SELECT customer_id,
       CAST(median(items) FILTER (WHERE NOT is_return) AS DOUBLE) AS basket_items,
       CAST(avg(amount) FILTER (WHERE NOT is_return) AS DOUBLE) AS basket_amount,
       CAST(sum(discount) AS DOUBLE) / nullif(CAST(sum(amount) + sum(discount) AS DOUBLE), 0) AS discount_share
FROM buyer_tickets
GROUP BY customer_id
""",
)

HABIT_STEPS = (TIMED_SOURCES, PURCHASE_HABITS, CHANNEL_SHARES, CATEGORY_SHARES, BASKETS)
