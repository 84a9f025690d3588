"""The history's days: how busy each is on each island, and how operational days become calendar days.

In an operational day as much happens as on an average day; the season stretches and shortens it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np

from crmlib.demo.columns import Dates, Floats, Ints, Text, as_text
from crmlib.demo.moments import SECONDS_PER_DAY, SUNDAY, days_of_month, is_summer_time, months_of, weekdays
from crmlib.demo.words import read_words

#: Monday to Saturday, relative to each other; Sundays are each island's own.
WEEKDAYS = np.array([0.97, 0.93, 0.95, 1.00, 1.14, 1.24])
#: Days (month, day) on which every store is shut.
SHUT = ((1, 1), (1, 6), (5, 1), (12, 25))
#: How many days are known beyond the history: the truth looks so far ahead.
DAYS_AHEAD = 91
#: Share of a day's purchases before each hour of the day.
DAY_HOURS = np.array([9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 21.75])
DAY_SHARES = np.array([0, 0.05, 0.14, 0.25, 0.37, 0.46, 0.53, 0.60, 0.70, 0.81, 0.91, 0.98, 1.0])


@dataclass(frozen=True)
class Season:
    """The history's days and those ahead, and how busy each is.

    Parameters
    ----------
    start : datetime64
        First day.
    days : int
        Days of the history; the last is the as-of date.
    busyness : array of float, shape (islands, days + DAYS_AHEAD)
        The mean over the history is 1 on each island.
    passed : array of float, shape (islands, days + DAYS_AHEAD + 1)
        Operational days that have passed when each day begins.
    """

    start: np.datetime64
    days: int
    busyness: Floats
    passed: Floats

    @classmethod
    def of(cls, start: np.datetime64, days: int, busyness: Floats) -> Season:
        """A season of given busyness, brought to mean 1 over the history."""
        level = busyness / busyness[:, :days].mean(axis=1, keepdims=True)
        passed = np.concatenate([np.zeros((len(level), 1)), np.cumsum(level, axis=1)], axis=1)
        return cls(start, days, level, passed)

    @classmethod
    def until(cls, as_of_date: date) -> Season:
        """The season of the history up to a day: from the first of January two years before."""
        start = np.datetime64(date(as_of_date.year - 2, 1, 1), "D")
        days = int((np.datetime64(as_of_date, "D") - start).astype(np.int64)) + 1
        return cls.of(start, days, _rate_days(start + np.arange(days + DAYS_AHEAD)))

    def date_of(self, day: Ints) -> Dates:
        """Calendar dates of days since the start."""
        dates: Dates = self.start + day
        return dates

    def second_of(self, dates: Dates) -> Ints:
        """Seconds since the start at which dates begin; negative before it."""
        return (dates.astype("datetime64[D]") - self.start).astype(np.int64) * SECONDS_PER_DAY

    def local(self, second: Ints) -> Dates:
        """Local times, to the second, of seconds since the start."""
        times: Dates = self.start.astype("datetime64[s]") + second
        return times

    def utc(self, second: Ints) -> Dates:
        """Moments in UTC, to the second, of local times in seconds since the start."""
        local = self.local(second)
        return local - 3600 * is_summer_time(local.astype("datetime64[D]")).astype(np.int64)

    def day_of(self, operational: Floats, island: Ints) -> Ints:
        """Calendar days since the start in which so many operational days pass on each one's island."""
        day = np.empty(len(operational), dtype=np.int64)
        for one, passed in enumerate(self.passed):
            there = island == one
            day[there] = np.searchsorted(passed, operational[there], side="right") - 1
        return day


@cache
def list_islands() -> Text:
    """The islands, in the order of a season's rows."""
    return as_text(read_words("seasons")["island"])


def island_of(names: Text) -> Ints:
    """Places of islands' names in `list_islands`."""
    place: Ints = np.argmax(names[:, None] == list_islands()[None, :], axis=1)
    return place


def _rate_days(dates: Dates) -> Floats:
    """How busy each day is on each island, before it is brought to mean 1."""
    table = read_words("seasons")
    months = list(table)[1:13]
    by_month = np.array([table[month] for month in months], dtype=np.float64).T
    sunday, before, after = (
        np.array(table[name], dtype=np.float64)[:, None] for name in ("sunday", "before_christmas", "after_christmas")
    )
    weekday, month, day = weekdays(dates), months_of(dates), days_of_month(dates)
    busyness = np.where(weekday == SUNDAY, sunday, WEEKDAYS[np.minimum(weekday, SUNDAY - 1)]) * by_month[:, month - 1]
    christmas = (month == 12) & (day >= 15)
    busyness = np.where(christmas, busyness * np.where(day > 25, after, before), busyness)
    shut = np.zeros(len(dates), dtype=np.bool_)
    for shut_month, shut_day in SHUT:
        shut |= (month == shut_month) & (day == shut_day)
    return np.where(shut, 0.0, busyness)


def place_in_day(calendar: Floats) -> Ints:
    """Seconds since the start for calendar days with a fraction, moved into the opening hours."""
    day = np.floor(calendar)
    hour = np.interp(calendar - day, DAY_SHARES, DAY_HOURS)
    seconds: Ints = (day * SECONDS_PER_DAY + np.floor(hour * 3600)).astype(np.int64)
    return seconds
