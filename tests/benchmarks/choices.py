"""Whether the models that room 06 chooses are good ones on logs of other kinds, as a table in Markdown.

Run as ``python -m tests.benchmarks.choices --seeds 1 2``. Each log is made anew by each seed. A regret is a model that
was better at the last origin, in one figure, than what had been chosen before, by more than chance: the paired 95 %
bootstrap interval lies wholly on the worse side.
"""

from __future__ import annotations

import argparse

import pandas as pd

from crmlib.behaviour.backtest import backtest_models
from crmlib.behaviour.forecasts import BLEND
from crmlib.behaviour.origins import collect_samples
from crmlib.behaviour.summaries import MODEL_NAMES, last_scores
from tests.behaviour.conftest import load_log
from tests.benchmarks.retailers import LAST, RETAILERS, draw_log

ORIGINS = 4
METRICS = ("mae", "rmse", "log_loss")
#: Horizons in days that are judged on each kind of log.
HORIZONS = {
    "grocer, four months": (14, 28, 60),
    "wholesaler, a year": (28, 91, 182),
    "wholesaler, two years": (91, 182),
    "drugstore": (28, 91),
    "fashion": (91, 182),
}


def judge(log: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Every model at the last origin of a log, beside what had been chosen for it."""
    first_date = log["bought_at"].min().date()
    samples = collect_samples(load_log(log), first_date, LAST, [horizon], ORIGINS)
    return last_scores(backtest_models(samples, first_date, LAST, [horizon], ORIGINS, 7, seed=1), horizon)


def find_regrets(last: pd.DataFrame) -> pd.DataFrame:
    """Models other than the blend that were better by more than chance: columns model, metric.

    The blend is no rival: it is made of them, and another version of the rule has another one.
    """
    rivals = last[last["model"] != BLEND]
    better = [rivals[rivals[f"{metric}_difference_low"] > 0].assign(metric=metric) for metric in METRICS]
    return pd.concat(better)[["model", "metric"]]


def tell(kind: str, horizon: int, seed: int, last: pd.DataFrame, in_full: bool) -> dict[str, float]:
    """Print a row of the table (in full: each rival's figures, too); how many regrets, and by how much it was worse."""
    used = {
        metric: last.loc[last["used_for"].str.contains(purpose, na=False)].iloc[0]
        for metric, purpose in (("mae", "counts"), ("rmse", "counts"), ("log_loss", "chances"))
    }
    regrets = find_regrets(last)
    rivals = last[last["model"] != BLEND]
    over = {metric: used[metric][metric] / rivals[metric].min() - 1 for metric in METRICS}
    names = (MODEL_NAMES[used[metric]["model"]] for metric in ("mae", "log_loss"))
    regretted = "; ".join(f"{MODEL_NAMES[m]} ({metric})" for m, metric in regrets.itertuples(index=False))
    figures = [f"{used[metric][metric]:.3f} ({over[metric]:+.1%})" for metric in METRICS]
    print(f"| {kind} | {horizon} | {seed} | " + " | ".join([*names, *figures, regretted or "none"]) + " |", flush=True)
    if in_full:
        ends = [f"{metric}_difference_{end}" for metric in METRICS for end in ("low", "high")]
        print(last.set_index("model")[[*METRICS, "bias", "poisson_deviance", "ece", *ends]].round(4).to_string())
    return {**{f"regrets_{metric}": float((regrets["metric"] == metric).sum()) for metric in METRICS}, **over}


def main() -> None:
    """Read the command line, print the table and its sums."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.choices")
    reader.add_argument("kinds", nargs="*", default=list(RETAILERS), help="kinds of logs; all when absent")
    reader.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    reader.add_argument("--full", action="store_true", help="each rival's figures and intervals, too")
    given = reader.parse_args()
    print(
        "| log | days | seed | counts | chances | MAE (over the best) | RMSE | log-loss | better by more than chance |"
    )
    print("|---|---:|---:|---|---|---:|---:|---:|---|")
    rows = [
        tell(kind, horizon, seed, judge(log, horizon), given.full)
        for seed in given.seeds
        for kind in given.kinds
        for log in [draw_log(RETAILERS[kind], seed)]
        for horizon in HORIZONS[kind]
    ]
    found = pd.DataFrame(rows)
    regrets = found.filter(like="regrets_").sum().astype(int)
    told = [
        f"{regrets[f'regrets_{metric}']} of {metric} (on average {found[metric].mean():+.2%} over the best)"
        for metric in METRICS
    ]
    print(f"\n{regrets.sum()} regrets in {len(found)} cases: {', '.join(told)}.")


if __name__ == "__main__":
    main()
