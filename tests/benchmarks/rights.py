"""Access and erasure on many kept runs of a large retailer: seconds by the clock and of the processor, and memory.

Run as ``python -m tests.benchmarks.rights --customers 100000 --runs 12``. The peer rewrites the same files whole with
DuckDB, which is the least that taking a row out of a Parquet file can cost.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from crmlib.engine import Engine
from crmlib.files import hash_file
from crmlib.params import dump_params, load_params
from crmlib.rights.access import grant_access
from crmlib.rights.forget import forget
from crmlib.rights.settings import read_settings
from crmlib.runs import RunStore
from tests.benchmarks.permissions import measure

TODAY = date(2026, 11, 30)
MOMENT = "TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_hours(CAST(hash(n) % 20000 AS INTEGER))"
#: Table -> rows for each customer, and the columns of row n.
TABLES = {
    "source_records": (2, f"""'erp' AS source, 'E' || n AS source_record_id, 'Name ' || n || ' Gil' AS full_name,
        'person' || n || '@correo.example' AS email, '6' || lpad(CAST(n AS VARCHAR), 8, '0') AS phone,
        lpad(CAST(n AS VARCHAR), 8, '0') AS national_id, DATE '1970-01-01' + CAST(n % 9000 AS INTEGER) AS birth_date,
        'Calle ' || n % 5000 || ' 7' AS address_line, CAST(NULL AS VARCHAR) AS loyalty_card, {MOMENT} AS updated_at"""),
    "identities": (2, "'erp' AS source, 'E' || n AS source_record_id, {customer} AS customer_id"),
    "customers": (1, "{customer} AS customer_id, 'person' || n || '@correo.example' AS email"),
    "provenance": (10, "{customer} AS customer_id, 'f' || n AS field, 'erp' AS source, 'E' || n AS source_record_id"),
    "permissions": (10, "{customer} AS customer_id, 'email' AS channel, n % 3 = 0 AS allowed, 'granted' AS reason"),
    "purchase_summary": (1, "{customer} AS customer_id, n AS frequency, hash(n) / 1e18 AS regularity"),
    "lifecycle": (1, "{customer} AS customer_id, 'due' AS stage"),
    "customer_value": (1, "{customer} AS customer_id, hash(n) / 1e18 AS clv_12m"),
    "segments": (1, "{customer} AS customer_id, 'loyal' AS segment"),
    "contact_decisions": (3, "{customer} AS customer_id, 'c' || n % 3 AS communication_id, 'skip' AS decision"),
    "match_pairs": (1, "'a' AS source_l, 'E' || n AS source_record_id_l, 'a' AS source_r, 'E' AS source_record_id_r"),
    "tickets": (20, f"""'pos' AS source, 'T' || n AS ticket_id, 'erp' AS record_source,
        'E' || n % {{customers}} AS source_record_id, CAST(NULL AS VARCHAR) AS loyalty_card,
        CAST(NULL AS VARCHAR) AS buyer_email, 10.5 AS amount, {MOMENT} AS bought_at"""),
    "consent_events": (5, f"""'log' AS source, 'E' || n % {{customers}} AS source_record_id, 'erp' AS record_source,
        'email' AS channel, {MOMENT} AS happened_at, 'granted' AS decision"""),
    "sends": (10, f"""'mail' AS source, 'S' || n AS send_id, 'erp' AS record_source,
        'E' || n % {{customers}} AS source_record_id, {MOMENT} AS eligible_at"""),
    "web_events": (5, f"""'web' AS source, 'W' || n AS event_id, 'erp' AS record_source,
        'E' || n % {{customers}} AS source_record_id, 'v' || n % {{customers}} AS visitor_id,
        {MOMENT} AS happened_at"""),
}  # fmt: skip
#: What each run links of the one before, as nothing in it changed.
LINKED = ("tickets", "sends", "web_events")


def make_runs(store: RunStore, params_file: Path, customers: int, runs: int) -> None:
    engine = Engine(threads=2, memory_limit="1GB")
    given = {"as_of_date": "2026-11-01", "base": None, "inputs": {}, "params_file": str(params_file)}
    given["params"] = dump_params(load_params(params_file))
    for number in range(runs):
        folder = store.create(f"night-{number:02d}", "bench", given)
        facts = {}
        for name, (each, columns) in TABLES.items():
            path = folder.tables / f"{name}.parquet"
            first = store.directory / "night-00" / "tables" / path.name
            if number and name in LINKED:
                os.link(first, path)
            elif number:
                shutil.copy(first, path)
            else:
                whose = f"'c' || lpad(CAST(n % {customers} AS VARCHAR), 16, '0')"
                rows = columns.format(customer=whose, customers=customers)
                engine.copy(f"SELECT {rows} FROM range({each * customers}) AS t(n)", path)
            facts[name] = {"rows": each * customers, "sha256": hash_file(path), "bytes": path.stat().st_size}
        folder.update(lambda manifest, facts=facts: manifest.update(tables=facts, status="complete"))
    store.publish(store.get("night-00"))
    engine.close()


def rewrite_all(store: RunStore) -> None:
    """The bare peer: every file once through DuckDB."""
    engine = Engine(threads=2, memory_limit="1GB")
    seen = set()
    for path in sorted(store.directory.glob("night-*/tables/*.parquet")):
        if path.stat().st_ino not in seen:
            seen.add(path.stat().st_ino)
            engine.copy(f"FROM '{path}'", store.directory / ".rewritten")
    engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=12)
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="crm-bench-") as place:
        folder = Path(place)
        params_file = folder / "params.yaml"
        tickets = {"path": "t.csv", "fields": {"bought_at": "at"}}
        run = {"name": "bench", "as_of_date": "2026-11-01"}
        params_file.write_text(yaml.safe_dump({"run": run, "sources": {"pos": {"tickets": tickets}}}))
        store = RunStore(folder / "runs")
        make_runs(store, params_file, asked.customers, asked.runs)
        settings = read_settings(store, params_file)
        who = "person77@correo.example"
        works = {
            "bare rewrite": lambda: rewrite_all(store),
            "access": lambda: grant_access(store, who, None, settings, TODAY, folder / "access"),
            "forget": lambda: forget(store, who, None, settings, TODAY, dry_run=False, tell=lambda _: None),
        }
        seconds = {name: measure(work) for name, work in works.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{asked.runs} runs of {asked.customers:,} customers; peak {peak:.1f} GB")
    for place, name in enumerate(("clock", "processor")):
        told = ", ".join(f"{work} {taken[place]:.1f} s" for work, taken in seconds.items())
        ratio = seconds["forget"][place] / seconds["bare rewrite"][place]
        print(f"{name}: {told}; forget / bare rewrite of every file {ratio:.2f}")


if __name__ == "__main__":
    main()
