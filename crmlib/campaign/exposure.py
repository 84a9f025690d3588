"""Who was drawn into which group of which campaign, and what they bought then: from sends and our own log to sums."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd

from crmlib.behaviour.purchases import BUYER_TICKETS
from crmlib.campaign.experiment_log import LOGGED_SENDS
from crmlib.engine import Engine, Step

#: Days before eligibility whose purchases tell how the groups differ by chance.
BEFORE_DAYS = 91
#: What sends belong to that name neither campaign nor communication.
WITHOUT_CAMPAIGN = "sends without a campaign"

# What our own log knows of is told by the log, with what the sends answered to it; the rest by the sends alone.
TOLD_SENDS = Step(
    "told_sends",
    """
    SELECT coalesce(s.campaign_id, 'communication ' || s.communication_id, $without_campaign) AS campaign_id,
           s.campaign_id IS NULL AS unnamed, false AS logged, i.customer_id, s.send_id, s.communication_id,
           s.eligible_at, s.sent_at,
           coalesce(s.delivered, s.sent_at IS NOT NULL AND s.bounced IS NOT TRUE) AS arrived,
           s.opened, s.clicked, s.redeemed, s.unsubscribed, s.cost, s.category, s.channel, s.variant,
           coalesce(s."group", 'treatment') AS arm, coalesce(c.control_unit, 'customer') AS unit,
           CASE c.control_unit WHEN 'store' THEN k.home_store_id WHEN 'postcode' THEN k.postcode END AS unit_id,
           md5(s.record_source || ' ' || s.source_record_id) AS record_key
    FROM sends s
    JOIN identities i ON i.source = s.record_source AND i.source_record_id = s.source_record_id
    LEFT JOIN campaigns c ON c.campaign_id = s.campaign_id
    LEFT JOIN customers k ON k.customer_id = i.customer_id
    LEFT JOIN logged_sends l ON l.source = s.source AND l.send_id = s.send_id
    WHERE l.send_id IS NULL
    UNION ALL
    SELECT campaign_id, false, true, customer_id, coalesce(send_id, campaign_id), communication_id,
           eligible_at, sent_at, arrived, opened, clicked, redeemed, unsubscribed, cost, category, channel, variant,
           arm, unit, unit_id, md5(customer_id)
    FROM logged_sends
    """,
)

# Whoever was eligible more than once counts from the first time. Whoever was drawn under several records counts where
# one of them was drawn: chosen by a hash, so that the choice knows nothing of the groups. (To leave out who was drawn
# into both groups would not do: it takes more people with several records from the smaller group.)
CAMPAIGN_CUSTOMERS = Step(
    "campaign_customers",
    """
    WITH drawn AS (
        SELECT *, record_key = min(record_key) OVER (PARTITION BY campaign_id, customer_id) AS chosen FROM told_sends
    )
    SELECT campaign_id, customer_id,
           min(CASE WHEN chosen THEN eligible_at END) AS eligible_at,
           min_by(arm, CASE WHEN chosen THEN {'eligible_at': eligible_at, 'send_id': send_id} END) AS arm,
           min_by(variant, CASE WHEN chosen THEN {'eligible_at': eligible_at, 'send_id': send_id} END) AS variant,
           min(unit) AS unit, coalesce(min(unit_id), customer_id) AS unit_id,
           min(arm) <> max(arm) AS both_arms, bool_or(unnamed) AS unnamed, bool_or(logged) AS logged,
           min(communication_id) AS communication, min(category) AS category, min(channel) AS channel,
           coalesce(bool_or(sent_at IS NOT NULL AND arm = 'treatment'), false) AS sent,
           coalesce(bool_or(arm = 'treatment' AND arrived), false) AS delivered,
           bool_or(opened) AS opened, bool_or(clicked) AS clicked, bool_or(redeemed) AS redeemed,
           bool_or(unsubscribed) AS unsubscribed, coalesce(sum(cost), 0) AS cost,
           min(CASE WHEN chosen THEN eligible_at END) <= $judged_until AS judged,
           min(CASE WHEN chosen THEN eligible_at END) <= $settled_until AS settled
    FROM drawn
    GROUP BY campaign_id, customer_id
    """,
)

# Margin of a ticket: as the params say; else as the ticket does, else its amount (after discounts) less what its
# products cost, where all are known; else by the share that holds on the whole.
TICKET_MARGINS = Step(
    "ticket_margins",
    """
    WITH costs AS (
        SELECT l.source, l.ticket_id, sum(l.quantity * p.cost) AS cost
        FROM ticket_lines l
        LEFT JOIN products p ON p.product_id = l.product_id
        GROUP BY l.source, l.ticket_id
        HAVING count(*) = count(l.quantity * p.cost)
    )
    SELECT t.source, t.ticket_id,
           CAST(coalesce(
               t.amount * CAST($given AS DOUBLE), t.margin, t.amount - c.cost, t.amount * CAST($share AS DOUBLE), 0
           ) AS DOUBLE) AS margin
    FROM tickets t
    LEFT JOIN costs c ON c.source = t.source AND c.ticket_id = t.ticket_id
    """,
)

CAMPAIGN_OUTCOMES = Step(
    "campaign_outcomes",
    """
    WITH near AS (
        SELECT c.campaign_id, c.customer_id, t.is_return, t.amount, m.margin,
               t.bought_at < c.eligible_at AS earlier,
               t.bought_at >= c.eligible_at AND t.bought_at < c.eligible_at + to_days($window_days) AS inside
        FROM campaign_customers c
        JOIN buyer_tickets t
            ON t.customer_id = c.customer_id
            AND t.bought_at >= c.eligible_at - to_days($before_days)
            AND t.bought_at < c.eligible_at + to_days($reach_days)
        LEFT JOIN ticket_margins m ON m.source = t.source AND m.ticket_id = t.ticket_id
    ),
    bought AS (
        SELECT campaign_id, customer_id,
               count(*) FILTER (WHERE inside AND NOT is_return) AS purchases,
               sum(amount) FILTER (WHERE inside) AS sales,
               count(*) FILTER (WHERE NOT earlier AND NOT is_return) AS purchases_net,
               sum(margin) FILTER (WHERE NOT earlier) AS margin,
               count(*) FILTER (WHERE earlier AND NOT is_return) AS purchases_before,
               sum(amount) FILTER (WHERE earlier) AS sales_before,
               sum(margin) FILTER (WHERE earlier) AS margin_before
        FROM near
        GROUP BY campaign_id, customer_id
    )
    SELECT c.*, coalesce(b.purchases, 0) AS purchases, CAST(coalesce(b.sales, 0) AS DOUBLE) AS sales,
           coalesce(b.purchases_net, 0) AS purchases_net, coalesce(b.margin, 0) AS margin,
           coalesce(b.purchases_before, 0) AS purchases_before,
           CAST(coalesce(b.sales_before, 0) AS DOUBLE) AS sales_before, coalesce(b.margin_before, 0) AS margin_before
    FROM campaign_customers c
    LEFT JOIN bought b ON b.campaign_id = c.campaign_id AND b.customer_id = c.customer_id
    """,
)

#: Outcome -> its value, the value before (of a ratio: what it is divided by), and who is judged.
_VALUES = {
    "bought": ("CASE WHEN purchases > 0 THEN 1 ELSE 0 END", "0", "judged"),
    "purchases": ("purchases", "purchases_before", "judged"),
    "sales": ("sales", "sales_before", "judged"),
    "basket": ("sales", "purchases", "judged"),
    "purchases_net": ("purchases_net", "purchases_before", "settled"),
    "margin": ("margin", "margin_before", "settled"),
}
OUTCOMES = tuple(_VALUES)

_VALUED = "\nUNION ALL\n".join(
    f"""
    SELECT campaign_id, arm, variant, unit, unit_id, delivered, '{outcome}' AS outcome,
           CAST({after} AS DOUBLE) AS after, CAST({before} AS DOUBLE) AS before
    FROM campaign_outcomes
    WHERE {judged}
    """
    for outcome, (after, before, judged) in _VALUES.items()
)
_SUMS = """
    count(*) AS n, sum(after) AS after, sum(after * after) AS after_squares, sum(before) AS before,
    sum(before * before) AS before_squares, sum(after * before) AS products,
    CAST(count(*) FILTER (WHERE delivered) AS DOUBLE) AS delivered,
    coalesce(sum(after) FILTER (WHERE delivered), 0) AS after_delivered,
    coalesce(sum(before) FILTER (WHERE delivered), 0) AS before_delivered
