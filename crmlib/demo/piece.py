"""One piece of the population: the people, how they buy, and which system knows whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from crmlib.demo import loyalty
from crmlib.demo.baskets import Habits, draw_habits
from crmlib.demo.chance import happens, stream
from crmlib.demo.columns import Bools, Text
from crmlib.demo.holdings import Holding, draw_holdings
from crmlib.demo.people import People
from crmlib.demo.rhythm import Rhythm, draw_rhythm
from crmlib.demo.season import Season, island_of
from crmlib.demo.words import read_places

#: Share of cards that the scheme's list has lost.
SHARE_UNLISTED_CARDS = 0.005


@dataclass(frozen=True)
class Piece:
    """One piece of the population, and what holds for all systems that know of it.

    Parameters
    ----------
    seed : int
    as_of_date : date
    season : Season
    people : People
    rhythm : Rhythm
    habits : Habits
    holdings : dict of str to Holding
        By source.
    card_numbers : Text
        Of each card the loyalty scheme issued.
    listed : array of bool
        Whether the scheme's list still has the card.
    """

    seed: int
    as_of_date: date
    season: Season
    people: People
    rhythm: Rhythm
    habits: Habits
    holdings: dict[str, Holding]
    card_numbers: Text
    listed: Bools

    @property
    def first(self) -> int:
        """Number of its first person."""
        return int(self.people.number[0])


def make_piece(seed: int, people: People, season: Season, as_of_date: date) -> Piece:
    """Draw what holds for all systems that know of some people.

    Parameters
    ----------
    seed : int
    people : People
    season : Season
        The history's days.
    as_of_date : date
    """
    first = int(people.number[0])
    island = island_of(read_places().island[people.place.now])
    rhythm = draw_rhythm(seed, first, island, season)
    holdings = draw_holdings(seed, people.number, rhythm.entered_on, as_of_date)
    cards = loyalty.card_numbers(holdings["loyalty"].code)
    return Piece(
        seed=seed,
        as_of_date=as_of_date,
        season=season,
        people=people,
        rhythm=rhythm,
        habits=draw_habits(seed, people),
        holdings=holdings,
        card_numbers=cards,
        listed=~happens(stream(seed, "unlisted cards", first), len(cards), SHARE_UNLISTED_CARDS),
    )
