"""Purchase histories as models see and draw them, and fitted models that speak days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from crmlib.behaviour.integrals import Floats
from crmlib.behaviour.outlook import CustomerOutlook

_ROUNDED_FROM = 100_000  # customers
_ALIKE_FROM = 10_000  # customers
_MOST_DISTINCT = 0.9  # share of histories that differ, above which looking them up costs more than it saves


@dataclass(frozen=True)
class PurchaseModel:
    """A fitted model that speaks days.

    Parameters
    ----------
    name : str
        As it stands in tables (``mbg_nbd``).
    fitter : fitter
        The fitted model, in its own unit; a lifetimes fitter or one in its manner.
    days_per_unit : float
        Days in one unit of the fitter's time.
    """

    name: str
    fitter: Any
    days_per_unit: float

    def outlook(self, histories: pd.DataFrame) -> CustomerOutlook:
        """Everything that is predicted of these customers; who shares a history is asked of once.

        Parameters
        ----------
        histories : DataFrame
            Columns frequency (repeat purchase days), recency, T (days); for a model that reads gaps, sum_log_itt, too.
        """
        alike = _find_alike(histories, getattr(self.fitter, "reads_gaps", False))
        if alike is None:
            return CustomerOutlook(self.fitter.outlook(*self._scaled(histories)), self.days_per_unit)
        rows, places = alike
        return CustomerOutlook(self.fitter.outlook(*self._scaled(histories.iloc[rows])), self.days_per_unit, places)

    def p_alive(self, histories: pd.DataFrame) -> Floats:
        """Probability of being a customer still, one a row of such histories as `outlook` takes."""
        alive: Floats = self.fitter.conditional_probability_alive(*self._scaled(histories))
        return alive

    def p_buy(self, histories: pd.DataFrame, days: ArrayLike) -> Floats:
        """Probability of a purchase within the days (one number, or one a row)."""
        within: Floats = self.fitter.probability_of_purchase_within(
            np.asarray(days, float) / self.days_per_unit, *self._scaled(histories)
        )
        return within

    def expected_purchases(self, histories: pd.DataFrame, days: ArrayLike) -> Floats:
        """Expected purchase days within the days."""
        expected: Floats = self.fitter.conditional_expected_number_of_purchases_up_to_time(
            np.asarray(days, float) / self.days_per_unit, *self._scaled(histories)
        )
        return expected

    def _scaled(self, histories: pd.DataFrame) -> tuple[Floats, ...]:
        frequency = histories["frequency"].to_numpy(float)
        recency = histories["recency"].to_numpy(float) / self.days_per_unit
        age = histories["T"].to_numpy(float) / self.days_per_unit
        if not getattr(self.fitter, "reads_gaps", False):
            return frequency, recency, age
        log_gaps = histories["sum_log_itt"].fillna(0.0).to_numpy(float)
        return frequency, recency, age, log_gaps - frequency * np.log(self.days_per_unit)


def group_histories(histories: pd.DataFrame, days_per_group: int | None = None) -> pd.DataFrame:
    """Gather customers of equal history: the sufficient statistics of every model here.

    Parameters
    ----------
    histories : DataFrame
        Columns frequency, recency, T (days) and, if rhythm models are to be fitted, sum_log_itt.
    days_per_group : int, optional
        1 loses nothing; 7 gives customers alike to the week their mean recency and T, which moves no parameter by
        more than 1 %.
        Absent: 1 up to 100,000 customers, 7 above.

    Returns
    -------
    DataFrame
        Columns frequency, recency, T (days), weights (customers) and sum_log_itt (summed), by history.
    """
    if days_per_group is None:
        days_per_group = 1 if len(histories) <= _ROUNDED_FROM else 7
    repeated = histories["frequency"].to_numpy() > 0
    recency, age = (histories[name].to_numpy("int64") for name in ("recency", "T"))
    cases = pd.DataFrame(
        {
            "frequency": histories["frequency"].to_numpy("int64"),
            "recency": np.where(repeated, recency, 0),
            "T": age,
            "weights": 1,
            "sum_log_itt": histories["sum_log_itt"].fillna(0.0).to_numpy() if "sum_log_itt" in histories else 0.0,
        }
    )
    alike = [
        cases["frequency"],
        *((cases[name] // days_per_group).rename(f"{name}_group") for name in ("recency", "T")),
    ]
    grouped = cases.groupby(alike).agg(
        recency=("recency", "mean"), T=("T", "mean"), weights=("weights", "sum"), sum_log_itt=("sum_log_itt", "sum")
    )
    return grouped.reset_index()[["frequency", "recency", "T", "weights", "sum_log_itt"]]


def _find_alike(histories: pd.DataFrame, reads_gaps: bool) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """The first row of each distinct history in whole days, and each customer's place among these.

    None where too few customers share one to be worth it, or times are not whole.
    """
    if reads_gaps or len(histories) < _ALIKE_FROM:
        return None
    columns = [histories[name].to_numpy() for name in ("frequency", "recency", "T")]
    whole = [column.astype(np.int64) for column in columns]
    if any((column != days).any() for column, days in zip(columns, whole, strict=True)):
        return None
    x, t_x, age = (days - days.min() for days in whole)
    widths = int(t_x.max()) + 1, int(age.max()) + 1
    if (int(x.max()) + 1) * widths[0] * widths[1] > np.iinfo(np.int64).max:
        return None
    places, distinct = pd.factorize((x * widths[0] + t_x) * widths[1] + age)
    if len(distinct) > _MOST_DISTINCT * len(histories):
        return None
    rows = np.empty(len(distinct), np.intp)
    rows[places[::-1]] = np.arange(len(places))[::-1]
    return rows, places


def simulate_histories(
    params: pd.Series, ages: ArrayLike, horizon: float, seed: int, may_leave_at_once: bool = True
) -> pd.DataFrame:
    """Draw customers from MBG/CNBD-k, or from BG/CNBD-k.

    Parameters
    ----------
    params : Series
        k, r, alpha, a, b.
    ages : array_like
        T of each customer.
    horizon : float
        How long to look on after T.
    seed : int
        Of the random numbers.
    may_leave_at_once : bool
        Whether a customer may leave before the first repeat purchase (MBG), or only after it (BG).

    Returns
    -------
    DataFrame
        Columns frequency, recency, T, sum_log_itt, alive (at T), purchases (within the horizon),
        next_purchase (time from T, inf if none).
    """
    random = np.random.default_rng(seed)
    age = np.asarray(ages, float)
    rate = random.gamma(params["r"], 1 / params["alpha"], len(age))
    leaves = random.beta(params["a"], params["b"], len(age))
    frequency, recency, log_gaps, purchases = (np.zeros(len(age)) for _ in range(4))
    alive, next_purchase = np.zeros(len(age), bool), np.full(len(age), np.inf)
    stays = random.random(len(age)) >= leaves
    time, going = np.zeros(len(age)), np.flatnonzero(stays | (not may_leave_at_once))
    while going.size:
        gap = random.gamma(params["k"], 1, going.size) / np.maximum(rate[going], 1e-300)
        time[going] += gap
        known, seen = time[going] <= age[going], time[going] <= age[going] + horizon
        alive[going[~known]] = True
        frequency[going[known]] += 1
        recency[going[known]] = time[going[known]]
        log_gaps[going[known]] += np.log(gap[known])
        coming = going[seen & ~known]
        next_purchase[coming] = np.where(purchases[coming] == 0, time[coming] - age[coming], next_purchase[coming])
        purchases[coming] += 1
        stays = random.random(going.size) >= leaves[going]
        going = going[seen & stays]
    return pd.DataFrame(
        {
            "frequency": frequency.astype(int),
            "recency": recency,
            "T": age,
            "sum_log_itt": log_gaps,
            "alive": alive,
            "purchases": purchases.astype(int),
            "next_purchase": next_purchase,
        }
    )


def tabulate_parameters(fits: Mapping[str, Any], days_per_unit: float) -> pa.Table:
    """The parameters of fits as rows of table `model_parameters`.

    Parameters
    ----------
    fits : mapping of str to fitter
        The model's name in the table -> what has `params_`, `standard_errors_` and `variance_matrix_`.
    days_per_unit : float
        Kept as a parameter of each model of time, so that its fit can be used again.

    Returns
    -------
    pyarrow.Table
        Columns model, parameter, value, standard_error, covariance (parameter -> covariance).
    """
    rows: list[tuple[Any, ...]] = []
    for name, fitter in fits.items():
        for parameter, value in fitter.params_.items():
            covariance = list(fitter.variance_matrix_.loc[parameter].items())
            rows.append((name, parameter, value, fitter.standard_errors_[parameter], covariance))
        if "alpha" in fitter.params_:
            rows.append((name, "days_per_unit", days_per_unit, None, None))
    schema = {
        "model": pa.string(),
        "parameter": pa.string(),
        "value": pa.float64(),
        "standard_error": pa.float64(),
        "covariance": pa.map_(pa.string(), pa.float64()),
    }
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.values(), strict=True)]
    return pa.table(arrays, list(schema))
