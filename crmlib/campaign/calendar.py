"""The days of a plan: recurrence rules, dates, and the days on which a communication is due."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING

from dateutil.rrule import rrulestr

if TYPE_CHECKING:
    from crmlib.campaign.plan import Communication, ContactPlan


def expand_rule(rule: str, start: date, days: int) -> list[date]:
    """Days of a recurrence rule within some days from a start.

    Parameters
    ----------
    rule : str
        As in RFC 5545, such as ``FREQ=WEEKLY;BYDAY=TH``.
    start : date
    days : int

    Raises
    ------
    ValueError
        With a sentence, if it is not a rule of whole days.
    """
    written = rule.upper()
    by_the_clock = any(word in written for word in ("HOURLY", "MINUTELY", "SECONDLY", "DTSTART"))
    if "FREQ=" not in written or by_the_clock or re.search(r"INTERVAL=0*(\D|$)", written):
        raise ValueError("write a recurrence rule of whole days, such as FREQ=WEEKLY;BYDAY=TH; it begins with the plan")
    try:
        found = rrulestr(rule, dtstart=datetime.combine(start, time.min))
        end = datetime.combine(start + timedelta(days=days), time.min)
        return sorted({moment.date() for moment in takewhile(lambda moment: moment < end, found)})
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError("this is not a recurrence rule; write one such as FREQ=WEEKLY;BYDAY=TH") from None


def last_day(plan: ContactPlan) -> date:
    """Last day of a plan's horizon."""
    return plan.plan.start + timedelta(days=plan.plan.horizon_days - 1)


def calendar_days(plan: ContactPlan, communication: Communication) -> list[date]:
    """Days of the horizon on which a communication of the calendar is due; none for an automation."""
    calendar = communication.calendar
    if calendar is None:
        return []
    if calendar.rrule is not None:
        return expand_rule(calendar.rrule, plan.plan.start, plan.plan.horizon_days)
    return sorted({day for day in calendar.dates or [] if plan.plan.start <= day <= last_day(plan)})


def days_open(communication: Communication) -> int:
    """Days on which a communication that is due may be sent, the first included."""
    return max(1, int(communication.expires))
