"""Which system knows whom, since when: the retailer's records, duplicates among them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from crmlib.demo.chance import Choice, key_of, scatter, stream
from crmlib.demo.columns import Dates, Ints

SOURCES = ("loyalty", "shop", "erp")
#: Records of one person by source, and the share of people who have them so: 1.395 records a person,
#: so that 28 % of the records are duplicates.
RECORD_SETS = (
    ((1, 0, 0), 0.435),
    ((0, 1, 0), 0.120),
    ((0, 0, 1), 0.120),
    ((1, 1, 0), 0.115),
    ((1, 0, 1), 0.060),
    ((0, 1, 1), 0.020),
    ((2, 0, 0), 0.040),
    ((0, 2, 0), 0.015),
    ((0, 0, 2), 0.015),
    ((1, 1, 1), 0.033),
    ((2, 1, 0), 0.012),
    ((1, 0, 2), 0.005),
    ((2, 1, 1), 0.010),
)
#: No source has more records of one person than this.
MOST_PER_SOURCE = 2
#: Numbers that a source's codes are spread over.
CODES = 100_000_000


@dataclass(frozen=True)
class Holding:
    """What one source holds of one piece of the population, in the order of its codes.

    Parameters
    ----------
    person : array of int
        Place of the record's person within the piece.
    code : array of int
        The record's number in its source, below ``CODES``; it tells nothing of the person.
    created_on, updated_on : array of date
    """

    person: Ints
    code: Ints
    created_on: Dates
    updated_on: Dates

    def __len__(self) -> int:
        return len(self.person)


def draw_holdings(seed: int, number: Ints, entered_on: Dates, as_of_date: date) -> dict[str, Holding]:
    """Draw each person's records.

    Parameters
    ----------
    seed : int
    number : array of int
        The people of one piece.
    entered_on : array of date
        When each became a customer: the first card's date.
    as_of_date : date
        No record is younger.

    Returns
    -------
    dict of str to Holding
        By source.
    """
    rng = stream(seed, "holdings", int(number[0]))
    last = np.datetime64(as_of_date, "D")
    counts = np.array([counts for counts, _ in RECORD_SETS], dtype=np.int64)
    drawn = counts[Choice.of([share for _, share in RECORD_SETS]).draw(rng, len(number))]
    holdings = {}
    for column, source in enumerate(SOURCES):
        start = entered_on if source == "loyalty" else _between(rng, entered_on, last)
        opened = [start, _between(rng, start, last)]
        parts = [np.flatnonzero(drawn[:, column] > which) for which in range(MOST_PER_SOURCE)]
        person = np.concatenate(parts)
        created_on = np.concatenate([opened[which][part] for which, part in enumerate(parts)])
        which = np.repeat(np.arange(MOST_PER_SOURCE), [len(part) for part in parts])
        code = scatter(MOST_PER_SOURCE * number[person] + which, CODES, key_of(seed, source))
        updated_on = _between(rng, created_on, last)
        order = np.argsort(code)
        holdings[source] = Holding(person[order], code[order], created_on[order], updated_on[order])
    return holdings


def _between(rng: np.random.Generator, start: Dates, end: np.datetime64) -> Dates:
    days = (end - start).astype(np.int64)
    return start + np.floor(rng.random(len(start)) * (days + 1)).astype(np.int64)
