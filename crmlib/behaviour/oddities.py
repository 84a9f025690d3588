"""What in the tickets a model would take for behaviour and is not: closed weeks, sources that ended, early tickets."""

from __future__ import annotations

from datetime import date, timedelta

from crmlib.behaviour.purchase_days import VALID
from crmlib.engine import Engine, Step

#: Purchase days that the weeks around a silence make likely in it, from which it is no chance (one in e^20).
EXPECTED = 20
CLOSED_DAYS = 14

CLOSURES = Step(
    "closures",
    f"""
WITH days AS (
    SELECT date_diff('day', DATE '1970-01-01', bought_on) AS day, count(*) AS purchases
    FROM purchase_days
    GROUP BY bought_on
),
around AS (
    SELECT day,
           sum(purchases) OVER (ORDER BY day RANGE BETWEEN 27 PRECEDING AND CURRENT ROW) AS before,
           sum(purchases) OVER (ORDER BY day RANGE BETWEEN CURRENT ROW AND 27 FOLLOWING) AS after
    FROM days
),
silences AS (
    SELECT lag(day) OVER (ORDER BY day) + 1 AS first_day, day - 1 AS last_day, after,
           lag(before) OVER (ORDER BY day) AS before
    FROM around
)
SELECT first_day, last_day, last_day - first_day + 1 AS days
FROM silences
WHERE last_day - first_day + 1 >= {CLOSED_DAYS} AND least(before, after) / 28 * (last_day - first_day + 1) >= {EXPECTED}
""",
)

# A source whose tickets end longer before the run's day than they ever paused.
ENDINGS = Step(
    "endings",
    f"""
WITH days AS (
    SELECT t.source, t.bought_on, date_diff('day', DATE '1970-01-01', t.bought_on) AS day, count(*) AS tickets
    FROM tickets AS t
    WHERE t.source_record_id IS NOT NULL AND t.bought_on <= $as_of_date AND {VALID}
    GROUP BY t.source, t.bought_on
),
paused AS (
    SELECT source, bought_on, day, tickets, day - lag(day) OVER (PARTITION BY source ORDER BY day) - 1 AS pause,
           max(day) OVER (PARTITION BY source) AS last_day
    FROM days
),
ended AS (
    SELECT source, max(bought_on) AS last_on, coalesce(max(pause), 0) AS longest,
           date_diff('day', max(bought_on), CAST($as_of_date AS DATE)) AS days,
           sum(CASE WHEN day > last_day - 28 THEN tickets ELSE 0 END) / 28 AS a_day
    FROM paused
    GROUP BY source
)
SELECT source, last_on, longest, days
FROM ended
WHERE days > longest + 1 AND days * a_day >= {EXPECTED}
""",
)

EARLY_TICKETS = Step(
    "early_tickets",
    f"""
SELECT t.store_id, min(s.opened_on) AS opened_on, count(*) AS tickets, min(t.bought_on) AS first_on
FROM tickets AS t
JOIN stores AS s ON s.store_id = t.store_id
WHERE t.source_record_id IS NOT NULL AND t.bought_on <= $as_of_date AND {VALID} AND t.bought_on < s.opened_on
GROUP BY t.store_id
""",
)


def find_oddities(engine: Engine, as_of_date: date) -> list[str]:
    """Say what is odd in the tickets that `summarise_purchases` read.

    Parameters
    ----------
    engine : Engine
        With tickets, stores and purchase_days.
    as_of_date : datetime.date

    Returns
    -------
    list of str
        A sentence each; none where nothing is odd.
    """
    found = []
    for closure in engine.rows(f"FROM {engine.run(CLOSURES)} ORDER BY first_day"):
        first, last = (date(1970, 1, 1) + timedelta(days=closure[name]) for name in ("first_day", "last_day"))
        found.append(
            f"No known customer bought from {first} to {last} ({closure['days']} days): closed, or tickets were never "
            "delivered. These days count as silence, so customers look less regular and later than they are."
        )
    for source in engine.rows(f"FROM {engine.run(ENDINGS, as_of_date=as_of_date)} ORDER BY source"):
        found.append(
            f"The tickets of {source['source']} end on {source['last_on']}, {source['days']} days before the day of "
            f"this run; so far they paused for at most {source['longest']}. A delivery is missing, and whoever buys "
            "there looks so many days later than they are: deliver it, or set as_of_date to the last day delivered."
        )
    for store in engine.rows(f"FROM {engine.run(EARLY_TICKETS, as_of_date=as_of_date)} ORDER BY store_id"):
        found.append(
            f"{store['tickets']:,} tickets of store {store['store_id']} bear dates from {store['first_on']} on, before "
            f"it opened on {store['opened_on']}. They count on the dates they bear; mend the one or the other."
        )
    return found
