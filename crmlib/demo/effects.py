"""What each campaign truly brought: every treated person's purchases beside those without it.

A send adds to a person's clock what is known exactly, and the occasions stand where they stand on the clock. So the
purchases that would have been made without it are counted, not estimated: those until the clock less what it added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crmlib.demo.campaigns import PAYBACK_DAYS, Campaign
from crmlib.demo.columns import Bools, Floats, Ints
from crmlib.demo.history import History, Sends
from crmlib.demo.rhythm import Occasions

#: Days from the one on which somebody becomes eligible over which effects are usually told.
USUAL_DAYS = 14
#: All the days over which they are told, besides the campaign's own window.
HORIZONS = (7, USUAL_DAYS, 28, 56)
#: What is counted: purchases of which the retailer can tell whose they are, whether there is one, their sum; and
#: all purchases.
OUTCOMES = ("purchases", "bought", "sales", "all_purchases")
EFFECT_SCHEMA = pa.schema(
    [
        ("campaign_id", pa.string()),
        ("outcome", pa.string()),
        ("days", pa.int64()),
        ("treated", pa.int64()),
        *((name, pa.float64()) for name in ("rate_treated", "rate_without", "lift", "relative_lift")),
        *((name, pa.float64()) for name in ("planted_lift", "mean_lift")),
        ("window_days", pa.int64()),
        *((name, pa.float64()) for name in ("pull_forward", "control_share")),
    ]
)
#: No clock ever reaches so far.
CLOCK_END = 4096.0


@dataclass(frozen=True)
class EffectSums:
    """Sums over treated people whose days are over, to which each piece of the population adds.

    Parameters
    ----------
    treated : array of int, shape (campaigns, 1 + horizons)
        How many there are; the first horizon is the campaign's own window.
    strength : array of float, shape (campaigns, 1 + horizons)
        Sum of the lifts of their rates after fatigue, 0 for what did not arrive.
    made, without : array of float, shape (campaigns, 1 + horizons, outcomes)
        What was, and what would have been without the campaign. Sales are in cents.
    """

    treated: Ints
    strength: Floats
    made: Floats
    without: Floats

    @classmethod
    def none(cls, campaigns: int) -> EffectSums:
        """Nothing yet."""
        people = (campaigns, 1 + len(HORIZONS))
        counts = (*people, len(OUTCOMES))
        return cls(np.zeros(people, dtype=np.int64), np.zeros(people), np.zeros(counts), np.zeros(counts))

    def add(self, other: EffectSums) -> EffectSums:
        """Both together."""
        return EffectSums(
            self.treated + other.treated,
            self.strength + other.strength,
            self.made + other.made,
            self.without + other.without,
        )


def count_effects(
    history: History, occasions: Occasions, seen: Bools, amount: Ints, campaigns: list[Campaign], days: int
) -> EffectSums:
    """Count what the campaigns brought among the people of one piece.

    Parameters
    ----------
    history : History
    occasions : Occasions
    seen : array of bool
        Whether the retailer can tell whose purchase each occasion is.
    amount : array of int
        Sum of each occasion's purchase in cents.
    campaigns : list of Campaign
    days : int
        Days of the history: who became eligible too late for a horizon is not counted in it.
    """
    sums, ledger = EffectSums.none(len(campaigns)), _Ledger(occasions, seen, amount)
    treated = np.flatnonzero(history.sends.treated)
    # neighbours are found faster
    treated = treated[np.argsort(history.sends.person[treated], kind="stable")]
    window = np.array([one.window_days for one in campaigns], dtype=np.int64)
    for place in range(1 + len(HORIZONS)):
        length = window[history.sends.campaign[treated]] if place == 0 else HORIZONS[place - 1]
        until = history.sends.day[treated] + length
        over = until < days
        sends, until = history.sends.choose(treated[over]), until[over]
        clock = history.clock[until, sends.person]
        added = _added_clock(history, sends, until, campaigns)
        begun = ledger.reached(sends.person, history.clock[sends.day, sends.person])
        sums.treated[:, place] = np.bincount(sends.campaign, minlength=len(campaigns))
        sums.strength[:, place] = np.bincount(sends.campaign, sends.strength, len(campaigns))
        for total, reached in ((sums.made, clock), (sums.without, clock - added)):
            for outcome, values in enumerate(ledger.between(begun, ledger.reached(sends.person, reached))):
                total[:, place, outcome] = np.bincount(sends.campaign, values, len(campaigns))
    return sums


def _added_clock(history: History, sends: Sends, until: Ints, campaigns: list[Campaign]) -> Floats:
    """What each send has added to its person's clock by the time a day begins."""
    window = np.array([one.window_days for one in campaigns], dtype=np.int64)[sends.campaign]
    pull_forward = np.array([one.pull_forward for one in campaigns])[sends.campaign]
    ends = sends.day + window
    owed = sends.strength * pull_forward * window / PAYBACK_DAYS
    pushed = sends.strength * _passed(history, sends.person, sends.day, np.minimum(ends, until))
    paid_back = owed * _passed(history, sends.person, ends, np.minimum(ends + PAYBACK_DAYS, until))
    awake = _passed(history, sends.person, sends.day, np.minimum(sends.slept_until, until))
    added: Floats = pushed - paid_back + awake
    return added


