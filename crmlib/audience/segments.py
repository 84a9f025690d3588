"""Segments: cells of recency, frequency and amount, and the names marketing gives them."""

from __future__ import annotations

from datetime import date

import pandas as pd

from crmlib.audience.disclosure import SMALLEST_SHOWN
from crmlib.behaviour.purchases import BUYER_TICKETS
from crmlib.engine import Engine, Step
from crmlib.permission.profiling import leave_out_objectors

#: Days over which frequency and amount are taken, and days of the sales that are shown.
RFM_DAYS, YEAR_DAYS = 730, 365
#: Named segments from the best to the worst, and what each is; scores run from 1 to 5, the best.
SEGMENTS = {
    "champions": "bought lately, often and much",
    "loyal": "buy often and much, last time a while ago",
    "potential loyalists": "bought lately, in the middle by frequency and amount",
    "recent": "bought very lately, little so far",
    "promising": "bought lately, little so far",
    "needs attention": "in the middle by everything",
    "about to sleep": "bought a while ago, little",
    "cannot lose": "were among the best, and have not come for long",
    "at risk": "were good, and have not come for long",
    "hibernating": "bought little, long ago",
    "lost": "bought little, longest ago",
    "prospects": "have not bought yet",
    "not profiled": "object to profiling, so nothing is made of what they buy",
}

RECENT_PURCHASES = Step(
    "recent_purchases",
    """
    WITH aged AS (SELECT *, date_diff('day', bought_on, $as_of_date) AS days_ago FROM buyer_tickets)
    SELECT customer_id, min(days_ago) FILTER (WHERE NOT is_return) AS days_since_last_purchase,
           count(DISTINCT CASE WHEN NOT is_return AND days_ago < $rfm_days THEN bought_on END) AS purchase_days,
           sum(CASE WHEN days_ago < $rfm_days THEN amount END) AS amount,
           sum(CASE WHEN days_ago < $year_days THEN amount END) AS sales
    FROM aged
    GROUP BY customer_id
    """,
)

# Equals share a score: that of the fifth of the customers in which the first of them ranks.
RFM_SCORES = Step(
    "rfm_scores",
    """
    WITH buyers AS (SELECT * FROM recent_purchases WHERE days_since_last_purchase IS NOT NULL),
    ranked AS (
        SELECT *, count(*) OVER () AS buyers,
               rank() OVER (ORDER BY days_since_last_purchase DESC) AS recency_rank,
               rank() OVER (ORDER BY purchase_days) AS frequency_rank,
               rank() OVER (ORDER BY coalesce(amount, purchase_days)) AS amount_rank
        FROM buyers
    )
    SELECT customer_id, days_since_last_purchase, purchase_days, amount, sales,
           CAST(1 + floor(5 * (recency_rank - 1) / buyers) AS INTEGER) AS recency_score,
           CAST(1 + floor(5 * (frequency_rank - 1) / buyers) AS INTEGER) AS frequency_score,
           CAST(1 + floor(5 * (amount_rank - 1) / buyers) AS INTEGER) AS amount_score
    FROM ranked
    """,
)

SEGMENTED = Step(
    "segments_made",
    """
    WITH people AS (
        SELECT DISTINCT customer_id, false AS objects FROM identities
        UNION ALL
        SELECT customer_id, true FROM profiling_objectors
    ),
    scored AS (
        SELECT p.customer_id, p.objects, s.recency_score AS r, s.frequency_score AS f, s.amount_score AS m,
               CAST(ceil((s.frequency_score + s.amount_score) / 2) AS INTEGER) AS fm
        FROM people p
        LEFT JOIN rfm_scores s ON s.customer_id = p.customer_id
    )
    SELECT customer_id,
           CAST(r AS VARCHAR) || CAST(f AS VARCHAR) || CAST(m AS VARCHAR) AS rfm_cell,
           CASE
               WHEN objects THEN 'not profiled'
               WHEN r IS NULL THEN 'prospects'
               WHEN r >= 4 AND fm >= 4 THEN 'champions'
               WHEN r = 3 AND fm >= 4 THEN 'loyal'
               WHEN r >= 4 AND fm >= 2 THEN 'potential loyalists'
               WHEN r = 5 THEN 'recent'
               WHEN r = 4 THEN 'promising'
               WHEN r = 3 AND fm >= 2 THEN 'needs attention'
               WHEN r = 3 THEN 'about to sleep'
               WHEN fm = 5 THEN 'cannot lose'
               WHEN fm >= 3 THEN 'at risk'
               WHEN r = 2 THEN 'hibernating'
               ELSE 'lost'
           END AS segment
    FROM scored
    """,
)


