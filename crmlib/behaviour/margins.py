"""What part of each customer's purchases is margin, by what the customer buys."""

from __future__ import annotations

import pandas as pd

from crmlib.engine import Engine, Step

CATEGORY_MARGINS = Step(
    "category_margins",
    """
SELECT p.category, CAST(1 - sum(l.quantity * p.cost) / sum(l.amount) AS DOUBLE) AS margin_share
FROM ticket_lines AS l
JOIN tickets AS t ON t.source = l.source AND t.ticket_id = l.ticket_id
JOIN products AS p ON p.product_id = l.product_id
WHERE p.cost IS NOT NULL AND l.quantity IS NOT NULL AND l.amount IS NOT NULL AND p.category IS NOT NULL
GROUP BY p.category
HAVING sum(l.amount) > 0
""",
)

OVERALL_MARGIN = Step(
    "overall_margin",
    """
WITH told AS (
    SELECT sum(margin) AS margin, sum(amount) AS amount FROM tickets WHERE margin IS NOT NULL AND amount IS NOT NULL
),
costed AS (
    SELECT sum(l.amount) - sum(l.quantity * p.cost) AS margin, sum(l.amount) AS amount
    FROM ticket_lines AS l
    JOIN tickets AS t ON t.source = l.source AND t.ticket_id = l.ticket_id
    JOIN products AS p ON p.product_id = l.product_id
    WHERE p.cost IS NOT NULL AND l.quantity IS NOT NULL AND l.amount IS NOT NULL
)
SELECT coalesce(
    CASE WHEN told.amount > 0 THEN CAST(told.margin / told.amount AS DOUBLE) END,
    CASE WHEN costed.amount > 0 THEN CAST(costed.margin / costed.amount AS DOUBLE) END
) AS margin_share
FROM told CROSS JOIN costed
""",
)

MARGIN_SHARES = Step(
    "margin_shares",
    """
WITH mix AS (
    SELECT customer_id, unnest(map_entries(category_shares)) AS part
    FROM purchase_summary
),
weighed AS (
    SELECT m.customer_id, sum(m.part.value * c.margin_share) / sum(m.part.value) AS margin_share
    FROM mix AS m
    JOIN category_margins AS c ON c.category = m.part.key
    GROUP BY m.customer_id
    HAVING sum(m.part.value) > 0
)
SELECT s.customer_id, coalesce(w.margin_share, o.margin_share) AS margin_share
FROM purchase_summary AS s
CROSS JOIN overall_margin AS o
LEFT JOIN weighed AS w ON w.customer_id = s.customer_id
WHERE o.margin_share IS NOT NULL
""",
)


def add_margin(engine: Engine, values: pd.DataFrame) -> pd.DataFrame:
    """Tell what of the expected sales of twelve months is margin.

    Parameters
    ----------
    engine : Engine
        With tickets, ticket_lines, products and purchase_summary.
    values : DataFrame
        Table `customer_value`.

    Returns
    -------
    DataFrame
        The same with margin_12m: clv_12m at the margins of the categories that the customer buys, or at that of all
        sales where the customer's categories or their costs are unknown. Left as it is where no source tells a margin
        or a cost, or amounts are unknown.
    """
    for step in (CATEGORY_MARGINS, OVERALL_MARGIN):
        engine.run(step)
    shares = engine.frame(f"FROM {engine.run(MARGIN_SHARES)}").set_index("customer_id")["margin_share"]
    if shares.empty or "clv_12m" not in values:
        return values
    return values.assign(margin_12m=values["clv_12m"] * values["customer_id"].map(shares))
