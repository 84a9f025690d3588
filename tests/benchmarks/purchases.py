"""From tickets in Parquet to purchase summaries, against lifetimes' own summary and a query written by hand.

Run as ``python -m tests.benchmarks.purchases --tickets 10000000``. Each contender runs in a process of its own, whose
peak memory is told, and begins at the Parquet file of tickets as intake leaves them: cards of 13 digits, times of day.
lifetimes gets the three columns it needs, read and cast by Arrow, and is called as its documentation does; it takes a
card for a customer, while the others look up whose record it is. The query by hand is given the memory it asks for: of
ten million tickets it does not end within what the workbench has.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crmlib.behaviour.btyd import undisturbed
from crmlib.behaviour.purchases import FREQUENCY_STEPS, summarise_purchases
from crmlib.engine import Engine

AS_OF = date(2024, 12, 31)
TICKETS_OF_A_CUSTOMER = 10
CARD = "'29900' || lpad(CAST({} AS VARCHAR), 8, '0')"
LIFETIMES_TYPES = pa.schema({"source_record_id": pa.string(), "bought_at": pa.timestamp("us"), "amount": pa.float64()})

#: The same columns as `purchase_summary`, in one statement.
BY_HAND = """
CREATE TABLE by_hand AS
WITH bought AS MATERIALIZED (
    SELECT i.customer_id, t.source, t.bought_at, t.bought_on, t.amount, t.discount, t.items, t.channel, t.store_id,
           coalesce(t.amount, 0) < 0 AS is_return
    FROM tickets AS t JOIN identities AS i ON i.source = t.record_source AND i.source_record_id = t.source_record_id
    WHERE t.bought_on <= DATE '2024-12-31'
      AND coalesce(lower(t.status), '') NOT IN ('cancelled', 'canceled', 'voided')
),
days AS (
    SELECT customer_id, bought_on, sum(amount) AS amount, count(*) FILTER (WHERE NOT is_return) AS tickets,
           count(*) FILTER (WHERE is_return) AS returns
    FROM bought GROUP BY ALL
),
settled AS (
    SELECT customer_id, amount, tickets, returns,
           max(CASE WHEN tickets > 0 THEN bought_on END) OVER (
               PARTITION BY customer_id ORDER BY bought_on ROWS UNBOUNDED PRECEDING) AS bought_on
    FROM days
),
purchase AS (
    SELECT customer_id, bought_on, sum(amount) AS amount, sum(tickets) AS tickets
    FROM settled WHERE bought_on IS NOT NULL GROUP BY ALL HAVING sum(returns) = 0 OR sum(amount) > 0
),
lagged AS (
    SELECT *, lag(bought_on) OVER (PARTITION BY customer_id ORDER BY bought_on) AS previous_on FROM purchase
),
gaps AS (SELECT *, bought_on - previous_on AS gap FROM lagged),
rhythm AS (
    SELECT customer_id, count(gap) AS frequency, max(bought_on) - min(bought_on) AS recency,
           DATE '2024-12-31' - min(bought_on) AS T, CAST(avg(amount) FILTER (WHERE gap IS NOT NULL) AS DOUBLE) AS money,
           min(bought_on) AS first_purchase_date, max(bought_on) AS last_purchase_date,
           max(previous_on) AS previous_purchase_date, sum(tickets) AS tickets, sum(amount) AS amount,
           coalesce(sum(ln(gap)), 0) AS sum_log_itt, median(gap) AS median_gap
    FROM gaps GROUP BY customer_id
),
shape AS (
    SELECT *, CASE WHEN frequency >= 3 THEN greatest(ln(recency / frequency) - sum_log_itt / frequency, 0.005) END AS s,
           (3 - s + sqrt((s - 3) * (s - 3) + 24 * s)) / (12 * s) AS k
    FROM rhythm
),
timed AS (
    SELECT source FROM bought GROUP BY source HAVING count(DISTINCT hour(bought_at) * 60 + minute(bought_at)) > 2
),
weekday_counts AS (
    SELECT customer_id, isodow(bought_on) AS choice, count(*) AS times FROM bought WHERE NOT is_return GROUP BY ALL
),
weekdays AS (
    SELECT customer_id, min_by(choice, (-times, choice)) AS usual_weekday FROM weekday_counts GROUP BY ALL
),
daypart_counts AS (
    SELECT customer_id, CASE WHEN hour(bought_at) < 6 THEN 'night' WHEN hour(bought_at) < 12 THEN 'morning'
           WHEN hour(bought_at) < 18 THEN 'afternoon' ELSE 'evening' END AS choice, count(*) AS times
    FROM bought SEMI JOIN timed USING (source) WHERE NOT is_return GROUP BY ALL
),
dayparts AS (
    SELECT customer_id, min_by(choice, (-times, choice)) AS usual_daypart FROM daypart_counts GROUP BY ALL
),
store_counts AS (
    SELECT customer_id, store_id AS choice, count(*) AS times FROM bought
    WHERE NOT is_return AND store_id IS NOT NULL GROUP BY ALL
),
stores AS (SELECT customer_id, min_by(choice, (-times, choice)) AS home_store_id FROM store_counts GROUP BY ALL),
channel_counts AS (
    SELECT customer_id, channel, count(*) AS times FROM bought WHERE NOT is_return AND channel IS NOT NULL GROUP BY ALL
),
channels AS (
    SELECT customer_id, map(list(channel ORDER BY channel), list(share ORDER BY channel)) AS channel_shares
    FROM (SELECT *, times / sum(times) OVER (PARTITION BY customer_id) AS share FROM channel_counts) GROUP BY ALL
),
categories AS (
    SELECT customer_id, map(list(category ORDER BY category), list(share ORDER BY category)) AS category_shares
    FROM (
        SELECT customer_id, category, amount / sum(amount) OVER (PARTITION BY customer_id) AS share
        FROM (SELECT b.customer_id, p.category, sum(l.amount) AS amount
              FROM tickets AS t JOIN identities AS b ON b.source_record_id = t.source_record_id
              JOIN ticket_lines AS l ON l.source = t.source AND l.ticket_id = t.ticket_id
              JOIN products AS p USING (product_id) GROUP BY ALL HAVING sum(l.amount) > 0)
    ) GROUP BY ALL
),
baskets AS (
    SELECT customer_id, median(items) FILTER (WHERE NOT is_return) AS basket_items,
           avg(amount) FILTER (WHERE NOT is_return) AS basket_amount,
           sum(discount) / nullif(sum(amount) + sum(discount), 0) AS discount_share
    FROM bought GROUP BY customer_id
)
SELECT shape.* EXCLUDE (s, k),
       k - (3 * k - 2 * k / (3 * (1 + k)) - 4 * k / (5 * (1 + k) * (1 + k))) / frequency AS regularity,
       usual_weekday, usual_daypart, home_store_id, channel_shares, category_shares, basket_items, basket_amount,
       discount_share
