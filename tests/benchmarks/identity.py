"""Time and memory of identity: a full run beside Splink alone, an increment beside a full run, and how both grow.

Run as ``python -m tests.benchmarks.identity --people 70000``; with ``--people 70000 700000`` also the growth; with
``--one-phone 1000000`` records that all give the same phone. The
records are the made retailer's four sources, about 1.44 for each person. The peer is Splink as its own documentation
sets it up for persons, on the records that are normalised already: so its time is without any normalising, naming or
judging. Each measurement is a process of its own, whose peak memory is told. Times are told as ``seconds by the
clock/seconds of the processors``; both contenders may use two.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from crmlib.engine import Engine, literal
from crmlib.identity import (
    blocking,
    clusters,
    constraints,
    decisions,
    household,
    increments,
    linkage,
    registry,
    scoring,
    summaries,
)
from crmlib.identity.evaluation import evaluate_identities
from crmlib.identity.rulings import Rulings
from tests.benchmarks.accuracy import AS_OF, SEED, THRESHOLD, load_records
from tests.benchmarks.populations import make_retailer

MEMORY = "4GB"
PIECE = 20_000
#: Records of an increment: 10,000 of a million.
NEW_SHARE = 0.01
#: Records of people who have nothing in common but the phone they give.
ONE_PHONE = """
    SELECT 'crm' AS source, 'r' || n AS source_record_id, 'p' || n AS person_id,
           translate(hex(hash(n) % 4000), '0123456789ABCDEF', 'aeioulmnrstbcdfg') || 'a' AS given_name,
           translate(hex(hash(n, 1) % 90000), '0123456789ABCDEF', 'aeioulmnrstbcdfg') || 'ez' AS surnames,
           '922123456' AS phone
    FROM range($records) AS r(n)
