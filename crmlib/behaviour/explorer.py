"""One customer after another: history, stage, chances, the next purchase and reasons, for a panel in the lab."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Orders in which customers can be looked through -> the column that makes it, and whether the largest comes first.
ORDERS = {
    "the most valuable first": ("clv_12m", False),
    "the likeliest to be lost first": ("churn_probability", False),
    "the next due first": ("next_purchase_median", True),
    "the longest overdue first": ("overdue_percentile", False),
}


class Explorer:
    """Customers of a stage in an order, each as a card of names and texts.

    Parameters
    ----------
    summary, lifecycle, value : DataFrame
        Tables `purchase_summary`, `lifecycle` and `customer_value`.
    currency : str
        In which amounts are told.
    """

    def __init__(self, summary: pd.DataFrame, lifecycle: pd.DataFrame, value: pd.DataFrame, currency: str) -> None:
        self._customers = lifecycle.merge(summary, on="customer_id").merge(value, on="customer_id")
        self._currency = currency
        self._horizons = sorted(int(str(name)[6:-1]) for name in value.filter(like="p_buy_"))

    @property
    def stages(self) -> Mapping[str, int]:
        """Stage -> customers who have bought, in falling order."""
        counts = self._customers["stage"].value_counts()
        return {str(stage): int(count) for stage, count in counts.items()}

    @property
    def orders(self) -> list[str]:
        """Orders that the tables allow."""
        return [words for words, (column, _) in ORDERS.items() if column in self._customers]

    def look(self, stage: str, order: str, number: int) -> Mapping[str, str]:
        """The card of a customer: the number-th (from 0) of a stage in an order."""
        column, ascending = ORDERS[order]
        rows = self._customers[self._customers["stage"] == stage]
        ranked = rows.sort_values([column, "customer_id"], ascending=[ascending, True])
        return self._tell(ranked.iloc[number])

    def _tell(self, row: pd.Series) -> dict[str, str]:
        window = [row[f"next_purchase_{end}"] for end in ("from", "median", "to")]
        told = {
            "Customer": str(row["customer_id"]),
            "Stage": f"{_words(row['stage'])} since {_day(row['since'])}, before that {_words(row['previous_stage'])}",
            "Purchases": f"{int(row['frequency']) + 1:,} purchase days from {_day(row['first_purchase_date'])} to "
            f"{_day(row['last_purchase_date'])}, {_number(row['median_gap'], '.0f')} days apart in the middle",
            "Regularity": f"{_number(row['regularity'], '.1f')} (1 is chance)",
            "Next purchase": f"{_day(window[1])}, four in five between {_day(window[0])} and {_day(window[2])}, "
            f"if still a customer ({row['p_alive']:.0%})",
            "Overdue": f"longer away than {row['overdue_percentile']:.0%} of such gaps",
        }
        for days in self._horizons:
            told[f"Within {days} days"] = (
                f"buys with a chance of {row[f'p_buy_{days}d']:.0%}; "
                f"{row[f'expected_purchases_{days}d']:.1f} purchase days expected"
            )
        if pd.notna(row.get("clv_12m")):
            ends = (f"{row[f'clv_12m{end}']:,.0f}" for end in ("", "_low", "_high"))
            told["Twelve months"] = "{} {currency} expected, four in five such customers {} to {}".format(
                *ends, currency=self._currency
            )
        reasons: NDArray[np.object_] | list[str] | None = row.get("reason_codes")
        told["Why"] = "; ".join(reasons) if reasons is not None and len(reasons) else "nothing stands out"
        return told


def _words(stage: str | None) -> str:
    return "none" if pd.isna(stage) else str(stage).replace("_", " ")


def _day(moment: pd.Timestamp) -> str:
    return "beyond ten years" if pd.isna(moment) else f"{moment:%Y-%m-%d}"


def _number(value: float, form: str) -> str:
    return "–" if pd.isna(value) else format(value, form)
