"""Habits: when, where and what a customer usually buys, from the tickets of known customers.

The steps read `numbered_records`, which `purchase_days` makes. Those of `TICKET_STEPS` go through all tickets; those of
`HABIT_STEPS` through the customers whose numbers lie between two, since medians and lists are held in memory.
"""

from __future__ import annotations

from crmlib.behaviour.purchase_days import VALID
from crmlib.engine import Step

# A source whose tickets all bear the same time of day (or the two that summer time makes of it) knows no times.
TIMED_SOURCES = Step(
    "timed_sources",
    f"""
WITH times AS (
    SELECT DISTINCT t.source, epoch_us(t.bought_at) // 60000000 % 1440 AS minutes
    FROM tickets AS t
    WHERE t.source_record_id IS NOT NULL AND t.bought_on <= $as_of_date AND {VALID}
)
SELECT source
FROM times
GROUP BY source
HAVING count(minutes) > 2
""",
)

# In the order of the customers: what is asked of some of them is read of their tickets alone.
HABIT_TICKETS = Step(
    "habit_tickets",
    f"""
SELECT r.customer_no,
       CAST(date_diff('day', DATE '1969-12-29', t.bought_on) % 7 + 1 AS TINYINT) AS weekday,  -- from a Monday
       CAST(CASE WHEN s.source IS NOT NULL THEN hour(t.bought_at AT TIME ZONE $timezone) END AS TINYINT) AS hour_of_day,
       t.store_id, t.channel, t.items, t.amount, t.discount,
       coalesce(t.amount, 0) < 0 AS is_return
FROM tickets AS t
JOIN numbered_records AS r ON r.source = t.record_source AND r.source_record_id = t.source_record_id
LEFT JOIN timed_sources AS s ON s.source = t.source
WHERE t.bought_on <= $as_of_date AND {VALID}
ORDER BY r.customer_no
""",
)

_WEEKDAYS = range(1, 8)
#: Part of the day -> the hours of it.
_DAYPARTS = {"afternoon": (12, 17), "evening": (18, 23), "morning": (6, 11), "night": (0, 5)}

_CHOICES = (*(f"weekday_{day}" for day in _WEEKDAYS), *_DAYPARTS)

# Weekdays and parts of the day are few: their tickets are counted side by side, in one row a customer.
CHOICE_COUNTS = Step(
    "choice_counts",
    f"""
SELECT customer_no,
       {", ".join(f"CAST(count(*) FILTER (WHERE weekday = {day}) AS INTEGER) AS weekday_{day}" for day in _WEEKDAYS)},
       {
        ", ".join(
            f"CAST(count(*) FILTER (WHERE hour_of_day BETWEEN {first} AND {last}) AS INTEGER) AS {name}"
            for name, (first, last) in _DAYPARTS.items()
        )
    }
FROM habit_tickets
WHERE NOT is_return
GROUP BY customer_no
""",
)

CHOICE_SHARES = Step(
    "choice_shares",
    f"""
SELECT {", ".join(f"sum({choice}) / (count(*) + sum({choice})) AS {choice}" for choice in _CHOICES)}
FROM choice_counts
""",
)

CATEGORY_AMOUNTS = Step(
    "category_amounts",
    f"""
SELECT r.customer_no, p.category, sum(l.amount) AS amount
FROM tickets AS t
JOIN numbered_records AS r ON r.source = t.record_source AND r.source_record_id = t.source_record_id
JOIN ticket_lines AS l ON l.source = t.source AND l.ticket_id = t.ticket_id
JOIN products AS p ON p.product_id = l.product_id
WHERE t.bought_on <= $as_of_date AND {VALID} AND p.category IS NOT NULL
GROUP BY r.customer_no, p.category
HAVING sum(l.amount) > 0
""",
)

# Of two choices as common with a customer, the usual one is that which is commoner with all.
PURCHASE_HABITS = Step(
    "purchase_habits",
    f"""
WITH weighed AS (
    SELECT c.customer_no, {
        ", ".join(
            f"CASE WHEN c.{choice} > 0 THEN c.{choice} + s.{choice} ELSE 0 END AS {choice}" for choice in _CHOICES
        )
    }
    FROM choice_counts AS c
    CROSS JOIN choice_shares AS s
    WHERE c.customer_no BETWEEN $first_no AND $last_no
),
by_store AS (
    SELECT customer_no, store_id, count(*) AS times
    FROM habit_tickets
    WHERE customer_no BETWEEN $first_no AND $last_no AND NOT is_return AND store_id IS NOT NULL
    GROUP BY customer_no, store_id
),
stores AS (
    SELECT customer_no, store_id,
           row_number() OVER (PARTITION BY customer_no ORDER BY times DESC, store_id) AS place
    FROM by_store
)
SELECT c.customer_no,
       CAST(CASE greatest({", ".join(f"weekday_{day}" for day in _WEEKDAYS)})
            {" ".join(f"WHEN weekday_{day} THEN {day}" for day in _WEEKDAYS)} END AS BIGINT) AS usual_weekday,
       CASE greatest({", ".join(_DAYPARTS)})
            WHEN 0 THEN NULL {" ".join(f"WHEN {name} THEN '{name}'" for name in _DAYPARTS)} END AS usual_daypart,
       s.store_id AS home_store_id
FROM weighed AS c
LEFT JOIN stores AS s ON s.customer_no = c.customer_no AND s.place = 1
""",
)

CHANNEL_SHARES = Step(
    "channel_shares",
    """
WITH counted AS (
    SELECT customer_no, channel, count(*) AS tickets
    FROM habit_tickets
    WHERE customer_no BETWEEN $first_no AND $last_no AND NOT is_return AND channel IS NOT NULL
    GROUP BY customer_no, channel
),
shares AS (
    SELECT customer_no, channel, tickets / sum(tickets) OVER (PARTITION BY customer_no) AS share
    FROM counted
)
SELECT customer_no, map(list(channel ORDER BY channel), list(share ORDER BY channel)) AS channel_shares
FROM shares
GROUP BY customer_no
""",
)

CATEGORY_SHARES = Step(
    "category_shares",
    """
WITH shares AS (
    SELECT customer_no, category,
           CAST(amount AS DOUBLE) / CAST(sum(amount) OVER (PARTITION BY customer_no) AS DOUBLE) AS share
    FROM category_amounts
    WHERE customer_no BETWEEN $first_no AND $last_no
)
SELECT customer_no, map(list(category ORDER BY category), list(share ORDER BY category)) AS category_shares
FROM shares
GROUP BY customer_no
""",
)

BASKETS = Step(
    "baskets",
    """
SELECT customer_no,
       CAST(median(items) FILTER (WHERE NOT is_return) AS DOUBLE) AS basket_items,
       CAST(avg(amount) FILTER (WHERE NOT is_return) AS DOUBLE) AS basket_amount,
       CAST(sum(discount) AS DOUBLE) / nullif(CAST(sum(amount) + sum(discount) AS DOUBLE), 0) AS discount_share
FROM habit_tickets
WHERE customer_no BETWEEN $first_no AND $last_no
GROUP BY customer_no
""",
)

TICKET_STEPS = (TIMED_SOURCES, HABIT_TICKETS, CHOICE_COUNTS, CHOICE_SHARES, CATEGORY_AMOUNTS)
HABIT_STEPS = (PURCHASE_HABITS, CHANNEL_SHARES, CATEGORY_SHARES, BASKETS)
