"""What the mailing tool reports of newsletters from before the mailing log: counts alone, without any control group."""

from __future__ import annotations

from datetime import date

import numpy as np

from crmlib.demo.campaigns import CAMPAIGN_DAYS
from crmlib.demo.chance import stream
from crmlib.demo.columns import Columns, Ints, as_text, money_text, number_text

#: Newsletters, one a month, the last one a month before the mailing log begins.
MONTHS = 18
#: Of the people in the retailer: share addressed. Of these: delivered, opened, clicked, unsubscribed, ordered.
ADDRESSED, DELIVERED, OPENED, CLICKED, LEFT, ORDERED = 0.22, 0.985, 0.33, 0.045, 0.002, 0.006
#: Mean of an order, in cents.
ORDER = 4_300
HEADINGS = (
    "Title,Subject,List,Send Date,Send Weekday,Total Recipients,Successful Deliveries,Soft Bounces,Hard Bounces,"
    "Total Bounces,Times Forwarded,Forwarded Opens,Unique Opens,Open Rate,Total Opens,Unique Clicks,Click Rate,"
    "Total Clicks,Unsubscribes,Abuse Complaints,Times Liked on Facebook,Folder Id,Unique Id,Total Orders,"
    "Total Gross Sales,Total Revenue"
)
NAMES = ("Ofertas de la semana", "Novedades", "Productos de aquí")


def write_reports(seed: int, people: int, as_of_date: date) -> Columns:
    """The report as Mailchimp exports it, the newest first.

    Parameters
    ----------
    seed, people : int
        The retailer's.
    as_of_date : datetime.date
    """
    rng = stream(seed, "campaign reports")
    last = np.datetime64(as_of_date, "M") - CAMPAIGN_DAYS // 30 - 2
    months = last - np.arange(MONTHS)
    days = months.astype("datetime64[D]") + rng.integers(8, 20, MONTHS)
    recipients = np.round(people * ADDRESSED * (1 - 0.01 * np.arange(MONTHS)) * rng.uniform(0.97, 1.03, MONTHS))
    addressed: Ints = recipients.astype(np.int64)
    delivered = rng.binomial(addressed, DELIVERED)
    opened, clicked, left, orders = (rng.binomial(delivered, share) for share in (OPENED, CLICKED, LEFT, ORDERED))
    sales = np.round(orders * ORDER * rng.uniform(0.85, 1.15, MONTHS)).astype(np.int64)
    told = [day.astype(date) for day in days]
    known = {
        "Title": as_text(f"{NAMES[place % len(NAMES)]} {day:%Y-%m}" for place, day in enumerate(told)),
        "Subject": as_text(NAMES[place % len(NAMES)] for place in range(MONTHS)),
        "Send Date": as_text(f"{day:%b %d, %Y} 10:00 AM" for day in told),
        "Send Weekday": as_text(f"{day:%A}" for day in told),
        "Total Recipients": number_text(addressed),
        "Successful Deliveries": number_text(delivered),
        "Unique Opens": number_text(opened),
        "Unique Clicks": number_text(clicked),
        "Unsubscribes": number_text(left),
        "Unique Id": as_text(f"nl{day:%Y%m}" for day in told),
        "Total Orders": number_text(orders),
        "Total Revenue": money_text(sales),
    }
    nothing = as_text([""] * MONTHS)
    return {heading: known.get(heading, nothing) for heading in HEADINGS.split(",")}
