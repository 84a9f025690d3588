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

_WEEKDAYS = range(1, 8)
#: Part of the day -> the hours of it.
_DAYPARTS = {"afternoon": (12, 17), "evening": (18, 23), "morning": (6, 11), "night": (0, 5)}

_CHOICES = (*(f"weekday_{day}" for day in _WEEKDAYS), *_DAYPARTS)

# Weekdays and parts of the day are few: their tickets are counted side by side, in one row a customer. Of two as common
# with a customer, the usual one is that which is commoner with all.
PURCHASE_HABITS = Step(
    "purchase_habits",
    f"""
WITH bought AS (
    SELECT b.customer_id, b.store_id,
           date_diff('day', DATE '1969-12-29', b.bought_on) % 7 + 1 AS weekday,  -- from a Monday
           CASE WHEN t.source IS NOT NULL THEN hour(b.bought_at AT TIME ZONE $timezone) END AS hour_of_day
    FROM buyer_tickets AS b
    LEFT JOIN timed_sources AS t ON t.source = b.source
    WHERE NOT b.is_return
),
counted AS (
    SELECT customer_id,
           {", ".join(f"count(*) FILTER (WHERE weekday = {day}) AS weekday_{day}" for day in _WEEKDAYS)},
           {
        ", ".join(
            f"count(*) FILTER (WHERE hour_of_day BETWEEN {first} AND {last}) AS {name}"
            for name, (first, last) in _DAYPARTS.items()
        )
    }
    FROM bought
    GROUP BY customer_id
),
shares AS (
    SELECT {", ".join(f"sum({choice}) / (count(*) + sum({choice})) AS {choice}" for choice in _CHOICES)}
    FROM counted
),
weighed AS (
    SELECT c.customer_id, {
        ", ".join(
            f"CASE WHEN c.{choice} > 0 THEN c.{choice} + s.{choice} ELSE 0 END AS {choice}" for choice in _CHOICES
        )
    }
    FROM counted AS c
    CROSS JOIN shares AS s
),
by_store AS (
    SELECT customer_id, store_id, count(*) AS times
    FROM bought
    WHERE store_id IS NOT NULL
    GROUP BY customer_id, store_id
),
stores AS (
    SELECT customer_id, store_id,
           row_number() OVER (PARTITION BY customer_id ORDER BY times DESC, store_id) AS place
    FROM by_store
)
SELECT c.customer_id,
       CAST(CASE greatest({", ".join(f"weekday_{day}" for day in _WEEKDAYS)})
            {" ".join(f"WHEN weekday_{day} THEN {day}" for day in _WEEKDAYS)} END AS BIGINT) AS usual_weekday,
       CASE greatest({", ".join(_DAYPARTS)})
            WHEN 0 THEN NULL {" ".join(f"WHEN {name} THEN '{name}'" for name in _DAYPARTS)} END AS usual_daypart,
       s.store_id AS home_store_id
FROM weighed AS c
LEFT JOIN stores AS s ON s.customer_id = c.customer_id AND s.place = 1
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
