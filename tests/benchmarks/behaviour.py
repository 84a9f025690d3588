"""Purchase models against lifetimes' own, in one process: fits, scoring, and growth with the number of customers.

Run as ``python -m tests.benchmarks.behaviour --customers 1000000``. Customers are drawn from the rhythm model.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crmlib.behaviour.btyd import BetaGeoFitter, undisturbed
from crmlib.behaviour.histories import PurchaseModel, group_histories, simulate_histories
from crmlib.behaviour.lifecycle import WINDOW
from crmlib.behaviour.mixture import train_mixture
from crmlib.behaviour.rhythm import RhythmFitter, train_rhythm

PLANTED = pd.Series({"k": 2.0, "r": 1.2, "alpha": 8.0, "a": 0.5, "b": 4.0})
HORIZONS = (7, 28, 91)


class Seconds(NamedTuple):
    """By the clock, which other work on the machine lengthens, and of all processors."""

    clock: float
    processor: float


def draw_customers(customers: int) -> pd.DataFrame:
    """Histories in whole days."""
    ages = np.random.default_rng(1).uniform(60, 730, customers)
    drawn = simulate_histories(PLANTED, ages, 0.0, seed=2)
    return drawn.assign(recency=np.rint(drawn["recency"]), T=np.ceil(drawn["T"]))


def timed(name: str, work: Callable[[], Any]) -> tuple[Any, Seconds]:
    """What a call gives, and its seconds by the clock and of all processors, which are printed."""
    begun = Seconds(time.perf_counter(), time.process_time())
    made = work()
    seconds = Seconds(time.perf_counter() - begun.clock, time.process_time() - begun.processor)
    print(f"{name:56}{seconds.clock:>9.2f} s, processor {seconds.processor:>8.2f} s", flush=True)
    return made, seconds


def fit_lifetimes(histories: pd.DataFrame) -> Any:
    """lifetimes' BG/NBD on every row, in weeks."""
    with undisturbed():
        return BetaGeoFitter().fit(histories["frequency"], histories["recency"] / 7, histories["T"] / 7)


def score_lifetimes(fitter: Any, histories: pd.DataFrame) -> None:
    """P(alive), and expectations at the horizons, as lifetimes gives them."""
    history = (histories["frequency"], histories["recency"] / 7, histories["T"] / 7)
    with undisturbed():
        fitter.conditional_probability_alive(*history)
        for days in HORIZONS:
            fitter.conditional_expected_number_of_purchases_up_to_time(days / 7, *history)


def score_rhythm(model: PurchaseModel, histories: pd.DataFrame) -> None:
    """P(alive), P(buys) and expectations at the horizons, and the window of the next purchase."""
    outlook = model.outlook(histories)
    outlook.p_alive  # noqa: B018  # computed when it is asked for
    for days in HORIZONS:
        outlook.p_buy(days)
        outlook.expected_purchases(days)
    for quantile in WINDOW:
        outlook.next_purchase(quantile)


def as_fitter(params: pd.Series) -> RhythmFitter:
    """A fitter with given parameters."""
    fitter = RhythmFitter()
    fitter.params_ = params
    return fitter


def bench(customers: int) -> tuple[float, float]:
    """Print fits and scoring of so many customers; give the processor's seconds of ours: fit and scoring."""
    histories = draw_customers(customers)
    print(f"{customers:,} customers, {int(histories['frequency'].sum()):,} repeat purchase days")
    lifetimes, lifetimes_fit = timed("lifetimes BG/NBD, every row", lambda: fit_lifetimes(histories))
    grouped, grouping = timed("grouping of histories", lambda: group_histories(histories))
    model, rhythm_fit = timed("MBG/CNBD-k, real k, grouped", lambda: train_rhythm(grouped))
    whole, _ = timed("MBG/CNBD-k, real k, every row", lambda: train_rhythm(group_histories(histories, 1)))
    mixture, mixture_fit = timed("rhythm mixture", lambda: train_mixture(histories))
    lifetimes_score, rhythm_score = score_both(lifetimes, model, histories)
    away = np.abs(model.fitter.params_ / whole.fitter.params_ - 1).max()
    mine = Seconds(*(part + other for part, other in zip(grouping, rhythm_fit, strict=True)))
    for place, by in enumerate(Seconds._fields):
        print(
            f"by the {by}: fit / lifetimes' fit {mine[place] / lifetimes_fit[place]:.2f}; "
            f"mixture / lifetimes' fit {mixture_fit[place] / lifetimes_fit[place]:.2f}; "
            f"scoring / lifetimes' scoring {rhythm_score[place] / lifetimes_score[place]:.2f}"
        )
    print(
        f"grouped parameters within {away:.2%} of every row's; k {model.fitter.params_['k']:.3f} (planted 2); "
        "log-likelihood of a customer, mixture "
        f"{mixture.fitter.log_likelihood_ / mixture.fitter.data['weights'].sum():.3f}\n",
        flush=True,
    )
    return mine.processor, rhythm_score.processor


def score_both(lifetimes: Any, model: PurchaseModel, histories: pd.DataFrame) -> tuple[Seconds, Seconds]:
    """Print and give the seconds of scoring: theirs and ours."""
    calls = {
        "lifetimes BG/NBD: P(alive), 3 expectations": lambda: score_lifetimes(lifetimes, histories),
        "MBG/CNBD-k: P(alive), 3 × P(buys), 3 expectations, window": lambda: score_rhythm(model, histories),
    }
    theirs, ours = (timed(name, call)[1] for name, call in calls.items())
    return theirs, ours


def bench_scoring(customers: int) -> None:
    """Print the scoring alone, by models fitted to groups."""
    histories = draw_customers(customers)
    grouped = group_histories(histories)
    with undisturbed():
        lifetimes = BetaGeoFitter().fit(
            grouped["frequency"], grouped["recency"] / 7, grouped["T"] / 7, weights=grouped["weights"]
        )
    theirs, ours = score_both(lifetimes, train_rhythm(grouped), histories)
    print(f"scoring / lifetimes' scoring: {ours.clock / theirs.clock:.2f} by the clock, ", end="")
    print(f"{ours.processor / theirs.processor:.2f} by the processor")


def main() -> None:
    """Read the command line, run the benchmark."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.behaviour")
    reader.add_argument("--customers", type=int, default=100_000, help="customers of the large case")
    reader.add_argument("--scoring", action="store_true", help="of these, the scoring alone")
    given = reader.parse_args()
    customers = given.customers
    score_rhythm(PurchaseModel("planted", as_fitter(PLANTED), 7), draw_customers(100))  # what is compiled, is compiled
    if given.scoring:
        bench_scoring(customers)
        return
    small, large = bench(10_000), bench(customers)
    growth = [of_large / of_small for of_small, of_large in zip(small, large, strict=True)]
    print(f"{customers // 10_000} × customers: fit {growth[0]:.1f} × the processor's time, scoring {growth[1]:.1f} ×")


if __name__ == "__main__":
    main()
