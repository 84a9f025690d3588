"""When each person buys: a renewal process with a rate, a regularity and a dropout of one's own, under a season.

Gaps between purchases are gamma-distributed with shape k: k = 1 buys at random times, k = 8 like clockwork.
Each person leaves for good after an exponential lifetime. Both run in operational days, which the season
stretches and shortens to calendar days; on average the two agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from crmlib.demo.chance import Choice, happens, stream
from crmlib.demo.columns import Bools, Dates, Floats, Ints

#: Regularity k -> share of people.
REGULARITIES = {1: 0.35, 2: 0.30, 4: 0.20, 8: 0.15}
#: Purchases a day over all people: gamma with this shape and mean.
RATE_SHAPE, RATE_MEAN = 1.4, 1 / 28
#: Dropouts a day: gamma with this shape and mean.
DROPOUT_SHAPE, DROPOUT_MEAN = 0.8, 1 / 900
#: Share of people who were customers before the history begins; the others come evenly over time.
SHARE_KNOWN_BEFORE = 0.55
YEARS_KNOWN_BEFORE = 6
#: Monday to Sunday, relative to each other.
WEEKDAYS = np.array([0.97, 0.93, 0.95, 1.00, 1.14, 1.24, 0.60])
#: Days (month, day) on which every store is shut.
SHUT = ((1, 1), (1, 6), (5, 1), (12, 25))
BEFORE_CHRISTMAS, AFTER_CHRISTMAS = 1.14, 0.82
#: Share of a day's purchases before each hour of the day.
DAY_HOURS = np.array([9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 21.75])
DAY_SHARES = np.array([0, 0.05, 0.14, 0.25, 0.37, 0.46, 0.53, 0.60, 0.70, 0.81, 0.91, 0.98, 1.0])
SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class Season:
    """The history's days and how busy each is.

    Parameters
    ----------
    start : datetime64
        First day.
    busyness : array of float
        One value a day; the mean is 1.
    """

    start: np.datetime64
    busyness: Floats

    @classmethod
    def until(cls, as_of_date: date) -> Season:
        """The season of the history up to a day: from the first of January two years before."""
        start = np.datetime64(date(as_of_date.year - 2, 1, 1), "D")
        days = np.arange(start, np.datetime64(as_of_date, "D") + 1)
        weekday = (days.astype(np.int64) + 3) % 7
        month = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
        day = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
        busyness = WEEKDAYS[weekday]
        busyness = np.where((month == 12) & (day >= 15), busyness * BEFORE_CHRISTMAS, busyness)
        busyness = np.where((month == 12) & (day > 25), busyness / BEFORE_CHRISTMAS * AFTER_CHRISTMAS, busyness)
        for shut_month, shut_day in SHUT:
            busyness = np.where((month == shut_month) & (day == shut_day), 0.0, busyness)
        return cls(start, busyness / busyness.mean())

    @property
    def days(self) -> int:
        """Days of the history, calendar or operational."""
        return len(self.busyness)

    def to_calendar(self, operational: Floats) -> Floats:
        """Calendar days since the start at which so many operational days have passed."""
        passed = np.concatenate([[0.0], np.cumsum(self.busyness)])
        return np.interp(operational, passed, np.arange(self.days + 1))


@dataclass(frozen=True)
class Rhythm:
    """How each person buys.

    Parameters
    ----------
    rate : array of float
        Purchases a day while a customer.
    k : array of float
        Regularity: shape of the gaps.
    known_before : array of bool
        Whether a customer before the history begins.
    entered_on : array of date
        Day of becoming a customer.
    start, stop : array of float
        Operational days since the history's start between which the person is a customer in it; `stop` may lie beyond.
    """

    rate: Floats
    k: Floats
    known_before: Bools
    entered_on: Dates
    start: Floats
    stop: Floats


def draw_rhythm(seed: int, first: int, count: int, season: Season) -> Rhythm:
    """Draw how the people of one piece buy.

    Parameters
    ----------
    seed : int
    first, count : int
        Number of the piece's first person, and how many it has.
    season : Season

    Returns
    -------
    Rhythm
    """
    rng = stream(seed, "rhythm", first)
    rate = rng.gamma(RATE_SHAPE, RATE_MEAN / RATE_SHAPE, count)
    k = np.array(list(REGULARITIES), dtype=np.float64)[Choice.of(list(REGULARITIES.values())).draw(rng, count)]
    known_before = happens(rng, count, SHARE_KNOWN_BEFORE)
    start = np.where(known_before, 0.0, rng.uniform(0, season.days, count))
    hazard = np.maximum(rng.gamma(DROPOUT_SHAPE, DROPOUT_MEAN / DROPOUT_SHAPE, count), 1e-9)
    stop = start + rng.exponential(1 / hazard)
    known_for = np.ceil(rng.uniform(0, 365 * YEARS_KNOWN_BEFORE, count)).astype(np.int64)
    entered = np.where(known_before, -known_for, np.floor(season.to_calendar(start)).astype(np.int64))
    return Rhythm(rate, k, known_before, season.start + entered, start, stop)


def simulate_purchases(seed: int, first: int, rhythm: Rhythm, season: Season) -> tuple[Ints, Ints]:
    """Simulate when each person buys.

    Newcomers buy on entering. Who was a customer before is met in the midst of a gap: the wait for the next
    purchase is a uniform share of a gap that is drawn in proportion to its length, gamma with shape k + 1.

    Parameters
    ----------
    seed, first : int
    rhythm : Rhythm
    season : Season

    Returns
    -------
    person : array of int
        Place within the piece, ascending.
    second : array of int
        Seconds since the history's start, local time, ascending within a person.
    """
    rng = stream(seed, "purchases", first)
    scale = 1 / (rhythm.k * rhythm.rate)
    wait = rng.random(len(scale)) * rng.standard_gamma(rhythm.k + 1) * scale
    first_at = rhythm.start + np.where(rhythm.known_before, wait, 0.0)
    stop = np.minimum(rhythm.stop, season.days)
    expected = np.maximum(stop - first_at, 0) * rhythm.rate
    draws = np.ceil(expected + 6 * np.sqrt(expected / rhythm.k) + 6).astype(np.int64)
    person = np.repeat(np.arange(len(draws)), draws)
    gap = rng.standard_gamma(rhythm.k[person]) * scale[person]
    begins = np.cumsum(draws) - draws
    gap[begins] = first_at
    passed = np.cumsum(gap)
    at = passed - (passed[begins] - first_at)[person]
    kept = at < stop[person]
    return person[kept], place_in_day(season.to_calendar(at[kept]))


def place_in_day(calendar: Floats) -> Ints:
    """Seconds since the start for calendar days with a fraction, moved into the opening hours."""
    day = np.floor(calendar)
    hour = np.interp(calendar - day, DAY_SHARES, DAY_HOURS)
    seconds: Ints = (day * SECONDS_PER_DAY + np.floor(hour * 3600)).astype(np.int64)
    return seconds


def dropout_dates(rhythm: Rhythm, season: Season) -> Dates:
    """Day on which each person left for good; missing for who is still a customer at the end.

    Parameters
    ----------
    rhythm : Rhythm
    season : Season

    Returns
    -------
    array of date
    """
    gone = rhythm.stop < season.days
    day = season.start + np.floor(season.to_calendar(rhythm.stop)).astype(np.int64)
    return np.where(gone, day, np.datetime64("NaT", "D"))
