"""The people of one piece while the days go by.

Each person's clock advances every day by the rate, as the season has it and as far as the person is a customer
and not in a pause; what was sent speeds it up for a while, or slows it down. A purchase is made whenever the clock
reaches the next occasion. So campaigns move purchases in time and add some, and everything that happens on a day
depends on what happened before.
"""

from __future__ import annotations

import numpy as np

from crmlib.demo.baskets import Purchases
from crmlib.demo.campaigns import PAYBACK_DAYS, SEND_CHANNELS
from crmlib.demo.columns import Bools, Dates, Floats, Ints
from crmlib.demo.moments import days_of_month, months_of
from crmlib.demo.piece import Piece
from crmlib.demo.reach import Reach
from crmlib.demo.rhythm import Occasions
from crmlib.demo.season import place_in_day
from crmlib.demo.web import Carts

#: In so many days the pressure of a contact halves.
PRESSURE_HALF_LIFE = 7.0
#: However much is sent, a clock runs at least so fast.
SLOWEST = 0.05
LONGEST_WINDOW = 60
#: Month and day as one number.
DAYS_A_MONTH = 32


class Walk:
    """The state of one piece's people on the day that is reached.

    Parameters
    ----------
    piece : Piece
    reach : Reach
    occasions : Occasions
    carts : Carts
        Those that are left behind.
    """

    def __init__(self, piece: Piece, reach: Reach, occasions: Occasions, carts: Carts) -> None:
        rhythm, people = piece.rhythm, len(piece.people)
        self.piece, self.occasions = piece, occasions
        self.days = piece.season.busyness.shape[1]
        self.entered = (rhythm.entered_on - piece.season.start).astype(np.int64)
        self.birthday = _month_and_day(piece.people.birth_date)
        self.account_day, self.has_card = reach.account_day, reach.has_card
        #: Each person's clock when each day begins, and where it would stand had nothing ever been sent.
        self.clock = np.zeros((self.days + 1, people))
        self.base = np.zeros((self.days + 1, people))
        #: What each day adds to the boost.
        self.pushes = np.zeros((self.days + PAYBACK_DAYS + LONGEST_WINDOW, people), dtype=np.float32)
        self.boost = np.zeros(people)
        self.pressure = np.zeros(people)
        self.lapse_to = rhythm.lapse_to.copy()
        #: Whether each channel may be used, and whether it will never work again.
        self.may = np.zeros((len(SEND_CHANNELS), people), dtype=np.bool_)
        self.dead = np.zeros((len(SEND_CHANNELS), people), dtype=np.bool_)
        self.cart_day = np.full(people, -1)
        #: What the retailer has seen of each person's purchases.
        self.seen_first = np.full(people, -1)
        self.seen_last = np.full(people, -1)
        self.seen_count = np.zeros(people, dtype=np.int64)
        self._next = occasions.begins[:-1].copy()
        self._bought: list[tuple[Ints, Ints, Bools, Ints]] = []
        self._switches = [
            (switches, np.searchsorted(switches.day, np.arange(self.days + 1))) for switches in reach.switches
        ]
        self._carts = (carts, np.searchsorted(carts.day, np.arange(self.days + 1)))

    def __len__(self) -> int:
        return len(self.boost)

    def hear(self, day: int) -> None:
        """Take note, in the morning, of what people have decided by then, and of the carts they left."""
        for place, (switches, begins) in enumerate(self._switches):
            today = slice(begins[day], begins[day + 1])
            self.may[place, switches.person[today]] = switches.on[today]
        carts, begins = self._carts
        self.cart_day[carts.person[begins[day] : begins[day + 1]]] = day

    def push(self, person: Ints, day: int, strength: Floats, window_days: int, pull_forward: float) -> None:
        """Speed up clocks from a day on, and slow them down afterwards by what is pulled forward."""
        owed = strength * pull_forward * window_days / PAYBACK_DAYS
        self.pushes[day, person] += strength
        self.pushes[day + window_days, person] -= strength + owed
        self.pushes[day + window_days + PAYBACK_DAYS, person] += owed

    def live(self, day: int) -> None:
        """Let a day pass: clocks advance, and purchases are made."""
        rhythm, season = self.piece.rhythm, self.piece.season
        begins, ends = season.passed[rhythm.island, day], season.passed[rhythm.island, day + 1]
        since, until = np.maximum(begins, rhythm.start), np.minimum(ends, rhythm.stop)
        awake = (day < rhythm.lapse_from) | (day >= self.lapse_to)
        rate = np.where(day >= rhythm.changed_on, rhythm.rate * rhythm.change, rhythm.rate)
        base = rate * awake * np.maximum(until - since, 0)
        self.boost += self.pushes[day]
        advance = base * np.maximum(1 + self.boost, SLOWEST)
        self.base[day + 1] = self.base[day] + base
        self.clock[day + 1] = self.clock[day] + advance
        self.pressure *= 0.5 ** (1 / PRESSURE_HALF_LIFE)
        due = np.flatnonzero((self.occasions.at[self._next] <= self.clock[day + 1]) & (advance > 0))
        while len(due):
            occasion = self._next[due]
            passed = (self.occasions.at[occasion] - self.clock[day, due]) / advance[due]
            at = since[due] + passed * (until - since)[due]
            share = (at - begins[due]) / (ends - begins)[due]
            self._buy(due, occasion, day, np.clip(share, 0, 1 - 1e-9))
            self._next[due] += 1
            due = due[self.occasions.at[self._next[due]] <= self.clock[day + 1, due]]

    def _buy(self, person: Ints, occasion: Ints, day: int, share: Floats) -> None:
        online = self.occasions.online[occasion] < self.piece.habits.online[person]
        online &= self.account_day[person] <= day
        self._bought.append((person, place_in_day(day + share), online, occasion))
        seen = person[online | (self.has_card[person] & self.occasions.card_shown[occasion])]
        self.seen_first[seen] = np.where(self.seen_first[seen] < 0, day, self.seen_first[seen])
        self.seen_last[seen] = day
        self.seen_count[seen] += 1

    def purchases(self) -> Purchases:
        """Everything bought so far, person by person in the order of time."""
        person, second, online, occasion = (
            np.concatenate([part[column] for part in self._bought]) if self._bought else np.array([], dtype=np.int64)
            for column in range(4)
        )
        order = np.lexsort((occasion, person))
        occasion = occasion[order].astype(np.int64)
        return Purchases(
            person=person[order],
            second=second[order],
            online=online[order].astype(np.bool_),
            card_shown=self.occasions.card_shown[occasion],
            occasion=occasion,
        )


def _month_and_day(dates: Dates) -> Ints:
    return months_of(dates) * DAYS_A_MONTH + days_of_month(dates)


def birthday_on(walk: Walk, day: int) -> Bools:
    """Who has a birthday on a day."""
    today: Bools = walk.birthday == _month_and_day(walk.piece.season.date_of(np.array([day])))[0]
    return today