"""

CAMPAIGN_GROUPS = Step(
    "campaign_groups",
    f"""
    WITH valued AS ({_VALUED})
    SELECT campaign_id, outcome, arm, {_SUMS}, count(DISTINCT unit_id) AS units
    FROM valued
    GROUP BY campaign_id, outcome, arm
    """,
)

CAMPAIGN_VARIANTS = Step(
    "campaign_variants",
    f"""
    WITH valued AS ({_VALUED}),
    several AS (
        SELECT campaign_id FROM campaign_customers WHERE arm = 'treatment'
        GROUP BY campaign_id HAVING count(DISTINCT variant) > 1
    )
    SELECT v.campaign_id, v.outcome, v.arm, CASE WHEN v.arm = 'treatment' THEN v.variant END AS variant, {_SUMS}
    FROM valued AS v
    JOIN several AS s ON s.campaign_id = v.campaign_id
    WHERE v.outcome = 'purchases'
    GROUP BY v.campaign_id, v.outcome, v.arm, CASE WHEN v.arm = 'treatment' THEN v.variant END
    """,
)

CAMPAIGN_CLUSTERS = Step(
    "campaign_clusters",
    f"""
    WITH valued AS ({_VALUED})
    SELECT campaign_id, outcome, unit_id, arm = 'treatment' AS treated, count(*) AS n, sum(after) AS total,
           sum(before) AS before
    FROM valued
    WHERE unit <> 'customer' AND outcome <> 'basket'
    GROUP BY campaign_id, outcome, unit_id, arm
    """,
)


def expose_campaigns(
    engine: Engine,
    as_of_date: date,
    cutoff: datetime,
    window_days: int,
    net_days: int | None = None,
    margin_share: float | None = None,
    estimated_share: float | None = None,
) -> None:
    """Bring every campaign to people, groups and purchases.

    Parameters
    ----------
    engine : Engine
        Holds `sends`, `campaigns`, `identities`, `customers`, `tickets`, `ticket_lines`, `products` and
        ``experiment_log_rows`` (of `write_log`).
    as_of_date : datetime.date
    cutoff : datetime.datetime
        The end of the as-of date; who was eligible less than the window's days before is not judged yet.
    window_days : int
        Days from eligibility in which purchases count.
    net_days : int, optional
        Days from eligibility after which what was only pulled forward has been missing again; four windows if absent.
    margin_share : float, optional
        Part of the amount of a ticket that is margin, whatever the tickets say.
    estimated_share : float, optional
        The same of tickets that do not say.
    """
    net_days = 4 * window_days if net_days is None else net_days
    engine.run(BUYER_TICKETS, as_of_date=as_of_date)
    engine.run(LOGGED_SENDS)
    engine.run(TOLD_SENDS, without_campaign=WITHOUT_CAMPAIGN)
    engine.run(
        CAMPAIGN_CUSTOMERS,
        judged_until=cutoff - pd.Timedelta(days=window_days),
        settled_until=cutoff - pd.Timedelta(days=net_days),
    )
    engine.run(TICKET_MARGINS, given=margin_share, share=estimated_share)
    engine.run(
        CAMPAIGN_OUTCOMES, window_days=window_days, before_days=BEFORE_DAYS, reach_days=max(window_days, net_days)
    )
    for step in (CAMPAIGN_GROUPS, CAMPAIGN_VARIANTS, CAMPAIGN_CLUSTERS):
        engine.run(step)
