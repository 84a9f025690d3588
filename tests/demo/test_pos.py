from __future__ import annotations

import numpy as np

from crmlib.demo.baskets import Lines, Tickets
from crmlib.demo.columns import as_text, decimals
from crmlib.demo.holdings import Holding
from crmlib.demo.pos import TicketCounter, cards_shown
from tests.demo.conftest import SEASON

SECONDS_PER_DAY = 86_400
NO_LINES = Lines(*(np.array([], dtype=np.int64) for _ in range(6)))


def _tickets(person: list[int], day: list[int], shown: list[bool]) -> Tickets:
    second = np.array(day) * SECONDS_PER_DAY
    nowhere = np.zeros(len(person), dtype=np.int64)
    return Tickets(np.array(person), second, nowhere, nowhere.astype(np.bool_), np.array(shown), NO_LINES)


def test_the_latest_card_is_shown() -> None:
    start = SEASON.start
    cards = Holding(
        person=np.array([2, 0, 2]),
        code=np.arange(3),
        created_on=np.array([start + 100, start - 10, start - 50]),
        updated_on=np.array([start + 100, start, start]),
    )
    numbers = as_text(["second", "only", "first"])
    tickets = _tickets([0, 0, 1, 2, 2, 2], [5, 6, 7, 99, 100, 101], [True, False, True, True, True, True])
    shown = cards_shown(tickets, cards, numbers, SEASON)
    assert shown.tolist() == ["only", "", "", "first", "second", "second"]


def test_without_cards_every_ticket_is_anonymous() -> None:
    none = np.array([], dtype=np.int64)
    cards = Holding(none, none, none.astype("datetime64[D]"), none.astype("datetime64[D]"))
    shown = cards_shown(_tickets([0, 1], [1, 2], [True, True]), cards, as_text([]), SEASON)
    assert shown.tolist() == ["", ""]


def test_ticket_numbers_go_on_from_piece_to_piece() -> None:
    counter = TicketCounter(SEASON)
    store = np.array([3, 3, 0, 3])
    second = np.array([1, 1, 1, 2]) * SECONDS_PER_DAY + np.array([60, 30, 10, 0])
    assert counter.number(store, second).tolist() == [
        "004-20240102-00002",
        "004-20240102-00001",
        "001-20240102-00001",
        "004-20240103-00001",
    ]
    assert counter.number(store[:1], second[:1]).tolist() == ["004-20240102-00003"]


def test_cents_become_decimals_of_either_sign() -> None:
    cents = np.array([0, 5, -5, -12_345, 9_999_999_999])
    assert [str(value) for value in decimals(cents).to_pylist()] == ["0.00", "0.05", "-0.05", "-123.45", "99999999.99"]
