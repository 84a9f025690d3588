"""What room 05 shows: how many purchase days, how far apart, when, and whether the rhythm model gives the same.

The counting functions read what `summarise_purchases` left in the engine.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.behaviour.histories import PurchaseModel, simulate_histories
from crmlib.engine import Engine

#: Purchase days of a customer, as charts group them: lower ends and names.
FREQUENCY_GROUPS = {1: "1", 2: "2", 3: "3–5", 6: "6–10", 11: "11–20", 21: "21–50", 51: "51+"}
#: Customers under which a cohort's mean is noise, and not shown.
SMALLEST_COHORT = 30
_TURNS = 5  # draws of every customer, averaged
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

GAPS = "SELECT gap, count(*) AS gaps FROM purchase_gaps WHERE gap IS NOT NULL GROUP BY gap ORDER BY gap"

PURCHASE_DAYS_BY_WEEKDAY = """
SELECT date_diff('day', DATE '1969-12-29', bought_on) % 7 AS weekday, count(*) AS purchase_days
FROM purchase_days
GROUP BY weekday
ORDER BY weekday
"""


def summarise_by_frequency(summary: pd.DataFrame) -> pd.DataFrame:
    """Customers and amounts by number of purchase days.

    Parameters
    ----------
    summary : DataFrame
        Table `purchase_summary`.

    Returns
    -------
    DataFrame
        Columns purchase_days (group), customers, customers_share, amount_share.
    """
    amounts = summary["amount"].astype("float64")
    counted = (
        pd.DataFrame({"purchase_days": group_frequencies(summary["frequency"] + 1), "amount": amounts})
        .groupby("purchase_days", observed=True)["amount"]
        .agg(customers="size", amount="sum")
        .reset_index()
    )
    counted["customers_share"] = counted["customers"] / len(summary)
    counted["amount_share"] = counted["amount"] / amounts.sum() if amounts.sum() else np.nan
    return counted.drop(columns="amount")


def group_frequencies(purchase_days: pd.Series) -> pd.Series:
    """Put numbers of purchase days (1 and more) in the groups of `FREQUENCY_GROUPS`, in order."""
    edges = [*FREQUENCY_GROUPS, np.inf]
    return pd.cut(purchase_days, edges, right=False, labels=list(FREQUENCY_GROUPS.values()))


def count_gaps(engine: Engine) -> pd.DataFrame:
    """How often each gap between two purchase days came: columns gap (days), gaps."""
    return engine.frame(GAPS)


def count_weekdays(engine: Engine) -> pd.DataFrame:
    """Purchase days by weekday: columns weekday (name), purchase_days, share."""
    counted = engine.frame(PURCHASE_DAYS_BY_WEEKDAY).set_index("weekday").reindex(range(7)).fillna(0)
    share = counted["purchase_days"] / counted["purchase_days"].sum()
    return pd.DataFrame(
        {
            "weekday": WEEKDAYS,
            "purchase_days": counted["purchase_days"].to_numpy(),
            "share": share.to_numpy(),
        }
    )


def find_strongest(weekdays: pd.DataFrame) -> list[str]:
    """The weekday of `count_weekdays` that has more purchase days than the next by more than chance; else none."""
    counted = weekdays.set_index("weekday")["purchase_days"].nlargest(2)
    first, second = (float(days) for days in counted)
    return [str(counted.idxmax())] if first - second > 2 * (first + second) ** 0.5 else []


def summarise_habits(summary: pd.DataFrame) -> pd.DataFrame:
    """The commonest choice of each habit that the sources tell anything of.

    Parameters
    ----------
    summary : DataFrame
        Table `purchase_summary`.

    Returns
    -------
    DataFrame
        Columns habit, commonest, share (of the customers who have the habit on record), customers (they).
    """
    choices = {
        "Usual weekday": summary["usual_weekday"].map(dict(enumerate(WEEKDAYS, start=1))),
        "Usual part of the day": summary["usual_daypart"],
        "Usual channel": _find_largest(summary["channel_shares"]),
        "Home store": summary["home_store_id"],
        "Largest category": _find_largest(summary["category_shares"]),
    }
    rows = []
    for habit, chosen in choices.items():
        counts = chosen.dropna().value_counts()
        if len(counts):
            rows.append((habit, str(counts.index[0]), counts.iloc[0] / counts.sum(), int(counts.sum())))
    return pd.DataFrame(rows, columns=["habit", "commonest", "share", "customers"])


def summarise_baskets(summary: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Quartiles over customers of what a basket holds: columns measure (with its unit), lower, median, upper.

    Measures that no source tells of are left out.
    """
    measures = {
        "Items a ticket": summary["basket_items"],
        f"Amount a ticket, {currency}": summary["basket_amount"],
        "Share of discounts, %": 100 * summary["discount_share"],
        "Days between purchases": summary["median_gap"],
    }
    rows = [
        (name, *values.astype("float64").quantile([0.25, 0.5, 0.75]))
        for name, values in measures.items()
        if values.notna().any()
    ]
    return pd.DataFrame(rows, columns=["measure", "lower", "median", "upper"])


def compare_frequencies(summary: pd.DataFrame, model: PurchaseModel, seed: int, most: int = 12) -> pd.DataFrame:
    """How many customers made how many repeat purchases, and how many would have under the model.

    Parameters
    ----------
    summary : DataFrame
        Columns frequency, T (days).
    model : PurchaseModel
        A rhythm model; customers of the same ages are drawn from it.
    seed : int
        Of the draw.
    most : int
        Larger numbers are counted together.

    Returns
    -------
    DataFrame
        Columns repeat_purchases (0 … most), actual, model (customers).
    """
    ages = np.maximum(summary["T"].to_numpy(float), 0.0) / model.days_per_unit
    drawn = simulate_histories(model.fitter.params_, ages, 0.0, seed)
    counts = [
        np.bincount(np.minimum(frequency.to_numpy("int64"), most), minlength=most + 1)
        for frequency in (summary["frequency"], drawn["frequency"])
    ]
    return pd.DataFrame({"repeat_purchases": np.arange(most + 1), "actual": counts[0], "model": counts[1]})


def compare_cohorts(summary: pd.DataFrame, model: PurchaseModel, seed: int) -> pd.DataFrame:
    """Mean repeat purchases of each cohort, and of customers of the same ages drawn from the model.

    Parameters
    ----------
    summary : DataFrame
        Columns frequency, T (days), first_purchase_date.
    model : PurchaseModel
        A rhythm model.
    seed : int
        Of the draw.

    Returns
    -------
    DataFrame
        Columns cohort (first day of the month of the first purchase), actual, model (repeat purchase days a customer),
        customers; cohorts of fewer than `SMALLEST_COHORT` are left out.
    """
    ages = np.maximum(summary["T"].to_numpy(float), 0.0) / model.days_per_unit
    drawn = [simulate_histories(model.fitter.params_, ages, 0.0, seed + turn)["frequency"] for turn in range(_TURNS)]
    cases = pd.DataFrame(
        {
            "cohort": pd.to_datetime(summary["first_purchase_date"]).dt.to_period("M").dt.start_time.to_numpy(),
            "actual": summary["frequency"].to_numpy(float),
            "model": np.mean(drawn, axis=0),
        }
    )
    compared = cases.groupby("cohort").agg(
        actual=("actual", "mean"), model=("model", "mean"), customers=("actual", "size")
    )
    return compared[compared["customers"] >= SMALLEST_COHORT].reset_index()


def _find_largest(shares: pd.Series) -> pd.Series:
    return shares.map(lambda held: max(sorted(held), key=lambda name: held[name]) if isinstance(held, dict) else None)
