"""The days of a plan, and those on which a communication is due."""

from __future__ import annotations

from datetime import date, timedelta

from crmlib.campaign.communications import Communication
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.recurrence import expand_rule


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
