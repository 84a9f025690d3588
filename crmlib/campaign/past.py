"""Past campaigns as mailing tools and external files report them: aggregates without a control group."""

from __future__ import annotations

import pandas as pd

from crmlib.engine import Engine

NOT_COMPARABLE = (
    "Not comparable with measured lifts: there was no control group, and a tool counts every order after a click "
    "as its own. Machines open mail, too."
)


def summarise_reports(engine: Engine) -> pd.DataFrame:
    """Past campaigns, the newest first, with the shares that can be formed of their counts.

    Parameters
    ----------
    engine : Engine
        Holds `campaign_reports`.

    Returns
    -------
    DataFrame
        name, sent_on, channel, recipients, delivered (share of recipients), opened, clicked, unsubscribed (shares of
        delivered, else of recipients), orders, sales, source.
    """
    return engine.frame(
        """
        SELECT name, sent_on, channel, recipients, delivered / nullif(recipients, 0) AS delivered,
               opened / nullif(coalesce(delivered, recipients), 0) AS opened,
               clicked / nullif(coalesce(delivered, recipients), 0) AS clicked,
               unsubscribed / nullif(coalesce(delivered, recipients), 0) AS unsubscribed,
               orders, CAST(sales AS DOUBLE) AS sales, source
        FROM campaign_reports
        ORDER BY sent_on DESC NULLS LAST, report_id
        """
    )


def join_attributed(purchases: pd.DataFrame, reports: pd.DataFrame) -> pd.DataFrame:
    """What was attributed beside what was incremental.

    Parameters
    ----------
    purchases : DataFrame
        Of `summarise_results`, for purchases.
    reports : DataFrame
        Of `summarise_reports`; where a report has a campaign's name, the tool's own count stands, too.

    Returns
    -------
    DataFrame
        name, attributed (purchases in the window by those who received it), reported (orders as a tool reports them;
        empty where none does), incremental with low and high, share (incremental / attributed), measured campaigns
        only.
    """
    measured = purchases[purchases["lift"].notna()]
    told = reports.groupby("name")["orders"].sum(min_count=1) if len(reports) else pd.Series(dtype=float)
    incremental = {
        name: measured[column] * measured["assigned"]
        for name, column in (("incremental", "lift"), ("low", "lift_low"), ("high", "lift_high"))
    }
    attributed = measured["attributed"]
    return pd.DataFrame(
        {
            "name": measured["name"],
            "attributed": attributed,
            "reported": measured["name"].map(told),
            **incremental,
            "share": incremental["incremental"] / attributed.where(attributed > 0),
        }
    )
