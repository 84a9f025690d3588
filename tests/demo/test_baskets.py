from __future__ import annotations

import numpy as np
import pytest

from crmlib.demo.baskets import (
    SHARE_CARD_SHOWN,
    SHARE_HOME_STORE,
    SHARE_RETURNED,
    Tickets,
    discount_days,
    draw_habits,
    fill_baskets,
)
from crmlib.demo.people import People
from crmlib.demo.rhythm import SECONDS_PER_DAY, Season, draw_rhythm, simulate_purchases
from crmlib.demo.words import read_places, read_products, read_stores
from tests.demo.conftest import AS_OF_DATE

SEASON = Season.until(AS_OF_DATE)


@pytest.fixture(scope="module")
def habits(people: People):
    return draw_habits(3, people)


@pytest.fixture(scope="module")
def purchases(people: People):
    return simulate_purchases(3, 0, draw_rhythm(3, 0, len(people), SEASON), SEASON)


@pytest.fixture(scope="module")
def tickets(people: People, habits, purchases) -> Tickets:
    return fill_baskets(3, people, habits, purchases, SEASON)


def test_every_purchase_has_a_ticket_and_every_ticket_lines(tickets: Tickets, purchases) -> None:
    bought = len(purchases[0])
    assert np.array_equal(tickets.person[:bought], purchases[0])
    assert np.array_equal(np.unique(tickets.lines.ticket), np.arange(len(tickets)))
    starts = np.flatnonzero(np.diff(np.append(-1, tickets.lines.ticket)))
    assert (tickets.lines.number[starts] == 1).all()
    assert (np.diff(tickets.lines.number)[np.diff(tickets.lines.ticket) == 0] == 1).all()


def test_prices_are_the_products_own(tickets: Tickets) -> None:
    lines, products = tickets.lines, read_products()
    unit = (lines.amount + lines.discount) / lines.quantity / products.price[lines.product]
    assert unit.min() > 0.85
    assert unit.max() < 1.02
    assert (np.abs(lines.discount) <= 0.3 * np.abs(lines.amount + lines.discount)).all()


def test_returns_are_negative_and_repeat_a_line_of_an_earlier_ticket(tickets: Tickets, purchases) -> None:
    bought = len(purchases[0])
    amount = tickets.lines.sums(tickets.lines.amount, len(tickets))
    assert (amount[:bought] > 0).all()
    assert (amount[bought:] < 0).all()
    assert (len(tickets) - bought) / bought == pytest.approx(SHARE_RETURNED, rel=0.15)
    assert (np.bincount(tickets.lines.ticket)[bought:] == 1).all()
    day = tickets.second // SECONDS_PER_DAY
    assert day.max() < SEASON.days
    assert (SEASON.busyness[day] > 0).all()


def test_people_shop_on_their_island_mostly_in_one_store(tickets: Tickets, habits, people: People) -> None:
    at_home = tickets.store == habits.store[tickets.person]
    assert at_home.mean() > SHARE_HOME_STORE
    island = read_places().island[people.place.now[tickets.person]]
    assert np.array_equal(read_stores().island[tickets.store], island)


def test_tastes_show(tickets: Tickets, habits) -> None:
    products = read_products()
    carpenter = habits.taste == products.tastes.index("carpentry")
    of_carpenter = carpenter[tickets.person][tickets.lines.ticket]
    tools = (products.category == "Bricolaje")[tickets.lines.product]
    assert tools[of_carpenter].mean() > 5 * tools[~of_carpenter].mean()


def test_discounts_are_commoner_on_discount_days(tickets: Tickets) -> None:
    days = discount_days(SEASON)
    months = np.unique((SEASON.start + np.arange(SEASON.days)).astype("datetime64[M]"))
    assert days.sum() == len(months) - 1  # the last month has one day
    on_day = days[tickets.second // SECONDS_PER_DAY][tickets.lines.ticket]
    discounted = tickets.lines.discount != 0
    assert discounted[on_day].mean() > 2 * discounted[~on_day].mean()


def test_cards_are_shown_nearly_always(tickets: Tickets) -> None:
    assert tickets.card_shown.mean() == pytest.approx(SHARE_CARD_SHOWN, abs=0.01)
