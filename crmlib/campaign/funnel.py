"""From sends to people: who was eligible for each campaign, in which group, and what became of them."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd

from crmlib.behaviour.purchases import BUYER_TICKETS
from crmlib.engine import Engine, Step

#: Days before eligibility whose purchases tell how the groups differ by chance.
BEFORE_DAYS = 91
#: What sends belong to that name neither campaign nor communication.
WITHOUT_CAMPAIGN = "sends without a campaign"

# Whoever was eligible more than once counts from the first time. Whoever was drawn under several records counts where
# one of them was drawn: chosen by a hash, so that the choice knows nothing of the groups. (To leave out who was drawn
# into both groups would not do: it takes more people with several records from the smaller group.)
CAMPAIGN_CUSTOMERS = Step(
    "campaign_customers",
    """
    WITH told AS (
        SELECT coalesce(s.campaign_id, 'communication ' || s.communication_id, $without_campaign) AS campaign_id,
               s.campaign_id IS NULL AS unnamed, i.customer_id, s.send_id, s.communication_id,
               s.eligible_at, s.sent_at,
               coalesce(s.delivered, s.sent_at IS NOT NULL AND s.bounced IS NOT TRUE) AS arrived,
               s.opened, s.clicked, s.redeemed, s.unsubscribed, s.cost, s.category, s.channel,
               coalesce(s."group", 'treatment') AS arm,
               md5(s.record_source || ' ' || s.source_record_id) AS record_key
        FROM sends s
        JOIN identities i ON i.source = s.record_source AND i.source_record_id = s.source_record_id
    ),
    drawn AS (
        SELECT *, record_key = min(record_key) OVER (PARTITION BY campaign_id, customer_id) AS chosen FROM told
    )
    SELECT campaign_id, customer_id,
           min(CASE WHEN chosen THEN eligible_at END) AS eligible_at,
           min_by(arm, CASE WHEN chosen THEN {'eligible_at': eligible_at, 'send_id': send_id} END) AS arm,
           min(arm) <> max(arm) AS both_arms, bool_or(unnamed) AS unnamed,
           min(communication_id) AS communication, min(category) AS category, min(channel) AS channel,
           coalesce(bool_or(sent_at IS NOT NULL AND arm = 'treatment'), false) AS sent,
           coalesce(bool_or(arm = 'treatment' AND arrived), false) AS delivered,
           bool_or(opened) AS opened, bool_or(clicked) AS clicked, bool_or(redeemed) AS redeemed,
           bool_or(unsubscribed) AS unsubscribed, coalesce(sum(cost), 0) AS cost,
           min(CASE WHEN chosen THEN eligible_at END) <= $judged_until AS judged
    FROM drawn
    GROUP BY campaign_id, customer_id
    """,
)

CAMPAIGN_OUTCOMES = Step(
    "campaign_outcomes",
    """
    WITH bought AS (
        SELECT c.campaign_id, c.customer_id,
               count(*) FILTER (WHERE t.bought_at >= c.eligible_at AND NOT t.is_return) AS purchases,
               sum(t.amount) FILTER (WHERE t.bought_at >= c.eligible_at) AS sales,
               count(*) FILTER (WHERE t.bought_at < c.eligible_at AND NOT t.is_return) AS purchases_before,
               sum(t.amount) FILTER (WHERE t.bought_at < c.eligible_at) AS sales_before
        FROM campaign_customers c
        JOIN buyer_tickets t
            ON t.customer_id = c.customer_id
            AND t.bought_at >= c.eligible_at - to_days($before_days)
            AND t.bought_at < c.eligible_at + to_days($window_days)
        GROUP BY c.campaign_id, c.customer_id
    )
    SELECT c.*, coalesce(b.purchases, 0) AS purchases, CAST(coalesce(b.sales, 0) AS DOUBLE) AS sales,
           coalesce(b.purchases_before, 0) AS purchases_before,
           CAST(coalesce(b.sales_before, 0) AS DOUBLE) AS sales_before
    FROM campaign_customers c
    LEFT JOIN bought b ON b.campaign_id = c.campaign_id AND b.customer_id = c.customer_id
    """,
)

CAMPAIGN_GROUPS = Step(
    "campaign_groups",
    """
    SELECT campaign_id, arm, count(*) AS n,
           count(*) FILTER (WHERE purchases > 0) AS bought,
           CAST(sum(purchases) AS DOUBLE) AS purchases, CAST(sum(purchases * purchases) AS DOUBLE) AS purchases_squares,
           CAST(sum(purchases_before) AS DOUBLE) AS purchases_before,
           CAST(sum(purchases_before * purchases_before) AS DOUBLE) AS purchases_before_squares,
           CAST(sum(purchases * purchases_before) AS DOUBLE) AS purchases_products,
           sum(sales) AS sales, sum(sales * sales) AS sales_squares, sum(sales_before) AS sales_before,
           sum(sales_before * sales_before) AS sales_before_squares, sum(sales * sales_before) AS sales_products
    FROM campaign_outcomes
    WHERE judged
    GROUP BY campaign_id, arm
    """,
)

CAMPAIGN_FUNNEL = Step(
    "campaign_funnel",
    """
    WITH counted AS (
        SELECT campaign_id, count(*) AS eligible, count(*) FILTER (WHERE arm = 'control') AS control,
               count(*) FILTER (WHERE arm = 'treatment') AS assigned,
               count(*) FILTER (WHERE arm = 'treatment' AND sent) AS sent,
               count(*) FILTER (WHERE arm = 'treatment' AND delivered) AS delivered,
               CASE WHEN count(opened) > 0 THEN count(*) FILTER (WHERE opened) END AS opened,
               CASE WHEN count(clicked) > 0 THEN count(*) FILTER (WHERE clicked) END AS clicked,
               CASE WHEN count(redeemed) > 0 THEN count(*) FILTER (WHERE redeemed) END AS redeemed,
               count(*) FILTER (WHERE arm = 'treatment' AND purchases > 0) AS bought,
               count(*) FILTER (WHERE unsubscribed) AS unsubscribed, count(*) FILTER (WHERE both_arms) AS both_arms,
               count(*) FILTER (WHERE NOT judged) AS too_early, bool_or(unnamed) AS unnamed,
               min(eligible_at) AS first_eligible_at, min(communication) AS communication,
               min(category) AS category, min(channel) AS channel,
               sum(cost) AS sends_cost
        FROM campaign_outcomes
        GROUP BY campaign_id
    )
    SELECT f.campaign_id, coalesce(c.name, f.campaign_id) AS name,
           coalesce(f.communication, c.name, f.campaign_id) AS communication,
           coalesce(c.category, f.category) AS category,
           coalesce(c.channel, f.channel) AS channel,
           coalesce(c.starts_on, CAST(f.first_eligible_at AS DATE)) AS starts_on,
           f.eligible, f.control, f.assigned, f.sent, f.delivered, f.opened, f.clicked, f.redeemed, f.bought,
           f.unsubscribed, f.both_arms, f.too_early, f.unnamed, c.control_share,
           CAST(f.sends_cost + coalesce(c.cost, 0) AS DOUBLE) AS cost
    FROM counted f
    LEFT JOIN campaigns c ON c.campaign_id = f.campaign_id
    """,
)


def summarise_campaigns(engine: Engine, as_of_date: date, cutoff: datetime, window_days: int) -> str:
    """Bring every campaign to people, groups and purchases.

    Parameters
    ----------
    engine : Engine
        Holds `sends`, `campaigns`, `identities` and `tickets`.
    as_of_date : datetime.date
    cutoff : datetime.datetime
        The end of the as-of date; who was eligible less than `window_days` before is not judged yet.
    window_days : int
        Days from eligibility in which purchases count.

    Returns
    -------
    str
        ``campaign_funnel``: a row per campaign with name, communication, category, channel, starts_on; people
        eligible, control, assigned (to treatment), sent, delivered, opened, clicked, redeemed (empty where nothing is
        known of it), bought (of those assigned, in the window), unsubscribed, both_arms (drawn into treatment and
        control under two records), too_early; unnamed (the sends name no campaign: they are put together by
        communication); the planned control_share; cost (fixed and of the sends). Beside it ``campaign_groups``: per
        campaign and arm n, and sums, sums of squares and of products of what the people bought in the window and
        before it.
    """
    engine.run(BUYER_TICKETS, as_of_date=as_of_date)
    judged_until = cutoff - pd.Timedelta(days=window_days)
    engine.run(CAMPAIGN_CUSTOMERS, without_campaign=WITHOUT_CAMPAIGN, judged_until=judged_until)
    engine.run(CAMPAIGN_OUTCOMES, window_days=window_days, before_days=BEFORE_DAYS)
    engine.run(CAMPAIGN_GROUPS)
    return engine.run(CAMPAIGN_FUNNEL)


#: Steps of a campaign's funnel, in order, and what a reader calls them.
FUNNEL = {
    "eligible": "eligible",
    "assigned": "assigned to treatment",
    "sent": "sent",
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "redeemed": "redeemed",
    "bought": "bought in the window",
}


def sum_funnel(engine: Engine) -> pd.DataFrame:
    """Add up the funnels of all campaigns.

    Parameters
    ----------
    engine : Engine
        Holds ``campaign_funnel``.

    Returns
    -------
    DataFrame
        step (in words), people (a customer counts once in each campaign), only of steps that any campaign knows.
    """
    steps = ", ".join(f"CAST(sum({step}) AS BIGINT) AS {step}" for step in FUNNEL)
    sums = engine.row(f"SELECT {steps} FROM campaign_funnel")
    known = {step: people for step, people in sums.items() if people is not None}
    return pd.DataFrame({"step": [FUNNEL[step] for step in known], "people": list(known.values())})


def list_funnels(engine: Engine) -> pd.DataFrame:
    """List each campaign's funnel: name, starts_on, the steps of `FUNNEL`, unsubscribed; the newest first."""
    return engine.frame(
        f"SELECT name, starts_on, {', '.join(FUNNEL)}, unsubscribed FROM campaign_funnel "
        "ORDER BY starts_on DESC, campaign_id"
    )