def _passed(history: History, person: Ints, since: Ints, until: Ints) -> Floats:
    """By how much each person's clock would have advanced between two days had nothing been sent; 0 if none passed."""
    until = np.maximum(since, until)
    last = len(history.base) - 1
    passed: Floats = history.base[np.minimum(until, last), person] - history.base[np.minimum(since, last), person]
    return passed


class _Ledger:
    """Purchases on each person's clock, counted from the first occasion on."""

    def __init__(self, occasions: Occasions, seen: Bools, amount: Ints) -> None:
        person = np.repeat(np.arange(len(occasions.begins) - 1), np.diff(occasions.begins))
        self._places = person * CLOCK_END + np.minimum(occasions.at, CLOCK_END - 1)
        self._seen = np.concatenate([[0], np.cumsum(seen)])
        self._amount = np.concatenate([[0], np.cumsum(np.where(seen, amount, 0))])

    def reached(self, person: Ints, clock: Floats) -> Ints:
        """How many occasions, of all people in their order, have come when a person's clock stands so."""
        return np.searchsorted(self._places, person * CLOCK_END + clock, side="right")

    def between(self, begun: Ints, ended: Ints) -> Iterator[Ints]:
        """The outcomes between two places, in their order."""
        seen: Ints = self._seen[ended] - self._seen[begun]
        yield seen
        yield np.minimum(seen, 1)
        yield self._amount[ended] - self._amount[begun]
        yield ended - begun


def effect_table(sums: EffectSums, campaigns: list[Campaign], horizons: tuple[int, ...]) -> pa.Table:
    """The true effect of each campaign.

    Parameters
    ----------
    sums : EffectSums
        Over the whole population.
    campaigns : list of Campaign
    horizons : tuple of int
        Of ``HORIZONS``; 0 stands for the campaign's own window.

    Returns
    -------
    Table
        A row per campaign, outcome and number of days from the day of eligibility on: campaign_id, outcome, days;
        treated (people assigned to it whose days are over, whether or not it arrived); rate_treated and rate_without
        (mean by treated person as it was, and as it would have been without the campaign), lift (their difference),
        relative_lift; and what was planted: planted_lift of the purchase rate of who got it for window_days, mean_lift
        of it after fatigue and failed deliveries, pull_forward, control_share.
    """
    rows = [
        _effect_row(sums, place, campaign, horizon, outcome)
        for place, campaign in enumerate(campaigns)
        for horizon in horizons
        for outcome in OUTCOMES
        if sums.treated[place, _column(horizon)]
    ]
    return pa.Table.from_pylist(rows, schema=EFFECT_SCHEMA)


def _column(horizon: int) -> int:
    return HORIZONS.index(horizon) + 1 if horizon else 0


def _effect_row(
    sums: EffectSums, place: int, campaign: Campaign, horizon: int, outcome: str
) -> dict[str, str | int | float | None]:
    column, which = _column(horizon), OUTCOMES.index(outcome)
    treated, unit = int(sums.treated[place, column]), 100 if outcome == "sales" else 1
    made, without = (float(total[place, column, which]) / treated / unit for total in (sums.made, sums.without))
    return {
        "campaign_id": campaign.campaign_id,
        "outcome": outcome,
        "days": horizon or campaign.window_days,
        "treated": treated,
        "rate_treated": made,
        "rate_without": without,
        "lift": made - without,
        "relative_lift": made / without - 1 if without else None,
        "planted_lift": campaign.lift,
        "mean_lift": float(sums.strength[place, column]) / treated,
        "window_days": campaign.window_days,
        "pull_forward": campaign.pull_forward,
        "control_share": campaign.control_share,
    }
