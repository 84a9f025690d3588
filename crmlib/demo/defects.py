"""Wrong data, planted where an export has it in life, and noted for the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from crmlib.demo.columns import Columns, Ints, Text, as_text
from crmlib.demo.people import CHECK_LETTERS


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
    """

    defect: str
    column: str
    share: float
    spoil: Callable[[np.random.Generator, Text], Text]


@dataclass
class DefectLog:
    """The defects of one source's entity, as they are planted."""

    source: str
    entity: str
    rows: list[tuple[str, str]] = field(default_factory=list)

    def note(self, keys: Text, defect: str) -> None:
        """Note that the rows with these keys have a defect."""
        self.rows += [(key, defect) for key in keys.tolist()]


def plant(
    rng: np.random.Generator, columns: Columns, key: str, plantings: tuple[Planting, ...], log: DefectLog
) -> Columns:
    """Spoil values, at most one in a row.

    Parameters
    ----------
    rng : Generator
    columns : Columns
    key : str
        Column that names the row in the truth.
    plantings : tuple of Planting
    log : DefectLog
        Told of every spoilt row.

    Returns
    -------
    Columns
        The same columns, with wrong values in some.
    """
    spoilt = dict(columns)
    free = np.ones(len(columns[key]), dtype=np.bool_)
    for planting in plantings:
        values = spoilt[planting.column].copy()
        candidates = np.flatnonzero((values != "") & free)
        rows = choose_rows(rng, candidates, planting.share)
        values[rows] = planting.spoil(rng, values[rows])
        free[rows] = False
        spoilt[planting.column] = values
        log.note(columns[key][rows], planting.defect)
    return spoilt


def choose_rows(rng: np.random.Generator, candidates: Ints, share: float) -> Ints:
    """Choose a share of the rows, in their order; what is over a whole number is left to chance."""
    count = int(len(candidates) * share + rng.random())
    return np.sort(rng.choice(candidates, size=min(count, len(candidates)), replace=False))


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
    return as_text(
        value[:-1] + letters[(letters.index(value[-1]) + 1) % len(letters)] for value in values.tolist()
    )


def bad_dates(rng: np.random.Generator, values: Text) -> Text:
    """Days that no calendar has, in the form of the value they replace."""
    days = [("31", "02"), ("00", "00"), ("30", "02"), ("15", "13")]
    which = rng.integers(0, len(days), len(values))
    return as_text(
        f"{days[day][0]}/{days[day][1]}/{value[6:]}" if "/" in value else f"{value[:4]}-{days[day][1]}-{days[day][0]}"
        for day, value in zip(which, values.tolist(), strict=True)
    )
