"""What the calibration error of each model is made of at the last origin of public data, as a table in Markdown.

Run as ``python -m tests.benchmarks.calibration``. Beside each model's error stands what would be left of it, had the
best shift of all log-odds been known, and the best shift and slope: learnt from what came, so no forecast but a way to
tell a wrong level from a wrong shape. The last rows are means of all models, each counting the same.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, logit

from crmlib.behaviour.forecasts import BLEND, MODELS, Forecaster
from crmlib.behaviour.origins import collect_samples
from crmlib.behaviour.scoring import bound_calibration_error, log_losses, score_probabilities
from crmlib.behaviour.summaries import MODEL_NAMES
from crmlib.errors import NothingToDo
from tests.behaviour.conftest import load_log
from tests.benchmarks.backtests import CASES

TINY = 1e-4
#: Repeat purchase days from which on a customer belongs to the next group.
REPEATED = (0, 1, 2, 4, np.inf)


def ask_models(name: str) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """The chances that each model, and the means of all, give at a case's last origin; and what was known and came."""
    read, as_of_date, horizon = CASES[name]
    log = read()
    samples = collect_samples(load_log(log), log["bought_at"].min().date(), as_of_date, [horizon], 4)
    forecaster, last = Forecaster(samples, [horizon], 7, seed=1).for_chances([horizon]), samples[-1]
    asked = {}
    for model in MODELS:
        try:
            asked[MODEL_NAMES[model]] = forecaster.forecast(model, last)[f"p_buy_{horizon}d"].to_numpy()
        except NothingToDo:  # it is silent there in the backtest, too
            continue
    alone = np.array([p for told, p in asked.items() if told != MODEL_NAMES[BLEND]])
    asked["Mean of all"] = alone.mean(axis=0)
    asked["Mean of all log-odds"] = expit(log_odds(alone).mean(axis=0))
    return asked, last.frame.assign(bought=last.frame[f"purchases_{horizon}d"].gt(0).astype(float))


def log_odds(p: np.ndarray) -> np.ndarray:
    """Of chances that are neither 0 nor 1."""
    return logit(np.clip(p, TINY, 1 - TINY))


def mend(p: np.ndarray, bought: np.ndarray, with_slope: bool) -> tuple[float, float]:
    """Calibration error after the shift (and slope) of the log-odds that fits best what came; and the slope."""

    def mended(at: np.ndarray) -> np.ndarray:
        return expit(at[0] + (at[1] if with_slope else 1.0) * log_odds(p))

    found = minimize(lambda at: log_losses(mended(at), bought).mean(), [0.0, 1.0] if with_slope else [0.0]).x
    return score_probabilities(mended(found), bought)["ece"], float(found[1]) if with_slope else 1.0


def print_case(name: str) -> None:
    """Print one case."""
    asked, frame = ask_models(name)
    bought = frame["bought"].to_numpy()
    print(f"### {name}\n\n{len(bought):,} customers, of whom {bought.mean():.1%} bought.\n")
    print("| model | said | log_loss | ece | bound | shifted | shifted and stretched | slope |")
    print("|---|" + "---:|" * 7)
    for model, p in asked.items():
        scores, (shifted, _), (stretched, slope) = (
            score_probabilities(p, bought),
            mend(p, bought, with_slope=False),
            mend(p, bought, with_slope=True),
        )
        print(
            f"| {model} | {p.mean():.1%} | {scores['log_loss']:.3f} | {scores['ece']:.3f} | "
            f"{bound_calibration_error(p, 1):.3f} | {shifted:.3f} | {stretched:.3f} | {slope:.2f} |"
        )
    repeated = pd.cut(frame["frequency"], REPEATED, right=False)
    groups = pd.DataFrame(asked).assign(came=bought).groupby(repeated.to_numpy(), observed=True)
    print("\nMean chances by repeat purchase days before:\n")
    print(groups.mean().T.round(3).to_string(), end="\n\n", flush=True)


def main() -> None:
    """Read the command line, print the tables."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.calibration")
    reader.add_argument("names", nargs="*", default=list(CASES), help="cases; all when absent")
    for name in reader.parse_args().names:
        print_case(name)


if __name__ == "__main__":
    main()
