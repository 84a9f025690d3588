"""How each person buys: a renewal process with a rate, a regularity and a dropout of one's own, which may change.

Gaps between purchases are gamma-distributed with shape k: k = 1 buys at random times, k = 8 like clockwork.
They run on a clock of one's own, which advances by the rate in each operational day. Each person leaves for good
after an exponential lifetime in operational days. Some begin to buy more or less often, and some pause and come back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.demo.chance import Choice, happens, stream
from crmlib.demo.columns import Bools, Dates, Floats, Ints
from crmlib.demo.season import Season

#: Regularity k -> share of people.
REGULARITIES = {1: 0.35, 2: 0.30, 4: 0.20, 8: 0.15}
#: Purchases a day over all people: gamma with this shape and mean.
RATE_SHAPE, RATE_MEAN = 1.4, 1 / 28
#: Dropouts a day: gamma with this shape and mean.
DROPOUT_SHAPE, DROPOUT_MEAN = 0.8, 1 / 900
#: Share of people who were customers before the history begins; the others come evenly over time.
SHARE_KNOWN_BEFORE = 0.55
YEARS_KNOWN_BEFORE = 6
#: Share of people whose rate changes, and the factors by which it does.
SHARE_CHANGING = 0.12
CHANGES = np.array([0.40, 0.60, 1.50, 2.00])
#: Share of people who pause, and for how many days.
SHARE_LAPSING = 0.18
SHORTEST_LAPSE, LONGEST_LAPSE = 60, 300
#: A day that never comes.
NEVER = 1_000_000


@dataclass(frozen=True)
class Rhythm:
    """How each person buys; days count from the history's start.

    Parameters
    ----------
    rate : array of float
        Purchases a day while a customer, before any change.
    k : array of float
        Regularity: shape of the gaps.
    known_before : array of bool
        Whether a customer before the history begins.
    entered_on : array of date
        Day of becoming a customer.
    island : array of int
        Whose season counts.
    start, stop : array of float
        Operational days between which the person is a customer; `stop` may lie beyond the history.
    changed_on : array of int
        Day from which the rate is `change` times as high; `NEVER` for most.
    change : array of float
    lapse_from, lapse_to : array of int
        Days between which nothing is bought; `NEVER` for most.
    """

    rate: Floats
    k: Floats
    known_before: Bools
    entered_on: Dates
    island: Ints
    start: Floats
    stop: Floats
    changed_on: Ints
    change: Floats
    lapse_from: Ints
    lapse_to: Ints

    def __len__(self) -> int:
        return len(self.rate)


@dataclass(frozen=True)
class Occasions:
    """When, on each person's own clock, purchases fall due; person by person, ascending.

    Parameters
    ----------
    at : array of float
        Time on the clock; each person's last is never reached.
    begins : array of int, shape (people + 1,)
        Where each person's occasions begin.
    online : array of float
        Below a person's fondness of the online shop, the purchase is made there.
    card_shown : array of bool
        Whether a cardholder shows the card.
    """

    at: Floats
    begins: Ints
    online: Floats
    card_shown: Bools


#: Share of a cardholder's purchases at which the card is shown.
SHARE_CARD_SHOWN = 0.96
#: Room for what campaigns add to the clock.
CLOCK_HEADROOM = 1.5


def draw_rhythm(seed: int, first: int, island: Ints, season: Season) -> Rhythm:
    """Draw how the people of one piece buy.

    Parameters
    ----------
    seed : int
    first : int
        Number of the piece's first person.
    island : array of int
        Each person's.
    season : Season

    Returns
    -------
    Rhythm
    """
    rng, count = stream(seed, "rhythm", first), len(island)
    rate = rng.gamma(RATE_SHAPE, RATE_MEAN / RATE_SHAPE, count)
    k = np.array(list(REGULARITIES), dtype=np.float64)[Choice.of(list(REGULARITIES.values())).draw(rng, count)]
    known_before = happens(rng, count, SHARE_KNOWN_BEFORE)
    start = np.where(known_before, 0.0, rng.uniform(0, season.days, count))
    hazard = np.maximum(rng.gamma(DROPOUT_SHAPE, DROPOUT_MEAN / DROPOUT_SHAPE, count), 1e-9)
    stop = start + rng.exponential(1 / hazard)
    known_for = np.ceil(rng.uniform(0, 365 * YEARS_KNOWN_BEFORE, count)).astype(np.int64)
    entered = np.where(known_before, -known_for, season.day_of(start, island))
    changed_on, change, lapse_from, lapse_to = _draw_changes(seed, first, entered, season)
    return Rhythm(
        rate=rate,
        k=k,
        known_before=known_before,
        entered_on=season.date_of(entered),
        island=island,
        start=start,
        stop=stop,
        changed_on=changed_on,
        change=change,
        lapse_from=lapse_from,
        lapse_to=lapse_to,
    )


def _draw_changes(seed: int, first: int, entered: Ints, season: Season) -> tuple[Ints, Floats, Ints, Ints]:
    rng, count = stream(seed, "changes of rhythm", first), len(entered)
    changed_on = np.where(happens(rng, count, SHARE_CHANGING), rng.integers(0, season.days, count), NEVER)
    change = np.where(changed_on < NEVER, CHANGES[rng.integers(0, len(CHANGES), count)], 1.0)
    lapse_from = np.where(happens(rng, count, SHARE_LAPSING), rng.integers(0, season.days, count), NEVER)
    lapse_from = np.where(lapse_from > entered, lapse_from, NEVER)
    length = rng.integers(SHORTEST_LAPSE, LONGEST_LAPSE, count)
    lapse_to = np.where(lapse_from < NEVER, lapse_from + length, NEVER)
    return changed_on, change, lapse_from, lapse_to


def draw_occasions(seed: int, first: int, rhythm: Rhythm, season: Season) -> Occasions:
    """Draw when purchases fall due on each person's clock.

    Newcomers buy on entering. Who was a customer before is met in the midst of a gap: the wait for the next
    purchase is a uniform share of a gap that is drawn in proportion to its length, gamma with shape k + 1.

    Parameters
    ----------
    seed, first : int
    rhythm : Rhythm
    season : Season
    """
    rng = stream(seed, "purchases", first)
    wait = rng.random(len(rhythm)) * rng.standard_gamma(rhythm.k + 1) / rhythm.k
    first_at = np.where(rhythm.known_before, wait, 0.0)
    last_day = season.passed[rhythm.island, -1]
    days = np.clip(np.minimum(rhythm.stop, last_day) - rhythm.start, 0, None)
    expected = CLOCK_HEADROOM * days * rhythm.rate * np.maximum(rhythm.change, 1)
    draws = np.ceil(expected + 6 * np.sqrt(expected / rhythm.k) + 8).astype(np.int64)
    begins = np.concatenate([[0], np.cumsum(draws)])
    person = np.repeat(np.arange(len(draws)), draws)
    gap = rng.standard_gamma(rhythm.k[person]) / rhythm.k[person]
    gap[begins[:-1]] = first_at
    passed = np.cumsum(gap)
    at = passed - (passed[begins[:-1]] - first_at)[person]
    at[begins[1:] - 1] = np.inf
    traits = stream(seed, "occasions", first)
    return Occasions(at, begins, traits.random(len(at)), happens(traits, len(at), SHARE_CARD_SHOWN))


def dropout_dates(rhythm: Rhythm, season: Season) -> Dates:
    """Day on which each person left for good; missing for who is still a customer at the end of the history.

    Parameters
    ----------
    rhythm : Rhythm
    season : Season

    Returns
    -------
    array of date
    """
    day = season.day_of(rhythm.stop, rhythm.island)
    return np.where(day < season.days, season.date_of(day), np.datetime64("NaT", "D"))
