from __future__ import annotations

import numpy as np
import pytest

from crmlib.demo.baskets import SHARE_HOME_STORE, SHARE_RETURNED, Habits, Purchases, Tickets, discount_days
from crmlib.demo.people import People
from crmlib.demo.rhythm import SHARE_CARD_SHOWN
from crmlib.demo.story import Story
from crmlib.demo.words import LEANINGS, read_places, read_products, read_stores, read_words
from tests.demo.conftest import SEASON

SECONDS_PER_DAY = 86_400


@pytest.fixture(scope="module")
def habits(story: Story) -> Habits:
    return story.piece.habits


@pytest.fixture(scope="module")
def purchases(story: Story) -> Purchases:
    return story.history.purchases


@pytest.fixture(scope="module")
def tickets(story: Story) -> Tickets:
    return story.tickets


def test_every_purchase_has_a_ticket_and_every_ticket_lines(tickets: Tickets, purchases: Purchases) -> None:
    bought = len(purchases)
    assert np.array_equal(tickets.person[:bought], purchases.person)
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


def test_returns_are_negative_and_repeat_a_line_of_an_earlier_ticket(tickets: Tickets, purchases: Purchases) -> None:
    bought = len(purchases)
    amount = tickets.amount
    assert (amount[:bought] > 0).all()
    assert (amount[bought:] < 0).all()
    in_stores = bought - purchases.online.sum()
    assert (len(tickets) - bought) / in_stores == pytest.approx(SHARE_RETURNED, rel=0.15)
    assert not tickets.online[bought:].any()
    assert (np.bincount(tickets.lines.ticket)[bought:] == 1).all()
    day = tickets.second // SECONDS_PER_DAY
    assert day.max() < SEASON.days
    assert (SEASON.busyness[0, day] > 0).all()


def test_people_shop_on_their_island_mostly_in_one_store(tickets: Tickets, habits: Habits, people: People) -> None:
    at_home = tickets.store == habits.store[tickets.person]
    assert at_home.mean() > SHARE_HOME_STORE
    island = read_places().island[people.place.now[tickets.person]]
    assert np.array_equal(read_stores().island[tickets.store], island)


def test_tastes_show(tickets: Tickets, habits: Habits) -> None:
    products = read_products()
    carpenter = habits.taste == products.tastes.index("carpentry")
    of_carpenter = carpenter[tickets.person][tickets.lines.ticket]
    tools = (products.category == "Bricolaje")[tickets.lines.product]
    assert tools[of_carpenter].mean() > 5 * tools[~of_carpenter].mean()


def test_people_lean_to_some_brands_of_a_category(tickets: Tickets, habits: Habits) -> None:
    table, brands = read_words("products"), {}
    for category, brand in zip(table["category"], table["brand"], strict=True):
        brands.setdefault(category, {}).setdefault(brand, len(brands[category]))
    several = np.array([len(brands[category]) > 1 for category in table["category"]])
    half = np.array(
        [brands[category][brand] % 2 for category, brand in zip(table["category"], table["brand"], strict=True)]
    )
    product, leaning = tickets.lines.product, habits.leaning[tickets.person][tickets.lines.ticket]
    shares = [half[product][(leaning == which) & several[product]].mean() for which in range(LEANINGS)]
    assert shares[1] < shares[0] - 0.1
    assert shares[2] > shares[0] + 0.1


def test_discounts_are_commoner_on_discount_days(tickets: Tickets) -> None:
    days = discount_days(SEASON)
    months = np.unique((SEASON.start + np.arange(SEASON.days)).astype("datetime64[M]"))
    assert days.sum() == len(months) - 1  # the last month has one day
    on_day = days[tickets.second // SECONDS_PER_DAY][tickets.lines.ticket]
    discounted = tickets.lines.discount != 0
    assert discounted[on_day].mean() > 2 * discounted[~on_day].mean()


def test_cards_are_shown_nearly_always(tickets: Tickets) -> None:
    assert tickets.card_shown.mean() == pytest.approx(SHARE_CARD_SHOWN, abs=0.01)


def test_only_account_holders_buy_online_each_to_their_liking(story: Story, purchases: Purchases) -> None:
    online = purchases.online
    account_day = story.reach.account_day[purchases.person]
    assert (account_day[online] <= (purchases.second // SECONDS_PER_DAY)[online]).all()
    could = account_day <= purchases.second // SECONDS_PER_DAY
    fondness = story.piece.habits.online[purchases.person][could]
    assert online[could].mean() == pytest.approx(fondness.mean(), abs=0.02)
    assert np.corrcoef(online[could], fondness)[0, 1] > 0.3


def test_choosing_tickets_keeps_their_lines(tickets: Tickets) -> None:
    chosen = tickets.choose(tickets.online)
    assert len(chosen) == tickets.online.sum() > 0
    assert np.array_equal(chosen.amount, tickets.amount[tickets.online])
    assert chosen.lines.number.sum() == tickets.lines.number[tickets.online[tickets.lines.ticket]].sum()
