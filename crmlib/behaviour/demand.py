"""What will be sold: units and sales by category, store and week, from the purchases expected of customers.

A cell (a category in a store) goes on at its level of the last quarter, times how strong the weeks are (as last year's
same weeks stood to the half year around them, or by the store's season index: whichever was nearer at an earlier
origin), times how the purchases expected of the store's known customers stand to
those they made in that quarter.
Anonymous buyers and newcomers are a share: what was sold beside what this gives, at an earlier origin. The plain rule
beside it is last year's same week, or the last month's mean where there is no last year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import nbinom

from crmlib.behaviour.histories import group_histories
from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.purchases import BUYER_TICKETS, summarise_calibration_and_holdout
from crmlib.behaviour.rhythm import train_rhythm
from crmlib.behaviour.season import CUSTOMER_STORES
from crmlib.behaviour.weekly_season import INDEX, LAST_YEAR, LEVEL_WEEKS, MOST_SHIFT, YEAR_WEEKS, find_seasons
from crmlib.engine import Engine, Step
from crmlib.errors import NothingToDo

#: Weeks of the plain rule without a year before.
MONTH_WEEKS = 4
#: Counts vary at least a little more than chance alone would have them.
LEAST_DISPERSION = 1.01
CUSTOMERS, SEASONAL_NAIVE = "customers", "seasonal_naive"
_SEASON_WORDS = {LAST_YEAR: "in the season of last year's weeks", INDEX: "in the season of each store's index"}

WEEKLY_DEMAND = Step(
    "weekly_demand",
    """
    WITH sold AS (
        SELECT p.category, coalesce(t.store_id, t.channel, 'no store') AS store_id,
               CAST(date_trunc('week', t.bought_on) AS DATE) AS week,
               coalesce(l.quantity, 1) AS quantity, l.amount
        FROM ticket_lines AS l
        JOIN tickets AS t ON t.source = l.source AND t.ticket_id = l.ticket_id
        JOIN products AS p ON p.product_id = l.product_id
        WHERE p.category IS NOT NULL AND t.bought_on < $end
          AND coalesce(lower(t.status), '') NOT IN ('cancelled', 'canceled', 'voided')
    )
    SELECT category, store_id, week, sum(quantity) AS units, CAST(sum(amount) AS DOUBLE) AS sales
    FROM sold
    GROUP BY category, store_id, week
    """,
)

STORES_AND_RECENT = """
    WITH recent AS (
        SELECT customer_no, count(*) AS purchases
        FROM purchase_days
        WHERE bought_on > $origin::DATE - INTERVAL 91 DAY
        GROUP BY customer_no
    )
    SELECT r.customer_id, r.store_id, coalesce(p.purchases, 0) AS recent_purchases
    FROM customer_stores AS r
    JOIN customer_numbers AS n ON n.customer_id = r.customer_id
    LEFT JOIN recent AS p ON p.customer_no = n.customer_no
    ORDER BY r.customer_id
