"""Calendar days and clock times: weekdays, months, summer time, and how moments are written."""

from __future__ import annotations

import numpy as np

from crmlib.demo.columns import TEXT, Bools, Dates, Ints, Text

SECONDS_PER_DAY = 86_400
#: Thursday and Sunday, where Monday is 0.
THURSDAY, SUNDAY = 3, 6


def weekdays(dates: Dates) -> Ints:
    """Monday is 0."""
    return (dates.astype("datetime64[D]").astype(np.int64) + 3) % 7


def months_of(dates: Dates) -> Ints:
    """January is 1."""
    return dates.astype("datetime64[M]").astype(np.int64) % 12 + 1


def days_of_month(dates: Dates) -> Ints:
    """The first is 1."""
    day, first = dates.astype("datetime64[D]"), dates.astype("datetime64[M]").astype("datetime64[D]")
    return day.astype(np.int64) - first.astype(np.int64) + 1


def is_summer_time(dates: Dates) -> Bools:
    """Whether clocks in the European Union are an hour ahead: from the last Sunday of March to that of October."""
    year = dates.astype("datetime64[Y]")

    def last_sunday(month: int) -> Dates:
        last: Dates = (year.astype("datetime64[M]") + month).astype("datetime64[D]") - 1
        sunday: Dates = last - (weekdays(last) + 1) % 7
        return sunday

    summer: Bools = (dates >= last_sunday(3)) & (dates < last_sunday(10))
    return summer


def moment_text(moments: Dates, separator: str = " ") -> Text:
    """Moments as ``2026-03-14 18:22:05``; a missing one is empty."""
    written = np.strings.replace(np.datetime_as_string(moments.astype("datetime64[s]")).astype(TEXT), "T", separator)
    return np.where(np.isnat(moments), "", written).astype(TEXT)
