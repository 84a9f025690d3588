"""Customers as the compiled parts need them: gathered in SQL for all, then read as records chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.campaign.eligibility import show_audience
from crmlib.campaign.notation import STAGES
from crmlib.campaign.shapes import FAR, MARKETING, NEVER, PERSON, PROFILING, SERVICE
from crmlib.engine import Engine, Step

Records = NDArray[np.void]

#: Days over which abandoned carts are counted.
CART_DAYS = 182
CHUNK = 20_000

ABANDONED_CARTS = Step(
    "abandoned_carts",
    """
    SELECT i.customer_id, count(*) AS carts
    FROM web_events AS w
    JOIN identities AS i ON i.source = w.record_source AND i.source_record_id = w.source_record_id
    WHERE w.event = 'abandon' AND CAST(w.happened_at AS DATE) >= $first_day - to_days($cart_days)
    GROUP BY i.customer_id
    """,
)

_PEOPLE = """
    SELECT row_number() OVER (ORDER BY e.customer_id) - 1 AS row, e.customer_id,
           CAST('0x' || substr(md5(e.customer_id), 1, 15) AS BIGINT) AS key,
           coalesce(v.expected_value, 0) * $margin_share AS value,
           coalesce({expected}, 0) / {days} AS rate, v.{chance} AS p_buy, coalesce(v.p_alive, 0) AS p_alive,
           coalesce(c.carts, 0) / CAST($cart_days AS DOUBLE) AS cart_rate,
           p.frequency, p.recency, p.T, coalesce(p.frequency + 1, 0) AS bought,
           p.home_store_id AS store_id,
           CASE WHEN p.channel_shares IS NULL OR cardinality(p.channel_shares) = 0 THEN 1.0
                ELSE coalesce(p.channel_shares['store'], 0) END AS store_share,
           coalesce(date_diff('day', $first_day, p.last_purchase_date), $never) AS last_purchase,
           coalesce(l.stage, 'prospect') AS stage, l.since,
           r.marketing, r.profiling, r.service, r.address
    FROM everybody AS e
    JOIN reach AS r ON r.customer_id = e.customer_id
    LEFT JOIN purchase_summary AS p ON p.customer_id = e.customer_id
    LEFT JOIN customer_value AS v ON v.customer_id = e.customer_id
    LEFT JOIN lifecycle AS l ON l.customer_id = e.customer_id
    LEFT JOIN abandoned_carts AS c ON c.customer_id = e.customer_id
