"""What is bought: tickets and their lines, whose sums agree to the cent."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from crmlib.demo.chance import Choice, happens, stream
from crmlib.demo.columns import Bools, Floats, Ints
from crmlib.demo.moments import SECONDS_PER_DAY, THURSDAY, days_of_month, weekdays
from crmlib.demo.people import People
from crmlib.demo.season import Season
from crmlib.demo.words import LEANINGS, read_products, read_stores

#: Lines of a usual ticket over all people: gamma with this shape and mean.
BASKET_SHAPE, BASKET_MEAN = 3.0, 3.2
MOST_LINES = 40
QUANTITIES = np.array([1, 2, 3, 6])
QUANTITY_SHARES = Choice.of([0.78, 0.15, 0.05, 0.02])
YEARLY_INFLATION = 0.03
DISCOUNTS_PERCENT = np.array([10, 15, 20, 25, 30])
#: On the first Thursday of a month, discounts are so many times as frequent.
DISCOUNT_DAY_BOOST = 3.0
#: Share of tickets bought in the usual store, and share of them of which something is returned.
SHARE_HOME_STORE = 0.85
SHARE_RETURNED = 0.012
LONGEST_RETURN_DAYS = 14


@dataclass(frozen=True)
class Habits:
    """How each person fills a basket.

    Parameters
    ----------
    store : array of int
        Usual store, as a place in the word list.
    taste : array of int
        Place in the products' tastes.
    leaning : array of int
        Towards some brands: below ``LEANINGS``.
    online : array of float
        Share of purchases made online by who has an account there.
    lines : array of float
        Mean number of lines of a ticket.
    discount : array of float
        Share of lines bought at a discount.
    """

    store: Ints
    taste: Ints
    leaning: Ints
    online: Floats
    lines: Floats
    discount: Floats


@dataclass(frozen=True)
class Purchases:
    """Who buys when, where.

    Parameters
    ----------
    person : array of int
        Place within the piece, ascending.
    second : array of int
        Local time, in seconds since the history's start, ascending within a person.
    online : array of bool
        Whether in the online shop.
    card_shown : array of bool
        Whether a cardholder shows the card.
    occasion : array of int
        Place among the piece's `Occasions`.
    """

    person: Ints
    second: Ints
    online: Bools
    card_shown: Bools
    occasion: Ints

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True)
class Lines:
    """Lines of tickets; money in cents.

    Parameters
    ----------
    ticket : array of int
        Place of the line's ticket among the tickets, ascending.
    number : array of int
        1, 2, … within the ticket.
    product : array of int
        Place in the word list.
    quantity, amount, discount : array of int
        `amount` after discount; all negative in a return.
    """

    ticket: Ints
    number: Ints
    product: Ints
    quantity: Ints
    amount: Ints
    discount: Ints

    def sums(self, values: Ints, tickets: int) -> Ints:
        """Sum of a column by ticket."""
        return np.bincount(self.ticket, values, tickets).astype(np.int64)


@dataclass(frozen=True)
class Tickets:
    """Tickets of one piece of the population, with their lines.

    Parameters
    ----------
    person : array of int
        Place within the piece.
    second : array of int
        Local time, in seconds since the history's start.
    store : array of int
        Place in the word list.
    online : array of bool
        Whether bought in the online shop; `store` then says nothing.
    card_shown : array of bool
        Whether a cardholder showed the card.
    lines : Lines
    """

    person: Ints
    second: Ints
    store: Ints
    online: Bools
    card_shown: Bools
    lines: Lines

    def __len__(self) -> int:
        return len(self.person)

    @property
    def amount(self) -> Ints:
        """Amount of each ticket in cents."""
        return self.lines.sums(self.lines.amount, len(self))

    def choose(self, chosen: Bools) -> Tickets:
        """Some of the tickets, with their lines."""
        place = np.cumsum(chosen) - 1
        of_chosen = chosen[self.lines.ticket]
        lines = {column.name: getattr(self.lines, column.name)[of_chosen] for column in fields(Lines)}
        lines["ticket"] = place[lines["ticket"]]
        return Tickets(
            self.person[chosen],
            self.second[chosen],
            self.store[chosen],
            self.online[chosen],
            self.card_shown[chosen],
            Lines(**lines),
        )


def draw_habits(seed: int, people: People) -> Habits:
    """Draw each person's usual store, tastes, basket, and fondness of discounts and of the online shop.

    Parameters
    ----------
    seed : int
    people : People
        One piece of the population.
    """
    first, count = int(people.number[0]), len(people)
    rng, more = stream(seed, "habits", first), stream(seed, "brands and channels", first)
    return Habits(
        store=read_stores().of_place.draw(rng, count, people.place.now),
        taste=rng.integers(0, len(read_products().tastes), count),
        leaning=more.integers(0, LEANINGS, count),
        online=more.beta(1.6, 2.6, count),
        lines=rng.gamma(BASKET_SHAPE, BASKET_MEAN / BASKET_SHAPE, count),
        discount=rng.beta(1.2, 7.0, count),
    )


def fill_baskets(seed: int, people: People, habits: Habits, purchases: Purchases, season: Season) -> Tickets:
    """Fill the basket of each purchase, and bring some things back.

    Parameters
    ----------
    seed : int
    people : People
    habits : Habits
    purchases : Purchases
    season : Season

    Returns
    -------
    Tickets
        Purchases in the order given, then returns.
    """
    person, second = purchases.person, purchases.second
    rng, count = stream(seed, "baskets", int(people.number[0])), len(person)
    elsewhere = read_stores().of_place.draw(rng, count, people.place.now[person])
    at_home = happens(rng, count, SHARE_HOME_STORE)
    bought = Tickets(
        person=person,
        second=second,
        store=np.where(at_home, habits.store[person], elsewhere),
        online=purchases.online,
        card_shown=purchases.card_shown,
        lines=_draw_lines(rng, habits, person, second, season),
    )
    return _with_returns(rng, bought, season)


def _draw_lines(rng: np.random.Generator, habits: Habits, person: Ints, second: Ints, season: Season) -> Lines:
    products = read_products()
    lines = np.clip(1 + rng.poisson(np.maximum(habits.lines[person] - 1, 0.1)), 1, MOST_LINES)
    ticket = np.repeat(np.arange(len(person)), lines)
    number = np.arange(len(ticket)) - (np.cumsum(lines) - lines)[ticket] + 1
    size = len(ticket)
    product = products.by_taste.draw(rng, size, (habits.taste * LEANINGS + habits.leaning)[person][ticket])
    quantity = QUANTITIES[QUANTITY_SHARES.draw(rng, size)]
    day = second // SECONDS_PER_DAY
    price_level = (1 + YEARLY_INFLATION) ** ((day - season.days) / 365.25)
    gross = np.rint(products.price[product] * price_level[ticket]).astype(np.int64) * quantity
    boost = np.where(discount_days(season)[day], DISCOUNT_DAY_BOOST, 1.0)
    discounted = happens(rng, size, (habits.discount[person] * boost)[ticket])
    percent = DISCOUNTS_PERCENT[rng.integers(0, len(DISCOUNTS_PERCENT), size)]
    discount = np.where(discounted, gross * percent // 100, 0)
    return Lines(ticket, number, product, quantity, gross - discount, discount)


def discount_days(season: Season) -> Bools:
    """Which days of the history are the first Thursday of a month."""
    dates = season.date_of(np.arange(season.days))
    first_thursday: Bools = (weekdays(dates) == THURSDAY) & (days_of_month(dates) <= 7)
    return first_thursday


def _with_returns(rng: np.random.Generator, bought: Tickets, season: Season) -> Tickets:
    """Add tickets on which the first line of one bought in a store is brought back there."""
    returned = np.flatnonzero(happens(rng, len(bought), SHARE_RETURNED) & ~bought.online)
    later = rng.integers(1, LONGEST_RETURN_DAYS + 1, len(returned))
    day = bought.second[returned] // SECONDS_PER_DAY + later
    possible = day < season.days
    possible[possible] = season.busyness[0, day[possible]] > 0
    returned, later = returned[possible], later[possible]
    old = bought.lines
    first_line = np.flatnonzero(old.number == 1)[returned]
    ones = np.ones(len(returned), dtype=np.int64)
    lines = Lines(
        ticket=np.append(old.ticket, len(bought) + np.arange(len(returned))),
        number=np.append(old.number, ones),
        product=np.append(old.product, old.product[first_line]),
        quantity=np.append(old.quantity, -old.quantity[first_line]),
        amount=np.append(old.amount, -old.amount[first_line]),
        discount=np.append(old.discount, -old.discount[first_line]),
    )
    return Tickets(
        person=np.append(bought.person, bought.person[returned]),
        second=np.append(bought.second, bought.second[returned] + later * SECONDS_PER_DAY),
        store=np.append(bought.store, bought.store[returned]),
        online=np.append(bought.online, bought.online[returned]),
        card_shown=np.append(bought.card_shown, bought.card_shown[returned]),
        lines=lines,
    )