def estimate_margin_share(engine: Engine) -> float | None:
    """Estimate what part of sales is margin: as the tickets say, else by the products' costs; None if neither is known.

    Parameters
    ----------
    engine : Engine
        Holds `tickets`, `ticket_lines` and `products`.
    """
    told = engine.row(
        "SELECT CAST(sum(margin) / nullif(sum(amount), 0) AS DOUBLE) AS share FROM tickets WHERE margin IS NOT NULL"
    )["share"]
    if told is not None:
        return float(told)
    costed = engine.row(
        """
        SELECT CAST(1 - sum(l.quantity * p.cost) / nullif(sum(l.amount), 0) AS DOUBLE) AS share
        FROM ticket_lines l
        JOIN products p ON p.product_id = l.product_id
        WHERE p.cost IS NOT NULL AND l.quantity IS NOT NULL AND l.amount IS NOT NULL
        """
    )["share"]
    return None if costed is None else float(costed)


def count_sends(engine: Engine) -> dict[str, int]:
    """Count sends, and what they lack: sends, unnamed (no campaign), nobody (no person known), ungrouped."""
    return engine.row(
        """
        SELECT count(*) AS sends, count(*) FILTER (WHERE campaign_id IS NULL) AS unnamed,
               count(*) FILTER (WHERE source_record_id IS NULL) AS nobody,
               count(*) FILTER (WHERE "group" IS NULL) AS ungrouped
        FROM sends
        """
    )
