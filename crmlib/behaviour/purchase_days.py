"""From tickets to purchase days.

A purchase day is a local date on which a customer bought: tickets of one day are one purchase, returns
are netted. Returns of the same day lower its amount; a day of returns alone lowers the latest earlier
purchase day, which ceases to be one if nothing is left of it.
"""

from __future__ import annotations

from crmlib.engine import Step

#: Of a ticket (t), that it came to pass.
VALID = "coalesce(lower(t.status), '') NOT IN ('cancelled', 'canceled', 'voided')"

# Purchase days are many, customers few: a number is grouped and joined by in less time and memory than an id.
NUMBERED_RECORDS = Step(
    "numbered_records",
    """
SELECT source, source_record_id, customer_id,
       CAST(dense_rank() OVER (ORDER BY customer_id) AS INTEGER) AS customer_no
FROM identities
""",
)

CUSTOMER_NUMBERS = Step(
    "customer_numbers",
    """
SELECT customer_no, any_value(customer_id) AS customer_id
FROM numbered_records
GROUP BY customer_no
""",
)

NUMBERED_TICKETS = Step(
    "numbered_tickets",
    f"""
SELECT r.customer_no, t.bought_on, t.amount
FROM tickets AS t
JOIN numbered_records AS r ON r.source = t.record_source AND r.source_record_id = t.source_record_id
WHERE t.bought_on <= $as_of_date AND {VALID}
""",
)

# Returns are few: the days they lower are found first, so that all else is gone through once. A table of their own says
# how few they are, and the many are not held in memory to be joined to them.
RETURN_DAYS = Step(
    "return_days",
    """
SELECT customer_no, bought_on AS returned_on, CAST(sum(amount) AS DECIMAL(18, 2)) AS amount
FROM numbered_tickets
WHERE amount < 0
GROUP BY customer_no, bought_on
""",
)

SETTLED_RETURNS = Step(
    "settled_returns",
    """
SELECT r.customer_no, r.returned_on, r.amount, max(t.bought_on) AS bought_on
FROM return_days AS r
JOIN numbered_tickets AS t ON t.customer_no = r.customer_no AND t.bought_on <= r.returned_on
WHERE coalesce(t.amount, 0) >= 0
GROUP BY r.customer_no, r.returned_on, r.amount
""",
)

# Most tickets have a day of their own: to sort them costs less than to gather them by day, and leaves those of a
# customer side by side for whoever reads on.
_OF_THE_DAY = "OVER (PARTITION BY customer_no ORDER BY bought_on RANGE BETWEEN CURRENT ROW AND CURRENT ROW)"

PURCHASE_DAYS = Step(
    "purchase_days",
    f"""
WITH settled AS (
    SELECT customer_no, bought_on, amount, 1 AS ticket
    FROM numbered_tickets
    WHERE coalesce(amount, 0) >= 0
    UNION ALL
    SELECT customer_no, bought_on, amount, 0 AS ticket
    FROM settled_returns
),
summed AS (
    SELECT customer_no, bought_on,
           lag(bought_on) OVER (PARTITION BY customer_no ORDER BY bought_on) AS previous_on,
           sum(amount) {_OF_THE_DAY} AS amount,
           sum(ticket) {_OF_THE_DAY} AS tickets,
           count(*) {_OF_THE_DAY} AS tickets_and_returns
    FROM settled
)
SELECT customer_no, bought_on, CAST(amount AS DECIMAL(18, 2)) AS amount, CAST(tickets AS INTEGER) AS tickets
FROM summed
WHERE (previous_on IS NULL OR previous_on < bought_on) AND (tickets = tickets_and_returns OR amount > 0)
""",
)

DAY_STEPS = (NUMBERED_RECORDS, CUSTOMER_NUMBERS, NUMBERED_TICKETS, RETURN_DAYS, SETTLED_RETURNS, PURCHASE_DAYS)
