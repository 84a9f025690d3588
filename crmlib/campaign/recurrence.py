"""Recurrence rules (RFC 5545) of whole days."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from itertools import takewhile

from dateutil.rrule import rrulestr


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
