"""How much was sent to whom when: the year's pressure by category and by person, and what calls for it."""

from __future__ import annotations

from datetime import date

import pandas as pd

from crmlib.campaign.notation import CATEGORIES
from crmlib.campaign.results import sum_results
from crmlib.engine import Engine

#: Days over which the pressure on one person is counted.
PRESSURE_DAYS = 28
#: A campaign whose people become eligible on more days than this is an automation.
MOST_CALENDAR_DAYS = 3
AUTOMATION, CALENDAR = "automation", "calendar"

_MADE = """
    SELECT customer_id, category, CAST(sent_at AT TIME ZONE $timezone AS DATE) AS day
    FROM told_sends
    WHERE sent_at IS NOT NULL AND arm = 'treatment'
"""


def count_by_week(engine: Engine, since: date, timezone: str) -> pd.DataFrame:
    """Contacts made by category and week.

    Parameters
    ----------
    engine : Engine
        Holds ``told_sends``.
    since : datetime.date
    timezone : str

    Returns
    -------
    DataFrame
        category (in words, all six in the plan's order, and those without one), week (its Monday as text), contacts;
        weeks without any stand as 0.
    """
    counted = engine.frame(
        f"""
        WITH made AS ({_MADE})
        SELECT coalesce(category, 'without a category') AS category, CAST(date_trunc('week', day) AS DATE) AS week,
               count(*) AS contacts
        FROM made WHERE day >= $since
        GROUP BY 1, 2
        """,
        since=since,
        timezone=timezone,
    )
    if counted.empty:
        return pd.DataFrame({"category": [], "week": [], "contacts": []})
    weeks = pd.date_range(counted["week"].min(), counted["week"].max(), freq="7D")
    names = [*CATEGORIES, *sorted(set(counted["category"]) - set(CATEGORIES))]
    grid = counted.assign(week=pd.to_datetime(counted["week"])).pivot(
        index="category", columns="week", values="contacts"
    )
    long = grid.reindex(index=names, columns=weeks).fillna(0).astype(int).stack().reset_index()
    long.columns = pd.Index(["category", "week", "contacts"])
    return long.assign(
        category=long["category"].str.replace("_", " "), week=pd.to_datetime(long["week"]).dt.strftime("%Y-%m-%d")
    )


def count_pressure(engine: Engine, as_of_date: date, timezone: str, days: int = PRESSURE_DAYS) -> pd.DataFrame:
    """Customers by contacts made in the last days; those with none at all are counted, too.

    Parameters
    ----------
    engine : Engine
        Holds ``told_sends`` and `identities`.
    as_of_date : datetime.date
    timezone : str
    days : int

    Returns
    -------
    DataFrame
        contacts (number), customers.
    """
    return engine.frame(
        f"""
        WITH made AS ({_MADE}),
        each AS (
            SELECT customer_id, count(*) AS contacts FROM made
            WHERE day > CAST($as_of_date AS DATE) - CAST($days AS INTEGER) AND day <= $as_of_date
            GROUP BY customer_id
        ),
        everybody AS (SELECT DISTINCT customer_id FROM identities)
        SELECT coalesce(e.contacts, 0) AS contacts, count(*) AS customers
        FROM everybody AS a
        LEFT JOIN each AS e ON e.customer_id = a.customer_id
        GROUP BY coalesce(e.contacts, 0)
        ORDER BY contacts
        """,
        as_of_date=as_of_date,
        timezone=timezone,
        days=days,
    )


def compare_automation(engine: Engine, frame: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """What automations brought beside the calendar's campaigns.

    Parameters
    ----------
    engine : Engine
        Holds ``campaign_customers`` and ``campaign_funnel``.
    frame : DataFrame
        Of `summarise_results`, for one outcome.
    confidence : float

    Returns
    -------
    DataFrame
        kind (automation, calendar), campaigns, measured, sent (people, once in each campaign), unsubscribed (share of
        the sent), incremental with low and high, cost, incremental_per_thousand (of assigned people in measured
        campaigns).
    """
    kinds = engine.frame(
        """
        SELECT c.campaign_id, count(DISTINCT CAST(c.eligible_at AS DATE)) > $most AS automation,
               any_value(f.sent) AS sent, any_value(f.unsubscribed) AS unsubscribed
        FROM campaign_customers AS c
        JOIN campaign_funnel AS f ON f.campaign_id = c.campaign_id
        GROUP BY c.campaign_id
        """,
        most=MOST_CALENDAR_DAYS,
    )
    joined = frame.merge(kinds, on="campaign_id")
    rows = []
    for kind, automation in ((AUTOMATION, True), (CALENDAR, False)):
        part = joined[joined["automation"] == automation]
        summed = sum_results(part, confidence)
        sent = int(part["sent"].sum())
        rows.append(
            {
                "kind": kind,
                **{name: summed[name] for name in ("campaigns", "measured")},
                "sent": sent,
                "unsubscribed": part["unsubscribed"].sum() / sent if sent else float("nan"),
                **{name: summed[name] for name in ("incremental", "low", "high", "cost")},
                "incremental_per_thousand": 1_000 * summed["lift"],
            }
        )
    return pd.DataFrame(rows)


def tell_automation(compared: pd.DataFrame) -> str:
    """Say, as a title, what a thousand people addressed brought, of `compare_automation`."""
    known = compared[compared["measured"] > 0].set_index("kind")["incremental_per_thousand"]
    if set(known.index) != {AUTOMATION, CALENDAR}:
        return "Automations beside the calendar"
    return (
        f"A thousand people brought {known[AUTOMATION]:+,.0f} purchases where automations addressed them, "
        f"{known[CALENDAR]:+,.0f} where the calendar did"
    )