def assign_segments(engine: Engine, as_of_date: date) -> str:
    """Give every customer an RFM cell and a named segment.

    Parameters
    ----------
    engine : Engine
        Holds `identities`, `tickets` and `permissions`.
    as_of_date : datetime.date
        Nothing later is read.

    Returns
    -------
    str
        ``segments_made``: customer_id, rfm_cell (scores of recency, frequency and amount, 1 to 5, such as 545; empty
        without a purchase), segment (one of `SEGMENTS`). Beside it ``rfm_scores``: the scores and what they are of:
        days_since_last_purchase; purchase_days and amount of the last two years; and sales of the last year.
    """
    leave_out_objectors(engine)
    engine.run(BUYER_TICKETS, as_of_date=as_of_date)
    engine.run(RECENT_PURCHASES, as_of_date=as_of_date, rfm_days=RFM_DAYS, year_days=YEAR_DAYS)
    engine.run(RFM_SCORES)
    return engine.run(SEGMENTED)


def summarise_segments(engine: Engine) -> pd.DataFrame:
    """Describe the segments.

    Parameters
    ----------
    engine : Engine
        Holds ``segments_made`` and ``rfm_scores``.

    Returns
    -------
    DataFrame
        segment, meaning, customers (exact), sales_share (of last year's sales), sales_per_customer, purchase_days (of
        two years) and days_since_last_purchase (medians), from the best segment to the worst; of segments of fewer
        than ten customers nothing but the number.
    """
    names = pd.DataFrame({"segment": list(SEGMENTS), "meaning": list(SEGMENTS.values())})
    found = engine.frame(
        """
        SELECT s.segment, count(*) AS customers,
               CAST(coalesce(sum(r.sales), 0) / nullif(sum(sum(r.sales)) OVER (), 0) AS DOUBLE) AS sales_share,
               CAST(coalesce(sum(r.sales), 0) / count(*) AS DOUBLE) AS sales_per_customer,
               median(r.purchase_days) AS purchase_days,
               median(r.days_since_last_purchase) AS days_since_last_purchase
        FROM segments_made s
        LEFT JOIN rfm_scores r ON r.customer_id = s.customer_id
        GROUP BY s.segment
        """
    )
    described = ["sales_share", "sales_per_customer", "purchase_days", "days_since_last_purchase"]
    found[described] = found[described].astype("float64").where(found["customers"] >= SMALLEST_SHOWN)
    return names.merge(found, on="segment")


def cross_scores(engine: Engine) -> pd.DataFrame:
    """Count customers by their scores of recency and frequency, exactly; not for a page before it is protected.

    Parameters
    ----------
    engine : Engine
        Holds ``rfm_scores``.

    Returns
    -------
    DataFrame
        Counts; index recency (5, the latest, first), columns frequency (5, the most, last).
    """
    counted = engine.frame(
        "SELECT recency_score AS recency, frequency_score AS frequency, count(*) AS n FROM rfm_scores GROUP BY ALL"
    )
    table = counted.pivot(index="recency", columns="frequency", values="n").fillna(0).astype("int64")
    return table.sort_index(ascending=False).sort_index(axis=1)
