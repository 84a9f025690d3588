"""Permissions of a large retailer against a bare ``max_by`` over the same events, by the clock and by processor time.

Both begin at Parquet files, as intake writes them and a run opens them.

Run as ``python -m tests.benchmarks.permissions --customers 1000000 --events 10000000``.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from crmlib.engine import Engine, literal
from crmlib.params import PermissionSettings
from crmlib.permission.consent import decide_permissions
from tests.made_tables import make_tables

AS_OF = date(2026, 11, 1)


def make_events(engine: Engine, customers: int, events: int) -> None:
    """Customers of two records each, and consents given and withdrawn over six years."""
    make_tables(engine, "sends", "tickets")
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE identities AS
        SELECT 'crm' AS source, 'r' || r AS source_record_id, 'c' || (r % {customers}) AS customer_id,
               CASE WHEN r % 7 = 0 THEN 0.97 ELSE 0.999 END AS match_probability
        FROM range({2 * customers}) AS t(r)
        """
    )
    engine.execute(
        """
        CREATE OR REPLACE TABLE source_records AS
        SELECT source, source_record_id, source_record_id || '@correo.example' AS email, CAST(NULL AS VARCHAR) AS phone,
               DATE '1960-01-01' AS birth_date, false AS deleted
        FROM identities
        """
    )
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE customers AS
        SELECT 'c' || c AS customer_id, DATE '1950-01-01' + CAST(hash(c) % 25000 AS INTEGER) AS birth_date
        FROM range({customers}) AS t(c)
        """
    )
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE consent_events AS
        SELECT 'crm' AS record_source, 'r' || (hash(e) % {2 * customers}) AS source_record_id,
               ['email', 'sms', 'push', 'postal', 'call'][1 + CAST(hash(e, 1) % 5 AS INTEGER)] AS channel,
               CASE WHEN hash(e, 2) % 10 < 7 THEN 'marketing' ELSE 'profiling' END AS purpose,
               TIMESTAMPTZ '2020-11-01 00:00:00+00'
                   + to_seconds(CAST(hash(e, 3) % 189000000 AS INTEGER)) AS happened_at,
               CASE WHEN hash(e, 4) % 10 < 6 THEN 'granted' ELSE 'withdrawn' END AS decision,
               'consent' AS legal_basis, 'form newsletter, page /account' AS evidence
        FROM range({events}) AS t(e)
        """
    )
    engine.execute(
        "CREATE OR REPLACE TABLE listed_customers (customer_id VARCHAR, list VARCHAR, source VARCHAR, listed_on DATE)"
    )


def open_files(engine: Engine, folder: Path) -> None:
    """What was made, as a run has it: files, and views of them."""
    for name in ("identities", "source_records", "customers", "consent_events"):
        path = folder / f"{name}.parquet"
        engine.copy(f"FROM {name}", path)
        engine.execute(f"DROP TABLE {name}")
        engine.view(name, f"FROM read_parquet({literal(str(path))}, hive_partitioning = false)")


def take_latest(engine: Engine) -> None:
    """The bare peer: of each customer's events the latest decision."""
    engine.execute(
        """
        CREATE OR REPLACE TABLE latest AS
        SELECT i.customer_id, c.channel, c.purpose, max_by(c.decision, c.happened_at) AS decision
        FROM consent_events c
        JOIN identities i ON i.source = c.record_source AND i.source_record_id = c.source_record_id
        GROUP BY ALL
        """
    )


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of the processor, whatever else runs on it."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    given = parser.parse_args()
    with TemporaryDirectory(prefix="crm-bench-") as folder:
        engine = Engine(threads=2, memory_limit="4GB", temp_directory=Path(folder))
        make_events(engine, given.customers, given.events)
        open_files(engine, Path(folder))
        bare = measure(lambda: take_latest(engine))
        whole = measure(lambda: decide_permissions(engine, PermissionSettings(), AS_OF))
        rows = engine.row("SELECT count(*) AS n FROM permissions_made")["n"]
        engine.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{given.customers:,} customers, {given.events:,} events, {rows:,} permissions; peak {peak:.1f} GB")
    for name, one, other in zip(("clock", "processor"), bare, whole, strict=True):
        print(f"{name}: bare max_by {one:.1f} s, permissions {other:.1f} s, ratio {other / one:.2f}")


if __name__ == "__main__":
    main()