"""


@dataclass(frozen=True)
class Demand:
    """A forecast of demand, and how it did.

    Parameters
    ----------
    forecast : DataFrame
        Columns of table `demand_forecast`.
    scores : DataFrame
        The last weeks that came, as each rule would have forecast them: model, mae (units a cell and week), bias,
        coverage (share of cells and weeks in the central 80 % of the forecast; of the one that is used).
    used : str
        `CUSTOMERS` or `SEASONAL_NAIVE`.
    difference : tuple of float
        Mean absolute error of `CUSTOMERS` less that of `SEASONAL_NAIVE`, low and high end of its 95 % interval
        (paired bootstrap over cells): below 0 the customers' forecast is better.
    season : str
        `LAST_YEAR` or `INDEX`: the strength of weeks behind the customers' forecast.
    """

    forecast: pd.DataFrame
    scores: pd.DataFrame
    used: str
    difference: tuple[float, float, float]
    season: str


@dataclass(frozen=True)
class _History:
    cells: pd.MultiIndex
    weeks: pd.DatetimeIndex
    units: Floats
    sales: Floats

    def until(self, origin: date) -> _History:
        known = int((self.weeks <= pd.Timestamp(origin) - pd.Timedelta(days=6)).sum())
        return _History(self.cells, self.weeks[:known], self.units[:, :known], self.sales[:, :known])

    def after(self, origin: date, weeks: int) -> Floats:
        known = self.until(origin).units.shape[1]
        return self.units[:, known : known + weeks]


def forecast_demand(engine: Engine, as_of_date: date, weeks: int, days_per_unit: float, seed: int) -> Demand:
    """Forecast units and sales of each category and store, by week.

    Parameters
    ----------
    engine : Engine
        With tables tickets, ticket_lines, products and identities.
    as_of_date : date
        Nothing later is read; the first week is the first that begins after it.
    weeks : int
        How far ahead.
    days_per_unit : float
        Unit in which the rhythm model is trained, at each origin anew.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Demand
        The customers' forecast where it was surely better on the last weeks that came, else the plain rule's.

    Raises
    ------
    NothingToDo
        Without lines of tickets in categories over two forecasts' lengths and a level's.
    """
    last = as_of_date - timedelta(days=(as_of_date.weekday() + 1) % 7)
    history = _read_history(engine, last)
    if history.units.shape[1] < LEVEL_WEEKS + 2 * weeks:
        raise NothingToDo(
            f"Demand is forecast from lines of tickets with products' categories over {LEVEL_WEEKS + 2 * weeks} weeks."
        )
    earlier, tested = (last - timedelta(weeks=weeks * back) for back in (2, 1))
    origins = (earlier, tested, last)
    stores = history.cells.get_level_values("store_id")
    trends = {origin: _trend(engine, origin, history.cells, weeks, days_per_unit) for origin in origins}
    known = {origin: history.until(origin) for origin in origins}
    seasons = {origin: find_seasons(engine, known[origin].units, stores, origin, weeks) for origin in origins}
    season = _choose_season(known[earlier], seasons[earlier], trends[earlier], history.after(earlier, weeks))

    def forecast_at(origin: date, shift: float = 1.0) -> Floats:
        return _customers(known[origin], seasons[origin][season], trends[origin]) * shift

    shift = _learn_shift(forecast_at(earlier), history.after(earlier, weeks))
    actual = history.after(tested, weeks)
    made = {CUSTOMERS: forecast_at(tested, shift), SEASONAL_NAIVE: _seasonal_naive(known[tested], weeks)}
    difference = _bootstrap(np.abs(made[CUSTOMERS] - actual) - np.abs(made[SEASONAL_NAIVE] - actual), seed)
    used = CUSTOMERS if difference[2] < 0 else SEASONAL_NAIVE
    before = {CUSTOMERS: forecast_at(earlier, shift), SEASONAL_NAIVE: _seasonal_naive(known[earlier], weeks)}
    spread = _dispersion(before[used], history.after(earlier, weeks))
    inside = _covered(made[used], spread, actual, seed)
    scores = [
        {
            "model": name,
            "mae": float(np.abs(units - actual).mean()),
            "bias": float((units - actual).mean()),
            "coverage": inside if name == used else np.nan,
        }
        for name, units in made.items()
    ]
    ahead = _seasonal_naive(history, weeks)
    if used == CUSTOMERS:
        ahead = forecast_at(last, _learn_shift(forecast_at(tested), actual))
    forecast = _tabulate(history, ahead, _dispersion(made[used], actual), weeks)
    first = as_of_date + timedelta(days=1)
    return Demand(forecast[forecast["week"] >= pd.Timestamp(first)], pd.DataFrame(scores), used, difference, season)


def tell_demand(demand: Demand) -> tuple[str, str]:
    """Say which rule forecasts the demand, and how it did; beside it the tone for `crmlib.report.tables.finding`."""
    mae = demand.scores.set_index("model")["mae"]
    mine, naive = mae[CUSTOMERS], mae[SEASONAL_NAIVE]
    _, low, high = demand.difference
    told = f"{mine:.2f} units a category, store and week off, against {naive:.2f} for the same week of last year"
    if demand.used == CUSTOMERS:
        share = f"{-high / naive:.0%} to {-low / naive:.0%}"
        return (
            f"On the last weeks that came, the forecast from customers, {_SEASON_WORDS[demand.season]}, was {told}: "
            f"surely better, by {share}.",
            "good",
        )
    sentence = f"On the last weeks that came, the forecast from customers was {told}: not surely better. "
    return sentence + "The same week of last year is used.", "attention"


def sum_by_category(forecast: pd.DataFrame) -> pd.DataFrame:
    """Add the stores up: category, units and sales over all weeks, the most sales first."""
    summed = forecast.groupby("category", as_index=False)[["units", "sales"]].sum()
    return summed.sort_values("sales", ascending=False, ignore_index=True)


def _read_history(engine: Engine, last: date) -> _History:
    """Whole weeks up to a Sunday, a row a cell; cells that sold nothing for a year are left out."""
    engine.run(WEEKLY_DEMAND, end=last + timedelta(days=1))
    sold = engine.frame("FROM weekly_demand ORDER BY category, store_id, week")
    if sold.empty:
        raise NothingToDo("No line of a ticket names a product with a category, so no demand can be forecast.")
    sold["week"] = pd.to_datetime(sold["week"])
    weeks = pd.date_range(sold["week"].min(), pd.Timestamp(last) - pd.Timedelta(days=6), freq="W-MON")
    units, sales = (
        sold.pivot_table(index=["category", "store_id"], columns="week", values=value, aggfunc="sum", fill_value=0.0)
        .reindex(columns=weeks, fill_value=0.0)
        .astype(float)
        for value in ("units", "sales")
    )
    lately = units.iloc[:, -YEAR_WEEKS:].sum(axis=1) > 0
    index = pd.MultiIndex.from_frame(units.index[lately].to_frame())
    return _History(index, weeks, units[lately].to_numpy(), sales[lately].to_numpy())


def _trend(engine: Engine, origin: date, cells: pd.MultiIndex, weeks: int, days_per_unit: float) -> Floats:
    """By cell and week: purchases expected of the store's known customers, over those of their last quarter."""
    days = [7 * week for week in range(1, weeks + 1)]
    known = summarise_calibration_and_holdout(engine, origin, origin)
    model = train_rhythm(group_histories(known), days_per_unit)
    outlook = model.outlook(known)
    expected = pd.DataFrame({ahead: outlook.expected_purchases(ahead) for ahead in days}, index=known.index)
    engine.run(BUYER_TICKETS, as_of_date=origin)
    engine.run(CUSTOMER_STORES)
    joined = engine.frame(STORES_AND_RECENT, origin=origin).merge(expected.assign(customer_id=known["customer_id"]))
    by_store = joined.groupby("store_id")[["recent_purchases", *days]].sum()
    total = by_store.sum()
    ahead = by_store.reindex(cells.get_level_values("store_id"))
    unknown = ahead["recent_purchases"].fillna(0).to_numpy() <= 0
    ahead.loc[unknown] = total.to_numpy()
    cumulative = ahead[days].to_numpy(float)
    recent = np.maximum(ahead["recent_purchases"].to_numpy(float)[:, None] / LEVEL_WEEKS, 1e-9)
    trend: Floats = np.diff(cumulative, axis=1, prepend=0.0) / recent
    return trend


