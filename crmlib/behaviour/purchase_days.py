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

# A day of returns alone is looked for among the purchase days before it; few days are.
PURCHASE_DAYS = Step(
    "purchase_days",
    f"""
WITH days AS (
    SELECT r.customer_no, t.bought_on,
           CAST(sum(t.amount) AS DECIMAL(18, 2)) AS amount,
           CAST(count(*) AS INTEGER) AS tickets,
           CAST(count(*) FILTER (WHERE t.amount < 0) AS INTEGER) AS returns
    FROM tickets AS t
    JOIN numbered_records AS r ON r.source = t.record_source AND r.source_record_id = t.source_record_id
    WHERE t.bought_on <= $as_of_date AND {VALID}
    GROUP BY r.customer_no, t.bought_on
),
returned AS (
    SELECT d.customer_no, d.bought_on AS returned_on, d.amount, max(p.bought_on) AS bought_on
    FROM days AS d
    JOIN days AS p ON p.customer_no = d.customer_no AND p.bought_on < d.bought_on
    WHERE d.tickets = d.returns AND p.tickets > p.returns
    GROUP BY d.customer_no, d.bought_on, d.amount
),
refunds AS (
    SELECT customer_no, bought_on, sum(amount) AS amount
    FROM returned
    GROUP BY customer_no, bought_on
)
SELECT d.customer_no, d.bought_on,
       CAST(coalesce(d.amount + r.amount, r.amount, d.amount) AS DECIMAL(18, 2)) AS amount,
       d.tickets - d.returns AS tickets
FROM days AS d
LEFT JOIN refunds AS r ON r.customer_no = d.customer_no AND r.bought_on = d.bought_on
WHERE d.tickets > d.returns
  AND (d.returns = 0 AND r.amount IS NULL OR coalesce(d.amount, 0) + coalesce(r.amount, 0) > 0)
""",
)

DAY_STEPS = (NUMBERED_RECORDS, CUSTOMER_NUMBERS, PURCHASE_DAYS)
