"""Whom each campaign is for: conditions on what the retailer knows of its customers in the morning of a day."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from crmlib.demo.columns import Bools
from crmlib.demo.walk import Walk, birthday_on
from crmlib.demo.words import read_stores

#: An active customer was seen to buy in so many days.
ACTIVE_DAYS = 365
#: After a first purchase the second is awaited for so many days.
SECOND_PURCHASE_DAYS = 8
#: A customer is late, or gone, after so many of the mean gap, within so many days.
LATE_GAPS, LATE_DAYS = 1.8, (10, 75)
GONE_GAPS, GONE_DAYS = 3.5, (76, 180)


def _everyone(walk: Walk, _day: int) -> Bools:
    return np.ones(len(walk), dtype=np.bool_)


def _active(walk: Walk, day: int) -> Bools:
    seen: Bools = (walk.seen_count > 0) & (walk.seen_last >= day - ACTIVE_DAYS)
    return seen


def _shoppers(walk: Walk, day: int) -> Bools:
    opened: Bools = walk.account_day < day
    return opened


def _busy_stores(walk: Walk, day: int) -> Bools:
    in_busy_store: Bools = read_stores().busy[walk.piece.habits.store]
    return in_busy_store & _active(walk, day)


def _newcomers(walk: Walk, day: int) -> Bools:
    new: Bools = walk.entered == day - 1
    return new


def _once(walk: Walk, day: int) -> Bools:
    due: Bools = (walk.seen_count == 1) & (walk.seen_last == day - SECOND_PURCHASE_DAYS)
    return due


def _birthday(walk: Walk, day: int) -> Bools:
    return birthday_on(walk, day + 1) & _active(walk, day)


def _overdue(walk: Walk, day: int, least: int, gaps: float, days: tuple[int, int]) -> Bools:
    mean_gap = (walk.seen_last - walk.seen_first) / np.maximum(walk.seen_count - 1, 1)
    patience = np.clip(np.ceil(gaps * mean_gap), *days).astype(np.int64)
    overdue: Bools = (walk.seen_count >= least) & (walk.seen_last == day - patience)
    return overdue


def _late(walk: Walk, day: int) -> Bools:
    return _overdue(walk, day, 3, LATE_GAPS, LATE_DAYS)


def _gone(walk: Walk, day: int) -> Bools:
    return _overdue(walk, day, 2, GONE_GAPS, GONE_DAYS)


def _cart(walk: Walk, day: int) -> Bools:
    left: Bools = (walk.cart_day >= 0) & (walk.cart_day == day - 1) & (walk.seen_last < day - 1)
    return left


#: Name of an audience -> who of a piece's people belongs to it on a day.
AUDIENCES: dict[str, Callable[[Walk, int], Bools]] = {
    "everyone": _everyone,
    "active": _active,
    "shoppers": _shoppers,
    "busy_stores": _busy_stores,
    "newcomers": _newcomers,
    "once": _once,
    "birthday": _birthday,
    "late": _late,
    "gone": _gone,
    "cart": _cart,
}