"""
KEPT = ("prepared_records", "standing_pairs", "linkage_model")
#: Seconds of the wall's clock, which other work on the machine slows; and seconds that its processors worked.
CLOCKS = ("seconds", "processor")
Facts = dict[str, Any]


def write_records(folder: Path, people: int) -> None:
    """Write the records of a made retailer, and whose they are."""
    engine = Engine(threads=2, memory_limit=MEMORY)
    made = []
    for first in range(0, people, PIECE):
        rows = make_retailer(min(PIECE, people - first), SEED + first)
        for row in rows:
            for column in ("source_record_id", "person_id", "household_id"):
                row[column] = f"{first}-{row[column]}"
        made.append(pd.DataFrame(rows))
    engine.register("rows_made", pd.concat(made, ignore_index=True))
    load_records(engine, "SELECT * FROM rows_made")
    for name in ("source_records", "truth"):
        engine.copy(f"FROM {name}", folder / f"{name}.parquet")
    engine.close()


def open_records(folder: Path, share: float = 1.0) -> Engine:
    """An engine with a share of the records, and the truth."""
    engine = Engine(threads=2, memory_limit=MEMORY, temp_directory=folder / "spill")
    source = f"read_parquet({literal(str(folder / 'source_records.parquet'))})"
    kept = f"hash(source, source_record_id) % 10000 < {round(share * 10_000)}"
    engine.execute(f"CREATE TABLE source_records AS SELECT * FROM {source} WHERE {kept}")
    engine.view("truth", f"FROM read_parquet({literal(str(folder / 'truth.parquet'))})")
    return engine


def link(engine: Engine, base: increments.Base, tell: Callable[[str], None]) -> increments.Start:
    """From `source_records` to customer ids and households, as room 03 goes."""
    start = increments.begin_linkage(engine, "auto", AS_OF, "ES", base)
    tell("normalised")
    blocked = blocking.block_pairs(engine, largest_blocks=start.largest_blocks)
    tell("blocked")
    model = start.model or linkage.train_model(engine, start.comparisons, SEED)
    tell("trained")
    scoring.score_pairs(engine, model, start, base)
    tell("scored")
    decisions.decide_pairs(engine, model, decisions.estimate_pair_shares(engine, model))
    constraints.hold_rulings(engine, Rulings())
    tell("decided")
    clusters.cluster_records(engine, THRESHOLD)
    tell("clustered")
    registry.collect_record_keys(engine)
    registry.assign_customer_ids(engine, AS_OF)
    household.assign_households(engine)
    summaries.keep_likely_pairs(engine)
    increments.name_pairs(engine)
    engine.register("linkage_model", increments.keep_model(model, start, blocked))
    tell("named")
    return start


def run_full(folder: Path) -> Facts:
    """A full run over all but the newest records, which keeps its linkage."""
    engine = open_records(folder, 1 - NEW_SHARE)
    facts = _time(lambda tell: link(engine, increments.Base(), tell))
    for name in KEPT:
        engine.copy(f"FROM {name}", folder / f"{name}.parquet")
    engine.copy("SELECT * EXCLUDE (given_variants, given_words) FROM linkage_records", folder / "linkage.parquet")
    judged = evaluate_identities(engine, "household_identities", "truth").set_index("metric")["value"]
    pairs = engine.row("SELECT count(*) AS n FROM weighed_pairs")["n"]
    return facts | {"records": _count(engine), "pairs": pairs, "pair_f1": judged["pair_f1"]}


def run_increment(folder: Path) -> Facts:
    """The newest records on the base that a full run left."""
    engine = open_records(folder)
    for name in KEPT:
        engine.view(f"base_{name}", f"FROM read_parquet({literal(str(folder / f'{name}.parquet'))})")
    base = increments.Base(*(f"base_{name}" for name in KEPT))
    told = []
    facts = _time(lambda tell: told.append(link(engine, base, tell)))
    if told[0].model is None:
        raise SystemExit(told[0].sentence)
    judged = evaluate_identities(engine, "household_identities", "truth").set_index("metric")["value"]
    new = engine.row("SELECT count(*) AS n FROM changed_records")["n"]
    return facts | {"records": _count(engine), "new": new, "pair_f1": judged["pair_f1"]}


def run_one_phone(folder: Path) -> Facts:
    """So many records with one phone among them all."""
    engine = Engine(threads=2, memory_limit=MEMORY, temp_directory=folder / "spill")
    load_records(engine, ONE_PHONE, records=int((folder / "records.txt").read_text()))
    facts = _time(lambda tell: link(engine, increments.Base(), tell))
    judged = evaluate_identities(engine, "household_identities", "truth").set_index("metric")["value"]
    return facts | {"records": _count(engine), "cluster_f1": judged["cluster_f1"]}


def run_splink(folder: Path) -> Facts:
    """Splink alone on the normalised records, set up as its documentation does for persons."""
    import logging
    import warnings

    import splink.comparison_library as compare
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    logging.getLogger("splink").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    engine = Engine(threads=2, memory_limit=MEMORY, temp_directory=folder / "spill")
    engine.execute(f"CREATE TABLE persons AS FROM read_parquet({literal(str(folder / 'linkage.parquet'))})")
    api: Any = DuckDBAPI(connection=engine.connection)
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="record_no",
        blocking_rules_to_generate_predictions=[
            block_on("given_key", "surname_1_key"),
            block_on("surname_1_key", "birth_day"),
            block_on("given_key", "birth_day"),
            block_on("given_key", "postcode_key"),
            block_on("mailbox"),
            block_on("phone"),
            block_on("national_id"),
        ],
        comparisons=[
            compare.JaroWinklerAtThresholds("given_key", [0.9, 0.7]).configure(term_frequency_adjustments=True),
            compare.JaroWinklerAtThresholds("surname_1_key", [0.9, 0.7]).configure(term_frequency_adjustments=True),
            compare.JaroWinklerAtThresholds("surname_2_key", [0.9, 0.7]),
            compare.LevenshteinAtThresholds("birth_day", 1),
            compare.EmailComparison("mailbox"),
            compare.ExactMatch("phone"),
            compare.LevenshteinAtThresholds("national_id", 1),
            compare.ExactMatch("postcode_key").configure(term_frequency_adjustments=True),
        ],
    )

    def work(tell: Callable[[str], None]) -> None:
        linker = Linker(api.register("persons"), settings, log_level=None)
        linker.training.estimate_probability_two_random_records_match(
            [block_on("national_id"), block_on("given_key", "surname_1_key", "birth_day")], recall=0.7
        )
        linker.training.estimate_u_using_random_sampling(max_pairs=5_000_000, seed=SEED)
        linker.training.estimate_parameters_using_expectation_maximisation(block_on("given_key", "surname_1_key"))
        linker.training.estimate_parameters_using_expectation_maximisation(block_on("birth_day"))
        tell("trained")
        found = linker.inference.predict(threshold_match_probability=0.2)
        tell("scored")
        made = linker.clustering.cluster_pairwise_predictions_at_threshold(found, threshold_match_probability=0.95)
        engine.execute(f'CREATE TABLE found AS SELECT record_no, cluster_id FROM "{made.physical_name}"')
        tell("clustered")

    return _time(work) | {"records": engine.row("SELECT count(*) AS n FROM persons")["n"]}


def _count(engine: Engine) -> int:
    return int(engine.row("SELECT count(*) AS n FROM source_records")["n"])


def _time(work: Callable[[Callable[[str], None]], object]) -> Facts:
    begun, worked = time.perf_counter(), time.process_time()
    steps: list[str] = []
    work(lambda word: steps.append(f"{word} {time.perf_counter() - begun:.0f}/{time.process_time() - worked:.0f}"))
    return {
        "seconds": time.perf_counter() - begun,
        "processor": time.process_time() - worked,
        "steps": ", ".join(steps),
    }


def _measure(work: str, folder: str, answer: str) -> None:
    facts = WORKS[work](Path(folder))
    facts["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    Path(answer).write_text(json.dumps(facts))


COMPARED: dict[str, Callable[[Path], Facts]] = {"full": run_full, "splink": run_splink, "increment": run_increment}
WORKS = COMPARED | {"one phone": run_one_phone}


def measure(work: str, folder: Path) -> Facts:
    """Run a work in a process of its own, and print what it took."""
    answer = folder / "answer.json"
    _spawn(_measure, work, str(folder), str(answer))
    facts: Facts = json.loads(answer.read_text())
    told = "".join(f"  {key} {facts[key]:.4g}" for key in ("pairs", "pair_f1", "cluster_f1") if key in facts)
    print(
        f"{work:10}{facts['records']:>10,} records {facts['seconds']:8.1f} s  processor {facts['processor']:7.1f} s  "
        f"peak {facts['peak_gb']:.2f} GB{told}  [{facts['steps']}]",
        flush=True,
    )
    return facts


def bench(people: int) -> Facts:
    """Print the measurements for so many people; gives those of the full run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _spawn(write_records, folder, people)
        found = {work: measure(work, folder) for work in COMPARED}
    full = found["full"]
    new = found["increment"]["new"]
    for clock in CLOCKS:
        ratio = full[clock] / found["splink"][clock]
        share = found["increment"][clock] / full[clock]
        print(f"by {clock}: full run / Splink alone {ratio:.2f} (at most 1.5); ", end="")
        print(f"increment of {new:,} / full run {share:.2f} (at most 0.15)", flush=True)
    return full


def _spawn(work: Callable[..., object], *given: object) -> None:
    process = multiprocessing.get_context("spawn").Process(target=work, args=given)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"{work.__name__} failed")


def main() -> None:
    """Read the command line, run the benchmarks."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.identity")
    reader.add_argument("--people", type=int, nargs="*", default=[70_000], help="people of the made retailer")
    reader.add_argument("--one-phone", type=int, metavar="RECORDS", help="records with one phone, in place of that")
    asked = reader.parse_args()
    if asked.one_phone:
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "records.txt").write_text(str(asked.one_phone))
            measure("one phone", Path(name))
        return
    runs = [bench(people) for people in asked.people]
    for smaller, larger in pairwise(runs):
        for clock in CLOCKS:
            times = larger[clock] / smaller[clock]
            print(
                f"{smaller['records']:,} to {larger['records']:,} records: {times:.1f} times, by {clock} (at most 12)"
            )


if __name__ == "__main__":
    main()
