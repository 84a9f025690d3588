"""How right the measured lifts are: on simulated campaigns, and on a made retailer with its truth.

Run as ``python -m tests.benchmarks.campaigns --people 20000``. Who is who is read from the truth, so that what is
judged is the measuring alone; deliveries go through room 01 as they are.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from crmlib import open_run
from crmlib.campaign import evaluation, experiment_log, funnel, margins, measurement
from crmlib.demo.retailer import write_retailer
from crmlib.pipeline import run_pipeline
from crmlib.sources.truth import read_truth
from tests.campaign.made_experiments import draw_experiment, estimate_all, share_of_frequent

ROOT = Path(__file__).parent.parent.parent
WINDOW_DAYS, NET_DAYS = 14, 56


def bench_lifts(people: int, seed: int) -> None:
    """Print coverage, bias and sign of the lifts by outcome, and how long the measuring took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_retailer(folder / "demo", people=people, seed=seed)
        params = Path(shutil.copytree(ROOT / "params", folder / "params")) / "demo.yaml"
        outcome = run_pipeline(params, folder / "runs", until="01_intake", publish=False)
        run = open_run(str(outcome.folder.path), "08_campaigns")
        known = read_truth(run.engine, run.params, run.params_file, "identities")
        run.engine.view("identities", f"SELECT source, source_record_id, person_id AS customer_id FROM {known}")
        begun = time.perf_counter()
        experiment_log.write_log(run.engine, run.as_of_date)
        funnel.summarise_campaigns(run.engine, run.as_of_date, run.cutoff, WINDOW_DAYS, NET_DAYS)
        results = measurement.measure_campaigns(run.engine, margins.estimate_margin_share(run.engine), WINDOW_DAYS)
        print(f"{people:,} people, {results['campaign_id'].nunique()} campaigns: {time.perf_counter() - begun:.1f} s")
        truth = read_truth(run.engine, run.params, run.params_file, "effects")
        print(f"{'outcome':15}{'lifts':>6}{'covered':>9}{'bias (s.e.)':>13}{'band 99.9 %':>13}{'sign':>7}")
        for outcome_name, part in [*results.groupby("outcome"), ("all", results)]:
            told = evaluation.evaluate_effects(run.engine, part, truth, WINDOW_DAYS, NET_DAYS).set_index("metric")
            covered, bias, sign = (told.loc[f"effects_{what}"] for what in ("coverage", "bias", "sign"))
            if covered["n"]:
                band = 3.29 / np.sqrt(bias["n"]) if outcome_name != "all" else np.nan
                print(
                    f"{outcome_name:15}{int(covered['n']):>6}{covered['value']:>9.1%}{bias['value']:>+13.3f}"
                    f"{band:>13.3f}{sign['value']:>7.1%}"
                )
        _print_joint(results)


def bench_simulated(campaigns: int) -> None:
    """Print how often intervals reject where there is nothing, and cover where there is something."""
    effect, nothing, something = 0.15, np.random.default_rng(21), np.random.default_rng(22)
    truths = {"purchases": effect * (0.8 + 0.2 * share_of_frequent()), "delivered": effect}
    rejected: dict[str, int] = {}
    covered: dict[str, int] = {}
    for _ in range(campaigns):
        for name, lift in estimate_all(draw_experiment(nothing, 0.0)).items():
            rejected[name] = rejected.get(name, 0) + (lift is not None and (lift.low > 0 or lift.high < 0))
        found = estimate_all(draw_experiment(something, effect))
        for name, truth in truths.items():
            covered[name] = covered.get(name, 0) + (found[name].low <= truth <= found[name].high)
    print(f"{campaigns:,} seeded campaigns without effect reject: " + _tell(rejected, campaigns))
    print(f"{campaigns:,} seeded campaigns cover their effect: " + _tell(covered, campaigns))


def _tell(counts: dict[str, int], campaigns: int) -> str:
    return ", ".join(f"{name} {count / campaigns:.2%}" for name, count in counts.items())


def _print_joint(results: pd.DataFrame) -> None:
    both = results[(results["outcome"] == "purchases") & results["joint_lift"].notna()]
    errors = (both["joint_lift_high"] - both["joint_lift_low"]) / (2 * 1.96)
    apart = ((both["joint_lift"] - both["lift"]) / errors).abs()
    print(
        f"joint regression: {len(both)} campaigns, {both['overlapping'].mean():.0%} of their people met by others; "
        f"joint and own lift lie {apart.mean():.2f} standard errors apart on average"
    )


def main() -> None:
    """Read the command line, run the benchmark."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.campaigns")
    reader.add_argument("--people", type=int, default=20_000, help="people in the retailer")
    reader.add_argument("--seed", type=int, default=20261101, help="of the retailer")
    reader.add_argument("--campaigns", type=int, default=2_000, help="simulated campaigns")
    given = reader.parse_args()
    bench_simulated(given.campaigns)
    bench_lifts(given.people, given.seed)


if __name__ == "__main__":
    main()
