"""Made logs of retailers of several kinds, from a process that is none of the models that are judged by them.

Day by day each customer's next purchase comes nearer, at a personal pace that drifts from month to month, with the
season and on open days; once it has come, the way to the next one is drawn from a Weibull distribution of the
customer's own shape. Customers arrive over the whole history, some only try the shop, the others leave by a hazard
that changes with their age. Purchases are returned in part or whole, or cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy.special import gamma

LAST = date(2024, 12, 10)
_MONTH = 30


@dataclass(frozen=True)
class Retailer:
    """What makes a kind of retailer.

    Parameters
    ----------
    days, customers : int
        Length of the log, and people who bought at least once in it.
    established : float
        Share of them who were customers before the log begins.
    gap : float
        Median of customers' mean days between purchases.
    spread, tail : float
        Standard deviation of the logarithm of customers' rates, and share of heavy buyers, at a Pareto multiple.
    shape : float
        Median shape of the Weibull way to the next purchase; 1 has no rhythm.
    tried : float
        Share of newcomers who never come back.
    lifetime, ageing : float
        Days until two in three of the others are gone, and shape of that Weibull distribution: below 1, young first.
    drift : float
        Standard deviation of a month's step of the logarithm of a customer's rate.
    season : mapping of int to float
        Month -> how busy it is; 1 where none is told.
    closed : tuple of int
        Weekdays, Monday 0, on which nothing is sold.
    returned, cancelled : float
        Share of tickets.
    """

    days: int
    customers: int
    established: float
    gap: float
    spread: float
    tail: float
    shape: float
    tried: float
    lifetime: float
    ageing: float
    drift: float
    season: dict[int, float]
    closed: tuple[int, ...]
    returned: float
    cancelled: float


AUTUMN = {1: 0.7, 2: 0.75, 6: 0.9, 7: 0.85, 8: 0.85, 9: 1.2, 10: 1.4, 11: 1.7, 12: 1.2}
SALES = {1: 1.7, 2: 0.6, 5: 1.2, 7: 1.6, 8: 0.5, 10: 1.2, 12: 1.4}
RETAILERS = {
    "grocer, four months": Retailer(120, 4000, 0.5, 14, 0.8, 0.0, 1.2, 0.35, 45, 0.7, 0.12, {}, (), 0.005, 0.0),
    "wholesaler, a year": Retailer(374, 3500, 0.4, 75, 0.9, 0.02, 1.0, 0.25, 700, 0.8, 0.10, AUTUMN, (5,), 0.08, 0.03),
    "wholesaler, two years": Retailer(
        739, 3500, 0.3, 85, 0.9, 0.02, 1.0, 0.25, 800, 0.8, 0.10, AUTUMN, (5,), 0.08, 0.03
    ),
    "drugstore": Retailer(730, 2500, 0.7, 24, 0.6, 0.0, 1.6, 0.05, 3000, 1.0, 0.08, {12: 1.25}, (6,), 0.01, 0.0),
    "fashion": Retailer(730, 3500, 0.4, 110, 0.7, 0.0, 1.3, 0.35, 600, 0.9, 0.05, SALES, (6,), 0.15, 0.01),
}


def draw_log(made: Retailer, seed: int) -> pd.DataFrame:
    """Tickets of a retailer.

    Parameters
    ----------
    made : Retailer
    seed : int

    Returns
    -------
    DataFrame
        source_record_id, bought_at, amount (negative for a return), status; the last day is `LAST` at the latest.
    """
    random = np.random.default_rng(seed)
    number = made.customers
    newcomer = random.random(number) >= made.established
    warm = 2 * _MONTH  # days before the log in which established customers come into their rhythm
    begun = np.where(newcomer, warm + made.days * random.random(number), 0).astype(int)
    alive_days = np.maximum(made.lifetime * random.weibull(made.ageing, number), 1)
    # who is seen at the beginning has not left yet: a younger customer would have
    alive_days = np.where(newcomer, alive_days, warm + made.lifetime * random.weibull(max(made.ageing, 1), number))
    tries = newcomer & (random.random(number) < made.tried)
    rate = np.exp(made.spread * random.standard_normal(number)) / made.gap
    rate *= np.where(random.random(number) < made.tail, 2 * (1 + random.pareto(1.6, number)), 1)
    rate = np.minimum(rate, 0.5)
    shape = made.shape * np.exp(0.25 * random.standard_normal(number))
    amount = np.exp(3 + 0.5 * random.standard_normal(number))
    drifted = np.zeros(number)
    left = np.zeros(number)
    bought: list[tuple[np.ndarray, np.ndarray]] = []
    for day in range(warm + made.days):
        on = LAST - timedelta(days=warm + made.days - 1 - day)
        if day % _MONTH == 0:
            drifted = 0.95 * drifted + made.drift * random.standard_normal(number)
        pace = rate * np.exp(drifted) * made.season.get(on.month, 1.0) * (7 / (7 - len(made.closed)))
        left = left - np.where((day > begun) & (on.weekday() not in made.closed), pace, 0.0)
        first = newcomer & (day == begun)
        comes = first | (left <= 0) & (day > begun) & (day < begun + alive_days) & ~(tries & (day > begun))
        way = random.weibull(shape) / gamma(1 + 1 / shape)
        left = np.where(comes | (day == 0), way, left)
        if day >= warm:
            bought.append((np.flatnonzero(comes), np.full(comes.sum(), on, dtype="datetime64[us]")))
    people, dates = (np.concatenate(part) for part in zip(*bought, strict=True))
    paid = amount[people] * np.exp(0.4 * random.standard_normal(len(people)))
    tickets = pd.DataFrame({"source_record_id": people.astype(str), "bought_at": dates, "amount": paid.round(2)})
    tickets["status"] = np.where(random.random(len(tickets)) < made.cancelled, "cancelled", "completed")
    returned = tickets[(random.random(len(tickets)) < made.returned) & (tickets["status"] == "completed")]
    share = np.where(random.random(len(returned)) < 0.4, 1.0, random.random(len(returned)))
    later = pd.to_timedelta(random.integers(0, 21, len(returned)), unit="D")
    returned = returned.assign(amount=-(returned["amount"] * share).round(2), bought_at=returned["bought_at"] + later)
    known = pd.concat([tickets, returned[returned["amount"] < 0]], ignore_index=True)
    return known[known["bought_at"] <= pd.Timestamp(LAST)].reset_index(drop=True)
