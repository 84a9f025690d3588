"""Wrong data, planted where an export has it in life, and noted for the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from crmlib.demo.chance import stream
from crmlib.demo.columns import Columns, Ints, Text, as_text, spanish_date_text
from crmlib.demo.contacts import CHECK_LETTERS


@dataclass(frozen=True)
class Planting:
    """One kind of wrong value.

    Parameters
    ----------
    defect : str
        Its name in the truth.
    column : str
        The column it spoils.
    share : float
        Of the rows that have a value there.
    spoil : callable
        ``spoil(rng, values)`` gives the wrong values.
    few : int
        Rows of the whole retailer that have it besides, all among the first people.
    """

    defect: str
    column: str
    share: float
    spoil: Callable[[np.random.Generator, Text], Text]
    few: int = 0


@dataclass
class DefectLog:
    """The defects of one source's entity, as they are planted.

    Parameters
    ----------
    source, entity : str
        As params name them.
    rows : list of (str, str)
        Key of the row, and the defect.
    """

    source: str
    entity: str
    rows: list[tuple[str, str]] = field(default_factory=list)

    def note(self, keys: Text, defect: str) -> None:
        """Note that the rows with these keys have a defect."""
        self.rows += [(key, defect) for key in keys.tolist()]


def plant(
    seed: int, first: int, columns: Columns, keys: Text, plantings: tuple[Planting, ...], log: DefectLog
) -> Columns:
    """Spoil values, at most one in a row.

    Parameters
    ----------
    seed, first : int
    columns : Columns
    keys : Text
        What names each row in the truth.
    plantings : tuple of Planting
    log : DefectLog
        Told of every spoilt row.

    Returns
    -------
    Columns
        The same columns, with wrong values in some.
    """
    rng = stream(seed, f"defects of {log.source}", first)
    spoilt = dict(columns)
    free = np.ones(len(keys), dtype=np.bool_)
    for planting in plantings:
        values = spoilt[planting.column].copy()
        candidates = np.flatnonzero((values != "") & free)
        count = int(len(candidates) * planting.share + rng.random()) + (planting.few if first == 0 else 0)
        rows = np.sort(rng.choice(candidates, size=min(count, len(candidates)), replace=False))
        values[rows] = planting.spoil(rng, values[rows])
        free[rows] = False
        spoilt[planting.column] = values
        log.note(keys[rows], planting.defect)
    return spoilt


def repeat_rows(columns: Columns, rows: Ints, changed: str | None) -> Columns:
    """Deliver rows a second time at the end.

    Parameters
    ----------
    columns : Columns
    rows : array of int
        Places of the rows.
    changed : str or None
        Column in which the second delivery differs, though nothing says which is newer; None if none does.
    """
    if len(rows) == 0:
        return columns
    added = {heading: cells[rows] for heading, cells in columns.items()}
    if changed is not None:
        added[changed] = as_text("X" + value for value in added[changed].tolist())
    return {heading: np.concatenate([cells, added[heading]]) for heading, cells in columns.items()}


def bad_emails(rng: np.random.Generator, values: Text) -> Text:
    """Addresses that are none, each in one of the usual ways."""
    forms = (
        lambda value: value.replace("@", " "),
        lambda value: value.replace("@", "@@"),
        lambda value: value.replace("@", ".", 1),
        lambda value: "@" + value.split("@")[-1],
        lambda value: value.replace("@", ",@"),
    )
    which = rng.integers(0, len(forms), len(values))
    return as_text(forms[form](value) for form, value in zip(which, values.tolist(), strict=True))


def placeholder_phones(rng: np.random.Generator, values: Text) -> Text:
    """What is typed where a phone number must be."""
    return as_text(["000000000", "999999999", "600000000", "123"])[rng.integers(0, 4, len(values))]


def wrong_letters(_rng: np.random.Generator, values: Text) -> Text:
    """National ids with another letter than their number asks for."""
    letters = "".join(CHECK_LETTERS.tolist())
    return as_text(value[:-1] + letters[(letters.index(value[-1]) + 1) % len(letters)] for value in values.tolist())


def dates_after(as_of_date: date) -> Callable[[np.random.Generator, Text], Text]:
    """Days, as dd/mm/yyyy, that come after the as-of date."""

    def spoil(rng: np.random.Generator, values: Text) -> Text:
        return spanish_date_text(np.datetime64(as_of_date, "D") + rng.integers(1, 20, len(values)))

    return spoil


def bad_dates(rng: np.random.Generator, values: Text) -> Text:
    """Days that no calendar has, in the form of the value they replace."""
    days = [("31", "02"), ("00", "00"), ("30", "02"), ("15", "13")]
    which = rng.integers(0, len(days), len(values))
    return as_text(
        f"{days[day][0]}/{days[day][1]}/{value[6:]}" if "/" in value else f"{value[:4]}-{days[day][1]}-{days[day][0]}"
        for day, value in zip(which, values.tolist(), strict=True)
    )