"""


@dataclass(frozen=True)
class PeopleTable:
    """Everybody, numbered.

    Parameters
    ----------
    table : str
        ``plan_people``.
    number : int
        Customers.
    first_day : date
        The day that is counted as 0.
    as_of_date : date
    horizon_days : int
        Of the calibrated chance of a purchase.
    stores : list of str
        Where they commonly buy.
    """

    table: str
    number: int
    first_day: date
    as_of_date: date
    horizon_days: int
    stores: list[str]

    @property
    def contacts(self) -> str:
        """The table of their past contacts: row, day, channel, category, communication_id."""
        return f"{self.table}_contacts"


@dataclass(frozen=True)
class Chunk:
    """Some customers as any plan meets them.

    Parameters
    ----------
    first, last : int
        Their numbers.
    frame : DataFrame
        key, value, rate (expected purchases a day), p_buy, p_alive, frequency, recency, T, and what `people` holds.
    people : PERSON
    """

    first: int
    last: int
    frame: pd.DataFrame
    people: Records


def gather_people(engine: Engine, first_day: date, as_of_date: date, margin_share: float) -> PeopleTable:
    """Gather what is known of every customer.

    Parameters
    ----------
    engine : Engine
        Holds ``everybody`` and ``reach`` (of `find_reach`), ``contact_history`` (of `collect_history`),
        `purchase_summary`, `customer_value`, `lifecycle`, `web_events`, `identities`.
    first_day, as_of_date : date
    margin_share : float
        Margin in the amount of a purchase.

    Returns
    -------
    PeopleTable
    """
    horizons = sorted(
        int(name.removeprefix("p_buy_").removesuffix("d"))
        for name in engine.columns("customer_value")
        if name.startswith("p_buy_")
    )
    days = horizons[-1] if horizons else 0
    chance, expected = "p_alive", "v.p_alive * p.frequency / nullif(p.T, 0)"
    if days:
        chance, expected = f"p_buy_{days}d", f"v.expected_purchases_{days}d"
    engine.run(ABANDONED_CARTS, first_day=first_day, cart_days=CART_DAYS)
    table = engine.run(
        Step("plan_people", _PEOPLE.format(chance=chance, expected=expected, days=float(max(days, 1)))),
        first_day=first_day,
        margin_share=margin_share,
        cart_days=CART_DAYS,
        never=NEVER,
    )
    show_audience(engine)
    stores = engine.frame(f"SELECT DISTINCT store_id FROM {table} WHERE store_id IS NOT NULL ORDER BY store_id")
    return _number(engine, PeopleTable(table, 0, first_day, as_of_date, days, stores["store_id"].tolist()))


def sample_people(engine: Engine, everybody: PeopleTable, most: int, name: str = "plan_sample") -> PeopleTable:
    """A sample of the customers, by their keys: whoever is in it stays in it when others arrive.

    Parameters
    ----------
    engine : Engine
    everybody : PeopleTable
    most : int
        Customers wanted, about.
    name : str
        Of the table that is made.
    """
    every = max(1, round(everybody.number / max(most, 1)))
    sql = f"""
        SELECT row_number() OVER (ORDER BY row) - 1 AS row, * EXCLUDE (row)
        FROM {everybody.table}
        WHERE key % $every = 0
    """
    return _number(engine, replace(everybody, table=engine.run(Step(name, sql), every=every)))


def _number(engine: Engine, everybody: PeopleTable) -> PeopleTable:
    """Count the customers, and put their past contacts beside them, by row."""
    sql = f"""
        SELECT p.row, date_diff('day', $first_day, h.day) AS day, h.channel, h.category, h.communication_id
        FROM contact_history AS h
        JOIN {everybody.table} AS p ON p.customer_id = h.customer_id
        ORDER BY p.row, h.day, h.communication_id
    """
    engine.run(Step(everybody.contacts, sql), first_day=everybody.first_day)
    return replace(everybody, number=engine.row(f"SELECT count(*) AS n FROM {everybody.table}")["n"])


def read_chunks(engine: Engine, everybody: PeopleTable, size: int = CHUNK) -> Iterator[Chunk]:
    """Read customers as records, some at a time; `enter_after` is left to the simulation.

    Parameters
    ----------
    engine : Engine
    everybody : PeopleTable
    size : int
        Customers at a time.
    """
    for first in range(0, everybody.number, size):
        last = min(first + size, everybody.number)
        frame = engine.frame(
            f"SELECT * EXCLUDE (customer_id) FROM {everybody.table} WHERE row >= $first AND row < $last ORDER BY row",
            first=first,
            last=last,
        )
        people = np.zeros(len(frame), PERSON)
        for name in ("value", "cart_rate", "bought", "last_purchase", "address", "store_share"):
            people[name] = frame[name].to_numpy()
        people["store"] = find_places(frame["store_id"], everybody.stores)
        people["stage"] = find_places(frame["stage"], STAGES)
        for purpose, name in ((MARKETING, "marketing"), (PROFILING, "profiling"), (SERVICE, "service")):
            people["permitted"][:, purpose] = frame[name].to_numpy()
        yield Chunk(first, last, frame, people)


def read_stage_days(engine: Engine, everybody: PeopleTable, chunk: Chunk) -> NDArray[np.int64]:
    """Days without a purchase after which each customer of a chunk enters the stages; `FAR` for who never bought.

    Parameters
    ----------
    engine : Engine
        Holds ``stage_days``: frequency, recency, after0 to after4.
    everybody : PeopleTable
    chunk : Chunk
    """
    names = [f"after{place}" for place in range(5)]
    frame = engine.frame(
        f"""
        SELECT {", ".join(f"coalesce(s.{name}, {FAR}) AS {name}" for name in names)}
        FROM {everybody.table} AS p
        LEFT JOIN stage_days AS s ON s.frequency = p.frequency AND s.recency = p.recency
        WHERE p.row >= $first AND p.row < $last
        ORDER BY p.row
        """,
        first=chunk.first,
        last=chunk.last,
    )
    days: NDArray[np.int64] = frame[names].to_numpy(np.int64)
    return days


def find_places(names: pd.Series, known: Sequence[str]) -> NDArray[np.int64]:
    """Place of each name among those known; -1 for others."""
    return np.asarray(pd.Index(list(known), dtype="object").get_indexer(pd.Index(names.astype(object))), np.int64)
