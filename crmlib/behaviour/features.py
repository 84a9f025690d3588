"""What trees are told of a customer at a date: recent windows, the last gaps, habits, and what was sent.

The steps read what `purchases` makes as of that date (`purchase_gaps`), and `sends`.
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from crmlib.behaviour.purchases import BUYER_TICKETS
from crmlib.engine import Engine, Step

#: Features as pages name them.
FEATURES = {
    "days_since": "days since the last purchase",
    "frequency": "repeat purchase days",
    "T": "days since the first purchase",
    "mean_gap": "mean days between purchases",
    "last_gap": "days between the last two purchases",
    "gap_before": "days between the two purchases before those",
    "gap_spread": "spread of the days between purchases",
    "bought_7d": "purchase days in the last 7 days",
    "bought_28d": "purchase days in the last 28 days",
    "bought_56d": "purchase days in the 28 days before those",
    "bought_91d": "purchase days in the last 91 days",
    "bought_182d": "purchase days in the 91 days before those",
    "bought_364d": "purchase days in the last 364 days",
    "amount_28d": "amount spent in the last 28 days",
    "amount_91d": "amount spent in the last 91 days",
    "amount_a_day": "mean amount of a purchase day",
    "weekend_share": "share of purchases at weekends",
    "online_share": "share of purchases online",
    "stores": "stores bought in",
    "discount_share": "share of discounts",
    "returns": "returns",
    "sent_28d": "messages received in the last 28 days",
    "sent_91d": "messages received in the last 91 days",
    "clicked_91d": "messages clicked in the last 91 days",
}

RECENT_PURCHASES = Step(
    "recent_purchases",
    """
WITH placed AS (
    SELECT customer_no, amount, gap, bought_on,
           date_diff('day', bought_on, CAST($origin AS DATE)) AS ago,
           row_number() OVER (PARTITION BY customer_no ORDER BY bought_on DESC) AS place
    FROM purchase_gaps
)
SELECT customer_no,
       CAST(avg(gap) AS DOUBLE) AS mean_gap,
       CAST(max(CASE WHEN place = 1 THEN gap END) AS DOUBLE) AS last_gap,
       CAST(max(CASE WHEN place = 2 THEN gap END) AS DOUBLE) AS gap_before,
       stddev_samp(ln(gap)) AS gap_spread,
       count(*) FILTER (WHERE ago < 7) AS bought_7d,
       count(*) FILTER (WHERE ago < 28) AS bought_28d,
       count(*) FILTER (WHERE ago BETWEEN 28 AND 55) AS bought_56d,
       count(*) FILTER (WHERE ago < 91) AS bought_91d,
       count(*) FILTER (WHERE ago BETWEEN 91 AND 181) AS bought_182d,
       count(*) FILTER (WHERE ago < 364) AS bought_364d,
       CAST(sum(CASE WHEN ago < 28 THEN amount ELSE 0 END) AS DOUBLE) AS amount_28d,
       CAST(sum(CASE WHEN ago < 91 THEN amount ELSE 0 END) AS DOUBLE) AS amount_91d,
       CAST(avg(amount) AS DOUBLE) AS amount_a_day,
       avg(CASE WHEN date_diff('day', DATE '1969-12-29', bought_on) % 7 >= 5 THEN 1.0 ELSE 0.0 END) AS weekend_share
FROM placed
GROUP BY customer_no
""",
)

TICKET_HABITS = Step(
    "ticket_habits",
    """
SELECT customer_id,
       avg(CASE WHEN channel IS NULL THEN NULL WHEN channel = 'online' THEN 1.0 ELSE 0.0 END) AS online_share,
       count(DISTINCT store_id) AS stores,
       CAST(sum(discount) AS DOUBLE) / nullif(CAST(sum(amount) + sum(discount) AS DOUBLE), 0) AS discount_share,
       count(*) FILTER (WHERE is_return) AS returns
FROM buyer_tickets
GROUP BY customer_id
""",
)

RECEIVED_SENDS = Step(
    "received_sends",
    """
WITH received AS (
    SELECT i.customer_id, s.clicked, date_diff('day', CAST(s.sent_at AS DATE), CAST($origin AS DATE)) AS ago
    FROM sends AS s
    JOIN identities AS i ON i.source = s.record_source AND i.source_record_id = s.source_record_id
    WHERE s.sent_at IS NOT NULL AND CAST(s.sent_at AS DATE) <= $origin
)
SELECT customer_id,
       count(*) FILTER (WHERE ago < 28) AS sent_28d,
       count(*) FILTER (WHERE ago < 91) AS sent_91d,
       count(*) FILTER (WHERE ago < 91 AND clicked) AS clicked_91d
FROM received
GROUP BY customer_id
""",
)

NO_SENDS = Step(
    "received_sends",
    """
SELECT customer_id, 0 AS sent_28d, 0 AS sent_91d, 0 AS clicked_91d FROM purchase_rhythm WHERE false
""",
)

FEATURES_AT = """
SELECT r.customer_id, p.* EXCLUDE (customer_no), h.* EXCLUDE (customer_id),
       coalesce(s.sent_28d, 0) AS sent_28d, coalesce(s.sent_91d, 0) AS sent_91d,
       coalesce(s.clicked_91d, 0) AS clicked_91d
FROM purchase_rhythm AS r
JOIN recent_purchases AS p ON p.customer_no = r.customer_no
LEFT JOIN ticket_habits AS h ON h.customer_id = r.customer_id
LEFT JOIN received_sends AS s ON s.customer_id = r.customer_id
ORDER BY r.customer_id
"""


def describe_customers(engine: Engine, origin: date) -> pd.DataFrame:
    """The features of every customer who had bought by a date, as `purchases` last summarised it.

    Parameters
    ----------
    engine : Engine
        With tickets, identities, and `purchase_rhythm` and `purchase_gaps` as of `origin`; `sends`, if any are known.
    origin : date

    Returns
    -------
    DataFrame
        customer_id and the features of `FEATURES` that a history does not hold already, in floating numbers.
    """
    engine.run(RECENT_PURCHASES, origin=origin)
    engine.run(BUYER_TICKETS, as_of_date=origin)
    engine.run(TICKET_HABITS)
    engine.run(RECEIVED_SENDS if engine.has("sends") else NO_SENDS, origin=origin)
    described = engine.frame(FEATURES_AT)
    return described.astype(dict.fromkeys(described.columns.drop("customer_id"), "float64"))
