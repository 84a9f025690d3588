"""How often the purchases of a week lay inside the interval that the simulation promised, on held-out history.

Run as ``python -m tests.benchmarks.forecasts``. At each origin the rooms run as of that day, knowing nothing later;
the customers known then are followed for a quarter without any plan (what they do of the retailer's own doing is in
their rates), and what they then did is read from the tickets that lie behind the origin. A cell is an origin, a cohort
of customers by their number of purchase days, and a week; cells of an origin stand or fall together, so the band of
the coverage draws whole origins anew. Purchases are whole: a number on an end of the interval lies inside with the part
of its probability that does, as in a randomised probability integral transform, for counting it whole would call every
interval of few purchases too wide.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from crmlib.behaviour.cohorts import COHORTS
from crmlib.campaign.comparison import HIGH, LOW
from crmlib.campaign.simulation import World
from crmlib.demo.retailer import write_retailer
from crmlib.engine import Step
from tests.benchmarks.plan_world import ROOT, open_world, run_params

WEEKS = 13
REPLICATES = 60
CASES = {"demo": (date(2026, 11, 1), 6), "complete_journey": (date(2017, 12, 31), 3), "cdnow": (date(1998, 6, 30), 4)}


def list_origins(name: str) -> list[date]:
    """Origins whose quarters do not overlap, the last one ending with the data."""
    end, number = CASES[name]
    return [end - timedelta(weeks=WEEKS * place) for place in range(number, 0, -1)]


def judge_origin(folder: Path, origin: date) -> pd.DataFrame:
    """Promised and happened purchases of each cohort and week."""
    world, _ = open_world(folder, days=7 * WEEKS)
    bounds = ", ".join(str(bound) for bound in COHORTS)
    world.engine.run(
        Step(
            "cohorts",
            f"""
            SELECT *, len(list_filter([{bounds}], bound -> bound <= frequency)) AS cohort
            FROM {world.everybody.table} WHERE frequency IS NOT NULL
            """,
        )
    )
    came = count_purchases(world, folder, origin)
    return pd.concat([judge_cohort(world, came, cohort) for cohort in range(1, len(COHORTS) + 1)])


def judge_cohort(world: World, came: pd.DataFrame, cohort: int) -> pd.DataFrame:
    """Promised and happened purchases of a cohort, by week."""
    sql = "SELECT row_number() OVER (ORDER BY row) - 1 AS row, * EXCLUDE (row) FROM cohorts WHERE cohort = $cohort"
    table = world.engine.run(Step(f"cohort_{cohort}", sql), cohort=cohort)
    number = world.engine.row(f"SELECT count(*) AS n FROM {table}")["n"]
    few = replace(world, everybody=replace(world.everybody, table=table, number=number))
    counts = few.simulate([], REPLICATES).without.counts["purchases"]
    weekly = counts.reshape(len(counts), WEEKS, 7).sum(axis=2)
    happened = came[came["cohort"] == cohort].set_index("week")["purchases"].reindex(range(WEEKS), fill_value=0)
    inside = find_inside(weekly, happened.to_numpy())
    return pd.DataFrame(
        {"cohort": cohort, "week": range(WEEKS), "people": number, "promised": weekly.mean(axis=0), "inside": inside,
         "happened": happened.to_numpy()}
    )  # fmt: skip


def find_inside(drawn: np.ndarray, happened: np.ndarray) -> np.ndarray:
    """How much of what happened lies inside the central interval of what was drawn (draws × weeks), from 0 to 1."""
    below, until = (drawn < happened).mean(axis=0), (drawn <= happened).mean(axis=0)
    overlap = np.clip(np.minimum(until, HIGH) - np.maximum(below, LOW), 0, None)
    within = (below >= LOW) & (below <= HIGH)
    return np.where(until > below, overlap / np.where(until > below, until - below, 1), within)


def count_purchases(world: World, folder: Path, origin: date) -> pd.DataFrame:
    """Purchase days after an origin of the customers known then: cohort, week, purchases."""
    return world.engine.frame(
        """
        WITH bought AS (
            SELECT DISTINCT i.customer_id, t.bought_on
            FROM read_parquet($tickets) AS t
            JOIN identities AS i ON i.source = t.record_source AND i.source_record_id = t.source_record_id
            WHERE t.bought_on > $origin AND t.bought_on <= $origin + to_days($days) AND coalesce(t.amount, 0) >= 0
        )
        SELECT c.cohort, date_diff('day', $origin, b.bought_on - to_days(1)) // 7 AS week, count(*) AS purchases
        FROM bought AS b
        JOIN cohorts AS c ON c.customer_id = b.customer_id
        GROUP BY ALL
        """,
        tickets=str(folder / "tables" / "tickets.parquet"),
        origin=origin,
        days=7 * WEEKS,
    )


def tell(name: str, cells: pd.DataFrame) -> None:
    """Print coverage by cohort and by weeks ahead, and its band."""
    cells = cells.assign(
        ahead=np.where(cells["week"] < 4, "weeks 1 to 4", "weeks 5 to 13"),
    )
    origins = [group["inside"].to_numpy() for _, group in cells.groupby("origin")]
    draw = np.random.default_rng(1)
    drawn = [
        np.concatenate([origins[i] for i in draw.integers(0, len(origins), len(origins))]).mean() for _ in range(4000)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    print(
        f"{name}: {len(cells)} cells of {len(origins)} origins, coverage {cells['inside'].mean():.1%} of a nominal "
        f"{HIGH - LOW:.0%}, band of 95 % by drawing origins anew [{low:.1%}, {high:.1%}]"
    )
    for by in ("cohort", "ahead", "origin"):
        told = cells.groupby(by).agg(
            promised=("promised", "sum"), happened=("happened", "sum"), coverage=("inside", "mean")
        )
        told["bias"] = told["promised"] / told["happened"] - 1
        print(told.round(3).to_string(), flush=True)


def undate(data: Path) -> None:
    """Take the day of delivery off the names of tills' and shop's files: what was bought is known the day after."""
    for path in [*data.glob("pos/*"), *data.glob("shop/*")]:
        path.rename(path.with_name(re.sub(r"\d{8}(?=\.)", "known", path.name)))


def bench_case(name: str, people: int) -> None:
    """Run the rooms as of each origin, and tell how right the promises were."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if name == "demo":
            write_retailer(folder / "demo", people=people)
            undate(folder / "demo" / "data")
        params = Path(shutil.copytree(ROOT / "params", folder / "params")) / f"{name}.yaml"
        cells = []
        for origin in list_origins(name):
            run = run_params(params, folder / "runs", "06_churn_and_value", origin)
            cells.append(judge_origin(run, origin).assign(origin=origin))
            shutil.rmtree(run)
        tell(name, pd.concat(cells, ignore_index=True))


def main() -> None:
    """Read the command line, run the cases."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.forecasts")
    reader.add_argument("cases", nargs="*", default=list(CASES), help=f"of {', '.join(CASES)}; without any: all")
    reader.add_argument("--people", type=int, default=4_000, help="people in the made retailer")
    given = reader.parse_args()
    for name in given.cases:
        bench_case(name, given.people)


if __name__ == "__main__":
    main()