FROM shape LEFT JOIN weekdays USING (customer_id) LEFT JOIN dayparts USING (customer_id)
LEFT JOIN stores USING (customer_id) LEFT JOIN channels USING (customer_id) LEFT JOIN categories USING (customer_id)
LEFT JOIN baskets USING (customer_id)
"""


def write_tickets(folder: Path, tickets: int) -> None:
    """Tickets of three years, two stores in three of them with a channel, as intake leaves them."""
    customers = tickets // TICKETS_OF_A_CUSTOMER
    engine = Engine(memory_limit="2GB", temp_directory=folder)
    engine.copy(
        f"""
        SELECT 'till' AS source, 't' || t AS ticket_id, 'till' AS record_source,
               {CARD.format(f"CAST(floor(pow(hash(t, 1) / 18446744073709551616.0, 1.5) * {customers}) AS BIGINT)")}
                   AS source_record_id,
               TIMESTAMPTZ '2022-01-01 08:00:00+00' + to_minutes(CAST(hash(t, 2) % 1576800 AS BIGINT)) AS bought_at,
               CAST(bought_at AS DATE) AS bought_on, 's' || (hash(t, 3) % 40) AS store_id,
               CASE WHEN hash(t, 4) % 10 < 3 THEN 'online' ELSE 'store' END AS channel,
               CAST(5 + hash(t, 5) % 9000 / 100.0 AS DECIMAL(18, 2)) * CASE WHEN hash(t, 6) % 50 = 0 THEN -1 ELSE 1 END
                   AS amount,
               CAST(hash(t, 7) % 300 / 100.0 AS DECIMAL(18, 2)) AS discount,
               CAST(1 + hash(t, 8) % 20 AS DOUBLE) AS items, CAST(NULL AS VARCHAR) AS status
        FROM range({tickets}) AS t(t)
        """,
        folder / "tickets.parquet",
    )
    engine.copy(
        f"""
        SELECT 'till' AS source, {CARD.format("r")} AS source_record_id, 'c' || left(md5('r' || r), 16) AS customer_id
        FROM range({customers}) AS r(r)
        """,
        folder / "identities.parquet",
    )


def open_tickets(folder: Path, memory_limit: str = "550MB") -> Engine:
    """An engine that sees the files; no ticket has lines."""
    engine = Engine(threads=2, memory_limit=memory_limit, temp_directory=folder)
    for name in ("tickets", "identities"):
        engine.view(name, f"SELECT * FROM read_parquet('{folder / name}.parquet')")
    engine.execute("CREATE TABLE ticket_lines (source VARCHAR, ticket_id VARCHAR, product_id VARCHAR, amount DOUBLE)")
    engine.execute("CREATE TABLE products (product_id VARCHAR, category VARCHAR)")
    return engine


def summarise_own_columns(folder: Path) -> Callable[[], object]:
    """frequency, recency, T and monetary_value by the steps of the workbench."""
    engine = open_tickets(folder)
    return lambda: [engine.run(step, as_of_date=AS_OF) for step in FREQUENCY_STEPS]


def summarise_whole(folder: Path) -> Callable[[], object]:
    """Table `purchase_summary`."""
    engine = open_tickets(folder)
    return lambda: summarise_purchases(engine, AS_OF)


def summarise_by_hand(folder: Path) -> Callable[[], object]:
    """The same columns by `BY_HAND`."""
    engine = open_tickets(folder, memory_limit="4GB")
    return lambda: engine.execute(BY_HAND)


def summarise_in_lifetimes(folder: Path) -> Callable[[], object]:
    """frequency, recency, T and monetary_value by lifetimes."""
    with undisturbed():
        summarise = import_module("lifetimes.utils").summary_data_from_transaction_data

    def read_and_summarise() -> object:
        read = pq.read_table(folder / "tickets.parquet", columns=["source_record_id", "bought_at", "amount"])
        tickets = read.cast(LIFETIMES_TYPES).to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get)
        return summarise(tickets, "source_record_id", "bought_at", "amount", observation_period_end=AS_OF)

    return read_and_summarise


CONTENDERS = {
    "lifetimes.utils, its columns": summarise_in_lifetimes,
    "the workbench, the same columns": summarise_own_columns,
    "a query by hand, all columns": summarise_by_hand,
    "the workbench, all columns": summarise_whole,
}


def main() -> None:
    """Read the command line, run the benchmark; with a contender, that one alone."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.purchases")
    reader.add_argument("--tickets", type=int, default=1_000_000)
    reader.add_argument("--contender", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    reader.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = reader.parse_args()
    if given.contender:
        work = CONTENDERS[given.contender](given.folder)
        begun, before = time.perf_counter(), time.process_time()
        with undisturbed():
            work()
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(time.perf_counter() - begun, time.process_time() - before, used.ru_maxrss / 1024**2)
        return
    with TemporaryDirectory() as name:
        write_tickets(Path(name), given.tickets)
        print(f"{given.tickets:,} tickets\n{'':44}{'seconds':>9}{'processor':>11}{'peak GB':>9}")
        clock, processor = {}, {}
        for contender in CONTENDERS:
            words = [sys.executable, "-m", "tests.benchmarks.purchases", "--contender", contender, "--folder", name]
            told = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
            clock[contender], processor[contender], peak = map(float, told)
            print(f"{contender:44}{clock[contender]:>9.2f}{processor[contender]:>11.2f}{peak:>9.2f}", flush=True)
    for by, seconds in (("clock", clock), ("processor", processor)):
        theirs, own, by_hand, whole = seconds.values()
        print(
            f"by the {by}: lifetimes / the workbench {theirs / own:.1f}; the workbench / by hand {whole / by_hand:.2f}"
        )


if __name__ == "__main__":
    main()
