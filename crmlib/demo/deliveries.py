"""When the tills' files are delivered, what comes late, and what is corrected: each file bears its day in its name."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crmlib.demo.columns import Bools, Ints
from crmlib.demo.season import Season

#: A store whose lines were down, as a place in the word list: so many days before the as-of date, for so long.
LATE_STORE, LATE_DAYS_AGO, LATE_DAYS = 4, 75, 6
#: What it sold came in so many days before the as-of date, and what was corrected, so many.
ARRIVAL_DAYS_AGO, CORRECTION_DAYS_AGO = 58, 12
#: Tickets that are first delivered with a slip of a digit, all older than so many days.
CORRECTED_TICKETS, CORRECTED_BEFORE_DAYS = 8, 110
#: Ticket and line tables by delivery.
Tables = dict[str, tuple[pa.Table, pa.Table]]


def come_late(store: Ints, day: Ints, season: Season) -> Bools:
    """Which tickets come with a late delivery.

    Parameters
    ----------
    store, day : array of int
        Of each ticket.
    season : Season
    """
    since = season.days - 1 - LATE_DAYS_AGO
    late: Bools = (store == LATE_STORE) & (day >= since) & (day < since + LATE_DAYS)
    return late


def choose_corrected(rng: np.random.Generator, candidates: Ints, day: Ints, season: Season) -> Ints:
    """Choose the tickets that are delivered wrong and corrected later.

    Parameters
    ----------
    rng : Generator
    candidates : array of int
        Places of the tickets that may be.
    day : array of int
        Of each ticket.
    season : Season
    """
    old = candidates[day[candidates] < season.days - CORRECTED_BEFORE_DAYS]
    return np.sort(rng.permutation(old)[:CORRECTED_TICKETS])


def find_deliveries(day: Ints, late: Bools, season: Season) -> tuple[Ints, list[str]]:
    """The delivery of each ticket: a quarter comes when it is over, or with the as-of date.

    Parameters
    ----------
    day : array of int
        Of each ticket.
    late : array of bool
    season : Season

    Returns
    -------
    place : array of int
        Of each ticket's delivery among the names.
    names : list of str
        Such as ``2026q3_20261001``.
    """
    last = season.start + (season.days - 1)
    quarter = (season.start + day).astype("datetime64[M]").astype(np.int64) // 3
    first = int(season.start.astype("datetime64[M]").astype(np.int64)) // 3
    names = []
    for one in range(first, int(last.astype("datetime64[M]").astype(np.int64)) // 3 + 1):
        after = np.datetime64(3 * (one + 1), "M").astype("datetime64[D]")
        names.append(f"{1970 + one // 4}q{one % 4 + 1}_{_digits(min(after, last))}")
    return np.where(late, len(names), quarter - first), [*names, f"late_{_digits(last - ARRIVAL_DAYS_AGO)}"]


def correct_later(tables: Tables, right: pa.Table, season: Season) -> Tables:
    """Deliver some tickets wrong at first, and once more as they should be.

    Parameters
    ----------
    tables : dict of str to (Table, Table)
        Tickets and lines by delivery.
    right : Table
        The tickets that are to be corrected, as they should be.
    season : Season
    """
    if right.num_rows == 0:
        return tables
    numbers = right["TICKET"].combine_chunks()
    spoilt = {name: (_slip(tickets, numbers), lines) for name, (tickets, lines) in tables.items()}
    name = f"corrected_{_digits(season.start + (season.days - 1 - CORRECTION_DAYS_AGO))}"
    return {**spoilt, name: (right, next(iter(tables.values()))[1].slice(0, 0))}


def _slip(tickets: pa.Table, numbers: pa.Array) -> pa.Table:
    """Totals of the named tickets with a digit too many."""
    total = tickets["TOTAL"]
    tenfold = pc.multiply(total, pa.scalar(10)).cast(total.type)
    slipped = pc.if_else(pc.is_in(tickets["TICKET"], value_set=numbers), tenfold, total)
    return tickets.set_column(tickets.schema.get_field_index("TOTAL"), "TOTAL", slipped)


def _digits(day: np.datetime64) -> str:
    return str(day).replace("-", "")