def _customers(known: _History, season: Floats, trend: Floats) -> Floats:
    level = (known.units[:, -LEVEL_WEEKS:] / season[:, :LEVEL_WEEKS]).mean(axis=1).clip(min=0)
    forecast: Floats = level[:, None] * season[:, LEVEL_WEEKS:] * trend
    return forecast


def _choose_season(known: _History, seasons: dict[str, Floats], trend: Floats, actual: Floats) -> str:
    """The way to tell the strength of weeks whose forecast, brought to what came altogether, lay nearer to it."""
    made = {name: _customers(known, season, trend) for name, season in seasons.items()}
    return min(made, key=lambda name: float(np.abs(made[name] * _learn_shift(made[name], actual) - actual).mean()))


def _seasonal_naive(known: _History, weeks: int) -> Floats:
    total = known.units.shape[1]
    if total >= YEAR_WEEKS:
        return np.maximum(known.units[:, total - YEAR_WEEKS : total - YEAR_WEEKS + weeks], 0)
    return np.repeat(known.units[:, -MONTH_WEEKS:].mean(axis=1, keepdims=True).clip(min=0), weeks, axis=1)


def _learn_shift(forecast: Floats, actual: Floats) -> float:
    """What came over what known customers alone gave: newcomers, and the anonymous whose share has changed."""
    return float(np.clip(actual.sum() / max(forecast.sum(), 1e-9), 1 / MOST_SHIFT, MOST_SHIFT))


def _dispersion(forecast: Floats, actual: Floats) -> float:
    """Variance of what comes, over its mean."""
    return float(((actual - forecast) ** 2).sum() / max(forecast.sum(), 1e-9))


def _counts(mean: Floats, dispersion: float) -> Any:
    """Negative binomial counts of such means, their variance so many times as large."""
    spread = max(dispersion, LEAST_DISPERSION)
    return nbinom(np.maximum(mean, 1e-9) / (spread - 1), 1 / spread)


def _covered(mean: Floats, dispersion: float, actual: Floats, seed: int) -> float:
    """Share of what came in the central 80 % of its forecast; counts are spread evenly over their step."""
    counts, came = _counts(mean, dispersion), np.floor(actual)
    below, until = counts.cdf(came - 1), counts.cdf(came)
    place = below + (until - below) * np.random.default_rng(seed).random(mean.shape)
    return float(((place > 0.1) & (place < 0.9)).mean())


def _bootstrap(difference: Floats, seed: int, draws: int = 2_000) -> tuple[float, float, float]:
    """Mean and 95 % interval of a paired difference, cells drawn anew."""
    by_cell = difference.mean(axis=1)
    random = np.random.default_rng(seed)
    means = np.array([by_cell[random.integers(0, len(by_cell), len(by_cell))].mean() for _ in range(draws)])
    low, high = np.quantile(means, (0.025, 0.975))
    return float(by_cell.mean()), float(low), float(high)


def _tabulate(history: _History, units: Floats, dispersion: float, weeks: int) -> pd.DataFrame:
    low, high = (_counts(units, dispersion).ppf(share) for share in (0.1, 0.9))
    sold, taken = (values[:, -LEVEL_WEEKS:].sum(axis=1) for values in (history.units, history.sales))
    price = np.where(sold > 0, taken / np.maximum(sold, 1e-9), taken.sum() / max(sold.sum(), 1e-9))[:, None]
    first = history.weeks[-1] + pd.Timedelta(weeks=1)
    cells = history.cells.to_frame(index=False)
    table = cells.loc[cells.index.repeat(weeks)].reset_index(drop=True)
    table["week"] = np.tile(pd.date_range(first, periods=weeks, freq="7D"), len(cells))
    for name, values in (("units", units), ("units_low", low), ("units_high", high)):
        table[name] = values.ravel()
        table[name.replace("units", "sales")] = (values * np.maximum(price, 0)).ravel()
    return table
